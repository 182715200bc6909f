"""The nearest-neighbour test: does any simulation come as near as simulations come to each other?"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cholesky, solve_triangular
from scipy.spatial.distance import cdist

Array = NDArray[np.float64]

NEIGHBOURS = 5
RIDGE = 1e-3


class Nearest:
    """Mean distance from the five nearest references, in score space with the references' covariance made round.

    It asks for nothing but company: unlike the joint test it needs no shape of the cloud around a row, and sees less.

    Parameters
    ----------
    scores
        Quantile scores of the reference, ``[n, features]``.
    """

    def __init__(self, scores: Array) -> None:
        covariance = np.atleast_2d(np.cov(scores.T)) + RIDGE * np.eye(scores.shape[1])
        self._root = cholesky(covariance, lower=True)
        self._reference = self._round(scores)

    def __call__(self, y: Array) -> Array:
        """``[rows, features]`` -> ``[rows]``; large is strange."""
        distance = cdist(self._round(y), self._reference)
        k = min(NEIGHBOURS, distance.shape[1] - 1)
        return np.partition(distance, k, axis=1)[:, :k].mean(1)

    def _round(self, y: Array) -> Array:
        return np.asarray(solve_triangular(self._root, y.T, lower=True).T)
