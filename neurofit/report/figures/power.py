"""How often a check rejects simulations with an artefact in them, over its size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from neurofit.report.figures.style import FAINT, FITTED, HELD_OUT, INK, figure, styled


@dataclass(frozen=True)
class Power:
    """One kind of artefact.

    Attributes
    ----------
    title, unit
        What it is, and of its sizes.
    sizes
        From small to severe.
    summary, raw
        ``[size]``: share rejected by either check.
    falls
        Is a smaller number more severe?
    """

    title: str
    unit: str
    sizes: Sequence[float]
    summary: Sequence[float]
    raw: Sequence[float]
    falls: bool


def power_figure(panels: Sequence[Power], target: float, level: float) -> Figure:
    """A panel for each kind of artefact, more severe to the right.

    Parameters
    ----------
    panels
        From left to right.
    target, level
        The share that counts as seen, and the one that is rejected without an artefact; drawn as lines.
    """
    with styled():
        fig = figure(2.4 * len(panels), 2.5, layout="constrained")
        for i, (axes, panel) in enumerate(zip(np.atleast_1d(fig.subplots(1, len(panels))), panels, strict=True)):
            axes.axhline(100 * target, color=INK, linewidth=0.8)
            axes.axhline(100 * level, color=FAINT, linewidth=0.8, linestyle=":")
            axes.plot(panel.sizes, 100 * np.asarray(panel.summary), color=FITTED, marker="o", markersize=4)
            axes.plot(panel.sizes, 100 * np.asarray(panel.raw), color=HELD_OUT, marker="s", markersize=4)
            axes.set_xscale("log")
            axes.set_xticks(panel.sizes, [f"{size:g}" for size in panel.sizes])
            axes.set_xticks([], minor=True)
            if panel.falls:
                axes.invert_xaxis()
            axes.set_ylim(-3, 103)
            axes.set_title(panel.title)
            axes.set_xlabel(panel.unit)
            if i == 0:
                axes.set_ylabel("rejected (%)")
            else:
                axes.tick_params(labelleft=False)
        handles = [
            Line2D([], [], color=FITTED, marker="o", markersize=4, label="features"),
            Line2D([], [], color=HELD_OUT, marker="s", markersize=4, label="raw voltage"),
            Line2D([], [], color=INK, linewidth=0.8, label=f"{100 * target:.0f} %"),
            Line2D([], [], color=FAINT, linewidth=0.8, linestyle=":", label="without an artefact"),
        ]
        fig.legend(handles=handles, loc="outside upper center", ncols=4)
    return fig
