"""One look for all figures: the recording room's ink and greys, and two colours that every eye tells apart."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from neurofit.recording.draw import FAINT, INK, SHADE, STYLE, WARNING

__all__ = [
    "BAND", "CSS_DPI", "FAINT", "FITTED", "HELD_OUT", "INK", "MISSED", "OUTSIDE", "SHADE", "SHARPNESS", "WARNING",
    "bare", "figure", "styled",
]  # fmt: skip

# Recorded is ink. Predictions are blue for what was fitted and orange for what was held out (Okabe and Ito 2008).
FITTED, HELD_OUT, MISSED = "#0072B2", "#CC7A00", WARNING
# Stretches that a check found outside the simulations.
OUTSIDE = "#F5E663"
BAND = 0.22
# Half of the page's width: readable side by side on a screen and alone on a phone.
WIDTH = 4.6
# CSS pixels to the inch; a PNG holds twice as many, for screens that show them.
CSS_DPI = 96
SHARPNESS = 2


@contextmanager
def styled() -> Iterator[None]:
    """The recording room's style, a touch smaller, for whatever is drawn inside."""
    smaller: dict[Any, Any] = {
        **STYLE,
        "font.size": 8.5,
        "axes.labelsize": 8.5,
        "axes.titlesize": 9,
        "axes.titlelocation": "left",
        "legend.fontsize": 7.5,
        "legend.frameon": False,
        "legend.borderaxespad": 0.2,
        "legend.handlelength": 1.6,
        "legend.handletextpad": 0.5,
        "xtick.labelsize": 8,
        "ytick.labelsize": 8,
        "xtick.major.size": 3,
        "ytick.major.size": 3,
        "lines.solid_capstyle": "round",
    }
    with matplotlib.rc_context(smaller):
        yield


def figure(width: float, height: float, **kwargs: Any) -> Figure:
    """A figure of this size in inches, attached to no window."""
    return Figure(figsize=(width, height), facecolor="white", **kwargs)


def bare(axes: Axes, *sides: str) -> None:
    """Take away some sides of the frame and their ticks."""
    for side in sides:
        axes.spines[side].set_visible(False)
    ticks: dict[str, Any] = dict.fromkeys(sides, False)
    axes.tick_params(**ticks)
