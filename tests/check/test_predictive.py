"""Recorded against predicted: distances, misses, spike counts and the interpolation they have to beat."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pytest

from neurofit.check.predictive import FARTHEST, compare, compare_counts, count_error

ABOUT = [
    {"name": "rest", "label": "resting potential", "unit": "mV", "aspect": "passive"},
    {"name": "input_resistance", "label": "input resistance", "unit": "Mohm", "aspect": "passive"},
    {"name": "spike_count@0", "label": "spike count at +50 pA", "unit": "1", "aspect": "firing"},
]
LOG = np.array([False, True, False])


def one(recorded, predicted, tolerance=1.0, log=False, j=0):
    predicted = np.asarray(predicted, dtype=float)[:, None]
    return compare(np.array([recorded]), predicted, np.array([tolerance]), np.array([log]), [ABOUT[j]])[0]


def test_the_distance_is_in_tolerance_and_spread_together():
    predicted = -65 + 3 * np.random.default_rng(0).standard_normal(20000)
    miss = one(-55.0, predicted, tolerance=4.0)
    assert miss.distance == pytest.approx(10 / 5, abs=0.05)
    assert miss.median == pytest.approx(-65, abs=0.1)
    assert (miss.low, miss.high) == pytest.approx((-65 - 4.93, -65 + 4.93), abs=0.15)
    assert one(-75.0, predicted, tolerance=4.0).distance == pytest.approx(-2, abs=0.05)


def test_a_miss_is_more_than_two():
    predicted = np.array([-65.0] * 10)
    assert not one(-63.1, predicted).missed
    assert one(-62.9, predicted).missed
    assert one(-67.1, predicted).missed


def test_a_logarithmic_feature_is_compared_as_a_ratio():
    predicted = np.exp(np.log(100) + 0.2 * np.random.default_rng(0).standard_normal(20000))
    miss = one(200.0, predicted, tolerance=0.15, log=True, j=1)
    assert miss.distance == pytest.approx(np.log(2) / 0.25, rel=0.02)
    assert miss.median == pytest.approx(100, rel=0.01)  # in the feature's own unit
    assert miss.recorded == 200


def test_undefined_predictions_are_left_out_and_told():
    predicted = np.array([-65.0] * 30 + [np.nan] * 10)
    miss = one(-65.0, predicted)
    assert miss.undefined == pytest.approx(0.25)
    assert miss.distance == 0
    assert not miss.missed


@pytest.mark.parametrize("defined", [0, 4])
def test_what_hardly_any_prediction_has_is_missed(defined):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        miss = one(-65.0, [-65.0] * defined + [np.nan] * (40 - defined))
    assert miss.missed
    assert miss.distance == FARTHEST
    assert (miss.low, miss.median, miss.high) == (None, None, None)
    assert f"undefined in {100 * (1 - defined / 40):.0f} % of predictions" in miss.sentence()
    json.dumps(vars(miss), allow_nan=False)  # as the run directory keeps it


def test_sentences_have_units_but_counts_have_none():
    sentence = one(-55.0, np.linspace(-66, -64, 50)).sentence()
    assert sentence.startswith("resting potential: recorded -55 mV, predicted -65 mV (90 % -65.9 to -64.1)")
    assert " 1 " not in one(3.0, np.full(50, 5.0), j=2).sentence()


def test_every_feature_in_its_place():
    rng = np.random.default_rng(0)
    predicted = np.column_stack([rng.normal(-65, 1, 100), rng.lognormal(4.6, 0.1, 100), rng.poisson(5, 100)])
    found = compare(np.array([-65.0, 100.0, 5.0]), predicted, np.array([2.0, 0.15, 0.35]), LOG, ABOUT)
    assert [miss.name for miss in found] == ["rest", "input_resistance", "spike_count@0"]
    assert not any(miss.missed for miss in found)


LEVELS = np.array([0.0, 50.0, 100.0, 150.0])


def counts(recorded, predicted, fitted_pa=(0.0, 100.0, 200.0), fitted_count=(0.0, 4.0, 6.0), error=0.0):
    return compare_counts(
        (1, 3, 5, 7), LEVELS, np.array(recorded, float), np.array(predicted, float), error,
        np.array(fitted_pa), np.array(fitted_count), seed=1,
    )  # fmt: skip


def test_the_band_covers_the_recorded_count_or_does_not():
    predicted = np.column_stack([np.zeros(100), np.arange(100) % 3, np.full(100, 5.0), np.arange(100) // 10])
    found = counts([0, 1, 3, 8], predicted)
    assert found.low.tolist()[:3] == [0, 0, 5]
    assert found.high.tolist()[:3] == [0, 2, 5]
    assert found.inside.tolist() == [True, True, False, True]
    assert found.spiking.tolist() == [False, True, True, True]
    numbers = found.numbers()
    assert numbers["spiking_sweeps"] == 3
    assert numbers["covered"] == 2
    assert numbers["mean_error"] == pytest.approx((0 + 2 + (8 - 4.5)) / 3)
    assert numbers["median_error"] == 2


def test_a_hit_has_every_count_within_one():
    predicted = [[0, 2, 4, 6], [1, 3, 5, 7], [0, 2, 4, 8], [0, 2, 6, 6]]
    assert counts([0, 2, 4, 6], predicted).hits == 0.5


def test_interpolation_is_over_current_and_repeats_are_averaged():
    found = counts([0, 2, 4, 5], np.zeros((10, 4)))
    assert found.interpolated.tolist() == [0, 2, 4, 5]
    assert found.numbers()["interpolation_mean_error"] == 0
    repeated = counts([0, 2, 4, 5], np.zeros((10, 4)), (200.0, 0.0, 100.0, 100.0), (6.0, 0.0, 3.0, 5.0))
    assert repeated.interpolated.tolist() == [0, 2, 4, 5]
    beyond = counts([0, 2, 4, 5], np.zeros((10, 4)), (50.0, 100.0), (1.0, 3.0))
    assert beyond.interpolated.tolist() == [1, 1, 3, 3]  # held, not extrapolated


def test_a_silent_recording_has_no_errors_to_tell():
    assert counts([0, 0, 0, 0], np.zeros((10, 4))).numbers() == {"spiking_sweeps": 0, "hits": 1.0}


def test_bands_hold_as_often_as_they_say_when_the_model_errs_as_it_did_where_it_was_fitted():
    """A model whose draws all say the same and which is 1 spike off here, 3 there: the law of the 90 % bands."""
    rng = np.random.default_rng(5)
    truth, draws, sweeps = 2.0, 300, 400
    fitted = 10.0 + rng.normal(0, truth, sweeps)
    own = np.full((draws, sweeps), 10.0) + rng.normal(0, 0.5, (draws, sweeps))
    error = count_error(np.round(fitted), np.round(own), 0.35)
    assert error == pytest.approx(np.hypot(truth, 0.35), rel=0.1)
    found = compare_counts(
        tuple(range(sweeps)), np.zeros(sweeps), np.round(10 + rng.normal(0, truth, sweeps)), np.round(own), error,
        np.zeros(sweeps), fitted, seed=1,
    )  # fmt: skip
    # whole spikes make the band at least as wide as 90 %; the model's own is far too narrow
    covered, alone = found.inside.mean(), found.numbers()["covered_by_model"] / sweeps
    assert 0.9 - 3 * np.sqrt(0.09 / sweeps) < covered < 0.99
    assert alone < 0.75
    assert found.hits < 0.01


def test_the_error_is_never_less_than_the_tolerance_and_silent_sweeps_do_not_count():
    predicted = np.array([[0.0, 4.0], [0.0, 4.0]])
    assert count_error(np.array([0.0, 4.0]), predicted, 0.35) == pytest.approx(0.35)
    assert count_error(np.array([0.0, 6.0]), predicted, 0.35) == pytest.approx(np.hypot(0.35, 2.0))
    assert count_error(np.zeros(2), predicted, 0.35) == pytest.approx(0.35)
