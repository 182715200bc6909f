"""What a recording says about its own quality, as findings.

A finding is only made where the recording holds the evidence: nothing is assumed about the rig. The measures
are in :mod:`~neurofit.recording.baseline` and :mod:`~neurofit.recording.electrode`, the limits in
:mod:`~neurofit.recording.thresholds`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from neurofit.recording.baseline import baseline_findings
from neurofit.recording.electrode import Electrode, electrode_findings, measure_electrode
from neurofit.recording.recording import Finding, Recording
from neurofit.recording.robust import stretches
from neurofit.recording.set_aside import set_aside, set_aside_findings
from neurofit.recording.spikes import count_spikes, spike_times_ms
from neurofit.recording.stimulus import LEVEL_TOLERANCE_PA, Step
from neurofit.recording.thresholds import QualityThresholds

JUNCTION_POTENTIAL = Finding(
    "junction-potential",
    "note",
    "Potentials are as recorded: no liquid junction potential was subtracted (with potassium gluconate in "
    "the pipette it is often 10 to 15 mV), so they may be that much too positive.",
)


def examine(recording: Recording, thresholds: QualityThresholds | None = None) -> tuple[Finding, ...]:
    """Everything notable about a recording's quality.

    Parameters
    ----------
    recording
        Its own findings are not repeated. The sweeps that it sets aside are named, and the rest is about the others.
    thresholds
        Where a note becomes a warning; the recording's own by default.

    Returns
    -------
    tuple
        Warnings first.
    """
    limits = thresholds or recording.thresholds
    spoilt = list(set_aside_findings(recording, limits))
    if recording.set_aside and recording.usable:
        # what spoils a sweep is not the cell's
        recording = recording.select(recording.usable)
    times = spike_times_ms(recording)
    electrode = measure_electrode(recording)
    findings = [*spoilt, *_spikes(recording, times, limits), *baseline_findings(recording, times, limits)]
    if electrode is not None:
        findings += electrode_findings(recording, electrode, limits)
    findings += [
        *_extremes(recording, limits),
        *_block(recording, times, electrode, limits),
        JUNCTION_POTENTIAL,
    ]
    return warnings_first(findings)


def examined(recording: Recording, thresholds: QualityThresholds | None = None) -> Recording:
    """The same recording with its spoilt sweeps set aside and its findings beside those that it had."""
    limits = thresholds or QualityThresholds()
    judged = replace(recording, set_aside=set_aside(recording, limits), thresholds=limits)
    return replace(judged, findings=warnings_first([*recording.findings, *examine(judged)]))


def warnings_first(findings: list[Finding]) -> tuple[Finding, ...]:
    """The same findings, warnings before notes and else in their order."""
    return tuple(sorted(findings, key=lambda finding: finding.severity != "warning"))


def _numbers(recording: Recording, rows: NDArray[np.bool_]) -> tuple[int, ...]:
    """The sweep numbers of these rows."""
    return tuple(recording.sweep_numbers[row] for row in np.flatnonzero(rows))


def _spikes(recording: Recording, times: list[NDArray[np.float64]], limits: QualityThresholds) -> Iterator[Finding]:
    if not any(map(len, times)):
        yield Finding(
            "no-spikes",
            "warning",
            "No sweep holds an action potential (a brief rise through -20 mV), so only passive properties "
            "can be fitted.",
        )
        return
    mean = "" if recording.stimulus.epochs else "mean "
    parts = [
        f"{_span(count_spikes(times, step))} in the {recording.stimulus.word} from "
        f"{recording.start_ms + step.start_ms:g} ms ({mean}{_span(np.round(step.level_pa))} pA)"
        for step in recording.stimulus.test_steps
    ]
    where = "; ".join(parts) if parts else _span(count_spikes(times))
    yield Finding("spike-counts", "note", f"Action potentials per sweep: {where}.")

    # After a step, rebound firing is the cell's answer to it.
    quiet = [
        Step(
            epoch.start_ms + (limits.spontaneous_ms if epoch.start_ms > 0 else 0.0),
            epoch.stop_ms,
            epoch.level_pa,
        )
        for epoch in recording.stimulus.held
    ]
    own = sum((count_spikes(times, epoch) for epoch in quiet), np.zeros(recording.n_sweeps, dtype=np.int64))
    if not own.any():
        return
    depolarises = (recording.current_pa > recording.stimulus.holding_pa[:, None] + LEVEL_TOLERANCE_PA).any()
    what = "The cell fires by itself" if depolarises else "The cell fires though no current depolarises it"
    yield Finding(
        "spontaneous-spikes" if depolarises else "spikes-without-current",
        "warning",
        f"{what} ({own.sum()} action potentials at the holding current, before any step or more than "
        f"{limits.spontaneous_ms:g} ms after it, in {np.count_nonzero(own)} of {recording.n_sweeps} "
        "sweeps).",
        _numbers(recording, own > 0),
    )


def _span(values: NDArray[np.int64] | NDArray[np.float64]) -> str:
    """``0 to 9``, or ``9`` where all are the same."""
    low, high = values.min(), values.max()
    return f"{low:.0f}" if low == high else f"{low:.0f} to {high:.0f}"


def _extremes(recording: Recording, limits: QualityThresholds) -> Iterator[Finding]:
    """Voltages that no membrane has, and voltages that the converter could not follow."""
    far = np.abs(recording.voltage_mv).max(axis=1)
    if far.max() > limits.extreme_mv:
        yield Finding(
            "implausible-voltage",
            "warning",
            f"The voltage goes to {far.max():.0f} mV in size, which no membrane does: a wrong unit or "
            "gain, a lost seal, or a model cell.",
            _numbers(recording, far > limits.extreme_mv),
        )
    for name, voltage in (("largest", recording.voltage_mv), ("smallest", -recording.voltage_mv)):
        at_end = voltage == voltage.max()
        piled = np.count_nonzero(at_end)
        if piled < limits.clipped_samples or piled == voltage.size:
            continue
        # An overflowing converter piles samples up at its last value, several in a row; noise thins out
        # there.
        beside = np.count_nonzero(voltage == voltage[~at_end].max())
        longest = max(stop - start for row in at_end for start, stop in [*stretches(row), (0, 0)])
        if piled > 5 * beside and longest >= 3:
            value = recording.voltage_mv.max() if name == "largest" else recording.voltage_mv.min()
            yield Finding(
                "clipping",
                "warning",
                f"The voltage is clipped: {piled} samples lie exactly at its {name} value, {value:.2f} mV.",
                _numbers(recording, at_end.any(axis=1)),
            )


def _block(
    recording: Recording,
    times: list[NDArray[np.float64]],
    electrode: Electrode | None,
    limits: QualityThresholds,
) -> Iterator[Finding]:
    """Sweeps with more current than the one with most spikes, whose spikes fail at a depolarised plateau."""
    gohm = electrode.resistance_mohm / 1e3 if electrode is not None else 0.0
    blocked = np.zeros(recording.n_sweeps, dtype=bool)
    for step in recording.stimulus.test_steps:
        counts = count_spikes(times, step)
        if not counts.any():
            continue
        late = Step(step.stop_ms - (step.stop_ms - step.start_ms) / 3, step.stop_ms, step.level_pa)
        window = slice(round(late.start_ms / recording.dt_ms), round(late.stop_ms / recording.dt_ms))
        over_electrode = gohm * (step.level_pa - recording.stimulus.holding_pa)
        plateau = np.median(recording.voltage_mv[:, window], axis=1) - over_electrode
        beyond = step.level_pa > step.level_pa[int(np.argmax(counts))]
        silent = (counts <= counts.max() / 2) & (count_spikes(times, late) == 0)
        blocked |= beyond & silent & (plateau > limits.block_mv)
    if blocked.any():
        yield Finding(
            "depolarisation-block",
            "warning",
            f"Depolarisation block: in {np.count_nonzero(blocked)} sweeps, with more current than the one "
            f"that fires most, action potentials fail and the membrane stays above {limits.block_mv:.0f} "
            "mV.",
            _numbers(recording, blocked),
        )
