"""The plain and the robust posterior of every parameter, one over the other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import NDArray

from neurofit.report.figures.pairs import round_ticks
from neurofit.report.figures.parameters import COLUMNS, PANEL
from neurofit.report.figures.style import FITTED, HELD_OUT, bare, figure, styled
from neurofit.report.words import number

Array = NDArray[np.float64]

BINS = 50


def robust_figure(labels: Sequence[str], plain: Array, robust: Array, log: Sequence[bool]) -> Figure:
    """Every parameter: plain in blue, robust in orange; their medians and 90 % intervals below.

    Parameters
    ----------
    labels, log
        ``[parameter]``: name with unit; is its axis logarithmic?
    plain, robust
        ``[draw, parameter]``, in the parameters' units.
    """
    n = len(labels)
    columns = min(n, COLUMNS)
    rows = -(-n // columns)
    with styled():
        fig = figure(PANEL[0] * max(columns, 2), PANEL[1] * rows + 0.35, layout="constrained")
        panels = fig.subplots(rows, columns, squeeze=False).ravel()
        for axes, label, a, b, its_log in zip(panels, labels, plain.T, robust.T, log, strict=False):
            _panel(axes, label, a, b, its_log)
        for axes in panels[n:]:
            axes.set_axis_off()
        handles = [
            Patch(facecolor=FITTED, alpha=0.45, label="plain"),
            Patch(facecolor="none", edgecolor=HELD_OUT, linewidth=1.4, label="robust"),
        ]
        fig.legend(handles=handles, loc="outside upper left", ncols=2)
    return fig


def _panel(axes: Axes, label: str, plain: Array, robust: Array, log: bool) -> None:
    low, high = np.quantile(np.concatenate([plain, robust]), [0.001, 0.999])
    edges = np.geomspace(low, high, BINS + 1) if log else np.linspace(low, high, BINS + 1)
    before, after = (np.histogram(draws, edges)[0] / len(draws) for draws in (plain, robust))
    axes.stairs(before, edges, color=FITTED, fill=True, alpha=0.45)
    axes.stairs(after, edges, color=HELD_OUT, linewidth=1.4)
    top = float(max(before.max(), after.max()))
    for draws, colour, at in ((plain, FITTED, -0.08 * top), (robust, HELD_OUT, -0.17 * top)):
        five, median, ninety_five = np.quantile(draws, [0.05, 0.5, 0.95])
        axes.plot([five, ninety_five], [at, at], color=colour, linewidth=2.2, solid_capstyle="butt")
        axes.plot(median, at, "o", color=colour, markersize=4.5, markerfacecolor="white")
    axes.set_ylim(-0.26 * top, 1.08 * top)
    if log:
        axes.set_xscale("log")
    axes.set_xlim(low, high)
    ticks = round_ticks(float(low), float(high), log)
    axes.set_xticks(ticks, [number(t) for t in ticks])
    axes.set_xticks([], minor=True)
    axes.set_xlabel(label, labelpad=2)
    bare(axes, "left")
    axes.tick_params(labelleft=False)
