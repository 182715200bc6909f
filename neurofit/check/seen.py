"""What would a check have seen?  The share of altered simulations that it rejects.

A pass is worth as much as what it would not have passed. Simulations that the tests were not fitted to are altered and
tested as if they were observations; the share rejected at each size is the check's power. The null is a third of the
simulations instead of all, so that what is called unseen errs to the large side.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neurofit.check import summaries, traces, voltage
from neurofit.check.combine import WEIGHTS, cauchy_statistic
from neurofit.check.inputs import settings, table
from neurofit.check.marginal import largest
from neurofit.errors import CheckError

Array = NDArray[np.float64]

# Tests whose scores are signed and a row long, with their names among the tests; what is told and does not count.
SIGNED, UNCOUNTED = {"columns": "marginal", "envelope": "envelope"}, "artefacts"


def summary_sees(
    reference: ArrayLike,
    altered: Sequence[ArrayLike],
    *,
    reference_defined: ArrayLike | None = None,
    altered_defined: Sequence[ArrayLike] | None = None,
    level: float = 0.05,
    seed: int = 0,
) -> tuple[float, ...]:
    """The share of altered simulations that :func:`neurofit.check.summary` would reject.

    Parameters
    ----------
    reference, reference_defined, level, seed
        As for :func:`neurofit.check.summary`.
    altered, altered_defined
        ``[rows, features]`` for each size of what was put in; of simulations that are not among the reference. Masks
        are given for both or for neither.

    Raises
    ------
    CheckError
        As for :func:`neurofit.check.summary`, and if a third of the reference cannot reach the level.
    """
    where = "check.seen.summary_sees"
    settings(level, seed, where)
    parts = [np.atleast_2d(np.asarray(part)) for part in (reference, *altered)]
    rows = np.concatenate(parts)
    defined = np.ones(rows.shape, dtype=bool)
    if reference_defined is not None and altered_defined is not None:
        defined = np.concatenate([np.asarray(mask) for mask in (reference_defined, *altered_defined)])
    columns = table(rows[:1], rows, defined[:1], defined, None, None, where=where).columns[:-1]
    training, null = _halves(len(parts[0]), level, seed, where)
    rejects = rejection(summaries.tests(columns[training]), columns[null], level)
    ends = np.cumsum([len(part) for part in parts])
    return tuple(float(rejects(part).mean()) for part in np.split(columns, ends[:-1])[1:])


def raw_sees(
    reference: ArrayLike,
    altered: Iterable[ArrayLike],
    *,
    dt_ms: float,
    step_ms: tuple[float, float] | None = None,
    level: float = 0.05,
    seed: int = 0,
) -> tuple[float, ...]:
    """The share of altered simulations that :func:`neurofit.check.raw` would reject.

    Parameters
    ----------
    reference, dt_ms, step_ms, level, seed
        As for :func:`neurofit.check.raw`.
    altered
        ``[rows, (sweep,) time]`` for each size of what was put in; asked for one by one.

    Raises
    ------
    CheckError
        As for :func:`neurofit.check.raw`, and if a third of the reference cannot reach the level.
    """
    where = "check.seen.raw_sees"
    settings(level, seed, where)
    _, known_mv = traces.as_design(np.asarray(reference)[:1], reference, where)

    def reduced(rows: NDArray[Any]) -> traces.Traces:
        return traces.reduce(rows[:1], rows, dt_ms, step_ms, False, where)

    # some rows at a time: what is compared is small, the voltage is not
    known = reduced(known_mv)
    parts = [known, *(reduced(_like(np.asarray(rows), known_mv, where)) for rows in altered)]
    all_rows = traces.Traces(
        np.concatenate([part.points[: part.n] for part in parts]),
        known.edges,
        np.concatenate([part.quantiles[: part.n] for part in parts]),
        None,
        known.n,
    )
    training, null = _halves(known.n, level, seed, where)
    rejects = rejection(voltage.fit(all_rows, None)(training), null, level)
    ends = np.cumsum([part.n for part in parts])
    return tuple(float(rejects(np.arange(start, stop)).mean()) for start, stop in pairwise(ends.tolist()))


def _like(altered: NDArray[Any], reference: NDArray[Any], where: str) -> NDArray[Any]:
    """Altered voltage as ``[row, sweep, time]``, sampled like the reference."""
    cells = altered[:, None] if altered.ndim == 2 else altered
    if cells.shape[1:] != reference.shape[1:]:
        raise CheckError(
            "altered and reference are not of one design",
            where=where,
            expected=f"[rows, {', '.join(map(str, reference.shape[1:]))}]",
            found=f"{altered.shape}",
        )
    return cells


def least_seen(sizes: Sequence[float], shares: Sequence[float], target: float = 0.8) -> float | None:
    """The size, between those tried from small to severe, at which the share rejected reaches the target.

    ``None`` if it does not at the most severe; the smallest if it does there already. Sizes may fall (a filter is more
    severe the lower its corner); between two of them their logarithm is interpolated.

    Examples
    --------
    >>> round(least_seen([1.0, 10.0, 100.0], [0.1, 0.6, 1.0]), 1)
    31.6
    """
    over = np.flatnonzero(np.asarray(shares) >= target)
    if not len(over):
        return None
    i = int(over[0])
    if i == 0:
        return float(sizes[0])
    part = (target - shares[i - 1]) / (shares[i] - shares[i - 1])
    return float(np.exp((1 - part) * np.log(sizes[i - 1]) + part * np.log(sizes[i])))


def _halves(n: int, level: float, seed: int, where: str) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Two thirds of the references to fit the tests to, and a third for the null."""
    null, training = np.split(np.random.default_rng([seed, 2]).permutation(n), [n // 3])
    enough(len(null), level, where)
    return training, null


def enough(null: int, level: float, where: str) -> None:
    """Raise where so few held-out simulations cannot show what is seen at this level."""
    if level < 1 / (null + 1):
        raise CheckError(
            f"{3 * null} simulations, of which a third is held out, cannot show what is seen at level {level:g}",
            where=where,
            expected=f"at least {int(3 / level)}",
            advice="Simulate more, or ask for a larger level.",
        )


def rejection(score: Callable[[Any], dict[str, Array]], null: Any, level: float) -> Callable[[Any], NDArray[np.bool_]]:
    """The combined test with one fit and one held-out null, of whatever rows the fit scores."""

    def strangeness(rows: Any) -> dict[str, Array]:
        scores = {name: found for name, found in score(rows).items() if name != UNCOUNTED}
        return {SIGNED.get(name, name): largest(found) if name in SIGNED else found for name, found in scores.items()}

    ordered = {name: np.sort(scores) for name, scores in strangeness(null).items()}
    weights = [WEIGHTS.get(name, 1.0) for name in ordered]

    def statistic(rows: Any) -> Array:
        p = [
            (1 + len(null) - np.searchsorted(ordered[name], scores, "left")) / (len(null) + 1)
            for name, scores in strangeness(rows).items()
        ]
        return cauchy_statistic(np.stack(p, axis=-1), 0.9, weights)

    usual = np.sort(statistic(null))
    allowed = int(level * (len(null) + 1)) - 1  # so many null rows may be as strange
    limit = usual[len(usual) - 1 - allowed]
    return lambda rows: statistic(rows) > limit
