"""How well a sweep is predicted: bands hold as often as they should, spikes are left out, percentiles are centred."""

from __future__ import annotations

import numpy as np
import pytest

from neurofit.check.sweeps import compare_voltage, count_percentile, in_spikes

DT_MS = 0.5


def test_nine_tenths_are_covered_where_the_recording_is_one_of_the_predictions():
    """Independent noise at 5,000 times; 2,000 draws make the band itself exact to .007."""
    rng = np.random.default_rng(0)
    draws = rng.normal(-65, 2, (2000, 1, 5000))
    covered = compare_voltage(rng.normal(-65, 2, (1, 5000)), draws, DT_MS).covered[0]
    assert covered == pytest.approx(0.9, abs=4 * np.sqrt(0.09 / 5000) + 0.007)


def test_a_wrong_offset_is_its_deviation_and_covers_nothing():
    time = np.arange(1000) * DT_MS
    recorded = np.stack([-65 + np.sin(time / 30), -70 + np.sin(time / 30)])
    predicted = recorded[None] + np.array([[3.0], [0.0]]) + np.zeros((7, 1, 1))
    found = compare_voltage(recorded, predicted, DT_MS)
    assert found.deviation_mv == pytest.approx([3.0, 0.0])
    assert found.covered == pytest.approx([0.0, 1.0])


def test_spikes_of_either_do_not_count():
    """More than half of the time is spikes, of which the recording and the prediction have different ones."""
    recorded = np.full((1, 400), -65.0)
    recorded[0, 20:150:8] = 30.0
    predicted = np.full((3, 1, 400), -64.0)
    predicted[:, 0, 200:340:8] = 30.0
    assert compare_voltage(recorded, predicted, DT_MS).deviation_mv == pytest.approx([1.0])


def test_where_all_is_spikes_there_is_no_deviation():
    recorded = np.zeros((1, 100))
    assert np.isnan(compare_voltage(recorded, recorded[None], DT_MS).deviation_mv[0])


def test_a_spike_begins_before_it_and_ends_after_it():
    voltage = np.full((2, 60), -65.0)
    voltage[0, 30] = 10.0
    voltage[1, [0, 59]] = 10.0
    marked = in_spikes(voltage, DT_MS)
    assert np.flatnonzero(marked[0]).tolist() == list(range(30 - 4, 30 + 10 + 1))
    assert np.flatnonzero(marked[1]).tolist() == [*range(11), *range(55, 60)]


def test_percentiles_of_counts():
    predicted = np.array([[0, 1, 5], [0, 2, 6], [0, 3, 7], [0, 4, 8]])
    assert count_percentile([0, 2, 9], predicted).tolist() == [50.0, 37.5, 100.0]


def test_percentiles_are_even_where_the_model_is_true():
    rng = np.random.default_rng(1)
    found = count_percentile(rng.poisson(6, 4000), rng.poisson(6, (500, 4000)))
    # mean 50, variance of a uniform at most: the standard error is 0.46
    assert found.mean() == pytest.approx(50, abs=2)
    assert (found < 25).mean() == pytest.approx(0.25, abs=0.1)  # counts are lumpy
