"""A current that the cell did not get is told by the voltage at its edges, and nothing is said of one that it got."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from neurofit.recording import Recording
from neurofit.recording.follows import edge_findings
from tests.recording.synthetic import Cell

LEVELS = tuple(np.arange(-100.0, 301.0, 50.0).tolist())


def with_current(recording: Recording, current_pa: np.ndarray) -> Recording:
    return replace(recording, current_pa=current_pa, findings=())


@pytest.mark.parametrize("seed", range(40))
def test_nothing_is_said_of_the_current_that_the_cell_got(seed: int) -> None:
    generator = np.random.default_rng(seed)
    cell = Cell(
        levels_pa=LEVELS,
        dt_ms=0.1,
        resistance_mohm=float(generator.uniform(50, 400)),
        tau_ms=float(generator.uniform(5, 40)),
        rheobase_pa=float(generator.uniform(20, 200)),
        electrode_mohm=float(generator.uniform(-10, 30)),
        noise_mv=float(generator.uniform(0.02, 0.8)),
        own_spikes=int(generator.integers(0, 3)),
        seed=seed,
    )
    assert list(edge_findings(cell.record())) == []


@pytest.mark.parametrize("shift_ms", [-100.0, 100.0, 300.0])
def test_edges_at_the_wrong_time_are_told(shift_ms: float) -> None:
    recording = Cell(levels_pa=LEVELS, dt_ms=0.1).record()
    moved = with_current(recording, np.roll(recording.current_pa, round(shift_ms / 0.1), axis=1))
    (finding, *_) = edge_findings(moved)
    assert (finding.kind, finding.severity) == ("current-not-followed", "warning")


def test_a_step_that_ends_too_early_is_told_with_its_time() -> None:
    recording = Cell(levels_pa=LEVELS, dt_ms=0.1).record()
    current = recording.current_pa.copy()
    current[:, 6000:] = 0.0
    (finding,) = edge_findings(with_current(recording, current))
    assert "not at 600 ms" in finding.message
    assert len(finding.sweeps) >= 5


def test_a_silent_block_in_one_sweep_is_told() -> None:
    recording = Cell(levels_pa=LEVELS, dt_ms=0.1).record()
    current = recording.current_pa.copy()
    current[8, 4000:4500] = 0.0
    assert {finding.sweeps for finding in edge_findings(with_current(recording, current))} == {(8,)}


def test_nothing_is_said_where_the_noise_hides_it() -> None:
    recording = Cell(levels_pa=(-20.0, 20.0), dt_ms=0.1, noise_mv=8.0, hum_mv=4.0).record()
    moved = with_current(recording, np.roll(recording.current_pa, 2000, axis=1))
    assert list(edge_findings(moved)) == []
