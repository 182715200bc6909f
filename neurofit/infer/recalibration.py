"""Mending what is wrong with a trained posterior everywhere around the observation: a little off, a little too sure.

Networks that overfit, or that saw too few simulations near the observation, err there in the same direction case after
case. Simulations of known parameters show by how much: the flows' base is moved until truths lie in the middle of their
draws on average, and widened until regions of highest density hold their share of them. A few numbers, fitted to
hundreds of fresh simulations and checked on others; the same idea as the scaling of a classifier's temperature (Guo et
al. 2017).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from neurofit.infer.base import Base
from neurofit.infer.density import Density
from neurofit.infer.held_out import Cases, log_densities

Array = NDArray[np.float64]
# Draws are cut off by the region, so they follow a move only in part: the rest of the gap is closed again.
_PASSES = 2
# Few for each of hundreds of cases: only means over all of them are asked for.
_DRAWS = 20
# Wider than this a posterior is not made; and not narrower than it was trained: what is too wide is said, not mended.
WIDEST = 2.0


def fitting_base(density: Density, cases: Cases) -> Base:
    """The base from which the flows of ``density`` are calibrated on ``cases``.

    Raises
    ------
    TrainingError
        If hardly any case's posterior lies inside the region that the cases came from.
    """
    shift = _gap(density, cases)
    for _ in range(_PASSES - 1):
        shift = shift + _gap(density.rebased(_base(shift, 1.0)), cases)
    shift = _shrunk(shift, len(cases.z))

    def excess(log_width: float) -> float:
        """Mean share of draws denser than the truth, beyond one half."""
        wide = density.rebased(_base(shift, math.exp(log_width)))
        samples, kept = cases.draws(wide, _DRAWS)
        log_draws, log_truths = log_densities(wide, samples, cases.z[kept], cases.x[kept])
        return float((log_draws > log_truths).mean() - 0.5)

    if excess(0.0) <= 0:
        return _base(shift, 1.0)
    if excess(math.log(WIDEST)) >= 0:
        return _base(shift, WIDEST)
    return _base(shift, math.exp(brentq(excess, 0.0, math.log(WIDEST), xtol=5e-3)))


def _base(shift: Array, width: float) -> Base:
    return Base(tuple(tuple(row) for row in shift.tolist()), width)


def _gap(density: Density, cases: Cases) -> Array:
    """``[member, parameter]``: truths minus draws in each flow's base, on average over cases."""
    samples, kept = cases.draws(density, _DRAWS)
    z, x = cases.z[kept], cases.x[kept]
    truths = density.in_base(z, x)
    draws = density.in_base(samples.reshape(-1, z.shape[1]), x.repeat(len(samples), 1))
    middles = draws.reshape(len(truths), len(samples), *z.shape).mean(axis=1)
    return np.asarray((truths - middles).mean(axis=1))


def _shrunk(shift: Array, n: int) -> Array:
    """Towards 0 by what chance alone moves the mean of ``n`` cases (James and Stein 1961)."""
    d = shift.shape[1]
    size = np.maximum((shift**2).sum(axis=1, keepdims=True), 1e-12)
    return np.asarray(shift * np.maximum(0, 1 - max(d - 2, 0) / (n * size)))
