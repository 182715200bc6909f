"""Cross-conformal nulls: every score is computed by a fit that has not seen the row it scores.

A test is a function of row numbers: ``fit(rows)`` looks at those rows of the reference and returns a function
that scores any rows, in arrays by name. The observations are the rows that follow the reference's.

For each of K folds the test is fitted without the fold and scores both the fold and the observations. Under
one fit the fold's rows and a well-specified observation are exchangeable, so the observation's rank among
them is uniform: that is exact. Adding up the folds uses every reference, but averages K exact ranks that
share most of their training rows; such an average is valid only up to a factor of two in the worst case (Vovk
and Wang 2020). In practice it errs to the careful side, since an average is a little less often extreme than
what it averages. The tests measure it.

The level holds on average over the reference. A kind of cell that is rare in it (one simulation in twenty)
is rejected more often than the level says, and a frequent kind less: rare is what "strange" means here.

Sources: Vovk 2015, Cross-conformal predictors; Bates et al. 2023, arXiv 2104.08279 (conformal p-values).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

Array = NDArray[np.float64]
Rows = NDArray[np.intp]
Fit = Callable[[Rows], Callable[[Rows], dict[str, Array]]]

FOLDS = 10
SUBSETS = 4000


@dataclass(frozen=True, eq=False)
class HeldOut:
    """One test's scores under the folds' fits; large is strange.

    Attributes
    ----------
    reference
        ``[n, ...]``, each row under the fit that did not see it.
    observed
        ``[folds, observations, ...]``.
    fold
        ``[n]``, the fold each reference was held out with.
    """

    reference: Array
    observed: Array
    fold: Rows

    def map(self, function: Callable[[Array], Array]) -> HeldOut:
        """The same rows with their scores passed through a function."""
        return HeldOut(function(self.reference), function(self.observed), self.fold)

    def only(self, observation: int) -> HeldOut:
        """One of the observations."""
        return HeldOut(self.reference, self.observed[:, [observation]], self.fold)


@dataclass(frozen=True, eq=False)
class Contest:
    """What is ranked among what: ``null[i]`` competes with ``observed[i]``, both ``[draws]`` or ``[draws,
    ...]``.

    ``observed`` is one observation (or group of them), as the fit that scored the null draw sees it.
    """

    null: Array
    observed: Array

    @property
    def p_value(self) -> Array:
        """``(1 + #{null >= observed}) / (draws + 1)``. With ">" counts of spikes would reject 19 % of the
        time."""
        return (1 + (self.null >= _just_under(self.observed)).sum(0)) / (len(self.null) + 1)

    def p_values(self) -> tuple[Array, Array]:
        """p of every null draw, had it been the observation, and of the observation under each draw's fit.

        Both ``[draws]``, for scores ``[draws]``; both count all of the other side, so that they are
        exchangeable.
        """
        ordered, draws = np.sort(self.null), len(self.null)
        as_strange = draws - np.searchsorted(ordered, _just_under(self.null), "left")
        stranger = self.observed >= _just_under(self.null)
        of_observed = 1 + draws - np.searchsorted(ordered, _just_under(self.observed), "left")
        return (as_strange + stranger) / (draws + 1), of_observed / (draws + 1)


def _just_under(x: Array) -> Array:
    """So that a tie stays a tie after rounding."""
    return x - 1e-12 * np.abs(x)


def held_out(fit: Fit, n: int, observations: int, seed: int, folds: int = FOLDS) -> dict[str, HeldOut]:
    """Scores of ``n`` references (rows 0 to n - 1) and of the observations (the rows after), fold by fold."""
    order = np.random.default_rng(seed).permutation(n)
    fold = np.empty(n, dtype=np.intp)
    new = np.arange(n, n + observations)
    reference: dict[str, Array] = {}
    observed: dict[str, list[Array]] = {}
    for number, held in enumerate(np.array_split(order, folds)):
        fold[held] = number
        scored = fit(np.setdiff1d(order, held))(np.concatenate([held, new]))
        for name, values in scored.items():
            reference.setdefault(name, np.empty((n, *values.shape[1:])))[held] = values[: len(held)]
            observed.setdefault(name, []).append(values[len(held) :])
    return {name: HeldOut(reference[name], np.stack(observed[name]), fold) for name in reference}


def single(scores: HeldOut) -> Contest:
    """The one observation among the references, each pair under the same fit."""
    return Contest(scores.reference, scores.observed[scores.fold, 0])


def subsets(n: int, size: int, seed: int, draws: int = SUBSETS) -> Rows:
    """``[draws, size]``: groups of references, as many as there are observations; with one, each of them once."""
    if size == 1:
        return np.arange(n)[:, None]
    rng = np.random.default_rng([seed, 1])
    return np.stack([rng.choice(n, size, replace=False, shuffle=False) for _ in range(draws)])


def group(scores: HeldOut, members: Rows) -> Contest:
    """Several observations by their mean normal score ``Phi^-1(1 - p)``, among groups of references of that
    size.

    Size matters: five observations against a null for one have no power. ``scores``: ``[n]``.
    """
    n, ordered = len(scores.reference), np.sort(scores.reference)
    own = -ndtri((n - np.searchsorted(ordered, _just_under(scores.reference), "left") - 0.5) / n)
    p = np.stack([single(scores.only(i)).p_value for i in range(scores.observed.shape[1])])
    theirs = -ndtri(p - 0.5 / (n + 1))
    return _group(own, theirs, members)


def group_of_columns(scores: HeldOut, members: Rows) -> Contest:
    """Several observations by the size of their mean signed score, column by column.

    Cells that all deviate the same way add up, which their p-values would not. Scores are cut off at 5, so
    that one odd cell does not speak for all. ``scores``: ``[n, columns]``.
    """
    own, theirs = (np.clip(side, -5, 5) for side in (scores.reference, scores.observed.mean(0)))
    contest = _group(own, theirs, members)
    return Contest(np.abs(contest.null), np.abs(contest.observed))


def _group(own: Array, theirs: Array, members: Rows) -> Contest:
    """Means of groups of references against the mean of the observations.

    Groups drawn without replacement from n vary less than new ones compared with the same n: variance
    (1 - m/n) / m against (1 + m/n) / m. The null is widened to match.
    """
    share = members.shape[1] / len(own)
    means, centre = own[members].mean(1), own.mean(0)
    null = centre + np.sqrt((1 + share) / (1 - share)) * (means - centre)
    return Contest(null, np.broadcast_to(theirs.mean(0), null.shape))
