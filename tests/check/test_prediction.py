"""The score of predictions, as a law: nobody does better on average than who tells the truth."""

import numpy as np
import pytest

from neurofit.check.prediction import FARTHEST, prediction_scores, rank_predictions
from neurofit.errors import CheckError

SWEEPS, DRAWS = 400, 60


def mean_score(centre, sd, undefined=0.0, seed=0):
    """Of cells N(0, 1), undefined in one of five, under predictions of another centre, spread and definedness."""
    rng = np.random.default_rng(seed)
    recorded = np.where(rng.random(SWEEPS) < 0.2, np.nan, rng.standard_normal(SWEEPS))
    predicted = centre + sd * rng.standard_normal((DRAWS, SWEEPS))
    predicted[rng.random(predicted.shape) < undefined] = np.nan
    return prediction_scores(recorded, predicted)


TRUTH = mean_score(0.0, 1.0, 0.2)


@pytest.mark.parametrize(
    "wrong",
    [{"centre": 1.0, "sd": 1.0, "undefined": 0.2}, {"centre": 0.0, "sd": 0.2, "undefined": 0.2},
     {"centre": 0.0, "sd": 4.0, "undefined": 0.2}, {"centre": 0.0, "sd": 1.0, "undefined": 0.0},
     {"centre": 0.0, "sd": 1.0, "undefined": 0.6}],
    ids=["biased", "overconfident", "vague", "always defined", "too often undefined"],
)  # fmt: skip
def test_the_truth_scores_best(wrong):
    apart = mean_score(**wrong) - TRUTH
    assert apart.mean() > 3 * apart.std() / np.sqrt(SWEEPS)


def test_it_is_the_continuous_ranked_probability_score_where_nothing_is_far():
    # of a standard normal at its middle (Gneiting and Raftery 2007, eq. 21)
    draws = np.random.default_rng(1).standard_normal((4000, 1))
    assert prediction_scores([0.0], draws)[0] == pytest.approx((np.sqrt(2) - 1) / np.sqrt(np.pi), abs=0.02)


def test_what_is_hopeless_costs_the_most_and_no_more():
    assert prediction_scores([0.0, np.nan, 0.0], [[1e6, 3.0, np.nan]] * 2) == pytest.approx([FARTHEST] * 3)
    assert prediction_scores([np.nan], [[np.nan]] * 2) == pytest.approx([0.0])


@pytest.mark.parametrize("predicted", [np.zeros((1, 2)), np.zeros((5, 3)), np.zeros(2)])
def test_shapes_that_do_not_go_together_are_refused(predicted):
    with pytest.raises(CheckError, match="do not go together"):
        prediction_scores([0.0, 1.0], predicted)


def test_models_that_are_alike_are_seldom_told_apart_and_others_are():
    rng = np.random.default_rng(2)
    alike = sum(b.told_apart for _ in range(500) for b in rank_predictions(rng.normal(1, 0.3, (2, 25)))[1])
    # one model is the best; the other is beyond two standard errors in at most the two-sided 5 % and what t adds
    assert alike / 500 < 0.057 + 3 * np.sqrt(0.057 * 0.943 / 500)
    hard = rng.exponential(1.0, 25)
    best, behind = rank_predictions([hard + 0.3 + 0.1 * rng.random(25), hard])
    assert best == 1
    assert behind[0].told_apart
    assert behind[0].worse == 25
    assert behind[1].difference == 0


def test_one_sweep_tells_nothing_apart():
    _, behind = rank_predictions([[1.0], [2.0]])
    assert not any(b.told_apart for b in behind)
