"""Several fits of one recording in one figure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from neurofit.report.figures.features import FURTHEST, NEAREST, Interval
from neurofit.report.figures.firing import CountsDrawn
from neurofit.report.figures.style import FAINT, INK, SHADE, WIDTH, figure, styled

Array = NDArray[np.float64]

# A colour, a mark and a dash for each fit (Okabe and Ito 2008): colour is never alone.
LOOKS = (
    ("#0072B2", "o", "-"),
    ("#CC7A00", "D", "--"),
    ("#009E73", "s", "-."),
    ("#CC79A7", "^", ":"),
    ("#56B4E9", "v", (0, (4, 1, 1, 1, 1, 1))),
)


def firing_comparison_figure(
    title: str,
    recorded: Sequence[CountsDrawn],
    predicted: Sequence[tuple[str, CountsDrawn]],
    interpolation: tuple[Array, Array] | None = None,
) -> Figure:
    """f-I curves of several fits over the recorded counts.

    Parameters
    ----------
    title
        Above the figure.
    recorded
        Sweeps of one step; filled marks were fitted, open ones held out.
    predicted
        ``(name of the fit, its counts over the same sweeps)``.
    interpolation
        ``(levels_pa, counts)``: the line through the fitted counts.
    """
    with styled():
        fig = figure(WIDTH, 3.3, layout="constrained")
        axes = fig.subplots()
        if interpolation is not None:
            axes.plot(*interpolation, color=FAINT, linewidth=0.8, zorder=1, label="fitted counts, interpolated")
        for (name, part), (colour, _, dash) in zip(predicted, looks(len(predicted)), strict=True):
            order = np.argsort(part.levels_pa, kind="stable")
            levels = part.levels_pa[order]
            axes.fill_between(levels, part.low[order], part.high[order], color=colour, alpha=0.16, linewidth=0)
            axes.plot(levels, part.median[order], color=colour, linestyle=dash, linewidth=1.6, zorder=3, label=name)
        for part in recorded:
            axes.plot(part.levels_pa, part.recorded, ls="", marker="D" if part.held_out else "o", markersize=4.5,
                      markerfacecolor="white" if part.held_out else INK, markeredgecolor=INK, zorder=5,
                      label=f"recorded, {part.label}")  # fmt: skip
        highest = max(float(max(p.high.max(), p.recorded.max())) for _, p in predicted)
        axes.set_ylim(-0.04 * max(highest, 1.0), (1.12 + 0.05 * len(predicted)) * max(highest, 1.0))
        axes.yaxis.set_major_locator(MaxNLocator(6, integer=True))
        axes.set_title(title)
        axes.set_xlabel("current, or its mean (pA)")
        axes.set_ylabel("spikes")
        axes.legend(loc="upper left")
    return fig


def features_comparison_figure(names: Sequence[str], rows: Sequence[Sequence[Interval | None]]) -> Figure:
    """A row for each feature, and in it an interval for each fit, in tolerances from the recorded value.

    Parameters
    ----------
    names
        Of the fits.
    rows
        ``[feature][fit]``; ``None`` where a fit did not have the feature. A missed one is drawn with an open mark.
    """
    n, k = len(rows), len(names)
    with styled():
        fig = figure(4.9, (0.13 * k + 0.12) * n + 1.0, layout="constrained")
        axes = fig.subplots()
        given = [i for row in rows for i in row if i is not None]
        ends = [abs(x) for i in given for x in (i.low, i.high) if x is not None]
        reach = float(np.clip(max(ends, default=NEAREST), NEAREST, FURTHEST))
        axes.axvspan(-1, 1, color=SHADE, linewidth=0, zorder=-2)
        axes.axvline(0, color=INK, linewidth=1.2, zorder=1)
        for y, row in enumerate(rows):
            axes.axhline(y + 0.5, color=SHADE, linewidth=0.8, zorder=-1)
            for j, (interval, (colour, marker, _)) in enumerate(zip(row, looks(k), strict=True)):
                at = y + (j - (k - 1) / 2) * 0.7 / k
                if interval is None or interval.low is None or interval.median is None or interval.high is None:
                    axes.text(0.04 * reach, at, "undefined" if interval else "not fitted", va="center", fontsize=6.5,
                              color=colour, style="italic")  # fmt: skip
                    continue
                low, median, high = np.clip([interval.low, interval.median, interval.high], -reach, reach)
                axes.plot([low, high], [at, at], color=colour, linewidth=2, alpha=0.5, solid_capstyle="butt")
                beyond = abs(interval.median) > reach
                mark = (">" if median > 0 else "<") if beyond else marker
                axes.plot(median, at, marker=mark, color=colour, markersize=4.5, markeredgewidth=1.3,
                          markerfacecolor="white" if interval.missed else colour)  # fmt: skip
        axes.set_xlim(-1.06 * reach, 1.06 * reach)
        axes.set_ylim(n - 0.5, -0.5)
        labels = [next((i.label for i in row if i is not None), "") for row in rows]
        axes.set_yticks(range(n), labels, fontsize=7.8)
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.xaxis.set_major_locator(MaxNLocator(7, integer=True))
        axes.set_xlabel("predicted minus recorded (tolerances)")
        handles: list[Line2D | Patch] = [
            Line2D([], [], color=colour, marker=marker, linewidth=2, markersize=5, label=name)
            for name, (colour, marker, _) in zip(names, looks(k), strict=True)
        ]
        handles.append(Line2D([], [], color=INK, marker="o", markerfacecolor="white", ls="", label="open: missed"))
        handles.append(Patch(facecolor=SHADE, label="within a tolerance"))
        fig.legend(handles=handles, loc="outside upper center", ncols=2, columnspacing=1.2)
    return fig


def looks(n: int) -> list[tuple[str, str, str | tuple[int, tuple[int, ...]]]]:
    """The first n looks, over again where there are more fits than looks."""
    return [LOOKS[i % len(LOOKS)] for i in range(n)]


def held_out_figure(names: Sequence[str], levels_pa: Array, scores: Array) -> Figure:
    """How far each fit's predictions are from every held-out sweep.

    Parameters
    ----------
    names
        Of the fits.
    levels_pa
        ``[sweep]``.
    scores
        ``[fit, sweep]``, in tolerances a feature.
    """
    with styled():
        fig = figure(WIDTH, 3.0, layout="constrained")
        axes = fig.subplots()
        order = np.argsort(levels_pa, kind="stable")
        # side by side, or marks of one sweep would hide one another
        apart = 0.12 * float(np.median(np.diff(np.unique(levels_pa)))) if len(np.unique(levels_pa)) > 1 else 1.0
        for i, (name, own, (colour, mark, _)) in enumerate(zip(names, scores, looks(len(names)), strict=True)):
            shift = apart * (i - (len(names) - 1) / 2)
            axes.plot(levels_pa[order] + shift, own[order], ls="", marker=mark, markersize=4, color=colour, label=name)
            axes.axhline(float(own.mean()), color=colour, linewidth=0.9, linestyle=looks(i + 1)[i][2])
        axes.set_ylim(0, None)
        axes.set_title("Held-out sweeps (lines: means)")
        axes.set_xlabel("current in the step (pA)")
        axes.set_ylabel("distance of the predictions\n(tolerances a feature)")
        axes.legend(loc="best")
    return fig
