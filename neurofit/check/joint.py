"""The joint test: is this combination of statistics like any the reference holds?"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

Array = NDArray[np.float64]

RIDGE = 0.02
FEWEST_NEAR = 12


class Joint:
    """Local Mahalanobis distance in score space.

    Simulations lie along curved sheets: what a cell with many spikes looks like says little about a cell with
    few. So every row is compared with the references nearest to it, ``(y - m)' (C + 0.02 C_global)^-1 (y - m)``,
    with their mean m and covariance C; for k = n / 10 between 20 and 50 of them, and for 12. Few follow a sheet that
    bends or ends, many tell its thickness; the distance is the geometric mean of both.

    Parameters
    ----------
    scores
        Quantile scores of the reference, ``[n, features]``.
    """

    def __init__(self, scores: Array) -> None:
        self._scores = scores
        self._k = min(int(np.clip(len(scores) / 10, 20, 50)), len(scores) - 1)
        global_covariance = np.atleast_2d(np.cov(scores.T))
        self._ridge = RIDGE * (global_covariance + 1e-6 * np.eye(scores.shape[1]))

    def __call__(self, y: Array) -> Array:
        """Distance of every row of scores, ``[rows, features]`` -> ``[rows]``; large is strange."""
        near = self._near(y)
        product = 1.0
        for k in (self._k, min(FEWEST_NEAR, self._k)):
            error, covariance = self._local(y, near[:, :k])
            product = product * (error * np.linalg.solve(covariance, error[..., None])[..., 0]).sum(1)
        return np.sqrt(product)

    def given_the_others(self, y: Array) -> tuple[Array, Array]:
        """Each statistic's expected score and sd given all the others, by the local Gaussian, both like
        ``y``.

        With precision P and deviation e, feature j is expected at ``y_j - (P e)_j / P_jj`` with variance
        ``1 / P_jj``: it says which statistic does not go with the rest.
        """
        error, covariance = self._local(y, self._near(y))
        precision = np.linalg.inv(covariance)
        diagonal = np.diagonal(precision, axis1=1, axis2=2)
        return y - (precision @ error[..., None])[..., 0] / diagonal, 1 / np.sqrt(diagonal)

    def _near(self, y: Array) -> NDArray[np.intp]:
        """``[rows, k]``: the nearest references, in ascending order of their distance."""
        distance = cdist(y, self._scores, "sqeuclidean")
        near = np.argpartition(distance, self._k, axis=1)[:, : self._k]
        order = np.argsort(np.take_along_axis(distance, near, axis=1), axis=1)
        return np.take_along_axis(near, order, axis=1)

    def _local(self, y: Array, nearest: NDArray[np.intp]) -> tuple[Array, Array]:
        near = self._scores[nearest]
        centre = near.mean(1)
        spread = near - centre[:, None]
        covariance = spread.transpose(0, 2, 1) @ spread / (nearest.shape[1] - 1) + self._ridge
        return y - centre, covariance
