"""Several tests, one p-value; several statistics, one name."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neurofit.check.conformal import Contest

Array = NDArray[np.float64]

# One observation's tests in a combination, 1 for those not listed. What a statistic shows alone, all together mostly
# show better, and so does a neighbourhood's shape beside its mere distance: these two are heard where there is no
# shape, among statistics that have nothing to do with each other, and cost little elsewhere.
WEIGHTS = {"marginal": 0.25, "nearest": 0.25}


def cauchy_statistic(p_values: ArrayLike, highest: float = 0.999, weights: ArrayLike | None = None) -> Array:
    """Mean of ``tan((1/2 - p) pi)`` along the last axis, p clipped to 1e-5 and ``highest``: tan ends nowhere.

    Source: Liu and Xie 2020, J. Am. Stat. Assoc. 115, eq. 2.
    """
    p = np.clip(np.asarray(p_values, dtype=np.float64), 1e-5, highest)
    return np.average(np.tan((0.5 - p) * np.pi), axis=-1, weights=weights)


def cauchy(p_values: ArrayLike) -> Array:
    """The Cauchy combination of p-values along the last axis: good for small p whatever their dependence."""
    return 0.5 - np.arctan(cauchy_statistic(p_values)) / np.pi


def combine(contests: Mapping[str, Contest], weights: Mapping[str, float] | None = None) -> Contest:
    """One contest from those of several tests over the same draws.

    The Cauchy statistic of the observation's p-values is itself ranked among the statistics of the null
    draws, so the level holds whatever the tests have in common, and p can still reach 1 / (draws + 1). It
    also leaves us free to clip p at .9: otherwise one test with p = 1 would outweigh another with p = .001.

    ``weights`` by name, 1 for those it lacks.
    """
    ranked = [contest.p_values() for contest in contests.values()]
    share = [(weights or {}).get(name, 1.0) for name in contests]
    null, observed = (cauchy_statistic(np.stack(side, axis=-1), 0.9, share) for side in zip(*ranked, strict=True))
    return Contest(null, observed)


def step_down(columns: Contest) -> Array:
    """p of every column, adjusted so that naming any wrong one has at most the chance of the level.

    Step-down max-T: the strangest column competes with the largest score of every null draw over all columns,
    the next with the largest over the rest, and so on. Unlike Holm's correction of ranks it needs no more
    draws for more columns (Holm over d columns at .05 needs 20 d of them) and it uses their dependence.

    Source: Westfall and Young 1993, Resampling-based multiple testing, algorithm 2.8.
    """
    order = np.argsort(-columns.observed.mean(0), kind="stable")
    largest_left = np.maximum.accumulate(columns.null[:, order[::-1]], axis=1)[:, ::-1]
    p = np.maximum.accumulate(Contest(largest_left, columns.observed[:, order]).p_value)
    adjusted = np.empty(len(p))
    adjusted[order] = p
    return adjusted
