"""A feature of the cell among the simulations of the prior."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogFormatter
from numpy.typing import NDArray

from neurofit.report.figures.style import FAINT, MISSED, SHADE, WIDTH, bare, figure, styled

Array = NDArray[np.float64]

# Simulations beyond this central share are gathered at the ends of the axis.
SHOWN = 0.99


def reach_figure(
    title: str, label: str, simulated: Array, recorded: float, near: tuple[float, float], *, log: bool
) -> Figure:
    """How often simulations have which value, the cell's as a line, and what would count as near it shaded.

    Parameters
    ----------
    title, label
        Above the figure and on its axis, with the unit.
    simulated
        ``[simulation]``: values of those that have the feature.
    recorded, near
        The cell's value, and the range that counts as near it.
    log
        Is the axis logarithmic?
    """
    with styled():
        fig = figure(WIDTH, 1.75, layout="constrained")
        axes = fig.subplots()
        axes.set_title(title)
        ends = [*np.quantile(simulated, [(1 - SHOWN) / 2, (1 + SHOWN) / 2]).tolist(), *near]
        low, high = min(ends), max(ends)
        if log:
            axes.set_xscale("log")
            for axis_format in (axes.xaxis.set_major_formatter, axes.xaxis.set_minor_formatter):
                axis_format(LogFormatter(labelOnlyBase=False, minor_thresholds=(1.5, 0.5)))
        edges = (np.geomspace(low, high, 61) if log else np.linspace(low, high, 61)).tolist()
        axes.hist(np.clip(simulated, edges[0], edges[-1]), edges, color=FAINT, alpha=0.55, linewidth=0)
        axes.axvspan(*near, color=SHADE, linewidth=0, zorder=-2)
        axes.axvline(recorded, color=MISSED, linewidth=2.0)
        right = recorded > (np.sqrt(low * high) if log else (low + high) / 2)
        axes.annotate(
            f"the cell, {recorded:.3g}", (recorded, 0.95), xycoords=("data", "axes fraction"),
            xytext=(-4 if right else 4, 0), textcoords="offset points", ha="right" if right else "left", va="top",
            fontsize=8, color=MISSED, weight="bold",
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 0.8},
        )  # fmt: skip
        bare(axes, "left")
        axes.tick_params(labelleft=False)
        axes.set_xlabel(label)
        axes.set_ylabel("simulations")
    return fig
