"""Recorded and predicted voltage of a sweep over the current it got."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from neurofit.report.figures.style import BAND, FITTED, HELD_OUT, INK, OUTSIDE, SHADE, WIDTH, figure, styled

Array = NDArray[np.float64]


def sweep_figure(
    title: str,
    time_ms: Array,
    recorded_mv: Array,
    current_pa: Array,
    predicted_ms: Array,
    drawn_mv: Array,
    band_mv: Array | None = None,
    *,
    band: str = "90 % of predictions",
    held_out: bool = False,
    step_ms: tuple[float, float] | None = None,
    outside_ms: Sequence[tuple[float, float]] = (),
    limits_mv: tuple[float, float] | None = None,
    limits_pa: tuple[float, float] | None = None,
) -> Figure:
    """One sweep: recorded voltage in black, a few predictions in colour, the current below.

    Parameters
    ----------
    title
        Above the figure.
    time_ms, recorded_mv, current_pa
        ``[time]``.
    predicted_ms, drawn_mv
        ``[time]`` and ``[draw, time]``; the predictions may be sampled more coarsely than the recording.
    band_mv
        ``[2, time]``: the ends of a band at each time, of the predictions' 5 % and 95 % unless ``band`` says otherwise.
    band
        What the band is, for the legend.
    held_out
        Was the sweep left out of the fit? It decides the colour.
    step_ms
        The test step, shaded.
    outside_ms
        Stretches in which a check found the voltage outside the simulations; marked.
    limits_mv, limits_pa
        Of the axes, so that several sweeps compare.
    """
    colour = HELD_OUT if held_out else FITTED
    with styled():
        fig = figure(WIDTH, 3.05)
        # fixed margins: the panels of a page line up, and nothing is measured twice
        voltage = fig.add_axes((0.125, 0.345, 0.855, 0.505))
        current = fig.add_axes((0.125, 0.135, 0.855, 0.165), sharex=voltage)
        voltage.set_title(title, pad=18)
        if step_ms is not None:
            for axes in (voltage, current):
                axes.axvspan(*step_ms, color=SHADE, zorder=-10, linewidth=0)
        for start, stop in outside_ms:
            voltage.axvspan(start, stop, facecolor=OUTSIDE, alpha=0.55, zorder=-9, linewidth=0)
            # a line too: a pale shade alone is easily missed
            voltage.plot([start, stop], [0.985, 0.985], color=INK, linewidth=2, solid_capstyle="butt",
                         transform=voltage.get_xaxis_transform())  # fmt: skip
        if band_mv is not None:
            voltage.fill_between(predicted_ms, band_mv[0], band_mv[1], color=colour, alpha=BAND, linewidth=0)
        for draw in drawn_mv:
            voltage.plot(predicted_ms, draw, color=colour, linewidth=0.8, alpha=0.8, zorder=3)
        voltage.plot(time_ms, recorded_mv, color=INK, linewidth=0.9, zorder=4)
        current.plot(time_ms, current_pa, color=INK, linewidth=0.9)
        _label(voltage, current, time_ms, limits_mv, limits_pa)
        _legend(voltage, colour, len(drawn_mv), band if band_mv is not None else "", bool(outside_ms))
    return fig


def _label(
    voltage: Axes,
    current: Axes,
    time_ms: Array,
    limits_mv: tuple[float, float] | None,
    limits_pa: tuple[float, float] | None,
) -> None:
    voltage.set_ylabel("voltage (mV)")
    current.set_ylabel("(pA)")
    current.set_xlabel("time in the sweep (ms)", labelpad=1)
    voltage.tick_params(labelbottom=False, bottom=False)
    voltage.spines["bottom"].set_visible(False)
    voltage.set_xlim(time_ms[0], time_ms[-1])
    voltage.yaxis.set_major_locator(MaxNLocator(5))
    current.yaxis.set_major_locator(MaxNLocator(2, steps=[1, 2, 5, 10]))
    voltage.yaxis.set_label_coords(-0.1, 0.5)
    current.yaxis.set_label_coords(-0.1, 0.5)
    if limits_mv is not None:
        voltage.set_ylim(*limits_mv)
    if limits_pa is not None:
        current.set_ylim(*limits_pa)


def _legend(axes: Axes, colour: str, draws: int, band: str, outside: bool) -> None:
    handles: list[Line2D | Patch] = [Line2D([], [], color=INK, label="recorded")]
    if draws:
        label = "1 prediction" if draws == 1 else f"{draws} predictions"
        handles.append(Line2D([], [], color=colour, label=label))
    if band:
        handles.append(Patch(facecolor=colour, alpha=BAND, label=band))
    if outside:
        handles.append(Patch(facecolor=OUTSIDE, edgecolor=INK, linewidth=0.6, label="outside"))
    axes.legend(
        handles=handles, loc="lower left", bbox_to_anchor=(-0.01, 1.0), ncols=len(handles), columnspacing=1.0,
        borderpad=0,
    )  # fmt: skip
