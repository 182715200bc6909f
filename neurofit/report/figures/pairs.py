"""A posterior two parameters by two: its draws, or slices of its density."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from neurofit.report.figures.style import FAINT, FITTED, INK, WARNING, bare, figure, styled
from neurofit.report.words import number

Array = NDArray[np.float64]

BINS = 40
_MAP: dict[str, Any] = {"marker": "+", "color": WARNING, "markersize": 7, "markeredgewidth": 1.4, "linestyle": ""}
_TRUTH: dict[str, Any] = {"color": INK, "linewidth": 0.9, "linestyle": "--"}


def pair_figure(
    labels: Sequence[str],
    draws: Array,
    log: Sequence[bool],
    map_values: Array | None = None,
    *,
    priors: Sequence[Any] = (),
    truth: Array | None = None,
) -> Figure:
    """Every two parameters of the posterior: density with its 50 % and 90 % regions; marginals on the diagonal.

    Parameters
    ----------
    labels
        ``[parameter]``, names with units, for the axes.
    draws
        ``[draw, parameter]``, in the parameters' units. The axes span the posterior and the truth, not the prior.
    log
        ``[parameter]``: logarithmic axes.
    map_values
        ``[parameter]``, marked with a cross.
    priors
        ``[parameter]``: frozen ``scipy.stats`` distributions, drawn on the diagonal in grey.
    truth
        ``[parameter]``, NaN where it is not known; dashed lines.
    """
    scaled = _scaled(draws, log)
    nothing = np.full(len(labels), np.nan)
    best = nothing if map_values is None else _scaled(map_values, log)
    true = nothing if truth is None else _scaled(truth, log)
    ends = np.quantile(scaled, [0.002, 0.998], axis=0)
    ends = np.array([np.fmin(ends[0], true), np.fmax(ends[1], true)])
    ends = ends + np.array([[-0.04], [0.04]]) * np.maximum(np.diff(ends, axis=0), 1e-9)
    with styled():
        fig, panels = _panels(labels, ends, log)
        for axes, i, j in panels:
            if i == j:
                mass, edges = np.histogram(scaled[:, i], BINS, ends[:, i])
                top = float(mass.max())
                if priors:
                    prior = len(scaled) * np.diff(priors[i].cdf(10**edges if log[i] else edges))
                    axes.stairs(prior, edges, color=FAINT, fill=True, alpha=0.35)
                    top = max(top, float(prior.max()))
                axes.stairs(mass, edges, color=FITTED, fill=True, alpha=0.5)
                axes.axvline(best[i], color=WARNING, linewidth=1.0)
                axes.axvline(true[i], **_TRUTH)
                axes.set_ylim(0, 1.1 * top)
            else:
                mass, x, y = np.histogram2d(scaled[:, j], scaled[:, i], BINS, [tuple(ends[:, j]), tuple(ends[:, i])])
                _density(axes, gaussian_filter(mass.T, 1.2, mode="nearest"), x, y)
                axes.plot(best[j], best[i], **_MAP)
                axes.axvline(true[j], **_TRUTH)
                axes.axhline(true[i], **_TRUTH)
        handles: list[Line2D | Patch] = [_patch(FITTED, "posterior (lines: 50, 90 %),\nup to the tolerances")]
        if priors:
            handles.append(_patch(FAINT, "prior"))
        if map_values is not None:
            handles.append(Line2D([], [], **_MAP, label="MAP"))
        if np.isfinite(true).any():
            handles.append(Line2D([], [], **_TRUTH, label="truth"))
        _key(fig, len(labels), handles)
    return fig


def conditional_figure(
    labels: Sequence[str],
    log: Sequence[bool],
    along: Sequence[tuple[Array, Array]],
    over: Mapping[tuple[int, int], tuple[Array, Array, Array]],
    at: Array,
) -> Figure:
    """Slices of the posterior's density through a point: along each parameter on the diagonal, over two below it.

    Parameters
    ----------
    labels, log
        As in :func:`pair_figure`.
    along
        ``[parameter]``: ``(values, density)``.
    over
        ``{(i, j): (values of j, values of i, density [i, j])}`` for ``j < i``, on even grids.
    at
        ``[parameter]``: the point.
    """
    grids = [np.log10(values) if its_log else values for (values, _), its_log in zip(along, log, strict=True)]
    ends = np.array([[grid[0] for grid in grids], [grid[-1] for grid in grids]])
    point = _scaled(at, log)
    with styled():
        fig, panels = _panels(labels, ends, log)
        for axes, i, j in panels:
            if i == j:
                # per unit of the axis, so that a logarithmic one shows what lies under it
                density = along[i][1] * (along[i][0] if log[i] else 1.0)
                axes.fill_between(grids[i], density / density.max(), color=FITTED, alpha=0.5, linewidth=0)
                axes.axvline(point[i], color=WARNING, linewidth=1.0)
                axes.set_ylim(0, 1.1)
            else:
                x, y, density = over[i, j]
                scale = (x if log[j] else np.ones_like(x)) * (y if log[i] else np.ones_like(y))[:, None]
                _density(axes, density * scale, _scaled(x, [log[j]] * len(x)), _scaled(y, [log[i]] * len(y)))
                axes.plot(point[j], point[i], **_MAP)
        density_key = _patch(FITTED, "density (lines: 50, 90 %),\nup to the tolerances")
        _key(fig, len(labels), [density_key, Line2D([], [], **_MAP, label="the point")])
    return fig


def _scaled(values: Array, log: Sequence[bool]) -> Array:
    """As they stand on the axes."""
    return np.where(log, np.log10(np.maximum(values, 1e-300)), values)


def _panels(labels: Sequence[str], ends: Array, log: Sequence[bool]) -> tuple[Figure, Iterator[tuple[Axes, int, int]]]:
    """A figure and its panels ``(axes, i, j)`` with ``j <= i``, each framed after it was drawn on."""
    n = len(labels)
    cell = 1.6 if n <= 4 else 1.15 if n <= 8 else 0.86  # inches of one panel
    side = cell * n + 1.0
    fig = figure(side, side)
    grid = fig.subplots(
        n, n, squeeze=False,
        gridspec_kw={"left": 0.85 / side, "right": 1 - 0.1 / side, "bottom": 0.85 / side, "top": 1 - 0.1 / side,
                     "wspace": 0.06, "hspace": 0.06},
    )  # fmt: skip

    def panels() -> Iterator[tuple[Axes, int, int]]:
        for i in range(n):
            for j in range(n):
                axes = grid[i, j]
                if j > i:
                    axes.set_axis_off()
                    continue
                yield axes, i, j
                axes.set_xlim(*ends[:, j])
                if i == j:
                    bare(axes, "left")
                else:
                    axes.set_ylim(*ends[:, i])
                _frame(axes, i, j, n, labels, ends, log, cell)

    return fig, panels()


def _density(axes: Axes, density: Array, x: Array, y: Array) -> None:
    """A density ``[y, x]`` on an even grid, and the lines that hold 50 % and 90 % of it."""
    extent = (float(x[0]), float(x[-1]), float(y[0]), float(y[-1]))
    axes.imshow(density, extent=extent, origin="lower", aspect="auto", cmap="Blues", vmin=0, interpolation="bilinear")
    ordered = np.sort(density.ravel())[::-1]
    share = np.cumsum(ordered) / ordered.sum()
    levels = sorted({float(ordered[np.searchsorted(share, s)]) for s in (0.9, 0.5)})
    if len(levels) == 2:
        axes.contour(density, levels, extent=extent, colors=[FITTED, "white"], linewidths=[0.9, 0.8])


def _patch(colour: str, label: str) -> Patch:
    return Patch(facecolor=colour, alpha=0.5 if colour == FITTED else 0.35, label=label)


def _key(fig: Figure, n: int, handles: Sequence[Line2D | Patch]) -> None:
    """What is what, in the empty corner."""
    if n > 1:
        fig.legend(handles=handles, loc="upper right", fontsize=7.5 if n < 6 else 11)


def _frame(
    axes: Axes, i: int, j: int, n: int, labels: Sequence[str], ends: Array, log: Sequence[bool], cell: float
) -> None:
    """Ticks and names along the left and the bottom only."""
    for axis, k, shown in ((axes.xaxis, j, i == n - 1), (axes.yaxis, i, j == 0 and i > 0)):
        if not shown:
            axis.set_ticks([])
            continue
        # none so near an end that its label meets the next panel's
        inner = ends[:, k] + np.array([0.08, -0.08]) * float(np.diff(ends[:, k])[0])
        low, high = (10**inner) if log[k] else inner
        ticks = round_ticks(float(low), float(high), bool(log[k]))
        axis.set_ticks([float(np.log10(t)) if log[k] else t for t in ticks], [number(t) for t in ticks])
        axis.set_tick_params(labelsize=7)
        if axis is axes.xaxis:
            for text in axis.get_ticklabels():
                text.set(rotation=45, ha="right", rotation_mode="anchor")
        name, _, its_unit = labels[k].partition(" (")
        axis.set_label_text(f"{name}\n({its_unit}" if its_unit else name, fontsize=7.5)
    if i == n - 1:
        axes.xaxis.set_label_coords(0.5, -0.473 / cell)
    if j == 0:
        axes.yaxis.set_label_coords(-0.413 / cell, 0.5)


def round_ticks(low: float, high: float, log: bool) -> list[float]:
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
