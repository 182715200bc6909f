"""Action potentials are counted as an electrophysiologist counts them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from neurofit.recording.spikes import count_spikes, spike_times_ms
from neurofit.recording.stimulus import Step
from tests.recording.synthetic import Cell


@pytest.mark.parametrize("dt_ms", [0.02, 0.05, 0.25])
def test_counts_are_the_planted_ones(dt_ms: float) -> None:
    cell = Cell(dt_ms=dt_ms)
    recording = cell.record()
    times = spike_times_ms(recording)
    assert count_spikes(times).tolist() == cell.counts()
    step = recording.stimulus.test_step
    assert count_spikes(times, step).tolist() == cell.counts()
    assert not count_spikes(times, Step(0.0, 250.0, step.level_pa)).any()


def test_noise_at_the_threshold_does_not_count_twice() -> None:
    cell = Cell(levels_pa=(300.0,), noise_mv=2.0)
    assert count_spikes(spike_times_ms(cell.record())).tolist() == cell.counts()


def test_a_passive_rise_through_the_threshold_is_not_a_spike() -> None:
    recording = Cell(levels_pa=(200.0,)).record()
    voltage = np.full_like(recording.voltage_mv, -60.0)
    voltage[:, 5000:9000] = 20.0
    assert count_spikes(spike_times_ms(replace(recording, voltage_mv=voltage))).tolist() == [0]


def test_a_sweep_that_begins_or_ends_in_a_spike() -> None:
    recording = Cell(levels_pa=(0.0,)).record()
    voltage = np.full_like(recording.voltage_mv, -60.0)
    voltage[:, :10] = 30.0  # no rise was seen
    voltage[:, -10:] = 30.0
    times = spike_times_ms(replace(recording, voltage_mv=voltage))
    assert [t.tolist() for t in times] == [[pytest.approx(recording.duration_ms - 10 * recording.dt_ms)]]


def test_a_sweep_without_spikes_is_empty() -> None:
    times = spike_times_ms(Cell(levels_pa=(0.0, -50.0)).record())
    assert [len(t) for t in times] == [0, 0]
