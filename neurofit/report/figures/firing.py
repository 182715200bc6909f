"""Spike counts against injected current, recorded and predicted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike, NDArray

from neurofit.report.figures.style import BAND, FAINT, FITTED, HELD_OUT, INK, WIDTH, figure, styled

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class CountsDrawn:
    """Spike counts of some sweeps at one step.

    Attributes
    ----------
    levels_pa, recorded
        ``[sweep]``.
    low, median, high
        ``[sweep]``: 5 %, 50 % and 95 % of the predictions.
    held_out
        Were these sweeps left out of the fit?
    label
        For the legend.
    """

    levels_pa: Array
    recorded: Array
    low: Array
    median: Array
    high: Array
    held_out: bool
    label: str

    @staticmethod
    def of(counts: Mapping[str, ArrayLike], held_out: bool, label: str) -> CountsDrawn:
        """From one part of ``checks/fit.json``'s counts."""
        names = ("levels_pa", "recorded", "low", "median", "high")
        columns = {name: np.asarray(counts[name], dtype=np.float64) for name in names}
        return CountsDrawn(**columns, held_out=held_out, label=label)


def firing_figure(
    title: str,
    parts: Sequence[CountsDrawn],
    interpolation: tuple[Array, Array] | None = None,
    duration_ms: float | None = None,
    top: float | None = None,
    word: str = "step",
) -> Figure:
    """An f-I curve: recorded counts as black marks, predictions as coloured ones with their 90 % band.

    Parameters
    ----------
    title
        Above the figure.
    parts
        Sweeps of one step.
    interpolation
        ``(levels_pa, counts)``, both ``[level]``: the line through the fitted counts that a prediction has to beat.
    duration_ms
        Of the step, for a second axis in Hz.
    top
        Highest count of the axis, so that several steps compare.
    word
        What the stretch is called: a step, a ramp or a waveform.
    """
    with styled():
        fig = figure(WIDTH, 3.3, layout="constrained")
        axes = fig.subplots()
        if interpolation is not None:
            axes.plot(*interpolation, color=FAINT, linewidth=0.8, zorder=1, label="fitted counts, interpolated")
        for part in parts:
            _draw(axes, part)
        axes.set_title(title)
        axes.set_xlabel(f"{'' if word == 'step' else 'mean '}current in the {word} (pA)")
        axes.set_ylabel(f"spikes in the {word}")
        axes.yaxis.set_major_locator(MaxNLocator(6, integer=True))
        highest = top if top is not None else max(float(max(p.high.max(), p.recorded.max())) for p in parts)
        # room for the legend above a curve that rises
        axes.set_ylim(-0.04 * max(highest, 1.0), 1.18 * max(highest, 1.0))
        levels = np.concatenate([p.levels_pa for p in parts])
        margin = max(5.0, 0.04 * float(np.ptp(levels)))
        axes.set_xlim(levels.min() - margin, levels.max() + margin)
        if duration_ms:
            seconds = duration_ms / 1000
            rate = axes.secondary_yaxis(
                "right", functions=(lambda n: np.asarray(n) / seconds, lambda hz: np.asarray(hz) * seconds)
            )
            rate.set_ylabel("mean rate (Hz)")
            rate.spines["right"].set_visible(True)
        axes.legend(loc="upper left")
    return fig


def _draw(axes: Axes, part: CountsDrawn) -> None:
    colour = HELD_OUT if part.held_out else FITTED
    # repeats of a level share one place of the band
    levels, which = np.unique(np.round(part.levels_pa, 1), return_inverse=True)
    low, high = np.full(len(levels), np.inf), np.full(len(levels), -np.inf)
    np.minimum.at(low, which, part.low)
    np.maximum.at(high, which, part.high)
    median = np.bincount(which, part.median) / np.bincount(which)
    if len(levels) > 1:
        axes.fill_between(levels, low, high, color=colour, alpha=BAND, linewidth=0, zorder=2)
        axes.plot(levels, median, color=colour, linewidth=1.2, zorder=3)
    axes.vlines(levels, low, high, color=colour, linewidth=1.2, zorder=3)
    axes.plot(levels, median, ls="", marker="_", markersize=8, markeredgewidth=1.6, color=colour, zorder=4,
              label=f"predicted, {part.label} (median, 90 %)")  # fmt: skip
    face = "white" if part.held_out else INK
    marker = "D" if part.held_out else "o"
    axes.plot(part.levels_pa, part.recorded, ls="", marker=marker, markersize=4.5, markerfacecolor=face,
              markeredgecolor=INK, markeredgewidth=1.0, zorder=5, label=f"recorded, {part.label}")  # fmt: skip
