"""Posterior and prior of a model's parameters: one by one, and two by two."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, LogFormatterSciNotation, LogLocator, MaxNLocator, NullFormatter
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from neurofit.report.figures.style import FAINT, FITTED, INK, WARNING, bare, figure, styled
from neurofit.report.words import number

Array = NDArray[np.float64]

BINS = 40
CELL = 0.86  # inches of one panel of the pair plot


def marginal_figure(
    label: str, draws: Array, prior: Any, *, log: bool = False, map_value: float | None = None
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
    """
    with styled():
        fig = figure(2.3, 1.75)
        axes = fig.add_axes((0.09, 0.27, 0.82, 0.68))
        low, high = _ends(draws, prior)
        edges = np.geomspace(low, high, 2 * BINS + 1) if log else np.linspace(low, high, 2 * BINS + 1)
        width = np.diff(np.log10(edges) if log else edges)
        mass, _ = np.histogram(draws, edges)
        density = mass / len(draws) / width
        prior_density = np.diff(prior.cdf(edges)) / width
        axes.stairs(prior_density, edges, color=FAINT, linewidth=1.0, fill=True, alpha=0.35)
        axes.stairs(density, edges, color=FITTED, linewidth=1.2, fill=True, alpha=0.45)
        axes.stairs(density, edges, color=FITTED, linewidth=1.0)
        top = float(max(density.max(), prior_density.max()))
        five, median, ninety_five = np.quantile(draws, [0.05, 0.5, 0.95])
        at = -0.09 * top
        axes.plot([five, ninety_five], [at, at], color=INK, linewidth=2.2, solid_capstyle="butt")
        axes.plot(median, at, "o", color=INK, markersize=4.5, markerfacecolor="white")
        if map_value is not None:
            axes.plot(map_value, 1.07 * top, "v", color=WARNING, markersize=5)
        axes.set_ylim(-0.18 * top, 1.16 * top)
        if log:
            axes.set_xscale("log")
        axes.set_xlim(low, high)
        _ticks(axes.xaxis, low, high, log, most=4)
        axes.set_xlabel(label, labelpad=2)
        bare(axes, "left")
        axes.tick_params(labelleft=False)
    return fig


def pair_figure(labels: Sequence[str], draws: Array, log: Sequence[bool], map_values: Array | None = None) -> Figure:
    """Every two parameters of the posterior: density with its 50 % and 90 % regions; marginals on the diagonal.

    Parameters
    ----------
    labels
        ``[parameter]``, names with units, for the axes.
    draws
        ``[draw, parameter]``, in the parameters' units. The axes span the posterior, not the prior.
    log
        ``[parameter]``: logarithmic axes.
    map_values
        ``[parameter]``, marked with a cross.
    """
    n = draws.shape[1]
    scaled = np.where(log, np.log10(np.maximum(draws, 1e-300)), draws)
    best = None if map_values is None else np.where(log, np.log10(np.maximum(map_values, 1e-300)), map_values)
    ends = np.quantile(scaled, [0.002, 0.998], axis=0)
    ends = ends + np.array([[-0.04], [0.04]]) * np.maximum(np.diff(ends, axis=0), 1e-9)
    with styled():
        side = CELL * n + 1.0
        fig = figure(side, side)
        grid = fig.subplots(
            n, n, squeeze=False,
            gridspec_kw={"left": 0.85 / side, "right": 1 - 0.1 / side, "bottom": 0.85 / side, "top": 1 - 0.1 / side,
                         "wspace": 0.06, "hspace": 0.06},
        )  # fmt: skip
        for i in range(n):
            for j in range(n):
                axes = grid[i, j]
                if j > i:
                    axes.set_axis_off()
                    continue
                if i == j:
                    mass, edges = np.histogram(scaled[:, i], BINS, ends[:, i])
                    axes.stairs(mass, edges, color=FITTED, fill=True, alpha=0.5)
                    axes.set_ylim(0, 1.1 * mass.max())
                    axes.set_xlim(*ends[:, i])
                    bare(axes, "left")
                else:
                    _density(axes, scaled[:, j], scaled[:, i], ends[:, j], ends[:, i])
                    if best is not None:
                        axes.plot(best[j], best[i], "+", color=WARNING, markersize=7, markeredgewidth=1.4)
                _frame(axes, i, j, n, labels, ends, log)
    return fig


def _density(axes: Axes, x: Array, y: Array, x_ends: Array, y_ends: Array) -> None:
    """Smoothed density, and the lines that hold 50 % and 90 % of it."""
    mass, _, _ = np.histogram2d(x, y, BINS, [tuple(x_ends), tuple(y_ends)])
    smooth = gaussian_filter(mass.T, 1.2, mode="nearest")
    extent = (*x_ends, *y_ends)
    axes.imshow(smooth, extent=extent, origin="lower", aspect="auto", cmap="Blues", vmin=0, interpolation="bilinear")
    ordered = np.sort(smooth.ravel())[::-1]
    share = np.cumsum(ordered) / ordered.sum()
    levels = sorted({float(ordered[np.searchsorted(share, s)]) for s in (0.9, 0.5)})
    if len(levels) == 2:
        axes.contour(smooth, levels, extent=extent, colors=[FITTED, "white"], linewidths=[0.9, 0.8])
    axes.set_xlim(*x_ends)
    axes.set_ylim(*y_ends)


def _frame(axes: Axes, i: int, j: int, n: int, labels: Sequence[str], ends: Array, log: Sequence[bool]) -> None:
    """Ticks and names along the left and the bottom only."""
    for axis, k, shown in ((axes.xaxis, j, i == n - 1), (axes.yaxis, i, j == 0 and i > 0)):
        if not shown:
            axis.set_ticks([])
            continue
        # none so near an end that its label meets the next panel's
        inner = ends[:, k] + np.array([0.08, -0.08]) * float(np.diff(ends[:, k])[0])
        low, high = (10**inner) if log[k] else inner
        ticks = _round_ticks(float(low), float(high), bool(log[k]))
        axis.set_ticks([float(np.log10(t)) if log[k] else t for t in ticks], [number(t) for t in ticks])
        axis.set_tick_params(labelsize=7)
        if axis is axes.xaxis:
            for text in axis.get_ticklabels():
                text.set(rotation=45, ha="right", rotation_mode="anchor")
        name, _, its_unit = labels[k].partition(" (")
        axis.set_label_text(f"{name}\n({its_unit}" if its_unit else name, fontsize=7.5)
    if i == n - 1:
        axes.xaxis.set_label_coords(0.5, -0.55)
    if j == 0:
        axes.yaxis.set_label_coords(-0.48, 0.5)


def _round_ticks(low: float, high: float, log: bool) -> list[float]:
    """Two or three round values inside the range."""
    for steps in ([1.0, 2.0, 5.0], [1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0]):
        if log and high / low > 2.5:
            decades = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
            found = [s * 10.0**d for d in decades for s in steps if low <= s * 10.0**d <= high]
        else:
            found = [float(t) for t in MaxNLocator(3, steps=[1, 2, 5, 10]).tick_values(low, high) if low <= t <= high]
        if len(found) >= 2:
            return found if len(found) <= 3 else [found[0], found[len(found) // 2], found[-1]]
    return found


def _ticks(axis: Any, low: float, high: float, log: bool, most: int) -> None:
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
    """The prior's support where it is bounded; otherwise all but its outermost thousandths, and every draw."""
    low, high = (float(x) for x in prior.support())
    if not np.isfinite(low):
        low = float(min(prior.ppf(1e-3), draws.min()))
    if not np.isfinite(high):
        high = float(max(prior.ppf(1 - 1e-3), draws.max()))
    if low <= 0 < high and float(prior.ppf(1e-3)) > 0:
        # a log-normal's support begins at 0, which a logarithmic axis cannot show
        low = float(min(prior.ppf(1e-3), draws.min()))
    return low, high
