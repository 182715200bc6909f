"""Three ways to ask whether truths lie among a posterior's draws as one more draw would.

A truth's *share* is how much of the posterior lies before it in some order of the parameter space: below it in one
parameter (simulation-based calibration, Talts et al. 2018), denser than it (expected coverage, Hermans et al. 2022), or
nearer to a point chosen without looking (TARP, Lemos et al. 2023). Under a right posterior every share is uniform
between 0 and 1, exactly: draws and truth are then alike, and a rank among so many draws is spread evenly over its step.

sbi has these three too. They are written out here because a case with an undefined feature has to stay in (sbi drops
its row), and because each p-value has to hold its level (sbi tests TARP's binned curve as if it were a sample).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.stats import kstest, kstwo

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Shares:
    """Shares of the posterior before each truth, in one order of the parameter space or in several.

    Attributes
    ----------
    values
        ``[case, order]``, between 0 and 1; uniform under a right posterior.
    names
        ``[order]``: what is put in order, for the sentence; of a single order, empty.
    even, uneven
        What a pass and an alarm mean, in words.
    """

    values: Array
    names: tuple[str, ...]
    even: str
    uneven: str

    @cached_property
    def p_values(self) -> Array:
        """``[order]``: Kolmogorov-Smirnov test of uniformity, of each order by itself."""
        return np.array([kstest(column, "uniform").pvalue for column in self.values.T])

    @property
    def p_value(self) -> float:
        """Of all orders together (Bonferroni)."""
        return min(1.0, self.values.shape[1] * float(self.p_values.min()))

    def curves(self, levels: Array) -> Array:
        """``[order, level]``: how often the region that holds so much of the posterior holds the truth."""
        return np.array([(self.values <= level).mean(axis=0) for level in levels]).T

    def band(self, level: float) -> float:
        """Half the width of the band around the diagonal that no curve leaves but with probability ``level``."""
        n, orders = self.values.shape
        return float(kstwo.isf(level / orders, n))

    def sentence(self, level: float) -> str:
        """In plain words, judged at this level."""
        if self.p_value > level:
            return f"{self.even} (p = {self.p_value:.2g})."
        off = np.flatnonzero(self.p_values * len(self.p_values) <= level)
        which = ", ".join(self.names[j] for j in off[np.argsort(self.p_values[off])]) if self.names else ""
        return f"{self.uneven}{': ' if which else ''}{which} (p = {self.p_value:.2g})."


def marginal_shares(draws: Array, truths: Array, names: tuple[str, ...], rng: np.random.Generator) -> Shares:
    """Share of the draws below the truth, parameter by parameter."""
    return Shares(
        _shares(draws, truths, rng),
        names,
        "In every parameter the true values rank evenly among the posterior's draws",
        "The true values do not rank evenly among the posterior's draws",
    )


def density_shares(log_draws: Array, log_truths: Array, rng: np.random.Generator) -> Shares:
    """Share of the draws that are denser than the truth: the smallest highest-density region that holds it."""
    return Shares(
        _shares(-log_draws[..., None], -log_truths[:, None], rng),
        (),
        "Regions of highest density hold the true parameters as often as they say",
        "Regions of highest density do not hold the true parameters as often as they say",
    )


def distance_shares(draws: Array, truths: Array, references: Array, rng: np.random.Generator) -> Shares:
    """Share of the draws nearer to a reference point than the truth is.

    Parameters
    ----------
    references
        ``[case, parameter]``: chosen without knowing the case's truth. Distances are in standard deviations of the
        truths over all cases.
    """
    scale = np.maximum(truths.std(axis=0), 1e-12)
    own = np.linalg.norm((truths - references) / scale, axis=-1)
    others = np.linalg.norm((draws - references) / scale, axis=-1)
    return Shares(
        _shares(others[..., None], own[:, None], rng),
        (),
        "Regions around random points hold the true parameters as often as they say",
        "Regions around random points do not hold the true parameters as often as they say",
    )


def _shares(draws: Array, truths: Array, rng: np.random.Generator) -> Array:
    """``[case, order]`` from ``[draw, case, order]`` and ``[case, order]``: ranks, spread evenly over their step."""
    below, level = (draws < truths).sum(axis=0), (draws == truths).sum(axis=0)
    return np.asarray((below + rng.random(truths.shape) * (level + 1)) / (len(draws) + 1))
