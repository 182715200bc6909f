"""Quantile scores: every statistic on one scale, whatever its unit or distribution."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

Array = NDArray[np.float64]

# A score as large as this means "outside a column that never varies"; it keeps every number finite.
CAP = 1e4


class QuantileScores:
    """Mid-rank Gaussian scores of each column; beyond the reference's range linear.

    Within the range the score of x is ``ndtri((#{r < x} + #{r <= x}) / 2n)``: it depends on ranks alone.
    Beyond it, the score goes on in a straight line with the slope of the outer twentieth, so that a value far
    outside scores more than one just outside. That slope has a floor, for statistics whose outer twentieth is
    one tie: 2 % of the column's sd, or the smallest step between its values where that is larger (one spike,
    for a count).

    Parameters
    ----------
    reference
        ``[n, columns]``; NaN marks an undefined value. Undefined values take no part, and score 0 when they
        are scored: the median of the defined ones, which neither attracts nor repels.
    tail
        Which outer part of the reference gives the slope beyond it.
    """

    def __init__(self, reference: Array, tail: float = 0.05) -> None:
        ordered = np.sort(reference, axis=0)  # NaN last
        known = len(ordered) - np.isnan(ordered).sum(0)
        self._sorted = [column[:n] for column, n in zip(ordered.T.copy(), known, strict=True)]
        n = np.maximum(known, 1)
        low = (tail * n).astype(np.intp)
        self._z_end = -ndtri(0.5 / n)
        width = np.maximum(self._z_end + ndtri((low + 0.5) / n), 1e-3)
        self._first, inner_low, inner_high, self._last = (
            np.take_along_axis(ordered, rank[None], axis=0)[0] for rank in (0 * n, low, n - 1 - low, n - 1)
        )
        gaps = np.diff(ordered, axis=0)
        step = np.where(gaps > 0, gaps, np.inf).min(0)
        sd = np.array([column.std() if len(column) else 0.0 for column in self._sorted])
        rounding = 1e-9 * np.maximum(np.abs(self._first), np.abs(self._last)) + 1e-300
        floor = np.maximum.reduce([0.02 * sd, np.where(np.isfinite(step), step, 0.0), rounding])
        self._below = np.maximum((inner_low - self._first) / width, floor)
        self._above = np.maximum((self._last - inner_high) / width, floor)

    def __call__(self, x: Array) -> Array:
        """Scores of ``x`` ``[rows, columns]``, the same shape."""
        share = np.full(x.shape, 0.5)
        for j, column in enumerate(self._sorted):
            n, xj = len(column), x[:, j]
            if n == 0:
                continue
            rank = np.searchsorted(column, xj, "left").astype(np.float64)
            tied = np.flatnonzero(column[np.minimum(rank, n - 1).astype(np.intp)] == xj)
            rank[tied] = (rank[tied] + np.searchsorted(column, xj[tied], "right")) / 2
            share[:, j] = np.clip(rank / n, 0.5 / n, 1 - 0.5 / n)
        z = ndtri(share)
        z -= np.maximum(self._first - x, 0.0) / self._below
        z += np.maximum(x - self._last, 0.0) / self._above
        return np.nan_to_num(np.clip(z, -CAP, CAP), nan=0.0)

    def value(self, j: int, score: float) -> float:
        """The value of column ``j`` that has about this score."""
        return float(self._values(j, np.array([score]))[0])

    def values(self, scores: Array) -> Array:
        """``[rows, columns]``: the values that have about these scores; NaN where a score is."""
        return np.column_stack([self._values(j, column) for j, column in enumerate(scores.T)])

    def _values(self, j: int, scores: Array) -> Array:
        column, z_end = self._sorted[j], self._z_end[j]
        within = np.interp(ndtr(scores) * (len(column) - 1), np.arange(len(column)), column)
        low = column[0] + (scores + z_end) * self._below[j]
        high = column[-1] + (scores - z_end) * self._above[j]
        return np.asarray(np.where(scores < -z_end, low, np.where(scores > z_end, high, within)))
