"""What training leaves behind where a likelihood or a ratio was learned: prior times that, drawn from by a sampler.

The prior of ``z`` is standard normal, which is what elliptical slice sampling (Murray et al. 2010) is made for: nothing
is tuned, nothing rejected. Chains start at parameters that were simulated, in proportion to what the network makes of
them, so that separate peaks are all found; their ellipses are then fitted to them again and again until they lie still.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import stats
from scipy.special import logsumexp, softmax
from torch import Tensor

from neurofit.infer.networks import Networks
from neurofit.infer.truncated import Ellipses, Inside, slice_steps

Array = NDArray[np.float64]
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
            return self._from(self._settled, n, self.networks.x, None, rng)[:, 0]
        at = self.networks.x if x is None else x
        start = np.concatenate([self._settled[0], self._starts])
        start = start if inside is None else start[inside(start)]
        settled = self._settle(start, CHAINS_EACH, at, inside, rng)
        draws = self._from(settled, n, at, inside, rng)
        return draws[:, 0] if x is None else draws

    def _log_likelihood(self, z: Array, x: Tensor) -> Array:
        """``[row]``: at one input, or at one per row."""
        return self.networks.log_mean(_log_ratio if self.networks.task == "ratio" else _log_likelihood, z, x)

    def _joint(self, z: Array, x: Tensor) -> Array:
        normal = -0.5 * (z**2).sum(axis=1) - 0.5 * z.shape[1] * np.log(2 * np.pi)
        return self._log_likelihood(z, x) + normal

    @cached_property
    def _starts(self) -> Array:
        return np.asarray(self.networks.z.numpy(), dtype=np.float64)

    @cached_property
    def _settled(self) -> Array:
        """``[1, chain, parameter]``: at the observation."""
        return self._settle(self._starts, CHAINS, self.networks.x, None, np.random.default_rng(0))

    def _settle(self, start: Array, chains: int, x: Tensor, inside: Inside | None, rng: np.random.Generator) -> Array:
        """``[row, chain, parameter]``: where the chains of every input lie once they have settled."""
        weights = [softmax(self._log_likelihood(start, at)) for at in x.split(1)]
        settled = np.array([start[rng.choice(len(start), size=chains, p=weight)] for weight in weights])
        for _ in range(PASSES):
            # chains that start at the same point part at once: every step draws a fresh ellipse
            settled = self._steps(settled, settled, PASS_STEPS, x, inside, rng)
        return settled

    def _from(self, settled: Array, n: int, x: Tensor, inside: Inside | None, rng: np.random.Generator) -> Array:
        """``[n, row, parameter]``: as many chains as draws, begun at settled ones."""
        start = settled[:, rng.integers(settled.shape[1], size=n)]
        return self._steps(start, settled, STEPS, x, inside, rng).swapaxes(0, 1)

    def _steps(
        self, z: Array, shape: Array, steps: int, x: Tensor, inside: Inside | None, rng: np.random.Generator
    ) -> Array:
        """Chains ``[row, chain, parameter]``, all moved at once; the ellipses of a row fit its ``shape``."""
        rows, chains, d = z.shape
        row = np.repeat(np.arange(rows), chains)

        def log_weight(points: Array, asking: NDArray[np.intp]) -> Array:
            result = self._log_likelihood(points, x if rows == 1 else x[torch.as_tensor(row[asking])])
            return result if inside is None else np.where(inside(points), result, -np.inf)

        ellipses = Ellipses.around(shape[0]) if rows == 1 else Ellipses.around(shape, row)
        return slice_steps(z.reshape(-1, d), log_weight, ellipses, steps, rng).reshape(z.shape)

    @cached_property
    def _log_constant(self) -> float:
        """Log of the integral of prior times likelihood, by importance sampling from a wide fit to the draws."""
        draws = self._settled[0]
        spread = np.atleast_2d(np.cov(draws.T)) + 1e-9 * np.eye(draws.shape[1])
        wide = stats.multivariate_t(draws.mean(axis=0), 1.5 * spread, df=_FREEDOM, seed=0)
        z = wide.rvs(_FOR_CONSTANT).reshape(_FOR_CONSTANT, -1)
        return float(logsumexp(self._joint(z, self.networks.x) - wide.logpdf(z)) - np.log(_FOR_CONSTANT))


def _log_ratio(classifier: Any, z: Tensor, x: Tensor) -> Tensor:
    return _said(classifier(z, x.expand(len(z), -1)))


def _log_likelihood(estimator: Any, z: Tensor, x: Tensor) -> Tensor:
    return _said(estimator.log_prob(x.expand(len(z), -1)[None], condition=z))


def _said(found: Tensor) -> Tensor:
    """``[row]``: a network that overflows far from what it has seen says nothing for those parameters."""
    return torch.nan_to_num(found.reshape(-1), nan=-torch.inf)
