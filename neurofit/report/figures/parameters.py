"""Prior and posterior of a model's parameters, one by one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FixedLocator, LogFormatterSciNotation, LogLocator, MaxNLocator, NullFormatter
from numpy.typing import NDArray

from neurofit.report.figures.style import FAINT, FITTED, INK, WARNING, bare, figure, styled
from neurofit.report.words import number

Array = NDArray[np.float64]

BINS = 80
# Inches of one parameter's panel, and how many stand side by side.
PANEL = (2.3, 1.75)
COLUMNS = 4


def marginal_figure(
    label: str,
    draws: Array,
    prior: Any,
    *,
    log: bool = False,
    map_value: float | None = None,
    truth: float | None = None,
    first: Array | None = None,
) -> Figure:
    """One parameter: prior in grey, posterior in blue; its median and 90 % interval below, its MAP as a triangle.

    Parameters
    ----------
    label
        Name with unit, for the axis.
    draws
        ``[draw]``, in the parameter's unit.
    prior
        Its ``support``, ``cdf`` and ``ppf``, as a frozen ``scipy.stats`` distribution has them.
    log
        Draw on a logarithmic axis; densities are then per decade.
    map_value
        The most probable value.
    truth
        The true value, where it is known: a dashed line.
    first
        ``[draw]`` of the first round's posterior: a dotted outline.
    """
    with styled():
        fig = figure(*PANEL)
        _marginal(fig.add_axes((0.09, 0.27, 0.82, 0.68)), label, draws, prior, log, map_value, truth, first)
    return fig


def marginals_figure(
    labels: Sequence[str],
    draws: Array,
    priors: Sequence[Any],
    log: Sequence[bool],
    map_values: Array,
    truth: Array | None = None,
) -> Figure:
    """Every parameter as in :func:`marginal_figure`, in one figure with a key.

    Parameters
    ----------
    labels, priors, log, map_values
        ``[parameter]``.
    draws
        ``[draw, parameter]``.
    truth
        ``[parameter]``, NaN where it is not known.
    """
    n = len(labels)
    columns = min(n, COLUMNS)
    rows = -(-n // columns)
    known = np.full(n, np.nan) if truth is None else truth
    with styled():
        fig = figure(PANEL[0] * max(columns, 2), PANEL[1] * rows + 0.35, layout="constrained")
        panels = fig.subplots(rows, columns, squeeze=False).ravel()
        for axes, label, column, prior, its_log, best, true in zip(
            panels, labels, draws.T, priors, log, map_values, known, strict=False
        ):
            _marginal(axes, label, column, prior, its_log, float(best), None if np.isnan(true) else float(true))
        for axes in panels[n:]:
            axes.set_axis_off()
        handles: list[Line2D | Patch] = [
            Patch(facecolor=FAINT, alpha=0.35, label="prior"),
            Patch(facecolor=FITTED, alpha=0.5, label="posterior,\nup to the tolerances"),
            Line2D([], [], color=INK, marker="o", markerfacecolor="white", linewidth=2.2, label="median, 90 %"),
            Line2D([], [], color=WARNING, marker="v", ls="", label="MAP"),
        ]
        if np.isfinite(known).any():
            handles.append(Line2D([], [], color=INK, ls="--", label="truth"))
        fig.legend(handles=handles, loc="outside upper left", ncols=3 if columns < 3 else len(handles))
    return fig


def _marginal(
    axes: Axes,
    label: str,
    draws: Array,
    prior: Any,
    log: bool,
    map_value: float | None,
    truth: float | None,
    first: Array | None = None,
) -> None:
    low, high = _ends(draws if truth is None else np.append(draws, truth), prior)
    edges = np.geomspace(low, high, BINS + 1) if log else np.linspace(low, high, BINS + 1)
    width = np.diff(np.log10(edges) if log else edges)
    mass, _ = np.histogram(draws, edges)
    density = mass / len(draws) / width
    prior_density = np.diff(prior.cdf(edges)) / width
    axes.stairs(prior_density, edges, color=FAINT, linewidth=1.0, fill=True, alpha=0.35)
    axes.stairs(density, edges, color=FITTED, linewidth=1.2, fill=True, alpha=0.45)
    axes.stairs(density, edges, color=FITTED, linewidth=1.0)
    if first is not None:
        before = np.histogram(first, edges)[0] / len(first) / width
        axes.stairs(before, edges, color=INK, linewidth=1.0, linestyle=":")
    top = float(max(density.max(), prior_density.max()))
    five, median, ninety_five = np.quantile(draws, [0.05, 0.5, 0.95])
    at = -0.09 * top
    axes.plot([five, ninety_five], [at, at], color=INK, linewidth=2.2, solid_capstyle="butt")
    axes.plot(median, at, "o", color=INK, markersize=4.5, markerfacecolor="white")
    if map_value is not None:
        axes.plot(map_value, 1.07 * top, "v", color=WARNING, markersize=5)
    if truth is not None:
        # not cut in half where it is the end of the axis
        axes.axvline(truth, color=INK, linewidth=1.2, linestyle="--", clip_on=False)
    axes.set_ylim(-0.18 * top, 1.16 * top)
    if log:
        axes.set_xscale("log")
    axes.set_xlim(low, high)
    round_ticks(axes.xaxis, low, high, log, most=4)
    axes.set_xlabel(label, labelpad=2)
    bare(axes, "left")
    axes.tick_params(labelleft=False)


def round_ticks(axis: Any, low: float, high: float, log: bool, most: int) -> None:
    """Round ticks of an axis from low to high, never more than fit."""
    if not log:
        axis.set_major_locator(MaxNLocator(most, steps=[1, 2, 5, 10]))
        return
    if high / low < 1e4:
        ticks = [s * 10.0**d for d in range(-12, 12) for s in (1, 3) if low <= s * 10.0**d <= high]
        axis.set_major_locator(FixedLocator(ticks))
        axis.set_ticklabels([number(t) for t in ticks])
    else:
        axis.set_major_locator(LogLocator(numticks=most))
        axis.set_major_formatter(LogFormatterSciNotation())
    axis.set_minor_formatter(NullFormatter())


def _ends(draws: Array, prior: Any) -> tuple[float, float]:
    """The prior's support where it is bounded, with all ``draws``; otherwise all but its outermost thousandths."""
    low, high = (float(x) for x in prior.support())
    if not np.isfinite(low):
        low = float(min(prior.ppf(1e-3), draws.min()))
    if not np.isfinite(high):
        high = float(max(prior.ppf(1 - 1e-3), draws.max()))
    if low <= 0 < high and float(prior.ppf(1e-3)) > 0:
        # a log-normal's support begins at 0, which a logarithmic axis cannot show
        low = float(min(prior.ppf(1e-3), draws.min()))
    return min(low, float(draws.min())), max(high, float(draws.max()))
