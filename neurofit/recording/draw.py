"""A picture of a recording: every sweep, the current it got, how the cell fires, and where to be careful."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike, NDArray

from neurofit.recording.baseline import measure_rest
from neurofit.recording.recording import Recording
from neurofit.recording.spikes import count_spikes, spike_times_ms

INK, FAINT, SHADE, WARNING = "#222222", "#8a8a8a", "#eeeeee", "#c8452d"
ASIDE = "#b9a7a3"  # sweeps that are set aside
MARKERS = "osD^v"
POINTS = 4000  # samples across a panel: more than pixels
STYLE: dict[Any, Any] = {
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.labelsize": 9,
    "axes.linewidth": 0.8,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 10,
    "font.size": 9,
    "text.color": INK,
    "xtick.color": FAINT,
    "xtick.labelcolor": INK,
    "ytick.color": FAINT,
    "ytick.labelcolor": INK,
}


def colours() -> ListedColormap:
    """Cividis, which reads the same to every kind of colour vision, without its palest yellow."""
    return ListedColormap(matplotlib.colormaps["cividis"](np.linspace(0.0, 0.9, 256)), name="level")


def draw_recording(recording: Recording) -> Figure:
    """Voltage and current of every sweep, coloured by the injected level; firing and rest at the side.

    The test steps are shaded. Sweeps that a warning is about are ringed in the panels at the side, and the
    warnings stand below.

    Parameters
    ----------
    recording
        As loaded, or a selection.

    Returns
    -------
    Figure
        Not attached to any window; ``figure.savefig("cell.png")``.
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(11, 6.6), layout="constrained", facecolor="white")
        grid = figure.add_gridspec(1, 2, width_ratios=(2.5, 1))
        sweeps, side = figure.add_subfigure(grid[0]), figure.add_subfigure(grid[1])
        voltage, current = sweeps.subplots(2, 1, sharex=True, height_ratios=(3, 1))
        firing, rest = side.subplots(2, 1, height_ratios=(1.5, 1))
        level = _level(recording)
        mapped = ScalarMappable(_norm(level), colours())
        _draw_sweeps(recording, level, mapped, voltage, current)
        if np.ptp(level) > 0:
            bar = sweeps.colorbar(mapped, ax=[voltage, current], pad=0.015, fraction=0.035, aspect=40)
            bar.set_label(_level_label(recording))
            bar.outline.set_visible(False)
        _draw_firing(recording, level, mapped, firing)
        _draw_rest(recording, level, mapped, rest)
        _write(recording, figure)
    return figure


def _level(recording: Recording) -> NDArray[np.float64]:
    """``[sweep]``: level of the last test step in pA, or the mean current where there are no steps."""
    steps = recording.stimulus.test_steps
    return steps[-1].level_pa if steps else recording.current_pa.mean(axis=1)


def _level_label(recording: Recording) -> str:
    steps = recording.stimulus.test_steps
    if not recording.stimulus.epochs:
        return f"mean current in the {recording.stimulus.word} (pA)"
    return "level of the step (pA)" if len(steps) == 1 else "level of the last step (pA)"


def _norm(level: NDArray[np.float64]) -> Normalize:
    low, high = float(level.min()), float(level.max())
    return Normalize(low, high) if high > low else Normalize(low - 1, high + 1)


def _warned(recording: Recording) -> NDArray[np.bool_]:
    """``[sweep]``: is a warning about this sweep?"""
    named = {n for f in recording.findings if f.severity == "warning" for n in f.sweeps}
    return np.array([number in named for number in recording.sweep_numbers])


def _envelope(values: NDArray[np.float64], time: NDArray[np.float64]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Smallest and largest value of each stretch: action potentials keep their height, files stay small."""
    block = len(values) // (POINTS // 2)
    if block < 2:
        return time, values
    n = len(values) // block
    blocks = values[: n * block].reshape(n, block)
    first = blocks.argmin(axis=1) < blocks.argmax(axis=1)
    low, high = blocks.min(axis=1), blocks.max(axis=1)
    ends = np.stack([np.where(first, low, high), np.where(first, high, low)], axis=1)
    times = np.stack([time[: n * block : block], time[block // 2 : n * block : block]], axis=1)
    return times.ravel(), ends.ravel()


def _draw_sweeps(
    recording: Recording, level: NDArray[np.float64], mapped: ScalarMappable, voltage: Axes, current: Axes
) -> None:
    time = recording.time_ms
    # The strongest first, so that the weaker sweeps are not hidden behind a wall of action potentials.
    for row in np.argsort(-level, kind="stable"):
        aside = recording.sweep_numbers[row] in recording.set_aside
        colour = ASIDE if aside else mapped.to_rgba(level[row])
        voltage.plot(
            *_envelope(recording.voltage_mv[row], time),
            color=colour,
            linewidth=0.6,
            linestyle=":" if aside else "-",
            zorder=1 if aside else 2,
        )
        current.plot(*_envelope(recording.current_pa[row], time), color=colour, linewidth=0.9)
    steps = recording.stimulus.test_steps
    for index, step in enumerate(steps, start=1):
        span = (recording.start_ms + step.start_ms, recording.start_ms + step.stop_ms)
        for axes in (voltage, current):
            axes.axvspan(*span, color=SHADE, zorder=-10, linewidth=0)
        name = f"test {recording.stimulus.word}" if len(steps) == 1 else f"test step {index}"
        voltage.text(
            sum(span) / 2,
            1.01,
            name,
            transform=voltage.get_xaxis_transform(),
            ha="center",
            va=("bottom"),
            color=FAINT,
        )
    voltage.set_ylabel("membrane potential (mV)")
    current.set_ylabel("current (pA)")
    current.set_xlabel("time (ms)")
    voltage.tick_params(bottom=False)
    voltage.spines["bottom"].set_visible(False)
    current.set_xlim(time[0], time[-1] + recording.dt_ms)


def _draw_firing(recording: Recording, level: NDArray[np.float64], mapped: ScalarMappable, axes: Axes) -> None:
    """Action potentials against current, one marker shape a step."""
    times = spike_times_ms(recording)
    warned = _warned(recording)
    steps = recording.stimulus.test_steps
    if not steps:
        axes.plot(recording.sweep_numbers, count_spikes(times), "o", color=INK, markersize=4)
        axes.set_xlabel("sweep")
    for index, step in enumerate(steps):
        counts = count_spikes(times, step)
        levels, where = np.unique(np.round(step.level_pa), return_inverse=True)
        mean = np.bincount(where, counts) / np.bincount(where)  # repeats of a level share one point of the line
        axes.plot(levels, mean, color=FAINT, linewidth=0.6, zorder=1)
        axes.scatter(
            step.level_pa,
            counts,
            c=mapped.to_rgba(level),
            marker=MARKERS[index % len(MARKERS)],
            s=26,
            zorder=2,
            linewidths=0,
        )
        axes.scatter([], [], color=FAINT, marker=MARKERS[index % len(MARKERS)], s=22, label=(f"step {index + 1}"))
        axes.scatter(step.level_pa[warned], counts[warned], s=75, facecolor=("none"), edgecolor=WARNING, zorder=3)
    if steps:
        axes.set_xlabel("current (pA)")
    if len(steps) > 1:
        axes.legend(frameon=False, handletextpad=0.2, borderaxespad=0.1, loc="upper left", fontsize=8)
    axes.set_ylabel(f"action potentials in the {recording.stimulus.word}" if steps else "action potentials")
    axes.set_title("Firing", loc="left")
    axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    top = max(1.0, axes.get_ylim()[1])
    axes.set_ylim(-0.03 * top, top)
    _spread_out(axes, np.concatenate([step.level_pa for step in steps]) if steps else recording.sweep_numbers)


def _draw_rest(recording: Recording, level: NDArray[np.float64], mapped: ScalarMappable, axes: Axes) -> None:
    """Potential at the holding current over the sweeps; they were recorded in this order."""
    rest, warned = measure_rest(recording), _warned(recording)
    numbers = np.array(recording.sweep_numbers)
    axes.set_title(f"Before the {recording.stimulus.word}s", loc="left")
    axes.set_xlabel("sweep")
    axes.set_ylabel("at holding current (mV)")
    if not np.isfinite(rest).any():
        axes.text(
            0.5,
            0.5,
            "no stretch at the holding current",
            transform=axes.transAxes,
            ha=("center"),
            color=FAINT,
        )
        return
    axes.scatter(numbers, rest, c=mapped.to_rgba(level), s=26, linewidths=0)
    axes.scatter(numbers[warned], rest[warned], s=75, facecolor="none", edgecolor=WARNING)
    centre = float(np.nanmedian(rest))
    half = max(5.0, 1.2 * float(np.nanmax(np.abs(rest - centre))))
    axes.set_ylim(centre - half, centre + half)  # at least 10 mV, so that a steady cell looks steady
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    _spread_out(axes, numbers)


def _spread_out(axes: Axes, values: ArrayLike) -> None:
    """Round limits about a single level or a single sweep."""
    low, high = float(np.min(values)), float(np.max(values))
    if high - low < 1:
        axes.set_xlim(low - 1, high + 1)


def _write(recording: Recording, figure: Figure) -> None:
    """What it is above, the warnings below."""
    count = "1 sweep" if recording.n_sweeps == 1 else f"{recording.n_sweeps} sweeps"
    if recording.set_aside:
        count += f", of which {len(recording.set_aside)} set aside (dotted)"
    figure.suptitle(
        f"{Path(recording.source.path).name}   {count}, {1 / recording.dt_ms:g} kHz, {recording.source.format}",
        x=0.01,
        ha="left",
        fontsize=11,
    )
    lines = list(_warnings(recording))
    if lines:
        figure.supxlabel("\n".join(lines), x=0.01, ha="left", fontsize=8, color=WARNING)


def _warnings(recording: Recording) -> Iterator[str]:
    """The warnings, wrapped to the width of the figure."""
    import textwrap

    for finding in recording.findings:
        if finding.severity == "warning":
            yield textwrap.fill(finding.message, 185, subsequent_indent="    ")
    if _warned(recording).any():
        yield "Ringed: the sweeps that one of these warnings is about."
