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

Array = NDArray[np.float64]
Inside = Callable[[Array], NDArray[np.bool_]]

# How the ellipses are fitted: inflated, so that the fit is wider than the region; then again from better chains.
INFLATION = 1.5
WARM_UP_STEPS = 10
STEPS = 20


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
    """
    usable = start[inside(start)]
    if len(usable) == 0:
        raise ValueError("no starting point lies inside the region")
    z = usable[rng.integers(len(usable), size=n)]
    # chains that start at the same point part at once: every step draws a fresh ellipse
    z = slice_steps(z, inside, usable, WARM_UP_STEPS, rng)
    return slice_steps(z, inside, z, STEPS, rng)


def slice_steps(z: Array, inside: Inside, shape: Array, steps: int, rng: np.random.Generator) -> Array:
    """Whitened elliptical slice sampling of N(0, I) inside a region, one chain a row.

    Ellipses come from a Gaussian N(m, S) fitted to ``shape``; what is left, N(z; 0, I)/N(z; m, S) inside the region,
    is the likelihood of the slice.
    """
    mean = shape.mean(axis=0)
    covariance = np.atleast_2d(np.cov(shape.T)) * INFLATION**2 + 1e-6 * np.eye(z.shape[1])
    lower = np.linalg.cholesky(covariance)
    inverse = np.linalg.inv(lower)

    def log_ratio(points: Array) -> Array:
        white = (points - mean) @ inverse.T
        return np.asarray(0.5 * (white**2).sum(axis=1) - 0.5 * (points**2).sum(axis=1))

    z = z.copy()
    for _ in range(steps):
        nu = mean + rng.standard_normal(z.shape) @ lower.T
        level = log_ratio(z) + np.log(rng.random(len(z)))
        angle = rng.uniform(0, 2 * np.pi, len(z))
        low, high = angle - 2 * np.pi, angle.copy()
        moving = np.arange(len(z))
        while len(moving):
            a = angle[moving, None]
            proposed = mean + (z[moving] - mean) * np.cos(a) + (nu[moving] - mean) * np.sin(a)
            good = log_ratio(proposed) > level[moving]
            good[good] = inside(proposed[good])
            z[moving[good]] = proposed[good]
            moving = moving[~good]
            # the bracket shrinks towards where the chain stands, which is always inside
            below = angle[moving] < 0
            low[moving[below]] = angle[moving[below]]
            high[moving[~below]] = angle[moving[~below]]
            angle[moving] = rng.uniform(low[moving], high[moving])
    return z
