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

from neurofit.workers import Report

Array = NDArray[np.float64]
Inside = Callable[[Array], NDArray[np.bool_]]

# How the ellipses are fitted: inflated, so that the fit is wider than the region; then again from better chains.
INFLATION = 1.5
WARM_UP_STEPS = 10
STEPS = 20


def prior_inside(inside: Inside, start: Array, n: int, rng: np.random.Generator, report: Report | None = None) -> Array:
    """Draws of a standard normal restricted to a region, ``[n, parameter]``.

    Parameters
    ----------
    inside
        ``[m, parameter] -> [m]``: the region.
    start
        Points to start chains from; those outside are dropped.
    n
        How many draws; each is the last state of a chain of its own.
    report
        Called with the share done and a note.
    """
    usable = start[inside(start)]
    if len(usable) == 0:
        raise ValueError("no starting point lies inside the region")
    z = usable[rng.integers(len(usable), size=n)]
    # chains that start at the same point part at once: every step draws a fresh ellipse
    z = slice_steps(z, inside, usable, WARM_UP_STEPS, rng)
    return slice_steps(z, inside, z, STEPS, rng, report)


def slice_steps(
    z: Array, inside: Inside, shape: Array, steps: int, rng: np.random.Generator, report: Report | None = None
) -> Array:
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
    left = np.full(len(z), steps)
    nu, level, angle = (np.empty(s) for s in (z.shape, len(z), len(z)))
    low, high = np.empty(len(z)), np.empty(len(z))
    moving = starting = np.arange(len(z))
    # chains do not wait for each other: one that has moved begins its next step while others still shrink theirs, so
    # that every look at the region is at as many points as there are chains
    while len(moving):
        nu[starting] = mean + rng.standard_normal((len(starting), z.shape[1])) @ lower.T
        level[starting] = log_ratio(z[starting]) + np.log(rng.random(len(starting)))
        angle[starting] = rng.uniform(0, 2 * np.pi, len(starting))
        low[starting], high[starting] = angle[starting] - 2 * np.pi, angle[starting]
        a = angle[moving, None]
        proposed = mean + (z[moving] - mean) * np.cos(a) + (nu[moving] - mean) * np.sin(a)
        good = log_ratio(proposed) > level[moving]
        good[good] = inside(proposed[good])
        arrived, shrinking = moving[good], moving[~good]
        z[arrived] = proposed[good]
        left[arrived] -= 1
        # the bracket shrinks towards where the chain stands, which is always inside
        below = angle[shrinking] < 0
        low[shrinking[below]] = angle[shrinking[below]]
        high[shrinking[~below]] = angle[shrinking[~below]]
        angle[shrinking] = rng.uniform(low[shrinking], high[shrinking])
        starting = arrived[left[arrived] > 0]
        moving = np.concatenate([shrinking, starting])
        if report is not None:
            report(1 - left.sum() / (steps * len(z)), "")
    return z
