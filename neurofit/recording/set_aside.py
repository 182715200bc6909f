"""Which sweeps are spoilt, each with its reason; the cell is fitted from the others.

A sweep is judged against the cell's other sweeps, by the recording alone. What half of the sweeps or more share is the
cell's nature or the rig's, not a sweep's: nothing is set aside for it, and a warning says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from neurofit.recording.baseline import (
    FEWEST_PIECES,
    SETTLE_MS,
    measure_hum,
    measure_noise,
    measure_rest,
    pieces_of_sweeps,
)
from neurofit.recording.electrode import electrode_by_sweep, measure_electrode
from neurofit.recording.recording import Finding, Recording, ranges
from neurofit.recording.robust import spread, stretches
from neurofit.recording.spikes import spike_times_ms
from neurofit.recording.thresholds import QualityThresholds

FEWEST_SWEEPS = 4  # with fewer there are no others to judge a sweep by
SPREADS = 5.0  # a sweep far from the others is so many of their robust standard deviations away
CLIP_RUN, CLIP_EDGE = (
    3,
    4.0,
)  # identical samples in a row at the end of the range, and the steps of resolution into them
IMPLAUSIBLE = "an implausible voltage"  # of which the whole recording's findings speak

Array = NDArray[np.float64]
Found = dict[int, str]  # row -> reason


def set_aside(recording: Recording, limits: QualityThresholds) -> dict[int, str]:
    """Sweep numbers that had better not be fitted, each with its reason in words."""
    return {
        recording.sweep_numbers[row]: "; ".join(reasons) for row, reasons in sorted(_spoilt(recording, limits).items())
    }


def set_aside_findings(recording: Recording, limits: QualityThresholds) -> Iterator[Finding]:
    """One warning for each sweep that is set aside, and one for each fault that too many sweeps share."""
    for number, reason in recording.set_aside.items():
        yield Finding("set-aside", "warning", f"Sweep {number} is set aside: {reason}.", (number,))
    for fault, found in _faults(recording, limits):
        if fault != IMPLAUSIBLE and 2 * len(found) >= recording.n_sweeps >= FEWEST_SWEEPS:
            numbers = tuple(recording.sweep_numbers[row] for row in found)
            yield Finding(
                "shared-fault",
                "warning",
                f"{len(found)} of {recording.n_sweeps} sweeps ({ranges(numbers)}) share a fault, {fault}: that is the "
                "cell or the rig rather than a sweep, and none is set aside for it.",
                numbers,
            )


def _spoilt(recording: Recording, limits: QualityThresholds) -> dict[int, list[str]]:
    """``{row: reasons}``."""
    if recording.n_sweeps < FEWEST_SWEEPS:
        return {row: [reason] for row, reason in _not_numbers(recording, limits).items()}
    spoilt: dict[int, list[str]] = {}
    for _, found in _faults(recording, limits):
        if 2 * len(found) < recording.n_sweeps:
            for row, reason in found.items():
                spoilt.setdefault(row, []).append(reason)
    return spoilt


def _faults(recording: Recording, limits: QualityThresholds) -> Iterator[tuple[str, Found]]:
    """Every fault by name with the rows that have it; a sweep that is no signal at all is looked at no further."""
    measures: dict[str, Callable[[Recording, QualityThresholds], Found]] = {
        "values that are not numbers": _not_numbers,
        "a voltage that stands still": _stands_still,
        IMPLAUSIBLE: _implausible,
        "clipping": _clipped,
        "a rest far from the others'": _rest,
        "a drift within the sweep": _drift,
        "noise far above the others'": _noise,
        "an electrode resistance unlike the others'": _electrode,
    }
    rows = np.arange(recording.n_sweeps)
    for name, measure in measures.items():
        if len(rows) == 0:
            return
        part = recording.select([recording.sweep_numbers[row] for row in rows])
        found = {int(rows[row]): reason for row, reason in measure(part, limits).items()}
        yield name, found
        if measure in (_not_numbers, _stands_still, _implausible) and 2 * len(found) < recording.n_sweeps:
            rows = np.setdiff1d(rows, list(found))


def _not_numbers(recording: Recording, limits: QualityThresholds) -> Found:
    bad = ~np.isfinite(recording.voltage_mv)
    shares = {int(row): 100 * bad[row].mean() for row in np.flatnonzero(bad.any(axis=1))}
    return {row: f"{share:.3g} % of its voltage is not a number" for row, share in shares.items()}


def _stands_still(recording: Recording, limits: QualityThresholds) -> Found:
    """Sweeps that keep one value for long, in a recording in which a voltage never does (cut, flat, saturated)."""
    longest = [_longest_hold(sweep) for sweep in recording.voltage_mv]
    hold_ms = np.array([stop - start for start, stop in longest]) * recording.dt_ms
    if np.median(hold_ms) > limits.still_ms / 5:
        return {}  # without noise, or too coarsely sampled in voltage: standing still says nothing
    return {
        int(row): f"its voltage stands still at {recording.voltage_mv[row, longest[row][0]] + 0.0:.1f} mV for "
        f"{hold_ms[row]:.0f} ms from {recording.start_ms + longest[row][0] * recording.dt_ms:.0f} ms"
        for row in np.flatnonzero(hold_ms >= limits.still_ms)
    }


def _longest_hold(voltage_mv: Array) -> tuple[int, int]:
    """Samples of the longest stretch of one value."""
    same = np.concatenate(([False], np.diff(voltage_mv) == 0))
    held = stretches(same)
    if not held:
        return 0, 1
    start, stop = max(held, key=lambda stretch: stretch[1] - stretch[0])
    return start - 1, stop


def _implausible(recording: Recording, limits: QualityThresholds) -> Found:
    far = np.abs(recording.voltage_mv).max(axis=1)
    found = {
        int(row): f"its voltage reaches {far[row]:.0f} mV in size" for row in np.flatnonzero(far > limits.extreme_mv)
    }
    rest = measure_rest(recording)
    low, high = limits.rest_range_mv
    with np.errstate(invalid="ignore"):
        outside = np.flatnonzero((rest < low) | (rest > high))
    return found | {int(row): f"it rests at {rest[row]:.0f} mV: the seal or the cell is lost" for row in outside}


def _clipped(recording: Recording, limits: QualityThresholds) -> Found:
    """Sweeps cut off flat at a voltage that others pass."""
    found: Found = {}
    for sign, name in ((1.0, "largest"), (-1.0, "smallest")):
        voltage = sign * recording.voltage_mv
        tops = voltage.max(axis=1)
        for row, sweep in enumerate(voltage):
            steps = np.abs(np.diff(sweep))
            if tops[row] >= tops.max() or not steps.any():
                continue
            resolution = steps[steps > 0].min()
            flat = [
                (a, b)
                for a, b in stretches(sweep == tops[row])
                if b - a >= CLIP_RUN
                and max(tops[row] - sweep[max(a - 1, 0)], tops[row] - sweep[min(b, len(sweep) - 1)])
                > CLIP_EDGE * resolution
            ]
            n = sum(b - a for a, b in flat)
            if n >= limits.clipped_samples:
                found[row] = f"{n} samples are cut off at its {name} value, {sign * tops[row]:.1f} mV"
    return found


def _rest(recording: Recording, limits: QualityThresholds) -> Found:
    rest = measure_rest(recording)
    return {
        row: f"it rests at {rest[row]:.1f} mV, the other sweeps at {np.nanmedian(rest):.1f} mV"
        for row in _apart(rest, limits.sweep_rest_mv)
    }


def _drift(recording: Recording, limits: QualityThresholds) -> Found:
    """Change from before the steps to the end of the sweep, where it is at the holding current again."""
    last = next((epoch for epoch in reversed(recording.stimulus.held) if epoch.start_ms > 0), None)
    if last is None or last.stop_ms - last.start_ms < 2 * SETTLE_MS:
        return {}
    start, stop = (round(t / recording.dt_ms) for t in (last.start_ms + SETTLE_MS, last.stop_ms))
    change = np.median(recording.voltage_mv[:, start:stop], axis=1) - measure_rest(recording)
    return {
        row: f"its resting potential changes by {change[row]:+.1f} mV within the sweep (the others': "
        f"{np.nanmedian(change):+.1f} mV)"
        for row in _apart(change, limits.sweep_drift_mv)
    }


def _noise(recording: Recording, limits: QualityThresholds) -> Found:
    by_sweep = pieces_of_sweeps(recording, spike_times_ms(recording))
    noise = np.array([measure_noise(pieces) for pieces in by_sweep])
    if np.isfinite(noise).sum() < FEWEST_SWEEPS:
        return {}
    usual = float(np.nanmedian(noise))
    with np.errstate(invalid="ignore"):
        loud = np.flatnonzero(noise > max(limits.sweep_noise_ratio * usual, usual + limits.sweep_noise_mv))
    found = {}
    for row in loud.tolist():
        hum = measure_hum(by_sweep[row], recording.dt_ms) if len(by_sweep[row]) >= FEWEST_PIECES else {}
        mains, (size, beside) = max(hum.items(), key=lambda item: item[1][0], default=(0, (0.0, np.inf)))
        what = f", mostly mains hum at {mains} Hz" if size > limits.hum_ratio * beside else ""
        found[row] = f"its baseline noise is {noise[row]:.2f} mV (sd){what}; the others' is {usual:.2f} mV"
    return found


def _electrode(recording: Recording, limits: QualityThresholds) -> Found:
    electrode = measure_electrode(recording)
    if electrode is None:
        return {}
    mohm = electrode_by_sweep(recording, electrode.jumps)
    usual = float(np.nanmedian(mohm)) if np.isfinite(mohm).any() else 0.0
    largest_pa = np.zeros(recording.n_sweeps)
    np.maximum.at(largest_pa, electrode.jumps.row, np.abs(electrode.jumps.step_pa))
    with np.errstate(divide="ignore", invalid="ignore"):
        error = 1e3 * electrode.unexplained_mv / largest_pa
    least = max(limits.sweep_electrode_mohm, limits.sweep_electrode_share * abs(usual))
    return {
        row: f"its electrode resistance is {mohm[row]:.0f} MOhm, the others' {usual:.0f}: access changed"
        for row in _apart(mohm, least)
        if abs(mohm[row] - usual) > SPREADS * error[row]
    }


def _apart(values: Array, least: float) -> list[int]:
    """Rows further than ``least`` from the median, and further than the others scatter; NaN is never apart."""
    known = np.isfinite(values)
    if known.sum() < FEWEST_SWEEPS:
        return []
    away = np.where(known, np.abs(values - np.median(values[known])), 0.0)
    return list(np.flatnonzero(away > max(least, SPREADS * spread(away[known]))).tolist())
