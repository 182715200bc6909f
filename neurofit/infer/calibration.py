"""Are the posterior's intervals as wide as they should be?  Expected coverage, near the observation.

For simulations that no network was trained on, drawn from the prior inside the last region, the true parameters are
known: a credible region of 90 % must hold them in 90 % of the cases (Hermans et al. 2022). This shows that the
posterior agrees with the model and the stated tolerances, not that the model is true.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from neurofit.infer.density import Density
from neurofit.infer.summaries import Summaries

Array = NDArray[np.float64]
LEVELS = np.array([0.5, 0.68, 0.8, 0.9, 0.95])


@dataclass(frozen=True, eq=False)
class Coverage:
    """Expected coverage on held-out simulations.

    Attributes
    ----------
    levels, covered
        Credible levels, and the share of simulations whose parameters their highest-density region held.
    ranks
        ``[simulation]``: share of posterior draws with a higher density than the true parameters.
    marginal
        ``[parameter]``: coverage of the central 90 % interval of each parameter.
    """

    levels: Array
    covered: Array
    ranks: Array
    marginal: Array

    def sentence(self) -> str:
        n = len(self.ranks)
        j = int(np.flatnonzero(self.levels == 0.9)[0])
        error = np.sqrt(0.9 * 0.1 / n)
        word = "as they should"
        if self.covered[j] < 0.9 - 2 * error:
            word = "too narrow"
        elif self.covered[j] > 0.9 + 2 * error:
            word = "wider than needed"
        return (
            f"90 % regions held the true parameters of {self.covered[j]:.0%} of {n} held-out simulations near the "
            f"observation ({word}; chance alone moves this by +-{2 * error:.0%})."
        )


def expected_coverage(
    density: Density,
    summaries: Summaries,
    z: Array,
    deviations: Array,
    seed: int,
    draws: int = 200,
    most: int = 300,
) -> Coverage:
    """Coverage of the posterior for simulations whose parameters are known.

    Parameters
    ----------
    z, deviations
        ``[simulation, parameter]`` and ``[simulation, summary]``, held out of training; noise of one tolerance is
        added, as in training.
    draws
        Posterior draws for each simulation.
    most
        At most so many simulations.
    """
    z, deviations = z[:most], deviations[:most]
    noise = np.random.default_rng(seed).standard_normal(deviations.shape)
    x = summaries.encode(torch.as_tensor(deviations + noise, dtype=torch.float32))
    samples = density.sample(draws, seed, x)  # [draw, simulation, parameter]
    own = density.log_prob(z, x)
    flat = density.log_prob(samples.reshape(-1, z.shape[1]), x.repeat(draws, 1)).reshape(draws, -1)
    ranks = (flat > own).mean(axis=0)
    inside = (np.quantile(samples, 0.05, axis=0) <= z) & (z <= np.quantile(samples, 0.95, axis=0))
    return Coverage(LEVELS, np.array([(ranks <= level).mean() for level in LEVELS]), ranks, inside.mean(axis=0))
