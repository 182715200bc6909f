"""What could a summary check see? The shift of each statistic that it would detect."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neurofit.check import summaries
from neurofit.check.inputs import settings, table
from neurofit.check.seen import enough, rejection

Array = NDArray[np.float64]

SHIFTED_ROWS = 100
FEWEST_ROWS = 20
HALVINGS = 7


@dataclass(frozen=True)
class Detectable:
    """How far a statistic must be off to be noticed.

    Attributes
    ----------
    name, unit
        The statistic.
    shift
        In its unit, the others as they are; ``None`` if not even a hundred spreads are noticed often enough,
        or too few simulations define it.
    spread
        Half the width of the central 68 % of the simulations, in its unit.
    """

    name: str
    unit: str
    shift: float | None
    spread: float


def detectable_shifts(
    reference: ArrayLike,
    *,
    reference_defined: ArrayLike | None = None,
    names: Sequence[str] | None = None,
    units: Sequence[str] | None = None,
    level: float = 0.05,
    target: float = 0.8,
    seed: int = 0,
) -> tuple[Detectable, ...]:
    """The shift of each statistic, up or down, that :func:`neurofit.check.summary` would mostly reject.

    Simulations the tests were not fitted to have one statistic shifted, the others left as they are, and are
    tested; the shift is halved and doubled until the share rejected is ``target``. A statistic that others
    determine is noticed after a fraction of its spread; one with a shift of many spreads constrains hardly
    anything.

    Parameters
    ----------
    reference, reference_defined, names, units, level, seed
        As for :func:`neurofit.check.summary`.
    target
        Share rejected.

    Raises
    ------
    CheckError
        As for :func:`neurofit.check.summary`, and if a third of the reference cannot reach the level.
    """
    where = "check.detectable_shifts"
    settings(level, seed, where)
    settings(target, seed, where)
    reference = np.atleast_2d(np.asarray(reference))
    first = None if reference_defined is None else np.atleast_2d(np.asarray(reference_defined))[:1]
    both = table(reference[:1], reference, first, reference_defined, names, units, where=where)
    rng = np.random.default_rng([seed, 2])
    order = rng.permutation(both.n)
    shifted = order[: min(SHIFTED_ROWS, both.n // 5)]
    null, training = np.split(order[len(shifted) :], [both.n // 3])
    enough(len(null), level, where)
    rejects = rejection(summaries.tests(both.columns[training]), both.columns[null], level)
    found = []
    for j, label in enumerate(both.labels):
        if label.kind != "value":
            continue
        low, high = np.nanquantile(both.columns[: both.n, j], [0.16, 0.84])
        spread = float((high - low) / 2) or float(np.nanstd(both.columns[: both.n, j]))
        rows = both.columns[shifted][~np.isnan(both.columns[shifted, j])]
        signs = rng.choice([-1.0, 1.0], len(rows))
        step = _step(both.columns[: both.n, j])

        def share(shift: float, rows: Array = rows, signs: Array = signs, j: int = j) -> float:
            moved = rows.copy()
            moved[:, j] += signs * shift
            return float(rejects(moved).mean())

        shift = None
        if len(rows) >= FEWEST_ROWS:
            shift = _least(share, 0.01 * spread, 100 * spread, target, step)
        feature = label.features[0]
        found.append(Detectable(both.names[feature], both.units[feature], shift, spread))
    return tuple(found)


def _step(column: Array) -> float:
    """The step between neighbouring values of a count; 0 for a statistic that is mostly distinct."""
    values = np.unique(column[~np.isnan(column)])
    return float(np.diff(values).min()) if 1 < len(values) < len(column) / 10 else 0.0


def _least(share: Callable[[float], float], low: float, high: float, target: float, step: float) -> float | None:
    """The least shift with that share, between two that are far apart, by halving their ratio."""

    def whole(shift: float) -> float:
        return max(round(shift / step), 1) * step if step else shift

    if share(whole(high)) < target:
        return None
    for _ in range(HALVINGS):
        middle = float(np.sqrt(low * high))
        low, high = (low, middle) if share(whole(middle)) >= target else (middle, high)
    return whole(high)
