"""Drawing from the prior inside a region, in a dozen dimensions.

Truncated sequential neural posterior estimation (Deistler et al. 2022) proposes from the prior restricted to where the
last round's posterior has not ruled parameters out. With a standard-normal prior of a dozen dimensions and a region of
prior mass 1e-4, rejection accepts one draw in 10,000 and importance resampling comes out too sharp. Elliptical slice
sampling (Murray et al. 2010) inside the region is exact, and fast once the ellipses are fitted to the region's shape.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from neurofit.errors import TrainingError

Array = NDArray[np.float64]
Inside = Callable[[Array], NDArray[np.bool_]]

# How the ellipses are fitted: inflated, so that the fit is wider than the region; then again from better chains.
INFLATION = 1.5
WARM_UP_STEPS = 10
STEPS = 20
# Fewer points than this for each parameter say little of the region's shape.
FEWEST_PER_PARAMETER = 10
# A bracket halves about as often as this before it is narrower than the numbers themselves.
MOST_SHRINKS = 100


def prior_inside(inside: Inside, start: Array, n: int, rng: np.random.Generator) -> Array:
    """Draws of a standard normal restricted to a region, ``[n, parameter]``.

    Parameters
    ----------
    inside
        ``[m, parameter] -> [m]``: the region.
    start
        Points to start chains from; those outside are dropped.
    n
        How many draws; each is the last state of a chain of its own.

    Raises
    ------
    TrainingError
        If no starting point lies inside.
    """
    usable = start[inside(start)] if len(start) else start
    if len(usable) == 0:
        raise TrainingError(
            "What the last round learned lies wholly outside of what the rounds before it had left: its network is not "
            "to be trusted. Try more simulations in a round."
        )
    z = usable[rng.integers(len(usable), size=n)]
    # chains that start at the same point part at once: every step draws a fresh ellipse
    z = slice_steps(z, inside, usable, WARM_UP_STEPS, rng)
    return slice_steps(z, inside, z if _enough(z) else usable, STEPS, rng)


def slice_steps(z: Array, inside: Inside, shape: Array, steps: int, rng: np.random.Generator) -> Array:
    """Whitened elliptical slice sampling of N(0, I) inside a region, one chain a row.

    Ellipses come from a Gaussian N(m, S) fitted to ``shape``; what is left, N(z; 0, I)/N(z; m, S) inside the region,
    is the likelihood of the slice. With too few points in ``shape`` to fit one, ellipses come from the prior.
    """
    mean, lower = _gaussian(shape)
    inverse = np.linalg.inv(lower)

    def log_ratio(points: Array) -> Array:
        white = (points - mean) @ inverse.T
        return np.asarray(0.5 * (white**2).sum(axis=1) - 0.5 * (points**2).sum(axis=1))

    z = z.copy()
    for _ in range(steps):
        nu = mean + rng.standard_normal(z.shape) @ lower.T
        level = log_ratio(z) - rng.exponential(size=len(z))
        angle = rng.uniform(0, 2 * np.pi, len(z))
        low, high = angle - 2 * np.pi, angle.copy()
        moving = np.arange(len(z))
        for _ in range(MOST_SHRINKS):
            a = angle[moving, None]
            proposed = mean + (z[moving] - mean) * np.cos(a) + (nu[moving] - mean) * np.sin(a)
            good = log_ratio(proposed) > level[moving]
            good[good] = inside(proposed[good])
            z[moving[good]] = proposed[good]
            moving = moving[~good]
            if not len(moving):
                break
            # the bracket shrinks towards where the chain stands, which is inside; a chain that rounding puts a hair
            # outside stays where it is
            below = angle[moving] < 0
            low[moving[below]] = angle[moving[below]]
            high[moving[~below]] = angle[moving[~below]]
            angle[moving] = rng.uniform(low[moving], high[moving])
    return z


def _enough(points: Array) -> bool:
    return len(points) >= FEWEST_PER_PARAMETER * points.shape[1]


def _gaussian(points: Array) -> tuple[Array, Array]:
    """Mean and lower triangle of the ellipses' Gaussian."""
    d = points.shape[1]
    if not _enough(points):
        return np.zeros(d), np.eye(d)
    covariance = np.atleast_2d(np.cov(points.T)) * INFLATION**2
    return points.mean(axis=0), np.asarray(np.linalg.cholesky(covariance + 1e-6 * np.eye(d)))
