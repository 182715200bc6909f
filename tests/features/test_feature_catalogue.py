"""The catalogue says everything about every feature, and nothing about others."""

from __future__ import annotations

import efel
import pytest

from neurofit.features import ALWAYS_DEFINED, FEATURES, STATISTICS, SUMMARIES, SUMMARIES_UNDER
from neurofit.features.catalogue import (
    MEASURED,
    MOVING_PER_CELL,
    MOVING_PER_SWEEP,
    PER_CELL,
    PER_SWEEP,
    columns_for,
    feature_of,
)


@pytest.mark.parametrize("name", FEATURES)
def test_every_feature_says_what_it_is(name):
    feature = FEATURES[name]
    assert feature.name == name
    assert feature.unit
    assert feature.label
    assert feature.meaning
    assert feature.tolerance > 0
    assert feature.scale in ("linear", "log")
    assert feature.aspect in ("passive", "firing", "spike shape", "rig")
    assert feature.source == "neurofit" or efel.feature_name_exists(feature.source)


def test_names_are_unique_and_complete():
    groups = (PER_SWEEP, PER_CELL, MOVING_PER_SWEEP, MOVING_PER_CELL, STATISTICS)
    assert len(FEATURES) == sum(map(len, groups))
    assert set().union(*groups) == set(FEATURES)
    assert all(FEATURES[name].per_sweep for name in (*PER_SWEEP, *MOVING_PER_SWEEP, *STATISTICS))
    assert not any(FEATURES[name].per_sweep for name in (*PER_CELL, *MOVING_PER_CELL))


def test_what_inference_sees_is_in_the_catalogue():
    assert set(SUMMARIES) <= set(PER_SWEEP) | set(PER_CELL)
    assert len(set(SUMMARIES)) == len(SUMMARIES)
    assert set(FEATURES) >= ALWAYS_DEFINED
    assert "spontaneous_rate" in SUMMARIES


def test_what_is_fitted_by_default_is_measured_under_that_current():
    for kind, names in SUMMARIES_UNDER.items():
        assert set(names) <= set(MEASURED[kind])
        assert len(set(names)) == len(names)
    steps_only = {"sag", "input_resistance", "membrane_time_constant", "rheobase", "fi_slope"}
    assert steps_only <= set(MEASURED["steps"])
    assert not steps_only & set(MEASURED["ramps"] + MEASURED["waveform"])
    assert "threshold_current" not in MEASURED["waveform"]
    assert not any(name.startswith("transfer") for name in MEASURED["ramps"])


def test_columns_name_the_sweep():
    assert columns_for(["spike_count", "rheobase"], [2, 4]) == ["spike_count@2", "spike_count@4", "rheobase"]
    assert feature_of("spike_count@4") is FEATURES["spike_count"]
    assert feature_of("rheobase") is FEATURES["rheobase"]
