"""Draws and densities of prior times likelihood, where the answer is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import stats

from neurofit.infer import Potential, Schedule
from neurofit.infer.networks import Networks

D = 3
SD = torch.tensor([0.3, 0.5, 1.0])


class Gaussian(torch.nn.Module):
    """Likelihood of ``x``: normal around ``z``, in the shapes that sbi's estimators take."""

    def log_prob(self, x, condition):
        return torch.distributions.Normal(condition, SD).log_prob(x[0]).sum(dim=-1)[None]


class TwoPeaks(torch.nn.Module):
    """A ratio with a peak at either side of 0 along the first parameter, the right one three times the left."""

    def forward(self, z, x):
        left, right = (-0.5 * ((z[:, 0] - m) / 0.15) ** 2 for m in (-1.5, 1.5))
        return torch.logaddexp(left, right + np.log(3.0)) + 0.0 * x.sum(dim=1)


def potential(network, x, task="likelihood"):
    z = torch.tensor(np.random.default_rng(0).standard_normal((2000, D)), dtype=torch.float32)
    return Potential(Networks((network,), torch.tensor([x], dtype=torch.float32), z, task, Schedule()))


X = [1.0, -0.5, 0.3]
VARIANCE = 1 / (1 + 1 / SD.numpy().astype(float) ** 2)
MEAN = VARIANCE / SD.numpy().astype(float) ** 2 * X
EXACT = stats.multivariate_normal(MEAN, np.diag(VARIANCE))


def test_draws_are_the_closed_forms():
    draws = potential(Gaussian(), X).sample(4000, seed=1)
    for j in range(D):
        assert stats.kstest(draws[:, j], stats.norm(MEAN[j], np.sqrt(VARIANCE[j])).cdf).pvalue > 1e-3
    assert np.abs(np.corrcoef(draws.T) - np.eye(D)).max() < 0.06


def test_the_density_is_normalised():
    z = EXACT.rvs(200, random_state=1)
    np.testing.assert_allclose(potential(Gaussian(), X).log_prob(z), EXACT.logpdf(z), atol=0.03)
    assert potential(Gaussian(), X).log_prob(np.zeros((0, D))).shape == (0,)


def test_separate_peaks_are_found_in_their_proportion():
    """Three to one: .75 of 4,000 draws of 500 chains, whose starts are draws of the prior weighted."""
    draws = potential(TwoPeaks(), X, "ratio").sample(4000, seed=1)[:, 0]
    assert (draws > 0).mean() == pytest.approx(0.75, abs=3 * np.sqrt(0.75 * 0.25 / 500))
    assert (np.abs(np.abs(draws) - 1.5) < 0.6).all()


def test_many_inputs_are_drawn_for_one_by_one():
    x = torch.tensor([X, [0.0, 0.0, 0.0]], dtype=torch.float32)
    draws = potential(Gaussian(), X).sample(2000, 1, x)
    assert draws.shape == (2000, 2, D)
    np.testing.assert_allclose(draws.mean(axis=0), [MEAN, np.zeros(D)], atol=0.1)


def test_draws_inside_a_region_are_the_posterior_cut_off():
    draws = potential(Gaussian(), X).sample(3000, 1, inside=lambda z: z[:, 0] > 1)
    assert draws[:, 0].min() > 1
    low = (1 - MEAN[0]) / np.sqrt(VARIANCE[0])
    cut = stats.truncnorm(low, np.inf, MEAN[0], np.sqrt(VARIANCE[0]))
    assert stats.kstest(draws[:, 0], cut.cdf).pvalue > 1e-3


def test_an_ensemble_is_the_mean_of_its_likelihoods():
    one = potential(Gaussian(), X)
    two = replace(one.networks, members=(Gaussian(), Gaussian()))
    z = EXACT.rvs(20, random_state=2)
    np.testing.assert_allclose(Potential(two).log_prob(z), one.log_prob(z), atol=0.05)


def test_the_seed_gives_the_draws():
    first, again, other = (potential(Gaussian(), X).sample(50, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
