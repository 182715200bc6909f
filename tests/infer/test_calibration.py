"""Calibration tells an exact posterior from narrow, wide and shifted ones, at stated rates."""

from __future__ import annotations

import re

import numpy as np
import pytest

from neurofit.infer import expected_coverage
from tests.infer.toys import GaussianDensity, Problem, plain_summaries

PROBLEM = Problem(d=6, s=10, gain=8.0)
NAMES = tuple(f"p{j}" for j in range(6))
FIRST = np.eye(6)[0]
SEEDS = 200


def coverage(seed, n=300, draws=100, most=300, **wrong):
    rng = np.random.default_rng(seed)
    z = rng.standard_normal((n, PROBLEM.d))
    density = GaussianDensity(*PROBLEM.exact(), problem=PROBLEM, **wrong)
    return expected_coverage(
        density, plain_summaries(PROBLEM.s), z, PROBLEM.deviations(z), NAMES, seed, draws=draws, most=most
    )


@pytest.mark.parametrize(
    ("wrong", "verdict"),
    [
        ({}, "calibrated"),
        ({"scale": 0.85}, "too narrow"),
        ({"scale": 1.2}, "too wide"),
        ({"shift": 0.5 * FIRST}, "shifted"),
        ({"shift": -0.5 * FIRST}, "shifted"),
    ],
)
def test_each_posterior_gets_its_verdict(wrong, verdict):
    """300 held-out simulations, six parameters, 200 seeds: at least 95 % of the verdicts are right.

    Theory: an exact posterior is called wrong by coverage in 1 % (2.6 standard errors) and by one of six shifts in
    .3 %; measured: .5 % wrong for the exact posterior, none for the wrong ones.
    """
    found = [coverage(seed, **wrong).verdict for seed in range(SEEDS)]
    assert found.count(verdict) >= 0.95 * SEEDS


def test_levels_are_held_as_often_as_they_say():
    """Four thousand simulations: the share within each credible region, to four standard errors."""
    found = coverage(1, n=4000, draws=200, most=4000)
    assert found.covered == pytest.approx(found.levels, abs=4 * np.sqrt(0.25 / 4000))
    assert found.marginal == pytest.approx(0.9, abs=4 * np.sqrt(0.09 / 4000))
    assert np.abs(found.shift).max() < 4


def test_at_most_so_many_simulations_are_asked():
    assert len(coverage(0, n=500).ranks) == 300
    assert coverage(0, n=40).positions.shape == (40, 6)


def test_sentences_name_what_is_wrong():
    assert re.match(r"90 % regions held .* of 300 held-out simulations", coverage(3).sentence())
    assert "as they should" in coverage(3).sentence()
    assert "too narrow" in coverage(3, scale=0.7).sentence()
    assert "wider than needed" in coverage(3, scale=1.4).sentence()
    assert "the posterior of p0 lies too high" in coverage(3, shift=0.8 * FIRST).sentence()
    assert "the posterior of p0 lies too low" in coverage(3, shift=-0.8 * FIRST).sentence()
