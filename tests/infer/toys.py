"""Inference problems whose answer is known: Gaussians, and Gaussians bent a little."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray

from neurofit.infer import Summaries
from neurofit.infer.base import Base
from neurofit.infer.summaries import LINEAR_TOLERANCES

Array = NDArray[np.float64]


def plain_summaries(n: int) -> Summaries:
    """``n`` summaries on a linear scale with a tolerance of 1, always defined and never excused."""
    return Summaries(tuple(f"spike_count@{j}" for j in range(n)), np.zeros(n), np.ones(n), np.zeros(n, dtype=bool), ())


@dataclass(frozen=True)
class Problem:
    """``d`` parameters under a standard normal prior, ``s`` summaries with noise of one tolerance.

    The summaries are linear in the parameters, with gains from ``least`` to ``gain`` in random directions; ``bent``
    adds a share of the squares of other combinations.
    """

    d: int = 12
    s: int = 30
    gain: float = 12.0
    least: float = 0.3
    bent: float = 0.0
    seed: int = 0

    @cached_property
    def _matrices(self) -> tuple[Array, Array]:
        rng = np.random.default_rng(self.seed)
        u = np.linalg.qr(rng.standard_normal((self.s, self.d)))[0]
        v = np.linalg.qr(rng.standard_normal((self.d, self.d)))[0]
        return u * np.geomspace(self.least, self.gain, self.d) @ v.T, rng.standard_normal((self.s, self.d)) / np.sqrt(
            self.d
        )

    def features(self, z: Array) -> Array:
        """``[row, parameter] -> [row, summary]``."""
        a, b = self._matrices
        return z @ a.T + self.bent * np.abs(a).sum(axis=1) * (z @ b.T) ** 2

    @cached_property
    def observed(self) -> Array:
        rng = np.random.default_rng(self.seed + 1)
        return self.features(0.7 * rng.standard_normal((1, self.d)))[0] + rng.standard_normal(self.s)

    def deviations(self, z: Array) -> Array:
        return self.features(z) - self.observed

    def log_posterior(self, z: Array) -> Array:
        """Up to a constant."""
        return np.asarray(-0.5 * (self.deviations(z) ** 2).sum(axis=1) - 0.5 * (z**2).sum(axis=1))

    def exact(self) -> tuple[Array, Array]:
        """Mean and covariance of the posterior, where nothing is bent."""
        assert not self.bent
        a = self._matrices[0]
        covariance = np.linalg.inv(np.eye(self.d) + a.T @ a)
        return covariance @ a.T @ self.observed, covariance

    def reference(self, chains: int = 2000, steps: int = 1500) -> Array:
        """``[chain, parameter]``: posterior draws by a random walk in the shape of a Gaussian at the mode."""
        from scipy.optimize import least_squares

        def residuals(z: Array) -> Array:
            return np.concatenate([self.deviations(z[None])[0], z])

        starts = 0.7 * np.random.default_rng(self.seed + 2).standard_normal((10, self.d))
        mode = min((least_squares(residuals, start) for start in starts), key=lambda found: found.cost)
        lower = np.linalg.cholesky(np.linalg.inv(mode.jac.T @ mode.jac))
        rng = np.random.default_rng(self.seed + 3)
        z = mode.x + rng.standard_normal((chains, self.d)) @ lower.T
        here = self.log_posterior(z)
        for _ in range(steps):
            there = z + 1.9 / np.sqrt(self.d) * rng.standard_normal(z.shape) @ lower.T
            value = self.log_posterior(there)
            taken = np.log(rng.random(chains)) < value - here
            z[taken], here[taken] = there[taken], value[taken]
        return z


class GaussianDensity:
    """Stands in for a :class:`neurofit.infer.Density`: N(mean, covariance) without an observation.

    Given encoded summaries ``x``, the posterior of ``problem`` there, its standard deviation multiplied by ``scale``
    and its mean moved by ``shift`` of its standard deviations ``[parameter]``.
    """

    def __init__(
        self,
        mean: Array,
        covariance: Array,
        problem: Problem | None = None,
        scale: float = 1.0,
        shift: Array | float = 0.0,
    ) -> None:
        self.mean, self.lower = np.asarray(mean, dtype=float), np.linalg.cholesky(covariance) * scale
        self.inverse = np.linalg.inv(self.lower)
        self.shift = shift * np.sqrt(np.diag(covariance))
        self.problem, self.covariance = problem, covariance

    def rebased(self, base: Base) -> GaussianDensity:
        """Another, moved and widened in its own whitened space."""
        result = copy.copy(self)
        shift = np.array(base.shift[0]) if base.shift else np.zeros(len(self.mean))
        result.shift = self.shift + self.lower @ shift
        result.lower, result.inverse = self.lower * base.width, self.inverse / base.width
        return result

    def in_base(self, z: Array, x: torch.Tensor) -> Array:
        return ((z - self._centre(x)) @ self.inverse.T)[None]

    def _centre(self, x: torch.Tensor | None) -> Array:
        if x is None:
            return (self.mean + self.shift)[None]
        assert self.problem is not None
        a = self.problem._matrices[0]
        deviations = LINEAR_TOLERANCES * np.sinh(np.asarray(x, dtype=np.float64) / LINEAR_TOLERANCES)
        return (deviations + self.problem.observed) @ a @ self.covariance + self.shift

    def log_prob(self, z: Array, x: torch.Tensor | None = None) -> Array:
        white = (np.asarray(z) - self._centre(x)) @ self.inverse.T
        constant = np.log(np.diag(self.inverse)).sum() - 0.5 * white.shape[1] * np.log(2 * np.pi)
        return np.asarray(constant - 0.5 * (white**2).sum(axis=1))

    def sample(self, n: int, seed: int, x: torch.Tensor | None = None) -> Array:
        centre = self._centre(x)
        rng = np.random.default_rng(seed)
        draws = centre + rng.standard_normal((n, *centre.shape)) @ self.lower.T
        return draws[:, 0] if x is None else draws
