"""What training leaves behind where a network is itself the posterior: an ensemble, looked at from the observation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import logsumexp
from torch import Tensor

from neurofit.infer.base import Base
from neurofit.infer.networks import Networks
from neurofit.threads import one_thread

Array = NDArray[np.float64]
_CHUNK = 8192


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
        if len(z) == 0:
            return np.zeros(0)
        points = torch.as_tensor(np.asarray(z), dtype=torch.float32)
        members, result = self.networks.members, []
        with one_thread(), torch.no_grad():
            for i, part in enumerate(points.split(_CHUNK)):
                at = self.networks.x if x is None else x[i * _CHUNK : i * _CHUNK + len(part)]
                rows = part[:, None] if x is None else part[None]
                result.append(np.stack([m.log_prob(rows, condition=at).reshape(-1).numpy() for m in members]))
        return np.asarray(logsumexp(np.concatenate(result, axis=1), axis=0) - np.log(len(members)), dtype=np.float64)

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
        points = torch.as_tensor(z, dtype=torch.float32)
        with one_thread(), torch.no_grad():
            parts = [
                torch.stack([m.inverse_transform(rows, at) for m in self.networks.members])
                for rows, at in zip(points.split(_CHUNK), x.split(_CHUNK), strict=True)
            ]
        return torch.cat(parts, dim=1).numpy().astype(np.float64)

    def rebased(self, base: Base) -> Density:
        """The same flows from another base."""
        return Density(self.networks.rebased(base))
