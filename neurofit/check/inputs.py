"""Plain arrays, looked at before anything is computed from them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neurofit.errors import CheckError

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

# A joint test compares with 20 neighbours and the folds take a tenth away: less than this is no reference.
FEWEST_REFERENCES = 50
# Fewer defined values than this give no quantiles; then only whether the statistic is defined is compared.
FEWEST_DEFINED = 30


@dataclass(frozen=True, eq=False)
class Label:
    """What a column stands for: the values of one statistic, or whether some statistics are defined."""

    kind: str
    features: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Table:
    """Statistics of the references and, in the rows after them, the observations.

    Attributes
    ----------
    columns
        ``[n + observations, columns]``: values, NaN where undefined, then flags (1 defined, 0 not).
    labels
        What each column stands for.
    names, units
        Of the features as the caller gave them.
    n
        Number of references.
    warnings
        What was left out and why.
    """

    columns: Array
    labels: tuple[Label, ...]
    names: tuple[str, ...]
    units: tuple[str, ...]
    n: int
    warnings: tuple[str, ...]


def array(values: ArrayLike, name: str, where: str) -> Array:
    """Numbers as float64, or a :class:`CheckError` that says which argument was none."""
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise CheckError(
            f"{name} is not an array of numbers ({error})",
            where=where,
            advice="Rows must have equal length; give undefined values as a mask.",
        ) from error


def number_of_references(n: int, observations: int, where: str) -> None:
    """Are there enough references for so many observations?"""
    if n < FEWEST_REFERENCES:
        raise CheckError(
            "too few references to tell strange from usual",
            where=where,
            expected=f"at least {FEWEST_REFERENCES} simulations, better 500 or more",
            found=f"{n}",
            advice="Simulate more.",
        )
    if observations < 1:
        raise CheckError("no observation", where=where, expected="at least one row", found="0")
    if observations > n // 2:
        raise CheckError(
            "too many observations for so few references",
            where=where,
            expected=f"at least {2 * observations} references for {observations} observations",
            found=f"{n}",
            advice="Simulate more, or check fewer observations at a time.",
        )


def settings(level: float, seed: int, where: str) -> None:
    """Are level and seed what they should be?"""
    if not 0 < level < 1:
        raise CheckError("the level must lie between 0 and 1", where=where, found=f"level = {level}")
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
        raise CheckError("the seed must be a whole number from 0", where=where, found=f"seed = {seed!r}")


def all_finite(values: Array, name: str, where: str, axes: Sequence[str], advice: str, first_row: int = 0) -> None:
    """Raise for the first number that is NaN or infinite, saying where it stands."""
    bad = ~np.isfinite(values)
    if bad.any():
        at = np.argwhere(bad)[0]
        shown = [first_row + int(at[0]), *map(int, at[1:])]
        place = ", ".join(f"{axis} {index}" for axis, index in zip(axes, shown, strict=True))
        raise CheckError(
            f"{name} holds {values[tuple(at)]} in {place}",
            where=where,
            expected="finite numbers",
            found=f"{bad.sum()} that are not",
            advice=advice,
        )


def first_of_copies(rows: NDArray) -> NDArray[np.intp]:
    """Numbers of the rows that are no exact copy of an earlier one."""
    first: dict[bytes, int] = {}
    for i, row in enumerate(rows):
        first.setdefault(blake2b(row.tobytes()).digest(), i)
    return np.array(list(first.values()), dtype=np.intp)


def copies_warning(copies: int, n: int) -> str:
    return (
        f"{copies} of {n} reference rows are exact copies of others; each was used once. "
        "Were two simulations run with one seed, or were rows drawn twice?"
    )


def table(
    observed: ArrayLike,
    reference: ArrayLike,
    observed_defined: ArrayLike | None,
    reference_defined: ArrayLike | None,
    names: Sequence[str] | None,
    units: Sequence[str] | None,
    *,
    where: str,
) -> Table:
    """Check the arguments of :func:`neurofit.check.summary` and lay them out in columns."""
    x, obs = array(reference, "reference", where), array(observed, "observed", where)
    cell = x.shape[1:]
    if x.ndim not in (2, 3) or 0 in cell or obs.ndim not in (x.ndim - 1, x.ndim) or obs.shape[-len(cell) :] != cell:
        raise CheckError(
            "observed and reference do not have the same features",
            where=where,
            expected="observed [features] or [cells, features] with reference [n, features], or "
            "observed [sweeps, features] or [cells, sweeps, features] with reference [n, sweeps, features]",
            found=f"observed {obs.shape}, reference {x.shape}",
        )
    x, obs = _rows(x, cell), _rows(obs, cell)
    number_of_references(len(x), len(obs), where)
    all_names, all_units = _labels(names, units, cell[-1], where)
    if len(cell) == 2:
        all_names = tuple(f"{name}, sweep {i}" for i in range(cell[0]) for name in all_names)
        all_units *= cell[0]
    masks = [
        _mask(obs, observed_defined, cell, "observed", all_names, where),
        _mask(x, reference_defined, cell, "reference", all_names, where),
    ]
    defined = np.concatenate([masks[1], masks[0]])
    values = np.where(defined, np.concatenate([x, obs]), np.nan)
    return _layout(values, defined, len(x), all_names, all_units, where)


def _labels(
    names: Sequence[str] | None, units: Sequence[str] | None, features: int, where: str
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    names = tuple(f"feature {j}" for j in range(features)) if names is None else tuple(map(str, names))
    # the catalogue's unit of counts and ratios, which nobody says
    units = ("",) * features if units is None else tuple("" if unit == "1" else str(unit) for unit in units)
    for what, given in (("names", names), ("units", units)):
        if len(given) != features:
            raise CheckError(
                f"{what} do not match the features",
                where=where,
                expected=f"{features}",
                found=f"{len(given)}",
            )
    if len(set(names)) < len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise CheckError("two features share a name", where=where, found=", ".join(twice))
    return names, units


def _rows(values: NDArray, cell: tuple[int, ...]) -> NDArray:
    """One row a cell, its sweeps side by side; what is not made of cells stays as it is."""
    return values.reshape(-1, math.prod(cell)) if values.shape[-len(cell) :] == cell else values


def _mask(
    values: Array, given: ArrayLike | None, cell: tuple[int, ...], name: str, names: Sequence[str], where: str
) -> Mask:
    defined = np.ones(values.shape, dtype=bool) if given is None else _rows(np.asarray(given), cell)
    if defined.dtype != bool and np.isin(defined, (0, 1)).all():
        defined = defined.astype(bool)
    if defined.dtype != bool or defined.shape != values.shape:
        raise CheckError(
            f"{name}_defined does not match {name}",
            where=where,
            expected=f"True and False, shape {values.shape}",
            found=f"{defined.dtype}, shape {defined.shape}",
        )
    bad = defined & ~np.isfinite(values)
    if bad.any():
        row, feature = np.argwhere(bad)[0]
        raise CheckError(
            f"{name} holds {values[row, feature]} for {names[feature]} in row {row}, said to be defined",
            where=where,
            expected="a finite number wherever a statistic is defined",
            found=f"{bad.sum()} that are not",
            advice=f"If the statistic is undefined there, say so in {name}_defined; if the simulation "
            "failed, leave out its row and report how many failed.",
        )
    return defined


def _layout(values: Array, defined: Mask, n: int, names: tuple[str, ...], units: tuple[str, ...], where: str) -> Table:
    warnings: list[str] = []
    columns: list[Array] = []
    labels: list[Label] = []
    flags: dict[bytes, list[int]] = {}
    same: list[str] = []
    for j, (value, flag) in enumerate(zip(values.T, defined.T, strict=True)):
        if not flag.all():
            flags.setdefault(flag.tobytes(), []).append(j)
        known = int(flag[:n].sum())
        # Which columns take part must not hang on whether the observation defines them: its null would then
        # be that of another kind of row, and silent cells, say, would be rejected too often.
        if known < FEWEST_DEFINED:
            if flag[n:].any() or known:
                warnings.append(
                    f"{names[j]} is defined in {known} of {n} simulations: "
                    "only whether it is was compared, not its value"
                )
        elif not _constant(value[flag]):
            columns.append(value)
            labels.append(Label("value", (j,)))
        elif flag[n:].all():
            same.append(names[j])
    for pattern, features in flags.items():
        flag = np.frombuffer(pattern, dtype=bool)
        if flag.any():
            columns.append(flag.astype(np.float64))
            labels.append(Label("defined", tuple(features)))
        else:
            same.extend(names[j] for j in features)
    if same:
        warnings.append(f"{', '.join(same)}: the same in every simulation and in the observation, so not compared")
    if not columns:
        raise CheckError(
            "nothing to compare: every feature is the same everywhere",
            where=where,
            advice="Give at least one statistic that varies between simulations.",
        )
    return Table(np.column_stack(columns), tuple(labels), names, units, n, tuple(warnings))


def _constant(values: Array) -> bool:
    """Equal up to rounding?"""
    return bool(np.ptp(values) <= 1e-9 * np.abs(values).max())
