"""What the voltage's jumps at the edges of current steps say about the electrode, and about the command.

When a current step begins, the membrane is still charging, so the voltage that appears at once lies over the
electrode: its resistance times the step. Across sweeps the jumps must be proportional to the steps. If they
are proportional to the steps *less a constant*, the constant is an error of the command.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from neurofit.recording.recording import Finding, Recording
from neurofit.recording.robust import line, spread, through_origin, trend
from neurofit.recording.thresholds import QualityThresholds

COARSEST_DT_MS = 0.1  # sampled more slowly, the jump cannot be told from the membrane's own charging
BEFORE_MS = 2.0  # a line through this much before the edge ...
AFTER_MS = (0.3, 2.0)  # ... and one through this much after it (when the electrode has settled) meet there
STRAIGHT_MV = 1.5  # where the voltage strays further from its lines, the cell is firing: no jump is read
STEEP_MV_PER_MS = 1.0  # nor where the voltage was already moving this fast
SMALLEST_STEP_PA = 10.0
SYSTEMATIC_MV = 0.05  # a straight line through a charging membrane does not meet the edge better than this
FEWEST_JUMPS = 3


class Jumps(NamedTuple):
    """One entry for each sweep and edge that can be read, ``[jump]``.

    Attributes
    ----------
    row
        Row of ``voltage_mv``.
    time_ms
        Of the edge, from the recording's first sample.
    step_pa, jump_mv
        Change of the command, and the voltage that came at once.
    into_test
        Does this edge lead into a test step?
    """

    row: NDArray[np.int64]
    time_ms: NDArray[np.float64]
    step_pa: NDArray[np.float64]
    jump_mv: NDArray[np.float64]
    into_test: NDArray[np.bool_]


@dataclass(frozen=True)
class Electrode:
    """The electrode as the jumps tell it.

    Attributes
    ----------
    resistance_mohm, uncertainty_mohm
        Series resistance that the bridge did not balance (negative where it was over-balanced), and how well
        it is known: its standard error, or how much the protocol's edges differ.
    offset_pa, offset_uncertainty_pa
        By how much the steps into the test levels would have to be smaller for the jumps to be proportional
        to them: what the command says too much. ``nan`` where no test level varies or the bridge was
        balanced.
    unexplained_mv
        Robust spread of the jumps about that line.
    jumps
        What it was measured from.
    """

    resistance_mohm: float
    uncertainty_mohm: float
    offset_pa: float
    offset_uncertainty_pa: float
    unexplained_mv: float
    jumps: Jumps


def measure_electrode(recording: Recording) -> Electrode | None:
    """The electrode's share of the voltage.

    Parameters
    ----------
    recording
        Sweeps of current steps, sampled at 10 kHz or faster.

    Returns
    -------
    Electrode or None
        ``None`` if the sampling is too slow, or fewer than three steps of 10 pA or more begin from a quiet
        membrane.
    """
    if recording.dt_ms > COARSEST_DT_MS * (1 + 1e-9):
        return None
    jumps = _jumps(recording)
    if len(jumps.row) < FEWEST_JUMPS:
        return None
    step, jump, test = jumps.step_pa, jumps.jump_mv, jumps.into_test
    resistance, error = through_origin(step, jump)
    # Edges of one electrode that do not agree show how far a straight line can be trusted in this cell.
    edges = [jumps.time_ms == time for time in np.unique(jumps.time_ms)]
    by_edge = [through_origin(step[here], jump[here])[0] for here in edges if here.sum() >= FEWEST_JUMPS]
    error = max(error, float(np.std(by_edge)) if len(by_edge) > 1 else 0.0)
    unexplained = spread(jump - resistance * step)
    offset = offset_error = float("nan")
    if np.count_nonzero(test) >= FEWEST_JUMPS and np.ptp(step[test]) >= SMALLEST_STEP_PA:
        slope, intercept, slope_error, intercept_error = line(step[test], jump[test])
        if slope > 3 * slope_error:
            offset = -intercept / slope
            offset_error = float(np.hypot(intercept_error, SYSTEMATIC_MV)) / slope
            unexplained = spread(jump[test] - intercept - slope * step[test])
            # If the steps are not what they say, only the slope holds.
            if abs(offset) > 5 * offset_error:
                resistance, error = slope, slope_error
    return Electrode(1e3 * resistance, 1e3 * error, offset, offset_error, unexplained, jumps)


def _jumps(recording: Recording) -> Jumps:
    """Every edge of every sweep that begins from a quiet membrane and that no action potential overruns."""
    dt, voltage, stimulus = recording.dt_ms, recording.voltage_mv, recording.stimulus
    tests = {step.start_ms for step in stimulus.test_steps}
    before = np.arange(-round(BEFORE_MS / dt), 0)
    after = np.arange(round(AFTER_MS[0] / dt), round(AFTER_MS[1] / dt) + 1)
    parts = [Jumps(np.empty(0, np.int64), np.empty(0), np.empty(0), np.empty(0), np.empty(0, bool))]
    for left, right in itertools.pairwise(stimulus.epochs):
        if left.stop_ms - left.start_ms < BEFORE_MS or right.stop_ms - right.start_ms <= AFTER_MS[1] + dt:
            continue
        edge = round(right.start_ms / dt)
        old, slope, stray_before = _extrapolate(before.astype(np.float64) * dt, voltage[:, edge + before])
        new, _, stray_after = _extrapolate(after.astype(np.float64) * dt, voltage[:, edge + after])
        change = right.level_pa - left.level_pa
        quiet = (np.abs(slope) < STEEP_MV_PER_MS) & (np.maximum(stray_before, stray_after) < STRAIGHT_MV)
        rows = np.flatnonzero(quiet & (np.abs(change) >= SMALLEST_STEP_PA))
        parts.append(
            Jumps(
                rows,
                np.full(len(rows), right.start_ms),
                change[rows],
                (new - old)[rows],
                np.full(len(rows), right.start_ms in tests),
            )
        )
    return Jumps(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _extrapolate(
    time_ms: NDArray[np.float64], voltage_mv: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Each sweep's straight line at time 0, its slope in mV/ms, and how far the voltage strays from it."""
    design = np.stack([np.ones_like(time_ms), time_ms], axis=1)
    coefficients, *_ = np.linalg.lstsq(design, voltage_mv.T, rcond=None)
    stray = np.abs(voltage_mv.T - design @ coefficients).max(axis=0)
    return coefficients[0], coefficients[1], stray


def electrode_by_sweep(recording: Recording, jumps: Jumps, only_shared: bool = False) -> NDArray[np.float64]:
    """MOhm of each sweep, from steps that all sweeps share, else from large ones; ``nan`` without any.

    ``only_shared`` leaves out the steps that differ between sweeps, where their levels are in doubt.
    """
    shared = np.zeros(len(jumps.row), dtype=bool)
    for time in np.unique(jumps.time_ms):
        here = jumps.time_ms == time
        if np.ptp(jumps.step_pa[here]) < 1.0 and np.count_nonzero(here) > recording.n_sweeps / 2:
            shared |= here
    use = shared if only_shared or shared.any() else np.abs(jumps.step_pa) >= 50.0
    by_sweep = np.full(recording.n_sweeps, np.nan)
    for row in np.unique(jumps.row[use]):
        here = use & (jumps.row == row)
        by_sweep[row] = 1e3 * np.median(jumps.jump_mv[here] / jumps.step_pa[here])
    return by_sweep


def electrode_findings(recording: Recording, electrode: Electrode, limits: QualityThresholds) -> Iterator[Finding]:
    """Findings on the bridge, on access over the sweeps, and on the command's scale."""
    mohm = electrode.resistance_mohm
    largest_pa = float(np.abs(recording.current_pa - recording.stimulus.holding_pa[:, None]).max())
    text = (
        f"At the edges of the steps the voltage jumps by {mohm / 10:.2f} mV per 100 pA: {mohm:.1f} MOhm (± "
        f"{max(electrode.uncertainty_mohm, 0.1):.1f}) of electrode "
    )
    warns = abs(mohm) > limits.bridge_mohm
    if abs(mohm) > limits.implausible_mohm:
        text += "is more than an electrode has: the command's scale or unit is probably wrong."
    elif warns:
        text += "left over by an unbalanced bridge" if mohm > 0 else "taken away by an over-balanced bridge"
        text += f", {abs(mohm) * largest_pa / 1e3:.1f} mV at the largest step ({largest_pa:.0f} pA)."
    else:
        text += "resistance that the bridge left."
    yield Finding("electrode-resistance", "warning" if warns else "note", text)

    offset, error = electrode.offset_pa, electrode.offset_uncertainty_pa
    largest_pa = float(np.abs(electrode.jumps.step_pa).max())
    is_off = abs(offset) > max(limits.offset_pa, limits.offset_share * largest_pa, limits.offset_errors * error)
    if is_off:
        yield Finding(
            "command-offset",
            "warning",
            f"At the edges of the test steps the voltage jumps as if the current were {abs(offset):.0f} pA "
            f"(± {max(error, 1.0):.0f}) {'lower' if offset > 0 else 'higher'} than the levels say, by the "
            "same amount in every sweep: the levels of the test steps are probably wrong by that "
            "constant.",
        )

    by_sweep = electrode_by_sweep(recording, electrode.jumps, only_shared=is_off)
    change = trend(by_sweep[np.isfinite(by_sweep)])
    if abs(change) > max(limits.electrode_drift_mohm, limits.electrode_drift_share * abs(mohm)):
        yield Finding(
            "electrode-drift",
            "warning",
            f"The electrode resistance changes by {change:+.1f} MOhm from the first sweep to the last: "
            "access to the cell was not stable.",
        )

    typical = float(np.median(np.abs(electrode.jumps.jump_mv)))
    if electrode.unexplained_mv > max(limits.jump_mv, limits.jump_share * typical):
        yield Finding(
            "command-scale",
            "warning",
            "The voltage jumps at the steps' edges are not proportional to the steps (they stray by "
            f"{electrode.unexplained_mv:.1f} mV, the median jump is {typical:.1f} mV): the current that "
            "the cell got may not be the one given here.",
        )
