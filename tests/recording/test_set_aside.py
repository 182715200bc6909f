"""A spoilt sweep is set aside with its reason, at a stated size of fault; a clean cell's never are."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from neurofit.errors import RecordingError
from neurofit.recording import QualityThresholds, Recording, chosen_sweeps, recording_from_arrays
from neurofit.recording.quality import examined
from neurofit.recording.split import split
from tests.recording.synthetic import Cell

Array = NDArray[np.float64]
TIME = Cell().record().time_ms
CUT = TIME >= 1000
# Sweeps that each fault is planted in, one at a time: with and without spikes, from the first to the last.
EVERY, FIRING, STEPPED = (0, 2, 5, 8), (4, 5, 7, 8), (0, 1, 5, 8)


def noise(sd_mv: float) -> Array:
    return np.random.default_rng(11).normal(0.0, sd_mv, len(TIME))


# What is done to one sweep (its voltage and current), the sweeps it is done to, and what the reason says.
FAULTS: dict[str, tuple[Callable[[Array, Array], Array], tuple[int, ...], str]] = {
    "rests 10 mV higher": (lambda v, i: v + 10, EVERY, r"rests at -5\d\.\d mV"),
    "rests 10 mV lower": (lambda v, i: v - 10, EVERY, r"rests at -7\d\.\d mV"),
    "the seal is lost": (lambda v, i: noise(0.3) - 3, EVERY, "seal or the cell is lost"),
    "200 mV": (lambda v, i: np.where(CUT, v + 250, v), EVERY, "reaches"),
    "drifts by 12 mV": (lambda v, i: v + np.linspace(0, 12, len(v)), EVERY, "within the sweep"),
    "noise of 0.6 mV": (lambda v, i: v + noise(0.6), EVERY, r"baseline noise is 0\.[56]"),
    "hum of 0.8 mV": (lambda v, i: v + 0.8 * np.sin(2 * np.pi * 0.05 * TIME), EVERY, "mains hum at 50 Hz"),
    "nothing but zeros": (lambda v, i: 0 * v, EVERY, "stands still at 0.0 mV"),
    "cut, then NaN": (lambda v, i: np.where(CUT, np.nan, v), EVERY, "33.3 % of its voltage is not a number"),
    "cut, then its last value": (lambda v, i: np.where(CUT, v[CUT][0], v), EVERY, "stands still .* from 1000 ms"),
    "saturated": (lambda v, i: np.where(CUT, 204.8, v), EVERY, "stands still at 204.8 mV"),
    "spikes cut off at -20 mV": (lambda v, i: np.minimum(v, -20.0), FIRING, "cut off at its largest value, -20.0 mV"),
    "12 MOhm more of electrode": (lambda v, i: v + 0.012 * i, STEPPED, r"electrode resistance is 1\d MOhm"),
}


def spoilt(fault: str, row: int, seed: int = 0) -> Recording:
    recording = Cell(seed=seed).record()
    voltage = recording.voltage_mv.copy()
    voltage[row] = FAULTS[fault][0](voltage[row], recording.current_pa[row])
    return replace(recording, voltage_mv=voltage, sweep_numbers=tuple(range(30, 39)))


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_sets_its_sweep_aside_and_no_other(fault: str) -> None:
    for seed, row in enumerate(FAULTS[fault][1]):
        recording = examined(spoilt(fault, row, seed))
        assert list(recording.set_aside) == [30 + row]
        assert re.search(FAULTS[fault][2], recording.set_aside[30 + row])
        (said,) = [finding for finding in recording.findings if finding.severity == "warning"]
        assert (said.kind, said.sweeps) == ("set-aside", (30 + row,)), "the rest of the cell is as clean as it was"


def test_no_clean_cell_loses_a_sweep_or_gets_a_warning() -> None:
    # with 60 cells and none, the rate is below 5 % with 95 % confidence
    for seed in range(60):
        cell = Cell(
            seed=seed,
            noise_mv=(0.05, 0.1, 0.2, 0.3)[seed % 4],
            electrode_mohm=(1.0, 3.0, -2.0)[seed % 3],
            resistance_mohm=(60.0, 100.0, 150.0)[seed % 3],
            tau_ms=(10.0, 20.0, 30.0)[seed % 3],
        )
        recording = examined(cell.record())
        assert not recording.set_aside
        assert not [finding.kind for finding in recording.findings if finding.severity == "warning"]


def test_a_cell_without_noise_stands_still_by_nature() -> None:
    assert not examined(Cell(noise_mv=0.0).record()).set_aside


def test_what_half_of_the_sweeps_share_is_the_cells_nature() -> None:
    recording = Cell().record().select(range(1, 9))
    voltage = recording.voltage_mv.copy()
    voltage[3:] = np.minimum(voltage[3:], np.linspace(-20, 0, 5)[:, None])
    found = examined(replace(recording, voltage_mv=voltage))
    assert not found.set_aside
    (shared,) = [finding for finding in found.findings if finding.kind == "shared-fault"]
    assert "clipping" in shared.message


def test_thresholds_decide_what_is_set_aside() -> None:
    recording = spoilt("rests 10 mV higher", 2)
    lenient = examined(recording, QualityThresholds(sweep_rest_mv=12.0, rest_jump_mv=12.0))
    assert not lenient.set_aside
    assert lenient.thresholds.changed() == {"sweep_rest_mv": 12.0, "rest_jump_mv": 12.0}
    assert examined(Cell().record(), QualityThresholds(noise_mv=0.05)).findings[0].kind == "noise"


def test_even_and_odd_go_over_the_usable_sweeps() -> None:
    recording = examined(spoilt("the seal is lost", 2))
    assert chosen_sweeps(recording, "even")[1] == [30, 33, 35, 37]
    assert chosen_sweeps(recording, "odd")[1] == [31, 34, 36, 38]
    assert chosen_sweeps(recording, "30-34")[1] == [30, 31, 33, 34]
    even = split(recording, chosen_sweeps(recording, "even")[1])
    assert even.held_out["step 1, other sweeps"].sweep_numbers == (31, 34, 36, 38)


@pytest.mark.parametrize(("asked", "keep_all"), [("30,32", False), ([30, 32], False), ("30", True)])
def test_a_sweep_that_is_asked_for_is_taken_and_said(asked: str | list[int], keep_all: bool) -> None:
    recording, chosen = chosen_sweeps(examined(spoilt("the seal is lost", 2)), asked, keep_all)
    assert not recording.set_aside
    (said,) = [finding for finding in recording.findings if finding.kind == "taken-anyway"]
    assert said.sweeps == (32,)
    assert "seal" in said.message
    assert not [finding for finding in recording.findings if finding.kind == "set-aside"]
    assert chosen == ([30] if keep_all else [30, 32])


def test_a_sweep_that_is_not_numbers_cannot_be_taken() -> None:
    with pytest.raises(RecordingError, match="sweep 32 cannot be used"):
        chosen_sweeps(examined(spoilt("cut, then NaN", 2)), "32")


def test_arrays_with_a_sweep_of_nan_are_read_and_without_current_refused() -> None:
    cell = Cell().record()
    voltage, current = cell.voltage_mv.copy(), cell.current_pa.copy()
    voltage[3, 100:] = np.nan
    assert list(recording_from_arrays(voltage, current, cell.dt_ms).set_aside) == [3]
    current[3, 100:] = np.nan
    with pytest.raises(RecordingError, match="not numbers"):
        recording_from_arrays(voltage, current, cell.dt_ms)


def test_with_fewer_than_four_sweeps_there_are_no_others_to_judge_by() -> None:
    recording = spoilt("rests 10 mV higher", 2).select([31, 32, 33])
    assert not examined(recording).set_aside
