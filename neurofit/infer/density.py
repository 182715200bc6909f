"""What training leaves behind where a network is itself the posterior: an ensemble, looked at from the observation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from neurofit.infer.base import Base
from neurofit.infer.networks import Networks
from neurofit.threads import one_thread

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Density:
    """The mean of several networks' densities of ``z``, each given the encoded observation.

    An ensemble is wider where its members disagree, which is where a single network would be too sure
    (Hermans et al. 2022).

    Attributes
    ----------
    networks
        Of the task ``"density"`` or ``"atomic"``.
    """

    networks: Networks

    def log_prob(self, z: Array, x: Tensor | None = None) -> Array:
        """``[row]``: log density at ``z`` ``[row, parameter]``, at the observation or at one input per row."""
        return self.networks.log_mean(_log_density, z, self.networks.x if x is None else x)

    def sample(self, n: int, seed: int, x: Tensor | None = None) -> Array:
        """``[n, parameter]`` draws at the observation; given ``x`` ``[row, input]``, ``[n, row, parameter]``."""
        members = self.networks.members
        shares = np.full(len(members), n // len(members))
        shares[: n % len(members)] += 1
        with one_thread(), torch.random.fork_rng(devices=[]), torch.no_grad():
            torch.manual_seed(seed)
            at = self.networks.x if x is None else x
            parts = [m.sample((int(k),), condition=at).numpy() for m, k in zip(members, shares, strict=True) if k]
        draws = np.concatenate(parts).astype(np.float64)
        # mixed, so that the first so many are draws of the whole ensemble as well
        np.random.default_rng(seed).shuffle(draws)
        return draws[:, 0] if x is None else draws

    def in_base(self, z: Array, x: Tensor) -> Array:
        """``[member, row, parameter]``: where each flow takes ``z`` to, given an input ``[row, input]`` for each."""
        return self.networks.each(lambda m, rows, at: m.inverse_transform(rows, at), z, x).astype(np.float64)

    def rebased(self, base: Base) -> Density:
        """The same flows from another base."""
        return Density(self.networks.rebased(base))


def _log_density(flow: Any, z: Tensor, x: Tensor) -> Tensor:
    # sbi's shapes: draws of one input, or one draw of each input
    rows = z[:, None] if len(x) == 1 else z[None]
    return flow.log_prob(rows, condition=x).reshape(-1)
