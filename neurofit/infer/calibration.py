"""Are the posterior's intervals as wide as they should be, and where they should be?

For simulations that no network was trained on, drawn from the prior inside the last region, the true parameters are
known: a credible region of 90 % must hold them in 90 % of the cases (expected coverage, Hermans et al. 2022), and they
must lie as often below as above the middle of their marginals (simulation-based calibration, Talts et al. 2018). This
shows that the posterior agrees with the model and the stated tolerances, not that the model is true.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from neurofit.infer.density import Density
from neurofit.infer.summaries import Summaries

Array = NDArray[np.float64]
LEVELS = np.array([0.5, 0.68, 0.8, 0.9, 0.95])
# The level at which sentences speak, and how many standard errors count as more than chance.
SAID = 0.9
ERRORS = 2.6


@dataclass(frozen=True, eq=False)
class Coverage:
    """Calibration on held-out simulations.

    Attributes
    ----------
    levels, covered
        Credible levels, and the share of simulations whose parameters their highest-density region held.
    ranks
        ``[simulation]``: share of posterior draws with a higher density than the true parameters.
    positions
        ``[simulation, parameter]``: share of posterior draws below the true value.
    names
        ``[parameter]``.
    """

    levels: Array
    covered: Array
    ranks: Array
    positions: Array
    names: tuple[str, ...]

    @property
    def marginal(self) -> Array:
        """``[parameter]``: how often the central 90 % interval of each parameter held its true value."""
        return np.asarray((np.abs(self.positions - 0.5) <= SAID / 2).mean(axis=0))

    @property
    def shift(self) -> Array:
        """``[parameter]``: mean position minus one half, in its standard errors."""
        spread = np.maximum(self.positions.std(axis=0), 1e-3)
        return np.asarray((self.positions.mean(axis=0) - 0.5) / spread * np.sqrt(len(self.positions)))

    @property
    def verdict(self) -> Literal["calibrated", "too narrow", "too wide", "shifted"]:
        """Shifted where a marginal is off to one side, otherwise by the coverage of 90 % regions."""
        # the largest of many shifts is larger: one standard error for every factor e in their number, roughly
        if np.abs(self.shift).max() > ERRORS + np.log(len(self.names)) / 2:
            return "shifted"
        held, n = self._held()
        error = ERRORS * np.sqrt(SAID * (1 - SAID) / n)
        if held < SAID - error:
            return "too narrow"
        return "too wide" if held > SAID + error else "calibrated"

    def sentence(self) -> str:
        held, n = self._held()
        text = (
            f"90 % regions held the true parameters of {100 * held:.0f} % of {n} held-out simulations near the "
            "observation"
        )
        error = ERRORS * np.sqrt(SAID * (1 - SAID) / n)
        match self.verdict:
            case "shifted":
                j = int(np.abs(self.shift).argmax())
                side = "low" if self.shift[j] > 0 else "high"
                by = f"{abs(self.shift[j]):.1f} standard errors"
                return f"{text}; the posterior of {self.names[j]} lies too {side} (by {by})."
            case "calibrated":
                return f"{text}, as they should (chance moves this by ±{100 * error:.0f} %)."
            case "too narrow":
                return f"{text}: its intervals are too narrow (chance moves this by ±{100 * error:.0f} %)."
        return f"{text}: its intervals are wider than needed (chance moves this by ±{100 * error:.0f} %)."

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for the run directory."""
        return {
            "levels": self.levels,
            "covered": self.covered,
            "marginal": self.marginal,
            "shift": self.shift,
            "n": len(self.ranks),
            "verdict": self.verdict,
            "sentence": self.sentence(),
        }

    def _held(self) -> tuple[float, int]:
        return float(self.covered[np.flatnonzero(self.levels == SAID)[0]]), len(self.ranks)


def expected_coverage(
    density: Density,
    summaries: Summaries,
    z: Array,
    deviations: Array,
    names: Sequence[str],
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
    names
        Of the parameters.
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
    covered = np.array([(ranks <= level).mean() for level in LEVELS])
    return Coverage(LEVELS, covered, ranks, (samples < z).mean(axis=0), tuple(names))
