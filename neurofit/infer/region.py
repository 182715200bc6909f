"""What truncated sequential neural posterior estimation (TSNPE, Deistler et al. 2022) keeps of the prior.

Each round proposes from the prior, cut down to the region that the rounds before have not ruled out, and trains on all
simulations inside it. Because the proposal is the prior up to a constant, what is learned is the posterior itself and
needs no correction.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neurofit.errors import TrainingError
from neurofit.infer.density import Density
from neurofit.infer.potential import Potential
from neurofit.infer.truncated import prior_inside
from neurofit.workers import Report, side_by_side

Array = NDArray[np.float64]
# Proposals are drawn in so many blocks, each from a seed of its own, so that two workers can share them.
BLOCKS = 2
# The observation's surroundings: its posterior's region of highest density but for this share, and this many nats more.
# Well inside of the last round's region, whose border the networks smooth over.
AROUND_SHARE, AROUND_MARGIN = 1e-3, 2.5


@dataclass(frozen=True, eq=False)
class Region:
    """Where the rounds so far have left posterior: the prior's support cut at each round's threshold.

    Attributes
    ----------
    cuts
        ``(density, threshold)`` of each round, oldest first.
    """

    cuts: Sequence[tuple[Density | Potential, float]] = ()

    def __call__(self, z: Array) -> NDArray[np.bool_]:
        """``[row]``: does each row of ``z`` lie inside?"""
        inside = np.ones(len(z), dtype=bool)
        # the newest cut is the tightest, and the others are only asked about what it leaves
        for density, threshold in reversed(self.cuts):
            inside[inside] = density.log_prob(z[inside]) > threshold
        return inside

    def cut(self, density: Density | Potential, share: float, margin: float, seed: int) -> Region:
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

    def around(self, density: Density | Potential, seed: int) -> Region:
        """What a posterior fills of the region: where it is looked at whether its intervals are right."""
        return self.cut(density, AROUND_SHARE, AROUND_MARGIN, seed)

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
