"""The rounds of truncated sequential neural posterior estimation (TSNPE, Deistler et al. 2022).

Each round proposes from the prior, cut down to the region that the rounds before have not ruled out, and trains on all
simulations inside it. Because the proposal is the prior up to a constant, what is learned is the posterior itself and
needs no correction.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurofit.errors import TrainingError
from neurofit.infer.density import Density
from neurofit.infer.discrepancy import NEAREST
from neurofit.infer.train import Schedule
from neurofit.infer.truncated import prior_inside
from neurofit.infer.valid import METHOD, require, require_type
from neurofit.workers import Report, side_by_side

Array = NDArray[np.float64]
# Proposals are drawn in so many blocks, each from a seed of its own, so that two workers can share them.
BLOCKS = 2


@dataclass(frozen=True)
class Method:
    """How a posterior is found: everything that decides it besides data, model and seed.

    Attributes
    ----------
    rounds, simulations
        How many rounds of how many simulations each.
    members
        Networks in the ensemble.
    schedule
        Network and training.
    truncation
        The share of each round's posterior that its region may leave out, ...
    margin
        ... before the region is widened by this many nats of log density. Near its border every simulation's posterior
        is cut off; the wider it is, the less of that rubs off on the observation's.
    nearest
        Simulations asked for the model's discrepancy.
    """

    rounds: int = 5
    simulations: int = 5000
    members: int = 3
    schedule: Schedule = field(default_factory=Schedule)
    truncation: float = 1e-3
    margin: float = 5.0
    nearest: int = NEAREST

    def __post_init__(self) -> None:
        require(METHOD, self)
        require_type("schedule", self.schedule, Schedule, "Method")

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @staticmethod
    def from_dict(values: dict[str, Any]) -> Method:
        return Method(**{**values, "schedule": Schedule(**values["schedule"])})


@dataclass(frozen=True, eq=False)
class Region:
    """Where the rounds so far have left posterior: the prior's support cut at each round's threshold.

    Attributes
    ----------
    cuts
        ``(density, threshold)`` of each round, oldest first.
    """

    cuts: Sequence[tuple[Density, float]] = ()

    def __call__(self, z: Array) -> NDArray[np.bool_]:
        """``[row]``: does each row of ``z`` lie inside?"""
        inside = np.ones(len(z), dtype=bool)
        # the newest cut is the tightest, and the others are only asked about what it leaves
        for density, threshold in reversed(self.cuts):
            inside[inside] = density.log_prob(z[inside]) > threshold
        return inside

    def cut(self, density: Density, share: float, margin: float, seed: int) -> Region:
        """The region with one more round's cut, ``margin`` nats below what leaves out ``share`` of its posterior."""
        z = density.sample(5000, seed)
        threshold = float(np.quantile(density.log_prob(z), share)) - margin
        if not np.isfinite(threshold):
            raise TrainingError(
                "The network's density of its own draws is not finite: it did not learn anything usable. The "
                "simulations are kept; another seed, density estimator or smaller network is another run, in another "
                "directory."
            )
        return Region((*self.cuts, (density, threshold)))

    def propose(self, n: int, seed: int, workers: int = 1, report: Report | None = None) -> Array:
        """``n`` draws of the prior inside the region, ``[n, parameter]`` in ``z``.

        Parameters
        ----------
        seed
            Fixes the draws, whatever the number of workers.
        report
            Called with the share done and a note.
        """
        if not self.cuts:
            raise ValueError("without a cut the region is the prior itself")
        start = self.cuts[-1][0].sample(5000, seed)
        sizes = [len(block) for block in np.array_split(np.arange(n), BLOCKS)]
        generators = [np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(BLOCKS)]
        jobs = [(self, start, size, rng) for size, rng in zip(sizes, generators, strict=True)]
        return np.concatenate(side_by_side(prior_inside, jobs, workers, report))


def usable(z: Array, valid: NDArray[np.bool_], region: Callable[[Array], NDArray[np.bool_]]) -> NDArray[np.bool_]:
    """Which simulations a round may train on: valid ones inside the region, whichever round they come from."""
    return np.asarray(valid & region(z))
