"""Can this model and prior make the cell at all?  A rule by sizes, asked before any training.

A feature of the cell is **out of reach** if fewer than 1 in 2,000 simulations

* come within three tolerances of its value, where those that do not have the feature come within none, or
* lack it as the cell does, where the cell has none.

A fit stops before training if a feature of the cell's passive properties, firing or spike shape is out of reach **and**
the cell lies outside the prior predictive, tolerances included (p <= .05 of the summary check).

The size comes first: a simulator is quieter than a rig, and with enough simulations every difference has a small p. But
a size alone would stop fits that are right: at the thin end of a wide range the next simulation may be many tolerances
away (a count of 110 among counts of up to 100), and there the p-value, which knows how thin that end is, has its say.
What the rig adds (noise at rest, electrode) is named and stops nothing.

That every feature alone is within reach says nothing about all of them together: a few thousand simulations of a dozen
parameters cannot show that no parameters do, and the rounds are there to look for them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurofit.check.conflict import SIDES
from neurofit.features.table import on_scale

Array = NDArray[np.float64]

WITHIN = 3.0
HARDLY = 1 / 2000
LEVEL = 0.05
# A feature that hardly any simulation has, or that hardly any lacks, counts as this many tolerances away.
FARTHEST = 20.0
# How many features the sentences name.
NAMED = 5


@dataclass(frozen=True)
class OutOfReach:
    """A feature of the cell that hardly any simulation comes near.

    Attributes
    ----------
    name, label, unit, aspect
        Which feature.
    recorded
        The cell's value; ``None`` where it does not have the feature.
    near
        How many simulations come within :data:`WITHIN` tolerances, or lack it too.
    nearest
        The value of the nearest simulation; ``None`` where hardly any has the feature, or the cell does not.
    tolerances
        How far that is from the cell; 20 where it is ``None``.
    low, high
        99 % range of the simulations that have it, if any does.
    have
        How many do.
    """

    name: str
    label: str
    unit: str
    aspect: str
    recorded: float | None
    near: int
    nearest: float | None
    tolerances: float
    low: float | None
    high: float | None
    have: int

    @property
    def is_far(self) -> bool:
        """Have both the feature, and lie far apart?  Otherwise it is having it that tells them apart."""
        return self.recorded is not None and self.nearest is not None

    def sentence(self, n: int) -> str:
        """``Spike half-width 1.1 ms: no simulation of 5,000 comes nearer than 2.3 ms (3.7 tolerances; ...).``"""
        unit = "" if self.unit == "1" else f" {self.unit}"
        name = self.label[:1].upper() + self.label[1:]
        few = f"only {self.near} of {n:,} simulations" if self.near else f"none of {n:,} simulations"
        if self.recorded is None:
            return f"{name}: the cell has none, as {few}."
        if self.nearest is None:
            return f"{name} {self.recorded:.3g}{unit}: {few} comes near it, and only {self.have} have one at all."
        those = "them" if self.have == n else "those that have one"
        ranging = f"99 % of {those} {self.low:.3g} to {self.high:.3g}{unit}"
        if self.near:
            return f"{name} {self.recorded:.3g}{unit}: {few} come within {WITHIN:g} tolerances ({ranging})."
        return (
            f"{name} {self.recorded:.3g}{unit}: no simulation of {n:,} comes nearer than {self.nearest:.3g}{unit} "
            f"({self.tolerances:.1f} tolerances; {ranging})."
        )


@dataclass(frozen=True)
class Reach:
    """What of the cell the prior can make.

    Attributes
    ----------
    n
        Number of simulations.
    p_value
        Of the summary check against them.
    out
        Features out of reach, the farthest first.
    """

    n: int
    p_value: float
    out: tuple[OutOfReach, ...]

    @property
    def hopeless(self) -> bool:
        """Is there no point in training?"""
        return self.p_value <= LEVEL and any(feature.aspect in SIDES for feature in self.out)

    def sentences(self) -> tuple[str, ...]:
        """The features out of reach, each once, the farthest first; then those that only one of the two has."""
        told = []
        groups = _grouped(feature for feature in self.out if feature.is_far)
        for worst, *others in list(groups.values())[:NAMED]:
            more = f" The same in {len(others)} more sweep{'' if len(others) == 1 else 's'}." if others else ""
            told.append(worst.sentence(self.n) + more)
        if len(groups) > NAMED:
            told.append(f"Out of reach too: {', '.join(list(groups)[NAMED:])}.")
        for of_cell, words in ((True, "The cell has, and hardly any simulation does"), (False, "The cell lacks, and")):
            groups = _grouped(f for f in self.out if not f.is_far and (f.recorded is not None) == of_cell)
            if groups:
                named = ", ".join(f"{name}{_sweeps(group)}" for name, group in groups.items())
                told.append(f"{words}: {named}." if of_cell else f"{words} nearly every simulation has: {named}.")
        return tuple(told)

    def sides(self) -> dict[str, str]:
        """``{side: features out of reach}``, empty text where there is none."""
        by_side = {side: list(_grouped(feature for feature in self.out if feature.aspect == side)) for side in SIDES}
        return {side: ", ".join(names) for side, names in by_side.items()}

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for the run directory."""
        return {**asdict(self), "hopeless": self.hopeless}

    @staticmethod
    def from_dict(values: Mapping[str, Any]) -> Reach:
        return Reach(values["n"], values["p_value"], tuple(OutOfReach(**feature) for feature in values["out"]))


def reach(
    observed: Array,
    simulated: Array,
    tolerance: Array,
    log: NDArray[np.bool_],
    about: Sequence[Mapping[str, str]],
    p_value: float,
) -> Reach:
    """Apply the rule for features.

    Parameters
    ----------
    observed, simulated
        ``[feature]`` and ``[n, feature]``, in the features' units; NaN where undefined.
    tolerance, log
        ``[feature]``: standard deviation and whether it is meant on a logarithmic scale.
    about
        ``name``, ``label``, ``unit`` and ``aspect`` of each.
    p_value
        Of the summary check of the same.
    """
    n = len(simulated)
    distance = np.abs(on_scale(simulated, log) - on_scale(observed, log)) / tolerance
    has_it, have = np.isfinite(observed), np.isfinite(simulated).sum(axis=0)
    near = np.where(has_it, (distance <= WITHIN).sum(axis=0), n - have)
    out = []
    for j in np.flatnonzero(near < HARDLY * n).tolist():
        values = simulated[np.isfinite(simulated[:, j]), j]
        low, high = np.quantile(values, [0.005, 0.995]).tolist() if len(values) else (None, None)
        nearest, tolerances = None, FARTHEST
        if has_it[j] and have[j] >= HARDLY * n:
            row = int(np.nanargmin(distance[:, j]))
            nearest, tolerances = float(simulated[row, j]), float(distance[row, j])
        recorded = float(observed[j]) if has_it[j] else None
        found = OutOfReach(
            **about[j], recorded=recorded, near=int(near[j]), nearest=nearest, tolerances=tolerances,
            low=low, high=high, have=int(have[j]),
        )  # fmt: skip
        out.append(found)
    # of those that are equally far, features of the whole cell come first
    farthest_first = sorted(out, key=lambda found: (not found.is_far, -found.tolerances, "@" in found.name))
    return Reach(n, p_value, tuple(farthest_first))


def _whole(feature: OutOfReach) -> str:
    """A feature's label without its sweep."""
    return feature.label.rpartition(" at ")[0] if "@" in feature.name else feature.label


def _grouped(features: Iterable[OutOfReach]) -> dict[str, list[OutOfReach]]:
    """``{label without the sweep: features}``, in the order in which they come."""
    groups: dict[str, list[OutOfReach]] = {}
    for feature in features:
        groups.setdefault(_whole(feature), []).append(feature)
    return groups


def _sweeps(group: Sequence[OutOfReach]) -> str:
    if "@" not in group[0].name:
        return ""
    return f" in {len(group)} sweep{'' if len(group) == 1 else 's'}"
