"""How well draws predict features that they were not fitted to: one proper score, in tolerances.

The kernel score of Gneiting and Raftery (2007, J. Am. Stat. Assoc. 102:359, eq. 21), of which the continuous ranked
probability score is the best known: the mean distance of the predictions from what was recorded, less half of their
mean distance from one another. No prediction does better on average than the one that the recording is a draw of: one
that is off pays, and so does one that is too sure or too vague.

The distance is in tolerances and ends at :data:`FARTHEST`, so that one hopeless feature does not drown the others; a
feature that is undefined is a value of its own, as far as can be from every defined one. (``FARTHEST`` less this
distance is a positive definite kernel: a triangle, and a point apart from it.)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neurofit.errors import CheckError

Array = NDArray[np.float64]

# Tolerances beyond which a prediction is simply wrong.
FARTHEST = 10.0
# Two models' mean scores are told apart by this many standard errors of their difference over the sweeps.
TOLD_APART = 2.0


def prediction_scores(recorded: ArrayLike, predicted: ArrayLike) -> Array:
    """``[feature]``: the score of each feature's predictions, 0 (all of them right) to ``FARTHEST``; less is better.

    Parameters
    ----------
    recorded
        ``[feature]``, on the features' own scales, in tolerances; NaN where undefined.
    predicted
        ``[draw, feature]``, likewise; two draws or more.

    Raises
    ------
    CheckError
        If the shapes do not go together, or there are fewer than two draws.

    Examples
    --------
    >>> prediction_scores([3.0, 4.0], [[3.0, 6.0], [5.0, np.nan]])
    array([0., 1.])
    """
    values, draws = np.asarray(recorded, dtype=np.float64), np.asarray(predicted, dtype=np.float64)
    if values.ndim != 1 or draws.ndim != 2 or draws.shape[1] != len(values) or len(draws) < 2:
        raise CheckError(
            "recorded and predicted features do not go together",
            where="prediction_scores",
            expected="[feature] and [draw, feature], two draws or more",
            found=f"{values.shape} and {draws.shape}",
        )
    n, scores = len(draws), np.empty(len(values))
    for j, column in enumerate(draws.T):
        off = _distance(column, values[j])
        # over pairs of different draws: an unbiased estimate, whatever their number
        apart = _distance(column[:, None], column[None]).sum() / (n * (n - 1))
        scores[j] = off.mean() - apart / 2
    return scores


def _distance(a: Array, b: Array | float) -> Array:
    """In tolerances, up to the farthest; 0 between what is undefined in both."""
    apart = np.minimum(np.abs(a - b), FARTHEST)
    return np.where(np.isnan(a) & np.isnan(b), 0.0, np.nan_to_num(apart, nan=FARTHEST))


@dataclass(frozen=True)
class Behind:
    """How far one model's predictions are behind the best model's, over the same sweeps.

    Attributes
    ----------
    score
        Mean over the sweeps.
    difference, error
        Mean difference from the best, and its standard error.
    worse, sweeps
        In how many sweeps it was worse, and of how many.
    """

    score: float
    difference: float
    error: float
    worse: int
    sweeps: int

    @property
    def told_apart(self) -> bool:
        """Is the difference more than :data:`TOLD_APART` standard errors?"""
        return self.difference > TOLD_APART * self.error


def rank_predictions(scores: ArrayLike) -> tuple[int, tuple[Behind, ...]]:
    """Which model predicts best, and how far every other is behind.

    Parameters
    ----------
    scores
        ``[model, sweep]``, of the same sweeps and features.

    Returns
    -------
    best, behind
        Position of the best model, and :class:`Behind` of each, 0 for the best itself.

    Notes
    -----
    Sweeps are paired, so that those which are hard for every model do not count. The error takes sweeps of one cell as
    independent, which they are not quite: it is a size to judge a difference by, not a test.
    """
    values = np.asarray(scores, dtype=np.float64)
    if values.ndim != 2 or values.size == 0 or not np.isfinite(values).all():
        raise CheckError("these are not scores of models", expected="[model, sweep], finite", found=f"{values.shape}")
    n = values.shape[1]
    best = int(np.argmin(values.mean(axis=1)))
    apart = values - values[best]
    errors = apart.std(axis=1, ddof=1) / np.sqrt(n) if n > 1 else np.full(len(values), np.inf)
    behind = tuple(
        Behind(float(own.mean()), float(a.mean()), float(e), int((a > 0).sum()), n)
        for own, a, e in zip(values, apart, errors, strict=True)
    )
    return best, behind
