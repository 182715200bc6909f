"""The rounds of a method on any simulator, without a recording or a run directory."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neurofit.infer import (
    Cases,
    Density,
    Method,
    Potential,
    Region,
    Summaries,
    fitting_base,
    train_ensemble,
    usable,
)
from neurofit.stages.calibrating import FITTED

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Found:
    """What the rounds of a method leave behind.

    Attributes
    ----------
    density
        At the observation.
    came_from
        What its simulations came from, out of the prior.
    summaries
        As its networks see them.
    simulating, training, calibrating
        Seconds of this process.
    """

    density: Density | Potential
    came_from: Region
    summaries: Summaries
    simulating: float
    training: float
    calibrating: float

    def draws(self, n: int, seed: int = 0) -> Array:
        """``[n, parameter]`` inside the region."""
        z = self.density.sample(2 * n, seed)
        return z[self.came_from(z)][:n]


def infer(
    method: Method,
    deviations: Callable[[Array], Array],
    summaries: Summaries,
    n_parameters: int,
    seed: int,
    calibrated: bool = True,
) -> Found:
    """As :func:`neurofit.fit` does, given ``deviations`` of ``z`` in tolerances."""
    z, found, region, last = np.empty((0, n_parameters)), np.empty((0, len(summaries))), Region(), None
    simulating = training = 0.0
    for number in range(1, method.rounds + 1):
        came_from, begun = region, time.process_time()
        if last is None:
            proposed = np.random.default_rng(seed).standard_normal((method.simulations, n_parameters))
        elif method.truncates:
            proposed = region.propose(method.simulations, seed * 100 + number)
        else:
            proposed = last.density.sample(method.simulations, seed * 100 + number)
        z, found = np.concatenate([z, proposed]), np.concatenate([found, deviations(proposed)])
        simulating, begun = simulating + time.process_time() - begun, time.process_time()
        chosen = usable(z, np.ones(len(z), dtype=bool), region)
        last = train_ensemble(
            z[chosen], found[chosen], summaries, method.schedule,
            seed=seed * 100 + number, members=method.members, workers=1, task=method.task(number),
        )  # fmt: skip
        training += time.process_time() - begun
        if method.truncates:
            region = region.cut(last.density, method.truncation, method.margin, seed * 100 + number)
    assert last is not None
    density, begun = last.density, time.process_time()
    if calibrated and isinstance(density, Density) and density.networks.are_flows:
        around = came_from.around(density, seed)
        z = around.propose(FITTED, seed)
        density = density.rebased(
            fitting_base(density, Cases.of(last.summaries, z, deviations(z), seed, around, FITTED))
        )
    return Found(density, came_from, last.summaries, simulating, training, time.process_time() - begun)
