"""What summaries a simulator makes of given parameters: a Gaussian, learned from simulations.

Mean and standard deviation of every summary are a network's, the correlations of what they leave are measured. Averaged
over the prior of the parameters this is a density of simulated summaries, and one that stays on the simulator's own
surface: two parameters make no seven independent statistics.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from neurofit.errors import TrainingError

Array = NDArray[np.float64]

HIDDEN, EPOCHS, PEAK_RATE, WEIGHT_DECAY, HELD_OUT = 96, 80, 5e-3, 1e-2, 1 / 8
# Simulations in a batch: at least so many, and no more batches in an epoch than this.
BATCH, BATCHES = 128, 40
# Fewer simulations than this say nothing of how far the network errs.
FEWEST = 100
# Logarithms of the standard deviations are kept between these, in quantile scores ...
LOG_SD = (-6.0, 3.0)
# ... and what is left over is cut off here, in standard deviations, so that no single simulation makes the width.
FARTHEST = 4.0
# How much of the measured correlations is believed.
BELIEVED = 0.95


@dataclass(frozen=True, eq=False)
class Emulator:
    """``p(summaries | z)``.

    Attributes
    ----------
    network
        ``z`` to means, logarithms of standard deviations and, for each group of summaries that are undefined
        together, the log odds of being defined.
    width
        ``[summary]``: what the standard deviations are multiplied by, at least 1.
    correlation
        ``[summary, summary]``, of what means and standard deviations leave.
    group
        ``[summary]``: which group it belongs to; -1 where it is always defined.
    """

    network: nn.Module
    width: Array
    correlation: Array
    group: NDArray[np.intp]

    def __call__(self, z: Array) -> tuple[Array, Array, Array]:
        """Means, standard deviations, log odds of being defined (infinite where it always is): ``[row, summary]``."""
        with torch.no_grad():
            found = self.network(torch.as_tensor(z, dtype=torch.float32)).double()
        mean, log_sd, odds = (part.numpy() for part in _split(found, len(self.width)))
        always = np.full((len(odds), 1), np.inf)
        return mean, np.exp(log_sd) * self.width, np.concatenate([odds, always], axis=1)[:, self.group]

    @property
    def alike(self) -> NDArray[np.intp]:
        """``[summary]``: how many summaries are undefined together with each, itself included."""
        counts = np.bincount(self.group + 1, minlength=2)[self.group + 1]
        return np.where(self.group < 0, 1, counts)


def train_emulator(z: Array, scores: Array, seed: int) -> Emulator:
    """Learn from ``z`` ``[simulation, parameter]`` and ``scores`` ``[simulation, summary]``, NaN where undefined.

    Raises
    ------
    TrainingError
        If there are too few simulations, or the loss is not finite.
    """
    if len(z) < FEWEST:
        raise TrainingError(f"{len(z)} simulations are too few to learn their summaries from: {FEWEST} are needed.")
    defined, group = _groups(np.isfinite(scores))
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(z))
    held, used = np.split(order, [math.ceil(HELD_OUT * len(z))])
    data = [torch.as_tensor(np.asarray(a), dtype=torch.float32) for a in (z, scores, defined)]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = _trained(data, used, held, scores.shape[1], rng)
    start = Emulator(network, np.ones(scores.shape[1]), np.eye(scores.shape[1]), group)
    mean, sd, _ = start(z[held])
    left = np.clip(np.nan_to_num((scores[held] - mean) / sd), -FARTHEST, FARTHEST)
    known = np.maximum(np.isfinite(scores[held]).sum(axis=0), 1)
    square = left.T @ left / np.sqrt(np.outer(known, known))
    scale = np.sqrt(np.maximum(np.diag(square), 1e-6))
    correlation = BELIEVED * square / np.outer(scale, scale)
    np.fill_diagonal(correlation, 1.0)
    return Emulator(network, np.maximum(scale, 1.0), correlation, group)


def _groups(defined: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], NDArray[np.intp]]:
    """The different columns of what is not always defined, and which of them each column is (-1: none)."""
    different, which = np.unique(defined, axis=1, return_inverse=True)
    varying = ~different.all(axis=0)
    number = np.where(varying, np.cumsum(varying) - 1, -1)
    return different[:, varying], number[which.reshape(-1)]


def _trained(
    data: list[Tensor], used: NDArray[np.intp], held: NDArray[np.intp], d: int, rng: np.random.Generator
) -> nn.Module:
    z, scores, defined = data
    layers: list[nn.Module] = []
    for inputs in (z.shape[1], HIDDEN, HIDDEN):
        layers += [nn.Linear(inputs, HIDDEN), nn.SiLU()]
    network = nn.Sequential(*layers, nn.Linear(HIDDEN, 2 * d + defined.shape[1]))
    optimiser = torch.optim.AdamW(network.parameters(), lr=PEAK_RATE, weight_decay=WEIGHT_DECAY, fused=True)
    batch = max(BATCH, math.ceil(len(used) / BATCHES))
    steps = EPOCHS * math.ceil(len(used) / batch)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=PEAK_RATE, total_steps=steps)

    def loss(rows: NDArray[np.intp] | Tensor) -> Tensor:
        at = torch.as_tensor(rows)
        return _loss(network(z[at]), scores[at], defined[at])

    best, weights = math.inf, network.state_dict()
    for _ in range(EPOCHS):
        for rows in torch.as_tensor(rng.permutation(used)).split(batch):
            optimiser.zero_grad()
            loss(rows).backward()
            nn.utils.clip_grad_norm_(network.parameters(), 5.0)
            optimiser.step()
            scheduler.step()
        with torch.no_grad():
            value = float(loss(held))
        if value < best:
            best, weights = value, {name: tensor.clone() for name, tensor in network.state_dict().items()}
    if not math.isfinite(best):
        raise TrainingError("The loss of the network of the summaries was not finite. Try another seed.")
    network.load_state_dict(weights)
    return network


def _loss(found: Tensor, scores: Tensor, defined: Tensor) -> Tensor:
    mean, log_sd, odds = _split(found, scores.shape[1])
    known = scores.isfinite()
    off = torch.where(known, scores.nan_to_num() - mean, 0.0)
    of_values = torch.where(known, 0.5 * (off * torch.exp(-log_sd)) ** 2 + log_sd, 0.0).sum(dim=1)
    of_flags = nn.functional.binary_cross_entropy_with_logits(odds, defined, reduction="none").sum(dim=1)
    return (of_values + of_flags).mean() / scores.shape[1]


def _split(found: Tensor, d: int) -> tuple[Tensor, Tensor, Tensor]:
    """Means, log standard deviations and log odds, ``[row, summary or group]``."""
    return found[:, :d], found[:, d : 2 * d].clamp(*LOG_SD), found[:, 2 * d :]
