"""The robust posterior on linear Gaussian simulators, where every answer is known."""

from __future__ import annotations

from itertools import product
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.special import softmax
from scipy.stats import binom, multivariate_normal

from neurofit.errors import BadInput, TrainingError
from neurofit.infer.denoise import NORMALS, SLAB, SPIKE, _cauchy, denoise
from neurofit.infer.robust import Hedge, robust_posterior

P, D, N = 2, 7, 2000
GAINS = 3 * np.random.default_rng(5).standard_normal((D, P))
COVARIANCE = np.linalg.inv(np.eye(P) + GAINS.T @ GAINS)
HALF = 1.6449 * np.sqrt(np.diag(COVARIANCE))


def simulate(z, rng):
    return z @ GAINS.T + rng.standard_normal((len(z), D))


def posterior(n, seed, x):
    """Exact, for all summaries."""
    noise = np.random.default_rng(seed).standard_normal((n, len(x), P))
    return x @ GAINS @ COVARIANCE + noise @ np.linalg.cholesky(COVARIANCE).T


@pytest.fixture(scope="module")
def simulations():
    rng = np.random.default_rng(1)
    z = rng.standard_normal((N, P))
    return z, simulate(z, rng)


@pytest.fixture(scope="module")
def hedges(simulations):
    return {way: Hedge.of(*simulations, posterior, method=way) for way in ("noise", "weights")}


class Linear:
    """An emulator that is exact: mean ``z @ gains.T``, unit correlation but for what is given."""

    def __init__(self, gains, sd, correlation):
        self.gains, self.sd, self.correlation = gains, sd, correlation
        self.alike = np.ones(len(gains), dtype=int)

    def __call__(self, z):
        mean = z @ self.gains.T
        return mean, np.broadcast_to(self.sd, mean.shape), np.full(mean.shape, np.inf)


def test_chains_find_what_enumerating_all_kinds_of_error_gives():
    gains = np.array([[1.0, 0.2], [0.8, -0.5], [0.3, 1.0]])
    sd, correlation = np.array([0.2, 0.3, 0.2]), np.array([[1.0, 0.5, 0.0], [0.5, 1.0, -0.3], [0.0, -0.3, 1.0]])
    y = np.array([1.2, -0.6, 0.4])
    variances, shares = _cauchy()
    variances, shares = np.concatenate([[SPIKE**2], SLAB**2 * variances]), np.concatenate([[1.0], shares])
    own = gains @ gains.T + sd[:, None] * sd * correlation
    log_evidence, means, off = [], [], []
    # one half of the prior for none, the rest evenly over one, two and three, and over which
    number_of = {0: 1 / 2, 1: 1 / 6 / 3, 2: 1 / 6 / 3, 3: 1 / 6}
    for kinds in product(range(NORMALS + 1), repeat=3):
        kinds = np.array(kinds)
        total = own + np.diag(variances[kinds])
        prior = number_of[int((kinds > 0).sum())] * shares[kinds].prod()
        log_evidence.append(np.log(prior) + multivariate_normal.logpdf(y, cov=total))
        means.append(own @ np.linalg.solve(total, y))
        off.append(kinds > 0)
    weight = softmax(log_evidence)
    rng = np.random.default_rng(2)
    start = rng.standard_normal((3000, 2))
    found = denoise(y, Linear(gains, sd, correlation), start, 4000, rng)
    # four standard errors of 4,000 chains, and their starts all but forgotten
    assert found.off.mean(axis=0) == pytest.approx(weight @ np.array(off), abs=4 * 0.5 / np.sqrt(4000))
    spread = found.scores.std(axis=0)
    np.testing.assert_array_less(np.abs(found.scores.mean(axis=0) - weight @ np.array(means)), 4 * spread / 63)
    assert found.unsettled < 0.1


def test_where_the_model_is_right_the_robust_posterior_is_a_little_wider_and_in_the_same_place(hedges):
    rng = np.random.default_rng(3)
    y = simulate(np.array([[0.5, -1.0]]), rng)[0]
    plain = posterior(4000, 1, y[None])[:, 0]
    found = hedges["noise"](y, n=4000)
    assert found.draws.shape == (4000, P)
    np.testing.assert_array_less(np.abs(found.draws.mean(axis=0) - plain.mean(axis=0)), plain.std(axis=0))
    np.testing.assert_array_less(0.95 * plain.std(axis=0), found.draws.std(axis=0))
    np.testing.assert_array_less(found.draws.std(axis=0), 2 * plain.std(axis=0))
    assert (found.off < 0.9).all()


@pytest.mark.parametrize("way", ["noise", "weights"])
@pytest.mark.parametrize("j", [0, 4])
def test_one_summary_far_off_is_named_sized_and_does_no_harm(hedges, way, j):
    rng = np.random.default_rng(4)
    truth = np.array([0.4, -0.3])
    y = simulate(truth[None], rng)[0]
    y[j] += 40.0
    assert (np.abs(y @ GAINS @ COVARIANCE - truth) > HALF).any()
    found = hedges[way](y)
    assert found.off[j] > 0.9
    assert np.argmax(found.off) == j
    low, median, high = found.off_by[:, j]
    assert low < 40 < high or median == pytest.approx(40, abs=8)
    low, high = np.quantile(found.draws, [0.05, 0.95], axis=0)
    assert ((low < truth) & (truth < high)).all()


@pytest.mark.slow
@pytest.mark.parametrize("off_by", [0.0, 25.0])
def test_intervals_hold_the_truth_as_often_as_they_say(hedges, off_by):
    rng, cases, held = np.random.default_rng(6), 50, 0
    truths = rng.standard_normal((cases, P))
    observed = simulate(truths, rng)
    observed[np.arange(cases), rng.integers(D, size=cases)] += off_by
    for i, (truth, y) in enumerate(zip(truths, observed, strict=True)):
        low, high = np.quantile(hedges["noise"](y, n=1000, seed=i, rows=100).draws, [0.05, 0.95], axis=0)
        held += int(low[0] <= truth[0] <= high[0])
    assert held >= binom.ppf(0.001, cases, 0.9)


@pytest.mark.parametrize("way", ["noise", "weights"])
def test_the_same_seed_gives_the_same_and_another_one_something_else(simulations, way):
    some = simulations[0][:300], simulations[1][:300]
    ask = [robust_posterior(simulations[1][0], *some, posterior, method=way, n=500, seed=s) for s in (1, 1, 2)]
    np.testing.assert_array_equal(ask[0].draws, ask[1].draws)
    np.testing.assert_array_equal(ask[0].off, ask[1].off)
    assert not np.array_equal(ask[0].draws, ask[2].draws)


@pytest.mark.parametrize("way", ["noise", "weights"])
def test_undefined_summaries_are_data_and_no_simulation_is_dropped(simulations, way):
    z, x = simulations[0], simulations[1].copy()
    # two summaries that are undefined together, where the first parameter is low; one that hardly any defines
    x[np.ix_(z[:, 0] < -0.5, [0, 1])] = np.nan
    x[10:, 6] = np.nan
    asked = []

    def first_parameter(n, seed, rows):
        asked.append(rows)
        return np.where(np.isnan(rows[:, :1]), -1.0, 1.0)[None].repeat(n, axis=0)

    hedge = Hedge.of(z, x, first_parameter, method=way)
    with_them, without = z[:, 0].argmax(), z[:, 0].argmin()
    assert hedge(x[with_them]).draws.mean() > 0.8
    found = hedge(x[without])
    assert found.draws.mean() < -0.8
    assert np.isnan(found.denoised[:, :2]).mean() > 0.8
    if way == "noise":
        # what is not off is as undefined as the observation's, and what hardly any defines takes no part
        assert np.isnan(asked[-1][:, 6]).all()
        assert np.isfinite(asked[-1][:, 2:6]).all()
    assert np.isnan(found.off[6])


def test_a_value_where_simulations_have_none_is_off_or_improbable(simulations):
    z, x = simulations[0], simulations[1].copy()
    x[z[:, 0] < 1.0, 0] = np.nan
    y = simulate(np.array([[-1.5, 0.0]]), np.random.default_rng(8))[0]
    assert Hedge.of(z, x, lambda n, seed, rows: np.zeros((n, len(rows), 1)))(y).off[0] > 0.9


def test_an_object_with_sample_will_do_and_draws_that_are_not_there_are_left_out(simulations):
    def sample(n, seed, x):
        draws = posterior(n, seed, x)
        draws[:, ::3] = np.nan
        return draws

    found = robust_posterior(simulations[1][0], *simulations, SimpleNamespace(sample=sample), method="weights", n=900)
    assert np.isfinite(found.draws).all()
    assert 500 < len(found.draws) < 700
    with pytest.raises(TrainingError, match="hardly a draw"):
        robust_posterior(
            simulations[1][0], *simulations, lambda n, seed, x: np.full((n, len(x), P), np.nan), method="weights"
        )


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"method": "magic"}, "noise or weights"),
        ({"seed": -1}, "seed"),
        ({"n": 0}, "n = 0"),
        ({"observed": np.zeros(3)}, "7 numbers"),
        ({"observed": np.full(D, np.nan)}, "0 finite numbers"),
        ({"observed": np.array([np.inf, *np.zeros(D - 1)])}, "6 finite numbers"),
        ({"z": np.zeros((5, P))}, r"z \(5, 2\)"),
        ({"z": np.full((N, P), np.nan)}, "not finite"),
        ({"summaries": np.full((N, D), np.inf)}, "not finite"),
        ({"summaries": np.full((N, D), np.nan)}, "hardly any summary"),
    ],
)
def test_what_cannot_be_used_is_refused_in_words(simulations, changed, said):
    given = {"observed": np.zeros(D), "z": simulations[0], "summaries": simulations[1], "method": "weights"} | changed
    with pytest.raises(BadInput, match=said):
        robust_posterior(posterior=posterior, **given)
