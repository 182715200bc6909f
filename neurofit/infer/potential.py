"""What training leaves behind where a likelihood or a ratio was learned: prior times that, drawn from by a sampler.

The prior of ``z`` is standard normal, which is what elliptical slice sampling (Murray et al. 2010) is made for: nothing
is tuned, nothing rejected. Chains start at parameters that were simulated, in proportion to what the network makes of
them, so that separate peaks are all found; their ellipses are then fitted to them again and again until they lie still.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import stats
from scipy.special import logsumexp, softmax
from torch import Tensor

from neurofit.infer.networks import Networks
from neurofit.infer.truncated import Inside, slice_steps
from neurofit.threads import one_thread

Array = NDArray[np.float64]
_CHUNK = 8192
# Chains that settle together (fewer at each of many inputs), in so many passes of so many steps, the ellipses fitted
# anew before each; then the steps from there to a draw.
CHAINS, CHAINS_EACH, PASSES, PASS_STEPS, STEPS = 500, 150, 5, 10, 20
# Draws of the distribution that the normalising constant is found with, and its degrees of freedom.
_FOR_CONSTANT, _FREEDOM = 10_000, 5


@dataclass(frozen=True, eq=False)
class Potential:
    """Standard normal prior times the mean likelihood (or likelihood ratio) of several networks.

    Attributes
    ----------
    networks
        Of the task ``"likelihood"`` or ``"ratio"``.
    """

    networks: Networks

    def log_prob(self, z: Array, x: Tensor | None = None) -> Array:
        """``[row]``: log density at ``z`` ``[row, parameter]``.

        At the observation, or at one input per row: then up to a constant of that input.
        """
        z = np.asarray(z, dtype=np.float64)
        if x is None:
            return self._joint(z, self.networks.x) - self._log_constant
        return self._joint(z, x)

    def sample(self, n: int, seed: int, x: Tensor | None = None, inside: Inside | None = None) -> Array:
        """``[n, parameter]`` draws at the observation; given ``x`` ``[row, input]``, ``[n, row, parameter]``.

        Parameters
        ----------
        inside
            ``[m, parameter] -> [m]``: draw inside this region only, some of which the observation's draws reach.
        """
        rng = np.random.default_rng(seed)
        if x is None and inside is None:
            return self._draws(n, self._settled, self._weight(self.networks.x), rng)
        start = np.concatenate([self._settled, self._starts])
        start = start if inside is None else start[inside(start)]
        each = []
        for at in (self.networks.x if x is None else x).split(1):
            weight = self._weight(at, inside)
            each.append(self._draws(n, _settle(start, weight, CHAINS_EACH, rng), weight, rng))
        draws = np.stack(each, axis=1) if each else np.empty((n, 0, start.shape[1]))
        return draws[:, 0] if x is None else draws

    def _log_likelihood(self, z: Array, x: Tensor) -> Array:
        """``[row]``: at one input, or at one per row."""
        points = torch.as_tensor(z, dtype=torch.float32)
        result = [np.zeros((len(self.networks.members), 0))]
        with one_thread(), torch.no_grad():
            for i, part in enumerate(points.split(_CHUNK)):
                at = x.expand(len(part), -1) if len(x) == 1 else x[i * _CHUNK : i * _CHUNK + len(part)]
                result.append(np.stack([self._of(member, part, at) for member in self.networks.members]))
        found = np.concatenate(result, axis=1)
        # a network that overflows far from what it has seen says nothing for those parameters
        return np.asarray(logsumexp(np.nan_to_num(found, nan=-np.inf), axis=0) - np.log(len(found)), dtype=np.float64)

    def _of(self, member: torch.nn.Module, z: Tensor, x: Tensor) -> NDArray[np.float32]:
        if self.networks.task == "ratio":
            return np.asarray(member(z, x).reshape(-1).numpy())
        return np.asarray(member.log_prob(x[None], condition=z).reshape(-1).numpy())  # type: ignore[operator]

    def _joint(self, z: Array, x: Tensor) -> Array:
        normal = -0.5 * (z**2).sum(axis=1) - 0.5 * z.shape[1] * np.log(2 * np.pi)
        return self._log_likelihood(z, x) + normal

    def _weight(self, x: Tensor, inside: Inside | None = None) -> Callable[[Array], Array]:
        def log_weight(z: Array) -> Array:
            result = self._log_likelihood(z, x)
            return result if inside is None else np.where(inside(z), result, -np.inf)

        return log_weight

    @cached_property
    def _starts(self) -> Array:
        return np.asarray(self.networks.z.numpy(), dtype=np.float64)

    @cached_property
    def _settled(self) -> Array:
        return _settle(self._starts, self._weight(self.networks.x), CHAINS, np.random.default_rng(0))

    def _draws(self, n: int, settled: Array, log_weight: Callable[[Array], Array], rng: np.random.Generator) -> Array:
        return slice_steps(settled[rng.integers(len(settled), size=n)], log_weight, settled, STEPS, rng)

    @cached_property
    def _log_constant(self) -> float:
        """Log of the integral of prior times likelihood, by importance sampling from a wide fit to the draws."""
        draws = self._settled
        spread = np.atleast_2d(np.cov(draws.T)) + 1e-9 * np.eye(draws.shape[1])
        wide = stats.multivariate_t(draws.mean(axis=0), 1.5 * spread, df=_FREEDOM, seed=0)
        z = wide.rvs(_FOR_CONSTANT).reshape(_FOR_CONSTANT, -1)
        return float(logsumexp(self._joint(z, self.networks.x) - wide.logpdf(z)) - np.log(_FOR_CONSTANT))


def _settle(start: Array, log_weight: Callable[[Array], Array], chains: int, rng: np.random.Generator) -> Array:
    """``[chain, parameter]``: where chains lie once they have settled."""
    weight = softmax(log_weight(start))
    z = start[rng.choice(len(start), size=chains, p=weight)]
    for _ in range(PASSES):
        # chains that start at the same point part at once: every step draws a fresh ellipse
        z = slice_steps(z, log_weight, z, PASS_STEPS, rng)
    return z
