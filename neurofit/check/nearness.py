"""Does the prior reach the cell?  How near simulations come to it, beside how near they come to each other.

A prior predictive check asks whether the cell's features are strange. Those of a cell at the far end of every range
need not be: a few simulations lie out there too. But they are few and far between, and a network has next to nothing
to learn from there. So the distance to the nearest simulations is ranked among the simulations' own.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# How many of the nearest are looked at.
NEAREST = 10
# Two values further apart than this many tolerances, or of which only one is defined, count as this far.
FARTHEST = 20.0
# A feature lies at the edge if fewer simulations than this lie beyond it; a sentence names so many.
EDGE = 0.05
NAMED = 4
LEVEL = 0.05


@dataclass(frozen=True)
class Edge:
    """A feature of the cell that lies at the edge of what simulations do.

    Attributes
    ----------
    name, label
        A column, and its feature in words.
    beyond
        Share of the simulations that lie on the cell's other side, from 1 - :data:`EDGE` to 1.
    above
        Does the cell lie above them?
    """

    name: str
    label: str
    beyond: float
    above: bool


@dataclass(frozen=True)
class Nearness:
    """How near simulations come to the cell.

    Attributes
    ----------
    p_value
        Share of the simulations that are at least as far from their nearest as the cell is from its.
    distance
        Of the cell from its ten nearest, on average, in tolerances.
    usual
        5 %, 50 % and 95 % of the same of the simulations.
    n
        Number of simulations.
    edges
        Features at the edge, the furthest out first.
    """

    p_value: float
    distance: float
    usual: tuple[float, float, float]
    n: int
    edges: tuple[Edge, ...]

    @property
    def reached(self) -> bool:
        return self.p_value > LEVEL

    def sentences(self) -> tuple[str, ...]:
        """What was found, in words."""
        low, middle, high = self.usual
        sizes = (
            f"its ten nearest of {self.n:,} simulations are {self.distance:.1f} tolerances away on average, those of a "
            f"simulation {middle:.1f} (90 % {low:.1f} to {high:.1f})"
        )
        if self.reached:
            return (f"The prior reaches the cell: {sizes}; p = {self.p_value:.2g}.",)
        found = [f"The prior does not cover this cell: {sizes}; p = {self.p_value:.2g}."]
        if self.edges:
            found.append(f"At the edge of what it makes: {'; '.join(_grouped(self.edges))}.")
        found.append("Widen the prior where it is too narrow, or take another model.")
        return tuple(found)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for the run directory."""
        return asdict(self)

    @staticmethod
    def from_dict(values: Mapping[str, Any]) -> Nearness:
        edges = tuple(Edge(**edge) for edge in values["edges"])
        return Nearness(**{**values, "usual": tuple(values["usual"]), "edges": edges})


def nearness(observed: Array, reference: Array, names: Sequence[str], labels: Sequence[str], seed: int) -> Nearness:
    """Rank the cell's distance from its nearest simulations among the simulations' own.

    Parameters
    ----------
    observed
        ``[feature]`` in tolerances, on each feature's own scale; NaN where undefined.
    reference
        ``[n, feature]``, the same of simulations without noise.
    names, labels
        ``[feature]``: columns, and their features in words.
    seed
        Of the noise of one tolerance that the simulations get: the cell, if it is one of them, has it too.
    """
    noise = np.random.default_rng(seed).standard_normal(reference.shape)
    cells = np.vstack([observed, reference + noise])
    alone = _alone(cells)
    return Nearness(
        p_value=float((alone >= alone[0]).mean()),
        distance=float(alone[0]),
        usual=tuple(np.quantile(alone[1:], [0.05, 0.5, 0.95]).tolist()),
        n=len(reference),
        edges=tuple(sorted(_edges(cells, names, labels), key=lambda edge: -edge.beyond)),
    )


def _alone(cells: Array) -> Array:
    """``[cell]``: mean distance from the nearest others, root mean square over the features that either defines."""
    defined = np.isfinite(cells)
    values = np.where(defined, cells, 0.0)
    result = np.empty(len(cells))
    for i in range(len(cells)):
        apart = np.minimum(np.abs(values - values[i]), FARTHEST)
        apart[defined != defined[i]] = FARTHEST
        either = np.maximum((defined | defined[i]).sum(axis=1), 1)
        distance = np.sqrt((apart**2).sum(axis=1) / either)
        distance[i] = np.inf
        result[i] = np.partition(distance, NEAREST)[:NEAREST].mean()
    return result


def _edges(cells: Array, names: Sequence[str], labels: Sequence[str]) -> Iterator[Edge]:
    for j, (name, label) in enumerate(zip(names, labels, strict=True)):
        others = cells[1:, j][np.isfinite(cells[1:, j])]
        if not np.isfinite(cells[0, j]) or len(others) < 1 / EDGE:
            continue
        below, above = float((others < cells[0, j]).mean()), float((others > cells[0, j]).mean())
        if max(below, above) > 1 - EDGE:
            yield Edge(name, label, max(below, above), below > above)


def _grouped(edges: Sequence[Edge]) -> list[str]:
    """``spike count in 6 sweeps above 98 to 99 % of simulations``, the features with most edges first."""
    in_order = sorted(edges, key=lambda edge: (edge.label, edge.above))
    groups = [list(group) for _, group in groupby(in_order, key=lambda edge: (edge.label, edge.above))]
    told = []
    for group in sorted(groups, key=lambda group: (-len(group), -max(edge.beyond for edge in group)))[:NAMED]:
        # rounded down: only what lies beyond all of them says 100 %
        low, high = (math.floor(100 * f(edge.beyond for edge in group)) for f in (min, max))
        share = f"{low}" if low == high else f"{low} to {high}"
        where = f" in {len(group)} sweeps" if len(group) > 1 else ""
        side = "above" if group[0].above else "below"
        told.append(f"{group[0].label}{where}, {side} {share} % of simulations")
    return told
