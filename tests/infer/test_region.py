"""Rounds end to end: a region that shrinks, a posterior that comes out as wide as it should."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from neurofit.errors import TrainingError
from neurofit.infer import Method, Region, Schedule, train_ensemble, usable
from tests.infer.toys import GaussianDensity, Problem, plain_summaries


def rounds_of(problem, method, seed=0):
    """As the stages of a fit do it: propose, pool, train on what lies inside, cut."""
    summaries, region, density = plain_summaries(problem.s), Region(), None
    z = np.zeros((0, problem.d))
    for number in range(1, method.rounds + 1):
        if density is None:
            proposed = np.random.default_rng(seed).standard_normal((method.simulations, problem.d))
        else:
            region = region.cut(density, method.truncation, method.margin, seed + number)
            proposed = region.propose(method.simulations, seed + number)
        z = np.concatenate([z, proposed])
        deviations = problem.deviations(z)
        chosen = usable(z, np.ones(len(z), dtype=bool), region)
        density = train_ensemble(
            z[chosen], deviations[chosen], summaries.seen_in(deviations[chosen]), method.schedule,
            seed=seed + number, members=method.members, workers=1,
        ).density  # fmt: skip
    return density, region


def moments(problem):
    """Mean and covariance of the posterior: in closed form, or of exact draws."""
    if not problem.bent:
        return problem.exact()
    reference = problem.reference()
    return reference.mean(axis=0), np.cov(reference.T)


@pytest.mark.slow
@pytest.mark.parametrize("bent", [0.0, 0.15])
def test_three_rounds_come_out_as_wide_as_the_posterior(bent):
    """Twelve parameters, thirty summaries, three rounds of 2,500 simulations, the default networks.

    Measured (linear, bent): standard deviations 1.00 and 1.00 of the posterior's on average over the parameters (.93 to
    1.05, .94 to 1.10); the covariance's volume, to the power 1/12, .94 and .94 in standard deviations; means off by .10
    and .22 standard deviations on average. The volume is where truncated rounds come out too narrow: near the border of
    the region every simulation's posterior is cut off, and in twelve dimensions most simulations lie near the border.
    Without the margin (other seeds, 5,000 simulations a round) standard deviations were .96 and .98, the volume .88
    and .90.
    """
    problem = Problem(bent=bent, seed=1)
    mean, covariance = moments(problem)
    sd = np.sqrt(np.diag(covariance))
    density, region = rounds_of(problem, Method(rounds=3, simulations=2500))
    z = density.sample(6000, 1)
    z = z[region(z)]
    assert len(z) > 5940  # less than 1 % leaks
    ratio, off = z.std(axis=0) / sd, np.abs(z.mean(axis=0) - mean) / sd
    assert 0.8 < ratio.min() <= ratio.max() < 1.25
    assert off.mean() < 0.25
    white = np.linalg.solve(np.linalg.cholesky(covariance), (z - mean).T)
    assert 0.85 < np.exp(0.5 * np.linalg.slogdet(np.cov(white))[1] / problem.d) < 1.15


QUICK = Schedule(epochs=25, transforms=3, hidden=32)


@pytest.fixture(scope="module")
def quick():
    problem = Problem(d=4, s=8, gain=20.0, least=5.0)
    return problem, *rounds_of(problem, Method(rounds=2, simulations=800, members=2, schedule=QUICK))


def test_a_region_shrinks_to_where_the_posterior_is(quick):
    problem, density, region = quick
    mean, covariance = problem.exact()
    exact = GaussianDensity(mean, covariance).sample(4000, 1)
    assert region(exact).mean() > 0.99
    prior = np.random.default_rng(0).standard_normal((20000, 4))
    assert 0.001 < region(prior).mean() < 0.2
    assert region(density.sample(2000, 1)).mean() > 0.98


def test_proposals_are_the_prior_inside_the_region(quick):
    """Against rejection, coordinate by coordinate."""
    _, _, region = quick
    prior = np.random.default_rng(0).standard_normal((60000, 4))
    exact = prior[region(prior)]
    proposed = region.propose(2000, seed=5)
    assert region(proposed).all()
    for j in range(4):
        assert stats.ks_2samp(proposed[:, j], exact[:, j]).pvalue > 1e-3
    np.testing.assert_array_equal(proposed, region.propose(2000, seed=5))
    assert not np.array_equal(proposed, region.propose(2000, seed=6))


def test_a_cut_leaves_out_its_share_and_the_margin_widens_it():
    density = GaussianDensity(np.zeros(4), 0.09 * np.eye(4))
    draws = density.sample(50000, 9)
    tight, wide = (Region().cut(density, 0.01, margin, seed=1) for margin in (0.0, 5.0))
    assert tight(draws).mean() == pytest.approx(0.99, abs=0.005)
    assert wide(draws).mean() > 0.9995
    assert tight.cuts[0][1] - wide.cuts[0][1] == pytest.approx(5.0)
    # a Gaussian of log density tau below its peak has radius sqrt(2 tau): chi-square
    radius = np.sqrt(stats.chi2(4).ppf(0.99))
    assert tight(np.array([[0.3 * radius * 0.95, 0, 0, 0], [0.3 * radius * 1.05, 0, 0, 0]])).tolist() == [True, False]


def test_a_density_that_is_not_finite_cuts_nothing():
    class Broken(GaussianDensity):
        def log_prob(self, z, x=None):
            return np.full(len(z), np.nan)

    with pytest.raises(TrainingError, match="of its own draws is not finite"):
        Region().cut(Broken(np.zeros(2), np.eye(2)), 1e-3, 5.0, seed=1)


def test_cuts_add_up():
    left, right = (GaussianDensity(np.array([m]), np.eye(1)) for m in (-1.0, 1.0))
    both = Region().cut(left, 0.1, 0.0, 1).cut(right, 0.1, 0.0, 1)
    assert both(np.array([[-2.0], [0.0], [2.0]])).tolist() == [False, True, False]
    assert Region()(np.array([[100.0]])).all()
    assert both(np.zeros((0, 1))).shape == (0,)


def test_only_valid_simulations_inside_the_region_are_used():
    z = np.array([[0.0], [1.0], [2.0], [3.0]])
    chosen = usable(z, np.array([True, False, True, True]), lambda points: points[:, 0] < 2.5)
    assert chosen.tolist() == [True, False, True, False]


def test_without_a_cut_there_is_nothing_to_propose_from():
    with pytest.raises(ValueError, match="the prior itself"):
        Region().propose(10, 1)


def test_a_method_is_its_plain_values():
    method = Method(rounds=2, margin=3.0, schedule=Schedule(density="nsf", epochs=7))
    assert Method.from_dict(method.to_dict()) == method
    assert Method.from_dict({k: v for k, v in Method().to_dict().items() if k != "margin"}) == Method()
