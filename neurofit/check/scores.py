"""Quantile scores: every statistic on one scale, whatever its unit or distribution."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

Array = NDArray[np.float64]

# A score as large as this means "outside a column that never varies"; it keeps every number finite.
CAP = 1e4


class QuantileScores:
    """Mid-rank Gaussian scores of each column; beyond the reference's range linear.

    Within the range the score of x is ``ndtri((#{r < x} + #{r <= x}) / 2n)``: it depends on ranks alone. Beyond
    it, the score goes on in a straight line with the slope of the outer twentieth, so that a value far outside
    scores more than one just outside. That slope has a floor, for statistics whose outer twentieth is one tie: 2 % of
    the column's sd, or the usual gap between its distinct values where that is larger (one spike, for a count).

    Parameters
    ----------
    reference
        ``[n, features]``; NaN marks an undefined value. Undefined values take no part, and score 0 when they
        are scored: the median of the defined ones, which neither attracts nor repels.
    tail
        Which outer part of the reference gives the slope beyond it.
    """

    def __init__(self, reference: Array, tail: float = 0.05) -> None:
        self._columns = []
        for column in np.sort(reference, axis=0).T:  # NaN sorts last
            column = column[: len(column) - np.isnan(column).sum()]
            self._columns.append((column, *_line_beyond(column, tail)))

    def __call__(self, x: Array) -> Array:
        """Scores of ``x`` ``[rows, features]``, the same shape."""
        z = np.zeros(x.shape)
        for j, (column, z_end, below, above) in enumerate(self._columns):
            n, xj = len(column), x[:, j]
            if n == 0:
                continue
            rank = (np.searchsorted(column, xj, "left") + np.searchsorted(column, xj, "right")) / 2
            zj = ndtri(np.clip(rank / n, 0.5 / n, 1 - 0.5 / n))
            under, over = xj < column[0], xj > column[-1]
            if under.any():
                zj[under] = -z_end - (column[0] - xj[under]) / below
            if over.any():
                zj[over] = z_end + (xj[over] - column[-1]) / above
            z[:, j] = np.where(np.isnan(xj), 0.0, np.clip(zj, -CAP, CAP))
        return z


def _line_beyond(column: Array, tail: float) -> tuple[float, float, float]:
    """Score at the ends of a sorted column, and units per score below and above them."""
    n = len(column)
    if n == 0:
        return 0.0, 1.0, 1.0
    low, high = int(tail * n), n - 1 - int(tail * n)
    z_end = float(ndtri((n - 0.5) / n)) if n > 1 else 0.0
    width = max(z_end - abs(float(ndtri((low + 0.5) / n))), 1e-3)
    gaps = np.diff(column)
    gaps = gaps[gaps > 0]
    floor = max(0.02 * float(column.std()), float(np.median(gaps))) if len(gaps) else 0.0
    floor = max(floor, 1e-9 * max(abs(float(column[0])), abs(float(column[-1])), 1e-300))
    return z_end, max((column[low] - column[0]) / width, floor), max((column[-1] - column[high]) / width, floor)
