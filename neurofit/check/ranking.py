"""From held-out scores to contests, for one observation or several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom

from neurofit.check import conformal
from neurofit.check.combine import WEIGHTS, combine
from neurofit.check.conformal import Contest, HeldOut

Array = NDArray[np.float64]


class Ranking:
    """Ranks one observation among references, or several among groups of as many references.

    Observations that depend on each other are no such group: their mean is ranked among single references, which is
    right if they are all the same and careful otherwise.

    Parameters
    ----------
    n, observations
        How many references and observations there are.
    seed
        Which groups of references are drawn.
    dependent
        Are the observations sweeps of one cell rather than independent draws?
    """

    def __init__(self, n: int, observations: int, seed: int, dependent: bool = False) -> None:
        size = 1 if dependent else observations
        self._members = None if observations == 1 else conformal.subsets(n, size, seed)

    def test(self, scores: HeldOut) -> Contest:
        """Of one score per row, ``[n]``."""
        return conformal.single(scores) if self._members is None else conformal.group(scores, self._members)

    def columns(self, scores: HeldOut) -> Contest:
        """Of signed scores, ``[n, columns]``, by their size."""
        if self._members is None:
            return conformal.single(scores.map(np.abs))
        return conformal.group_of_columns(scores, self._members)


def each(tests: Mapping[str, HeldOut], observations: int) -> dict[str, tuple[float, ...]]:
    """Each of several observations on its own: p by test, and of all tests together as ``"all"``."""
    if observations == 1:
        return {}
    found: dict[str, list[float]] = {name: [] for name in (*tests, "all")}
    for i in range(observations):
        contests = {name: conformal.single(scores.only(i)) for name, scores in tests.items()}
        for name, contest in {**contests, "all": combine(contests, WEIGHTS)}.items():
            found[name].append(float(contest.p_value))
    return {name: tuple(p) for name, p in found.items()}


def usual_one_by_one(p_each: Mapping[str, Sequence[float]], level: float) -> bool:
    """Are no more of several observations strange on their own than chance makes, and none of them by far?"""
    p = np.asarray(p_each.get("all", ()))
    strange = int((p <= level).sum())
    return len(p) > 0 and bool((p > level / len(p)).all() and binom.sf(strange - 1, len(p), level) > level)


def numbers(contests: Mapping[str, Contest], whole: Contest, p_each: Mapping[str, tuple[float, ...]]) -> dict[str, Any]:
    """What a result says in numbers, by the names of its fields."""
    return {
        "p_value": float(whole.p_value),
        "p_values": {name: float(contest.p_value) for name, contest in contests.items()},
        "null": {name: contest.null for name, contest in contests.items()},
        "observed_score": {name: float(contest.observed.mean()) for name, contest in contests.items()},
        "p_observations": p_each,
    }
