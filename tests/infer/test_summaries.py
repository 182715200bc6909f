"""What the network sees of a cell."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from neurofit.errors import BadInput
from neurofit.features import ALWAYS_DEFINED, SUMMARIES, FeatureTable
from neurofit.infer import Summaries
from neurofit.infer.summaries import UNDEFINED_AT, noisy

NAMES = ("spike_count@0", "latency@0", "spike_count@1", "latency@1", "resting_potential", "input_resistance")
FEATURES = ("spike_count", "latency", "resting_potential", "input_resistance")


def table(*rows):
    values = np.array(rows, dtype=float)
    return FeatureTable(values, np.isfinite(values), NAMES, {0: 50.0, 1: 100.0})


OBSERVED = table([0, np.nan, 3, 40.0, -65, 100.0])


@pytest.fixture
def summaries():
    return Summaries.of(OBSERVED, FEATURES)


def test_the_columns_are_those_that_the_observation_defines(summaries):
    assert summaries.names == ("spike_count@0", "spike_count@1", "latency@1", "resting_potential", "input_resistance")
    assert summaries.observed.tolist() == [0, 3, 40, -65, 100]
    assert summaries.tolerance.tolist() == [0.35, 0.35, 0.2, 2.0, 0.15]
    assert summaries.log.tolist() == [False, False, True, False, True]
    flagged = [summaries.names[j] for j in summaries.flagged]
    assert flagged == ["latency@1", "input_resistance"]
    assert not {name.partition("@")[0] for name in flagged} & ALWAYS_DEFINED


def test_a_feature_named_twice_counts_once():
    assert len(Summaries.of(OBSERVED, ("spike_count", "spike_count"))) == 2


def test_deviations_are_in_tolerances_on_the_features_scale(summaries):
    found = summaries.deviations(table([1, 5.0, 3, 40 * np.exp(0.4), -61, np.nan], [0, np.nan, 3, 40, -65, 100]))
    np.testing.assert_allclose(found[0], [1 / 0.35, 0, 2, 2, np.nan])
    np.testing.assert_allclose(found[1], 0)


def test_the_users_tolerance_takes_the_catalogues_place():
    given = Summaries.of(OBSERVED, FEATURES, {"resting_potential": 5, "latency": 0.5})
    assert dict(zip(given.names, given.tolerance, strict=True))["resting_potential"] == 5
    assert dict(zip(given.names, given.tolerance, strict=True))["latency@1"] == 0.5


@pytest.mark.parametrize("value", [0, -1.0, np.nan, np.inf, "3", None])
def test_a_tolerance_must_be_a_positive_number(value):
    with pytest.raises(BadInput, match="positive number"):
        Summaries.of(OBSERVED, FEATURES, {"latency": value})


def test_bad_names_are_said():
    with pytest.raises(BadInput, match="tolerance rheobase"):
        Summaries.of(OBSERVED, FEATURES, {"rheobase": 1.0})
    with pytest.raises(BadInput, match="no feature spike_cuont"):
        Summaries.of(OBSERVED, ("spike_cuont",))
    with pytest.raises(BadInput, match="no feature step_mean"):  # in the catalogue, but not measured here
        Summaries.of(OBSERVED, ("step_mean",))


def test_nothing_defined_is_said():
    with pytest.raises(BadInput, match="none of the features is defined"):
        Summaries.of(table([np.nan] * 6), FEATURES)
    with pytest.raises(BadInput, match="none of the features is defined"):
        Summaries.of(OBSERVED, ())


def test_the_observation_is_the_origin(summaries):
    x = summaries.encode(torch.zeros(1, len(summaries)))
    assert x.shape == (1, summaries.n_inputs) == (1, 5 + 2)
    assert torch.equal(x, torch.zeros(1, 7))
    own = torch.tensor(summaries.deviations(OBSERVED), dtype=torch.float32)
    torch.testing.assert_close(summaries.encode(own), x)


def test_undefined_lies_far_away_and_is_flagged(summaries):
    x = summaries.encode(torch.tensor([[0.0, 0.0, np.nan, 0.0, np.nan], [0.0, 0.0, 30.0, 0.0, 3.0]]))
    far = 5 * np.arcsinh(UNDEFINED_AT / 5)
    assert x[0].tolist() == pytest.approx([0, 0, far, 0, far, 1, 1])
    assert x[1].tolist() == pytest.approx([0, 0, 5 * np.arcsinh(6), 0, 5 * np.arcsinh(0.6), 0, 0])


def test_near_the_observation_nothing_is_squashed(summaries):
    near = torch.full((1, 5), 0.5)
    assert summaries.encode(near)[0, :5].numpy() == pytest.approx(0.5, rel=2e-3)


def test_the_kernel_is_the_tolerances_gaussian(summaries):
    found = summaries.log_kernel(np.array([[0, 0, 0, 0, 0], [1, 2, 0, 0, 0], [0, 0, np.nan, 0, 0.0]]))
    assert found.tolist() == [0, -2.5, -np.inf]


def test_what_hardly_any_simulation_defines_is_not_seen(summaries):
    deviations = np.zeros((5000, 5))
    deviations[:, 2] = np.nan
    deviations[40:, 4] = np.nan  # 40 of 5000 are too few as well
    seen = summaries.seen_in(deviations)
    assert seen.unseen == (2, 4)
    assert seen.n_inputs == 3
    x = seen.encode(torch.tensor(deviations[:2]))
    assert x.shape == (2, 3)
    assert seen.log_kernel(deviations[:1]).tolist() == [0]
    assert summaries.seen_in(deviations[:40]).unseen == (2,)
    assert summaries.seen_in(np.zeros((100, 5))).unseen == ()


def test_what_a_run_decided_gives_the_same_again(summaries):
    for each in (summaries, summaries.seen_in(np.full((30, 5), np.nan))):
        again = Summaries.from_dict(each.to_dict())
        assert again.to_dict() == each.to_dict()
        assert (again.names, again.flagged, again.unseen) == (each.names, each.flagged, each.unseen)
    declared = Summaries.declared(OBSERVED, summaries.names, summaries.tolerance.tolist())
    assert declared.to_dict() == summaries.to_dict()


def test_noise_is_of_the_stated_tolerance(summaries):
    many = FeatureTable.concatenate([OBSERVED] * 4000)
    values, defined = noisy(many, summaries, np.random.default_rng(0))
    assert defined.all()
    spread = np.where(summaries.log, np.log(values.clip(1e-9) / summaries.observed.clip(1e-9)), values).std(axis=0)
    assert spread == pytest.approx(summaries.tolerance, rel=0.05)
    values, defined = noisy(table([0, np.nan, 0, np.nan, -65, 100]), summaries, np.random.default_rng(0))
    assert np.isnan(values[0, 2])
    assert not defined[0, 2]


def test_the_default_list_is_the_catalogues():
    names = [f"{name}@0" if name == "spike_count" else name for name in ("spike_count", "resting_potential")]
    values = np.zeros((1, 2))
    with pytest.raises(BadInput, match="no feature"):  # a table that lacks most of them
        Summaries.of(FeatureTable(values, values == 0, tuple(names), {0: 1.0}), SUMMARIES)
