"""Draws of the prior inside a region, against exact ones."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from neurofit.errors import TrainingError
from neurofit.infer.truncated import prior_inside

D = 12


def rotation(seed=3):
    return np.linalg.qr(np.random.default_rng(seed).standard_normal((D, D)))[0]


def c2st(a, b):
    """How well a classifier tells two sets apart, 0.5 if not at all; five-fold cross-validated."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.model_selection import cross_val_score

    x, y = np.concatenate([a, b]), np.repeat([0, 1], [len(a), len(b)])
    model = HistGradientBoostingClassifier(max_iter=50, max_depth=4, random_state=0)
    order = np.random.default_rng(0).permutation(len(x))
    return cross_val_score(model, x[order], y[order], cv=5).mean()


def test_a_half_space_gives_a_truncated_normal():
    """Mass .023: the first coordinate is a normal beyond 2, the others are untouched."""
    rng = np.random.default_rng(0)
    start = rng.standard_normal((500, D))
    start[:, 0] = 2.2 + 0.3 * np.abs(start[:, 0])
    z = prior_inside(lambda p: p[:, 0] > 2, start, 2000, rng)
    assert z.shape == (2000, D)
    assert (z[:, 0] > 2).all()
    assert stats.kstest(z[:, 0], stats.truncnorm(2, np.inf).cdf).pvalue > 1e-3
    for j in range(1, D):
        assert stats.kstest(z[:, j], "norm").pvalue > 1e-4


def test_a_ball_gives_a_truncated_chi_square():
    """Twelve dimensions, radius 2, mass 5e-4: the squared radius is a chi-square below 4."""
    rng = np.random.default_rng(1)
    start = 0.3 * rng.standard_normal((500, D))
    z = prior_inside(lambda p: (p**2).sum(axis=1) < 4, start, 2000, rng)
    squared = (z**2).sum(axis=1)
    assert (squared < 4).all()
    assert stats.kstest(stats.chi2(D).cdf(squared) / stats.chi2(D).cdf(4), "uniform").pvalue > 1e-3
    direction = z / np.sqrt(squared)[:, None]
    assert np.abs(direction.mean(axis=0)).max() < 4 / np.sqrt(2000 * D)


def test_a_thin_correlated_slab_gives_its_truncated_normals():
    """A box of mass 1e-4 in rotated coordinates, thin in four of them, off the centre of the prior.

    Started from points of half its width, as a posterior's samples would lie; compared with exact draws, coordinate by
    coordinate and by a classifier.
    """
    rng, turn = np.random.default_rng(2), rotation()
    low, high = np.full(D, -np.inf), np.full(D, np.inf)
    low[:4], high[:4] = [0.3, -0.5, 1.0, -0.2], [0.4, -0.2, 1.4, 0.8]
    mass = np.prod(stats.norm.cdf(high[:4]) - stats.norm.cdf(low[:4]))
    assert 1e-5 < mass < 1e-3

    def inside(points):
        u = points @ turn
        return ((u > low) & (u < high)).all(axis=1)

    exact = stats.truncnorm(low, high).rvs((2000, D), random_state=rng)
    centre = np.concatenate([(low[:4] + high[:4]) / 2, np.zeros(D - 4)])
    start = (centre + 0.5 * (exact[:500] - centre)) @ turn.T
    u = prior_inside(inside, start, 2000, rng) @ turn
    for j in range(D):
        assert stats.kstest(u[:, j], stats.truncnorm(low[j], high[j]).cdf).pvalue > 1e-4, j
    assert c2st(u, exact) < 0.54  # chance alone: .5 +- .008


def test_two_separated_balls_get_their_share():
    """Three dimensions; unequal balls 2.4 apart, started nine to one: shares as by rejection."""
    rng = np.random.default_rng(4)
    centres, radii = np.array([[-1.2, 0, 0], [1.2, 0.3, 0]]), np.array([0.6, 0.8])

    def inside(points):
        return (((points[:, None] - centres) ** 2).sum(axis=2) < radii**2).any(axis=1)

    proposals = rng.standard_normal((200_000, 3))
    exact = proposals[inside(proposals)]
    start = np.concatenate(
        [centres[0] + 0.1 * rng.standard_normal((450, 3)), centres[1] + 0.1 * rng.standard_normal((50, 3))]
    )
    z = prior_inside(inside, start, 4000, rng)
    assert (z[:, 0] > 0).mean() == pytest.approx((exact[:, 0] > 0).mean(), abs=0.03)
    assert c2st(z, exact[:4000]) < 0.54


def test_one_parameter_and_one_draw():
    rng = np.random.default_rng(5)
    z = prior_inside(lambda p: p[:, 0] > 1, rng.uniform(1.1, 1.5, (50, 1)), 2000, rng)
    assert stats.kstest(z[:, 0], stats.truncnorm(1, np.inf).cdf).pvalue > 1e-3
    assert prior_inside(lambda p: p[:, 0] > 1, np.full((1, 1), 1.5), 1, rng).shape == (1, 1)


def test_few_starting_points_are_enough():
    """One point of a twelve-dimensional half space: ellipses then come from the prior."""
    rng = np.random.default_rng(6)
    z = prior_inside(lambda p: p[:, 0] > 0, np.full((1, D), 0.5), 2000, rng)
    assert stats.kstest(z[:, 0], stats.halfnorm.cdf).pvalue > 1e-3


def test_the_seed_gives_the_draws():
    def draw(seed):
        return prior_inside(lambda p: p[:, 0] > 0, np.ones((40, 3)), 100, np.random.default_rng(seed))

    np.testing.assert_array_equal(draw(1), draw(1))
    assert not np.array_equal(draw(1), draw(2))


def test_no_start_inside_is_said():
    with pytest.raises(TrainingError, match="wholly outside"):
        prior_inside(lambda p: p[:, 0] > 5, np.zeros((10, 3)), 10, np.random.default_rng(0))
    with pytest.raises(TrainingError, match="wholly outside"):
        prior_inside(lambda p: p[:, 0] > 5, np.zeros((0, 3)), 10, np.random.default_rng(0))


def test_a_region_that_wavers_does_not_hang():
    """A network evaluated in another batch may differ in the last digit, and put a chain's own place outside."""
    rng, asked = np.random.default_rng(7), [0]

    def inside(points):
        asked[0] += 1
        return np.ones(len(points), dtype=bool) if asked[0] == 1 else np.zeros(len(points), dtype=bool)

    start = rng.standard_normal((5, 2))
    z = prior_inside(inside, start, 20, rng)
    assert (z[:, None] == start).all(axis=2).any(axis=1).all()  # everybody stayed
