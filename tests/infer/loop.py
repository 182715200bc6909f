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
    proposing, simulating, training, calibrating
        Seconds of this process.
    """

    density: Density | Potential
    came_from: Region
    summaries: Summaries
    proposing: float
    simulating: float
    training: float
    calibrating: float

    def draws(self, n: int, seed: int = 0) -> Array:
        """``[n, parameter]`` inside the region, or as many as twice that many draws hold."""
        z = self.density.sample(2 * n if self.came_from.cuts else n, seed)
        return z[self.came_from(z)][:n]


def infer(
    method: Method,
    deviations: Callable[[Array, int], Array],
    summaries: Summaries,
    n_parameters: int,
    seed: int,
    calibrated: bool = True,
) -> Found:
    """As :func:`neurofit.fit` does.

    Parameters
    ----------
    deviations
        ``(z, seed) -> [row, summary]`` in tolerances, NaN where undefined; a row of NaN is an invalid simulation.
    calibrated
        Move and widen the flows' base by ``method.cases_fitted`` simulations more.
    """
    z, found, region, last = np.empty((0, n_parameters)), np.empty((0, len(summaries))), Region(), None
    proposing = simulating = training = calibrating = 0.0
    for number in range(1, method.rounds + 1):
        came_from, own_seed = region, seed * 100 + number
        with _Clock() as clock:
            if last is None:
                proposed = np.random.default_rng([seed, 1]).standard_normal((method.simulations, n_parameters))
            elif method.truncates:
                proposed = region.propose(method.simulations, own_seed)
            else:
                proposed = last.density.sample(method.simulations, own_seed)
        proposing += clock.seconds
        with _Clock() as clock:
            new = deviations(proposed, seed if number == 1 else own_seed)
        simulating += clock.seconds
        z, found = np.concatenate([z, proposed]), np.concatenate([found, new])
        chosen = usable(z, np.isfinite(found).any(axis=1), region)
        with _Clock() as clock:
            last = train_ensemble(
                z[chosen], found[chosen], summaries.seen_in(found[chosen]), method.schedule,
                seed=own_seed, members=method.members, workers=1, task=method.task(number),
            )  # fmt: skip
            if method.truncates:
                region = region.cut(last.density, method.truncation, method.margin, own_seed)
        training += clock.seconds
    assert last is not None
    density = last.density
    if calibrated and isinstance(density, Density) and density.networks.are_flows:
        with _Clock() as clock:
            cases = fresh_cases(
                last.summaries, deviations, came_from.around(density, seed), method.cases_fitted, 2 * seed
            )
            density = density.rebased(fitting_base(density, cases))
        calibrating = clock.seconds
    return Found(density, came_from, last.summaries, proposing, simulating, training, calibrating)


def fresh_cases(
    summaries: Summaries, deviations: Callable[[Array, int], Array], around: Region, n: int, seed: int
) -> Cases:
    """Simulations of known parameters in a region."""
    z = around.propose(n, seed)
    found = deviations(z, 10**6 + seed)
    valid = np.isfinite(found).any(axis=1)
    return Cases.of(summaries, z[valid], found[valid], seed, around, most=n)


class _Clock:
    """Seconds of this process and its threads."""

    def __enter__(self) -> _Clock:
        self._begun = time.process_time()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds = time.process_time() - self._begun
