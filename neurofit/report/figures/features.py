"""Features as dots and intervals, in units of their tolerance, the recorded value at 0."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from neurofit.report.figures.style import FITTED, INK, MISSED, SHADE, figure, styled

# The axis never reaches further than this many tolerances; beyond it stands an arrow.
FURTHEST = 12.0
NEAREST = 4.0


@dataclass(frozen=True)
class Interval:
    """A range of predictions, in tolerances from the recorded value; ``None`` where the feature is undefined.

    Attributes
    ----------
    label
        In front of it.
    low, median, high
        5 %, 50 % and 95 %.
    missed
        Is the recorded value out of reach? Decides colour and mark.
    """

    label: str
    low: float | None
    median: float | None
    high: float | None
    missed: bool = False


def intervals_figure(
    intervals: Sequence[Interval],
    *,
    what: str = "predicted: median and 90 %",
    missed: str = "missed",
    of: str = "predicted",
    width: float = 4.9,
) -> Figure:
    """A row for each feature: where predictions lie, counted in tolerances from the recorded value.

    Parameters
    ----------
    intervals
        From top to bottom.
    what, missed
        What an interval is, and what it means to be marked, for the legend.
    of
        What is held against the recording, for the axis.
    width
        Inches.
    """
    n = len(intervals)
    with styled():
        lines = max(interval.label.count("\n") for interval in intervals)
        fig = figure(width, (0.205 + 0.165 * lines) * n + 0.95, layout="constrained")
        axes = fig.subplots()
        reach = _reach(intervals)
        axes.axvspan(-1, 1, color=SHADE, linewidth=0, zorder=-2)
        axes.axvline(0, color=INK, linewidth=1.2, zorder=1)
        for row, interval in enumerate(intervals):
            _draw(axes, row, interval, reach)
        axes.set_xlim(-1.06 * reach, 1.06 * reach)
        axes.set_ylim(n - 0.4, -0.6)
        axes.set_yticks(range(n), [interval.label for interval in intervals], fontsize=7.8)
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.xaxis.set_major_locator(MaxNLocator(7, integer=True))
        axes.set_xlabel(f"{of} minus recorded (tolerances)")
        _legend(fig, intervals, what, missed)
    return fig


def _reach(intervals: Sequence[Interval]) -> float:
    """Half width of the axis in tolerances: to the furthest end, within limits."""
    ends = [abs(x) for i in intervals for x in (i.low, i.high) if x is not None and np.isfinite(x)]
    return float(np.clip(max(ends, default=NEAREST), NEAREST, FURTHEST))


def _draw(axes: Axes, row: int, interval: Interval, reach: float) -> None:
    colour = MISSED if interval.missed else FITTED
    axes.axhline(row, color=SHADE, linewidth=0.6, zorder=-1)
    if interval.low is None or interval.median is None or interval.high is None:
        axes.text(0.04 * reach, row, "undefined in the predictions", va="center", fontsize=7.5, color=colour,
                  style="italic", bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5})  # fmt: skip
        return
    low, median, high = np.clip([interval.low, interval.median, interval.high], -reach, reach)
    axes.plot([low, high], [row, row], color=colour, linewidth=2.2, alpha=0.55, zorder=2, solid_capstyle="butt")
    if abs(interval.median) > reach:
        # off the axis: an arrow, and how far
        side = np.sign(interval.median)
        axes.plot(side * reach, row, marker=">" if side > 0 else "<", color=colour, markersize=6, zorder=3)
        axes.text(side * 0.96 * reach, row, f"{interval.median:+.0f}", va="center", ha="right" if side > 0 else "left",
                  fontsize=7.5, color=colour, zorder=4,
                  bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.8})  # fmt: skip
        return
    marker, face = ("D", "white") if interval.missed else ("o", colour)
    axes.plot(
        median, row, color=colour, marker=marker, markerfacecolor=face, markersize=5, markeredgewidth=1.4, zorder=3
    )


def _legend(fig: Figure, intervals: Sequence[Interval], what: str, missed: str) -> None:
    handles: list[Line2D | Patch] = [
        Line2D([], [], color=INK, linewidth=1.2, label="recorded"),
        Patch(facecolor=SHADE, label="within a tolerance"),
    ]
    if any(not i.missed and i.median is not None for i in intervals):
        handles.append(Line2D([], [], color=FITTED, marker="o", markersize=5, linewidth=2.2, label=what))
    if any(i.missed for i in intervals):
        handles.append(
            Line2D([], [], color=MISSED, marker="D", markersize=5, markerfacecolor="white", linewidth=2.2, label=missed)
        )
    fig.legend(handles=handles, loc="outside upper center", ncols=3 if len(handles) < 4 else 2, columnspacing=1.2)
