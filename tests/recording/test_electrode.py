"""The electrode is measured as planted, whatever the cell."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neurofit.recording import measure_electrode
from neurofit.recording.electrode import electrode_by_sweep
from tests.recording.synthetic import Cell

LAW = settings(max_examples=25, deadline=None, derandomize=True, database=None)


@LAW
@given(
    electrode=st.floats(-15.0, 60.0),
    tau=st.floats(8.0, 40.0),
    resistance=st.floats(40.0, 250.0),
    seed=st.integers(0, 10**6),
)
def test_resistance_is_the_planted_one(electrode: float, tau: float, resistance: float, seed: int) -> None:
    cell = Cell(electrode_mohm=electrode, tau_ms=tau, resistance_mohm=resistance, seed=seed)
    measured = measure_electrode(cell.record())
    assert measured is not None
    # What the membrane charges by itself in the first milliseconds adds to the jump: about R (t/tau)^2 / 3.
    charging = resistance / 3 / tau**2
    assert measured.resistance_mohm == pytest.approx(electrode, abs=0.4 + 2 * charging)


@LAW
@given(error=st.floats(-150.0, 150.0), electrode=st.floats(10.0, 25.0), seed=st.integers(0, 10**6))
def test_offset_is_the_planted_one(error: float, electrode: float, seed: int) -> None:
    cell = Cell(electrode_mohm=electrode, command_error_pa=error, seed=seed)
    measured = measure_electrode(cell.record())
    assert measured is not None
    assert measured.offset_pa == pytest.approx(error, abs=5 * measured.offset_uncertainty_pa)
    assert measured.offset_uncertainty_pa < 15


def test_jumps_are_the_product() -> None:
    measured = measure_electrode(Cell(electrode_mohm=20.0, noise_mv=0.001).record())
    assert measured is not None
    jumps = measured.jumps
    assert np.allclose(jumps.jump_mv, 0.02 * jumps.step_pa, atol=0.15)
    assert set(jumps.time_ms) == {250.0, 750.0}
    assert set(jumps.time_ms[jumps.into_test]) == {250.0}
    assert 2 not in jumps.row, "the sweep without a step has no jump"


def test_by_sweep_follows_access() -> None:
    recording = Cell(electrode_mohm=5.0, electrode_drift_mohm=15.0).record()
    measured = measure_electrode(recording)
    assert measured is not None
    by_sweep = electrode_by_sweep(recording, measured.jumps)
    known = np.isfinite(by_sweep)
    assert np.allclose(by_sweep[known], np.linspace(5.0, 20.0, 9)[known], atol=1.5)


def test_steps_that_all_sweeps_share_measure_access_best() -> None:
    recording = Cell(electrode_mohm=10.0).record()
    pulse = slice(round(1000 / recording.dt_ms), round(1200 / recording.dt_ms))
    current, voltage = recording.current_pa.copy(), recording.voltage_mv.copy()
    current[:, pulse] = -50.0
    voltage[:, pulse] -= 0.5  # a jump alone, so no membrane
    recording = replace(recording, current_pa=current, voltage_mv=voltage)
    measured = measure_electrode(recording)
    assert measured is not None
    assert np.allclose(electrode_by_sweep(recording, measured.jumps, only_shared=True), 10.0, atol=1.5)


def test_no_answer_where_there_is_none() -> None:
    assert measure_electrode(Cell(dt_ms=0.25).record()) is None, "sampled too coarsely"
    assert measure_electrode(Cell(levels_pa=(0.0, 0.0)).record()) is None, "no steps"
    recording = Cell().record()
    noise = np.random.default_rng(0).normal(0, 50, recording.current_pa.shape)
    assert measure_electrode(replace(recording, current_pa=noise)) is None, "not steps"


def test_an_edge_in_a_spike_is_not_read() -> None:
    recording = Cell(electrode_mohm=10.0).record()
    voltage = recording.voltage_mv.copy()
    start = round(250 / recording.dt_ms)
    voltage[6, start - 10 : start + 20] += 60.0
    measured = measure_electrode(replace(recording, voltage_mv=voltage))
    assert measured is not None
    assert 6 not in measured.jumps.row[measured.jumps.into_test]
    assert measured.resistance_mohm == pytest.approx(10.0, abs=0.5)
