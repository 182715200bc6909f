"""Can the model do two things at once?  What simulations that match one side of the cell do on the other.

Every feature may be within a model's reach and their combination out of it. Of all simulations of a run, those most
like the cell in one aspect (its firing, say) are looked up; where another feature of theirs then lies to one side of
the cell's, the two conflict.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# The sides of a cell that a model is asked to explain.
SIDES = ("passive", "firing", "spike shape")
# What each is called in a sentence, after "its" or "the cell's".
CALLED = {"passive": "passive properties", "firing": "firing", "spike shape": "spike shape"}
# The nearest simulations in the given aspect; they count as alike if they are this near on average.
NEAREST = 200
ALIKE = 2.0
# How many conflicts a sentence names.
TOLD = 6
# In conflict: the cell outside the central 90 % of those simulations, their median more than so many tolerances off.
TOLERANCES = 1.0
_UNDEFINED_IS = 20.0


@dataclass(frozen=True)
class Conflict:
    """A feature that simulations cannot have while they are like the cell in an aspect.

    Attributes
    ----------
    feature, unit
        The feature, in words.
    given
        The aspect in which the simulations are like the cell.
    recorded, low, median, high
        The cell's value, and 5 %, 50 %, 95 % of those simulations'.
    tolerances
        How far the median is from the cell.
    """

    name: str
    feature: str
    unit: str
    given: str
    recorded: float
    low: float
    median: float
    high: float
    tolerances: float

    def sizes(self) -> str:
        unit = "" if self.unit == "1" else f" {self.unit}"
        return (
            f"{self.feature} {self.median:.3g}{unit} (90 % {self.low:.3g} to {self.high:.3g}; "
            f"the cell {self.recorded:.3g}{unit})"
        )


@dataclass(frozen=True)
class Conflicts:
    """All conflicts with one aspect.

    Attributes
    ----------
    given
        The aspect.
    alike, of
        How many simulations were found to be like the cell in it, of how many; 0 of 0 if no summary is of that aspect.
    distance
        Their root mean square distance from the cell in it, in tolerances.
    found
        The conflicts, worst first.
    """

    given: str
    alike: int
    of: int
    distance: float
    found: tuple[Conflict, ...]

    def sentence(self) -> str:
        given = CALLED[self.given]
        if self.of == 0:
            return f"None of the fitted features is of its {given}."
        if self.alike == 0:
            return (
                f"None of {self.of:,} simulations has the cell's {given}: "
                f"the nearest are {self.distance:.1f} tolerances off on average."
            )
        start = f"The {self.alike} of {self.of:,} simulations most like the cell in its {given}, counted in tolerances,"
        if not self.found:
            return f"{start} agree with it elsewhere too."
        told = self.told()
        names = [c.feature for c in told]
        listed = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
        verb = "conflicts" if len(names) == 1 else "conflict"
        sizes = "; ".join(c.sizes() for c in told)
        return f"{listed[0].upper()}{listed[1:]} {verb} with its {given}. {start} have: {sizes}."

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for the run directory."""
        return {**vars(self), "found": [vars(c) for c in self.found], "sentence": self.sentence()}

    def told(self) -> tuple[Conflict, ...]:
        """Those that a sentence names: features of the whole cell rather than of single sweeps, worst first."""
        cell = [c for c in self.found if "@" not in c.name]
        return tuple(cell or self.found)[:TOLD]


def conflicts_with(
    given: str, deviations: Array, values: Array, recorded: Array, about: Sequence[Mapping[str, str]]
) -> Conflicts:
    """Look up the simulations most like the cell in one aspect, and what else they do.

    Parameters
    ----------
    given
        An aspect.
    deviations
        ``[simulation, summary]`` from the observation, in declared tolerances, NaN where undefined.
    values
        The same in the summaries' units.
    recorded
        ``[summary]``.
    about
        ``name``, ``label``, ``unit`` and ``aspect`` of each summary.
    """
    aspect = np.array([words["aspect"] for words in about])
    mine = aspect == given
    if not mine.any():
        return Conflicts(given, 0, 0, 0.0, ())
    distance = np.sqrt((np.nan_to_num(deviations[:, mine], nan=_UNDEFINED_IS) ** 2).mean(axis=1))
    near = np.argsort(distance)[: min(NEAREST, len(distance))]
    near_by = float(distance[near].mean())
    if near_by > ALIKE:
        return Conflicts(given, 0, len(deviations), near_by, ())
    found = []
    for j in np.flatnonzero(np.isin(aspect, SIDES) & ~mine).tolist():
        defined = np.isfinite(values[near, j])
        if defined.mean() < 0.5:
            continue
        low, median, high = np.quantile(values[near, j][defined], [0.05, 0.5, 0.95]).tolist()
        off = float(np.median(deviations[near, j][defined]))
        if not low <= recorded[j] <= high and abs(off) > TOLERANCES:
            words = about[j]
            sizes = (float(recorded[j]), low, median, high, off)
            found.append(Conflict(words["name"], words["label"], words["unit"], given, *sizes))
    worst_first = tuple(sorted(found, key=lambda conflict: -abs(conflict.tolerances)))
    return Conflicts(given, len(near), len(deviations), near_by, worst_first)
