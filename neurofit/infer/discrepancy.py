"""Where the model cannot follow the cell: tolerances widened by what even the nearest simulations miss.

A density estimator that has never seen anything like the observation extrapolates, and an extrapolated posterior means
nothing. So before each round the simulations nearest to the cell are looked up, and where they all miss a passive or
spike-shape feature in the same direction, its tolerance is widened by that miss. What a cell *does* (its firing) is
never excused. In early rounds the nearest simulations are far and everything is wide, later the tolerances close in
on the declared ones; what stays wide at the end is the model's discrepancy, and the report names it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from neurofit.features.catalogue import feature_of
from neurofit.infer.summaries import Summaries

# Sides of a cell on which a model may fall short; what it fires and what the rig adds are never excused.
EXCUSABLE = ("passive", "spike shape")
# How many of the nearest simulations are asked.
NEAREST = 100
# A summary that is undefined in a simulation counts as this many tolerances away.
UNDEFINED_IS = 20.0
# Nearest changes with the tolerances; this many passes settle it.
_PASSES = 4


def widened(declared: Summaries, deviations: NDArray[np.float64], nearest: int = NEAREST) -> tuple[Summaries, float]:
    """The summaries with their tolerances widened, and how near the nearest simulations are.

    Parameters
    ----------
    declared
        With the tolerances as declared.
    deviations
        ``[simulation, summary]`` in declared tolerances (NaN where undefined), of all simulations so far.

    Returns
    -------
    Summaries
        With ``tolerance`` multiplied by ``sqrt(1 + m**2)``, ``m`` the median miss of the nearest simulations.
    float
        Root mean square distance of the nearest, in widened tolerances.
    """
    excusable = np.array([feature_of(name).aspect in EXCUSABLE for name in declared.names])
    filled = np.nan_to_num(deviations, nan=UNDEFINED_IS)
    factor = np.ones(len(declared))
    k = min(nearest, len(filled))
    for _ in range(_PASSES):
        squared = ((filled / factor) ** 2).mean(axis=1)
        near = np.argpartition(squared, k - 1)[:k]
        miss = np.median(filled[near], axis=0)
        factor = np.where(excusable, np.sqrt(1 + miss**2), 1.0)
    distance = float(np.sqrt(((filled[near] / factor) ** 2).mean()))
    return replace(declared, tolerance=declared.tolerance * factor), distance


def widest(declared: Summaries, used: Summaries, at_least: float = 1.5) -> Sequence[tuple[str, float]]:
    """``(summary, factor)`` of the tolerances that were widened by at least that factor, widest first."""
    factor = used.tolerance / declared.tolerance
    order = np.argsort(-factor)
    return [(declared.names[j], float(factor[j])) for j in order if factor[j] >= at_least]
