"""The membrane at its holding current: rest, noise and mains hum, measured where nothing else happens."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from neurofit.recording.recording import Finding, Recording
from neurofit.recording.robust import spread, trend
from neurofit.recording.thresholds import QualityThresholds

SHORTEST_MS = 10.0  # a stretch at the holding current shorter than this says nothing about rest
SETTLE_MS = 150.0  # after a step the membrane needs this long to be at rest again
AROUND_SPIKE_MS = (10.0, 60.0)  # what an action potential spoils, before and after it
PIECE_MS = 100.0  # holds whole periods of every multiple of 10 Hz, so that 50 and 60 Hz do not mix
MAINS_HZ = (50, 60)
FEWEST_PIECES = 5  # with fewer, a synaptic potential or two look like hum


def measure_rest(recording: Recording) -> NDArray[np.float64]:
    """Potential at the holding current in mV, ``[sweep]``: the median before the first step.

    ``nan`` in a recording that does not begin with at least 10 ms at the holding current.
    """
    held = recording.stimulus.held
    if not held or held[0].start_ms > 0 or held[0].stop_ms < SHORTEST_MS:
        return np.full(recording.n_sweeps, np.nan)
    stop = round(held[0].stop_ms / recording.dt_ms)
    return np.median(recording.voltage_mv[:, :stop], axis=1)


def pieces_of_sweeps(recording: Recording, spike_times: list[NDArray[np.float64]]) -> list[list[NDArray[np.float64]]]:
    """Of each sweep, its stretches of 100 ms at rest, settled and without a spike: ``[sample]`` in mV, less a line."""
    dt = recording.dt_ms
    length = round(PIECE_MS / dt)
    time = np.linspace(-1, 1, length)
    before, after = AROUND_SPIKE_MS
    pieces: list[list[NDArray[np.float64]]] = [[] for _ in spike_times]
    for epoch in recording.stimulus.held:
        first = epoch.start_ms + (SETTLE_MS if epoch.start_ms > 0 else 0.0)
        for start_ms in np.arange(first, epoch.stop_ms - PIECE_MS + 1e-6, PIECE_MS):
            start = round(start_ms / dt)
            for own, sweep, spikes in zip(pieces, recording.voltage_mv, spike_times, strict=True):
                piece = sweep[start : start + length]
                near = (spikes > start_ms - after) & (spikes < start_ms + PIECE_MS + before)
                if not near.any() and len(piece) == length:
                    own.append(piece - piece.mean() - time * (time @ piece) / (time @ time))
    return pieces


def quiet_pieces(recording: Recording, spike_times: list[NDArray[np.float64]]) -> list[NDArray[np.float64]]:
    """:func:`pieces_of_sweeps`, all sweeps together."""
    return [piece for own in pieces_of_sweeps(recording, spike_times) for piece in own]


def measure_noise(pieces: list[NDArray[np.float64]]) -> float:
    """Standard deviation of the baseline in mV: the median over pieces; ``nan`` without any."""
    return float(np.median([spread(piece) for piece in pieces])) if pieces else float("nan")


def measure_hum(pieces: list[NDArray[np.float64]], dt_ms: float) -> dict[int, tuple[float, float]]:
    """Amplitude (half of peak to peak) in mV at 50 and at 60 Hz, and what the frequencies beside them hold.

    Returns
    -------
    dict
        ``{50: (amplitude, beside), 60: (amplitude, beside)}``; empty with fewer than 5 pieces.
    """
    if len(pieces) < FEWEST_PIECES:
        return {}
    stack = np.stack(pieces)
    time_s = np.arange(stack.shape[1]) * dt_ms / 1e3

    def amplitude(frequency: int) -> float:
        wave = np.exp(2j * np.pi * frequency * time_s)
        # The median: a synaptic potential in a few of the pieces is not hum.
        return float(np.median(np.abs(stack @ wave)) * 2 / stack.shape[1])

    beside = max(amplitude(40), amplitude(70))
    return {mains: (amplitude(mains), beside) for mains in MAINS_HZ}


def baseline_findings(
    recording: Recording, spike_times: list[NDArray[np.float64]], limits: QualityThresholds
) -> Iterator[Finding]:
    """Findings on rest, holding current, noise and hum."""
    rest = measure_rest(recording)
    if np.isfinite(rest).all():
        yield from _rest(recording, rest, limits)
        yield from _rest_over_time(recording, rest, limits)
        holding = recording.stimulus.holding_pa
        if np.abs(holding).max() > 1.0:
            yield Finding(
                "holding-current",
                "note",
                f"The cell was held with {_over(holding)} pA: the potential before the steps is not its own rest.",
            )
    pieces = quiet_pieces(recording, spike_times)
    noise = measure_noise(pieces)
    if np.isfinite(noise):
        loud = noise > limits.noise_mv
        yield Finding(
            "noise",
            "warning" if loud else "note",
            f"Baseline noise: {noise:.2f} mV (sd)" + (f", above {limits.noise_mv:g} mV." if loud else "."),
        )
    for mains, (amplitude, beside) in measure_hum(pieces, recording.dt_ms).items():
        if amplitude > max(limits.hum_mv, limits.hum_ratio * beside):
            yield Finding(
                "mains-hum",
                "warning",
                f"Mains hum: {amplitude:.2f} mV at {mains} Hz, against {beside:.2f} mV at the frequencies beside it.",
            )


def _over(values: NDArray[np.float64]) -> str:
    """``-122.8``, or ``-125.0 to -120.0`` where the values differ."""
    low, high = float(values.min()), float(values.max())
    return f"{np.median(values):.1f}" if high - low <= 1.0 else f"{low:.1f} to {high:.1f}"


def _rest(recording: Recording, rest: NDArray[np.float64], limits: QualityThresholds) -> Iterator[Finding]:
    low, high = limits.rest_range_mv
    centre = float(np.median(rest))
    several = f" (sd {rest.std(ddof=1):.1f}, {rest.min():.1f} to {rest.max():.1f})" if len(rest) > 1 else ""
    yield Finding(
        "rest",
        "note",
        f"Potential at the holding current ({_over(recording.stimulus.holding_pa)} pA): {centre:.1f} mV{several}.",
    )
    if not low <= centre <= high:
        yield Finding(
            "implausible-rest",
            "warning",
            f"At the holding current the voltage is {centre:.0f} mV, outside the {low:.0f} to {high:.0f} "
            "mV of living neurons: a wrong unit or gain, a model cell, or a dying one.",
        )


def _rest_over_time(recording: Recording, rest: NDArray[np.float64], limits: QualityThresholds) -> Iterator[Finding]:
    steps = np.diff(rest)
    jumps = np.abs(steps) > limits.rest_jump_mv
    if jumps.any():
        k = int(np.argmax(np.abs(steps)))
        a, b = recording.sweep_numbers[k], recording.sweep_numbers[k + 1]
        yield Finding(
            "rest-jump",
            "warning",
            f"The resting potential jumps between sweeps, by up to {abs(steps[k]):.1f} mV (sweep {a} to "
            f"{b}: {rest[k]:.1f} to {rest[k + 1]:.1f} mV).",
            tuple(recording.sweep_numbers[row + 1] for row in np.flatnonzero(jumps)),
        )
    # What the jumps explain is not drift as well.
    drift = trend(np.cumsum(np.concatenate(([rest[0]], np.where(jumps, 0.0, steps)))))
    if abs(drift) > limits.rest_drift_mv:
        yield Finding(
            "rest-drift",
            "warning",
            f"The resting potential drifts by {drift:+.1f} mV from the first sweep to the last.",
        )
