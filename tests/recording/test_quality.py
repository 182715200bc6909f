"""Quality findings: exactly what was planted is found, and nothing in a clean recording."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from neurofit.recording import QualityThresholds, examine
from neurofit.recording.recording import Finding
from tests.recording.synthetic import PASSIVE_PA, Cell

PLANTED = {
    "unbalanced bridge": (Cell(electrode_mohm=12.0), {"electrode-resistance"}),
    "over-balanced bridge": (Cell(electrode_mohm=-9.0), {"electrode-resistance"}),
    "scale of the command wrong": (
        Cell(levels_pa=(-100.0, -50.0, 0.0, 25.0, 50.0, 75.0, 100.0), electrode_mohm=150.0),
        {"electrode-resistance"},
    ),
    "access lost": (Cell(electrode_mohm=-3.0, electrode_drift_mohm=7.0), {"electrode-drift"}),
    "rest drifts": (Cell(drift_mv=9.0), {"rest-drift"}),
    "rest drifts down": (Cell(drift_mv=-9.0), {"rest-drift"}),
    "rest jumps": (Cell(jump_mv=8.0), {"rest-jump"}),
    "noise": (Cell(noise_mv=1.5), {"noise"}),
    "hum at 50 Hz": (Cell(hum_mv=0.4, hum_hz=50.0), {"mains-hum"}),
    "hum at 60 Hz": (Cell(hum_mv=0.4, hum_hz=60.0), {"mains-hum"}),
    "fires by itself": (Cell(own_spikes=2), {"spontaneous-spikes"}),
    "fires without being driven": (
        Cell(levels_pa=(-100.0, -75.0, -50.0, -25.0), own_spikes=2),
        {"spikes-without-current"},
    ),
    "no spikes": (Cell(rheobase_pa=PASSIVE_PA, resistance_mohm=50.0), {"no-spikes"}),
    "a model cell": (Cell(rest_mv=0.0, rheobase_pa=PASSIVE_PA), {"no-spikes", "implausible-rest"}),
    "levels wrong by a constant": (
        Cell(electrode_mohm=12.0, command_error_pa=60.0),
        {"command-offset", "electrode-resistance"},
    ),
    "depolarisation block": (
        Cell(levels_pa=tuple(np.arange(0.0, 401.0, 50.0).tolist()), block_pa=290.0),
        {"depolarisation-block"},
    ),
    "clipped": (Cell(clip_mv=20.0), {"clipping"}),
}


def warnings(findings: tuple[Finding, ...]) -> dict[str, Finding]:
    return {finding.kind: finding for finding in findings if finding.severity == "warning"}


@pytest.mark.parametrize("seed", range(5))
def test_a_clean_recording_gets_no_warning(seed: int) -> None:
    assert warnings(examine(Cell(seed=seed).record())) == {}


@pytest.mark.parametrize("dt_ms", [0.01, 0.02, 0.1, 0.25])
def test_at_any_sampling_a_clean_recording_gets_no_warning(dt_ms: float) -> None:
    assert warnings(examine(Cell(dt_ms=dt_ms).record())) == {}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("problem", PLANTED)
def test_exactly_the_planted_problem_is_found(problem: str, seed: int) -> None:
    cell, expected = PLANTED[problem]
    assert set(warnings(examine(replace(cell, seed=seed).record()))) == expected


def test_numbers_are_those_planted() -> None:
    found = warnings(examine(Cell(electrode_mohm=12.0, drift_mv=9.0, hum_mv=0.5, hum_hz=60.0).record()))
    assert "12." in found["electrode-resistance"].message
    assert "+9.0 mV" in found["rest-drift"].message
    assert "0.50 mV at 60 Hz" in found["mains-hum"].message
    offset = warnings(examine(Cell(electrode_mohm=14.0, command_error_pa=-100.0).record()))["command-offset"]
    assert re.search(r"\b(9[5-9]|10[0-5]) pA", offset.message)
    assert "higher" in offset.message


def test_sweeps_are_named_by_their_numbers_in_the_file() -> None:
    cell = Cell(levels_pa=tuple(np.arange(0.0, 401.0, 50.0).tolist()), block_pa=290.0)
    recording = replace(cell.record(), sweep_numbers=tuple(range(325, 334)))
    block = warnings(examine(recording))["depolarisation-block"]
    assert block.sweeps == (331, 332, 333)
    jump = warnings(examine(replace(Cell(jump_mv=8.0).record(), sweep_numbers=tuple(range(325, 334)))))
    assert jump["rest-jump"].sweeps == (329,)


def test_jumps_that_do_not_follow_the_steps_question_the_command() -> None:
    recording = Cell(electrode_mohm=20.0, rheobase_pa=PASSIVE_PA, resistance_mohm=50.0).record()
    shuffled = replace(recording, current_pa=recording.current_pa[[4, 1, 8, 6, 0, 2, 7, 3, 5]])
    assert "command-scale" in warnings(examine(shuffled))


def test_holding_current_is_told_and_is_not_a_step() -> None:
    recording = Cell(holding_pa=-120.0).record()
    notes = {finding.kind: finding.message for finding in examine(recording)}
    assert "-120.0 pA" in notes["holding-current"]
    assert "holding-current" not in {finding.kind for finding in examine(Cell().record())}


def test_spike_counts_are_the_planted_ones() -> None:
    cell = Cell()
    counts = {finding.kind: finding.message for finding in examine(cell.record())}["spike-counts"]
    assert f"{min(cell.counts())} to {max(cell.counts())} in the step from 250 ms" in counts


def test_junction_potential_is_always_mentioned_and_warnings_come_first() -> None:
    findings = examine(Cell(noise_mv=1.5).record())
    assert "junction-potential" in {finding.kind for finding in findings}
    order = [finding.severity for finding in findings]
    assert order == sorted(order, key=lambda severity: severity != "warning")


def test_thresholds_are_the_callers() -> None:
    recording = Cell(electrode_mohm=4.0).record()
    assert not warnings(examine(recording))
    assert "electrode-resistance" in warnings(examine(recording, QualityThresholds(bridge_mohm=3.0)))


def test_an_implausible_voltage_is_told() -> None:
    recording = Cell(rheobase_pa=PASSIVE_PA).record()
    large = replace(recording, voltage_mv=recording.voltage_mv * 10)
    assert {"implausible-rest", "implausible-voltage"} <= set(warnings(examine(large)))


def test_a_current_without_steps_is_examined_as_far_as_possible() -> None:
    recording = Cell().record()
    noise = np.random.default_rng(0).normal(0, 50, recording.current_pa.shape)
    findings = examine(replace(recording, current_pa=noise))
    assert {finding.kind for finding in findings} >= {"spike-counts", "junction-potential"}


def test_a_single_sweep_is_examined() -> None:
    assert warnings(examine(Cell(levels_pa=(200.0,)).record())) == {}
