"""Calibration of a posterior near the observation, on simulations that it was not trained on.

The posterior that counts is the observation's, so the simulations come from the prior inside the region that *it*
fills. Nothing was trained on that region's border: cutting a posterior off there is Bayes' rule, for a method of any
kind, and the comparison exact. (Cutting off at the border of the last round's simulations is not: networks smooth that
border over, and posteriors that reach it look too narrow though the observation's, far from it, is right.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from neurofit.errors import TrainingError
from neurofit.infer.calibration import Calibration, assess
from neurofit.infer.density import Density
from neurofit.infer.potential import Potential
from neurofit.infer.summaries import Summaries
from neurofit.infer.truncated import Inside

Array = NDArray[np.float64]
# Posterior draws of a case, and how often they are drawn again where they fall outside the region.
DRAWS = 50
ATTEMPTS = 10


@dataclass(frozen=True, eq=False)
class Cases:
    """Simulations of known parameters around the observation, as the networks see them.

    Attributes
    ----------
    z
        ``[case, parameter]``: the truth.
    x
        ``[case, input]``: noise of one tolerance added, undefined features encoded as in training.
    region
        ``[row, parameter] -> [row]``: what the truths were drawn from, out of the prior; everything if ``None``.
    seed
        Of the noise and of every posterior's draws.
    """

    z: Array
    x: torch.Tensor
    region: Inside | None
    seed: int

    @staticmethod
    def of(
        summaries: Summaries, z: Array, deviations: Array, seed: int, region: Inside | None = None, most: int = 400
    ) -> Cases:
        """From ``z`` ``[simulation, parameter]`` and ``deviations`` ``[simulation, summary]`` (NaN where undefined).

        Parameters
        ----------
        most
            At most so many simulations, chosen at random.
        """
        rng = np.random.default_rng(seed).spawn(1)[0]  # not the numbers that the draws are made of
        chosen = np.sort(rng.permutation(len(z))[:most])
        noisy = summaries.before_noise(deviations[chosen]) + rng.standard_normal((len(chosen), len(summaries)))
        return Cases(z[chosen], summaries.encode(torch.as_tensor(noisy, dtype=torch.float32)), region, seed)

    def draws(self, density: Density | Potential, n: int) -> tuple[Array, NDArray[np.bool_]]:
        """``[n, case, parameter]`` of each case's posterior inside the region, and ``[case]``: could they be found?

        Raises
        ------
        TrainingError
            If they could for hardly any.
        """
        samples, kept = draws_inside(density, self.x, self.region, n, self.seed)
        if kept.sum() < 2:
            raise TrainingError(
                "Of hardly any simulation near the observation does the posterior lie near the observation's: the "
                "networks are not to be trusted. Try more simulations in a round."
            )
        return samples[:, kept], kept


def assess_held_out(
    density: Density | Potential, summaries: Summaries, cases: Cases, names: Sequence[str]
) -> Calibration:
    """Check a trained density on simulations that were held out of its training.

    Draws outside the region are drawn again. A simulation whose posterior lies almost wholly outside is left out and
    counted: that depends on its data only, so the others are judged alike.

    Raises
    ------
    TrainingError
        If hardly any simulation's posterior lies inside the region.
    """
    samples, kept = cases.draws(density, max(DRAWS, 3 * len(names)))
    z, x = cases.z[kept], cases.x[kept]
    observed = summaries.encode(torch.zeros(1, len(summaries)))
    log_draws, log_truths = log_densities(density, samples, z, x)
    found = assess(
        samples, z, names, seed=cases.seed, log_draws=log_draws, log_truths=log_truths,
        distances=torch.linalg.vector_norm(x - observed, dim=1).numpy(),
    )  # fmt: skip
    return replace(found, left_out=int((~kept).sum()))


def log_densities(density: Density | Potential, samples: Array, z: Array, x: torch.Tensor) -> tuple[Array, Array]:
    """``[draw, case]`` of draws and ``[case]`` of truths."""
    n = len(samples)
    log_draws = density.log_prob(samples.reshape(-1, z.shape[1]), x.repeat(n, 1)).reshape(n, -1)
    return log_draws, density.log_prob(z, x)


def draws_inside(
    density: Density | Potential,
    x: torch.Tensor,
    region: Inside | None,
    n: int,
    seed: int,
) -> tuple[Array, NDArray[np.bool_]]:
    """``[n, case, parameter]`` draws inside the region, and ``[case]``: were so many found?"""
    if isinstance(density, Potential):
        return density.sample(n, seed, x, region), np.ones(len(x), dtype=bool)
    first = density.sample(n, seed, x)
    if region is None:
        return first, np.ones(len(x), dtype=bool)
    samples, found = np.zeros_like(first), np.zeros(len(x), dtype=np.intp)
    short = np.arange(len(x))
    for attempt in range(ATTEMPTS):
        more = density.sample(n, seed + attempt, x[short]) if attempt else first
        inside = region(more.reshape(-1, more.shape[2])).reshape(n, -1)
        for case, own, good in zip(short, more.swapaxes(0, 1), inside.T, strict=True):
            fresh = own[good][: n - found[case]]
            samples[found[case] : found[case] + len(fresh), case] = fresh
            found[case] += len(fresh)
        short = np.flatnonzero(found < n)
        if not len(short):
            break
    return samples, found == n
