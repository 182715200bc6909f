"""Training a network to a budget: scheduled learning rate, validation set, best weights kept."""

from __future__ import annotations

import contextlib
import copy
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from neurofit.errors import TrainingError
from neurofit.infer.method import Schedule
from neurofit.infer.networks import LOSSES, Task, build_network

Progress = Callable[[int, str], None]
FEWEST = 50
# What counts in the reading of a loss curve: risen since its best; falling between its last tenths; better on its own
# simulations than on held-out ones.
RISEN_NATS, FALLING_NATS, GAP_NATS = 0.2, 0.1, 1.0


@dataclass(frozen=True, eq=False)
class Trained:
    """A trained network and the story of its training.

    Attributes
    ----------
    estimator
        sbi's network.
    training, validation
        ``[epoch]``: mean loss of a simulation, in nats.
    best_epoch
        Whose weights were kept.
    reading
        The loss curve in words.
    """

    estimator: Any
    training: NDArray[np.float64]
    validation: NDArray[np.float64]
    best_epoch: int
    reading: str


def train(
    z: NDArray[np.float64],
    deviations: NDArray[np.float64],
    held: NDArray[np.intp],
    encode: Callable[[Tensor], Tensor],
    schedule: Schedule,
    seed: int,
    task: Task = "density",
    progress: Progress | None = None,
) -> Trained:
    """Learn from ``z`` and ``encode(deviations + noise)`` what the task says.

    Parameters
    ----------
    z
        ``[simulation, parameter]``, unbounded.
    deviations
        ``[simulation, summary]`` in tolerances; standard normal noise is added anew in each epoch.
    held
        Positions of the simulations that are only used to validate.
    encode
        From deviations to the network's input.
    seed
        Fixes the weights, the batches and the noise.
    task
        Of :mod:`~neurofit.infer.networks`.
    progress
        Called with ``(epoch, text)`` after each epoch.

    Raises
    ------
    TrainingError
        If there are too few simulations, one is not finite, or the loss is not finite even at a tenth of the learning
        rate.
    """
    if len(z) < FEWEST:
        raise TrainingError(f"{len(z)} usable simulations are too few to train on: at least {FEWEST} are needed.")
    if not np.isfinite(z).all():
        raise TrainingError(f"The parameters of simulation {int(np.argwhere(~np.isfinite(z))[0, 0])} are not finite.")
    for slower in (1.0, 0.1):
        with contextlib.suppress(_Diverged):
            return _train(z, deviations, held, encode, schedule, seed, task, slower, progress)
    raise TrainingError(
        "The network's loss was not finite, at the learning rate of the schedule and at a tenth of it. "
        "The simulations are kept, and the same command goes on from them, to the same end: try another seed, density "
        "estimator or a smaller network, which is another run, in another directory."
    )


class _Diverged(Exception):
    """The loss, or every validation of it, was not finite."""


def _train(
    z: NDArray[np.float64],
    deviations: NDArray[np.float64],
    held: NDArray[np.intp],
    encode: Callable[[Tensor], Tensor],
    schedule: Schedule,
    seed: int,
    task: Task,
    slower: float,
    progress: Progress | None,
) -> Trained:
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    rng = torch.Generator().manual_seed(seed)
    # copies: arrays that a worker process was handed may be read-only maps of a file
    targets = torch.tensor(z, dtype=torch.float32)
    inputs = torch.tensor(deviations, dtype=torch.float32)

    def noisy(rows: Tensor) -> Tensor:
        return encode(rows + torch.randn(rows.shape, generator=rng))

    kept = np.ones(len(z), dtype=bool)
    kept[held] = False
    used = torch.as_tensor(np.flatnonzero(kept))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        estimator = build_network(task, schedule, targets[used], noisy(inputs[used]))
    estimator.to(device)
    # the validation set's noise is drawn once, several times over, so that epochs are compared on the same task
    held_z = targets[held].repeat(4, 1).to(device)
    held_x = noisy(inputs[held].repeat(4, 1)).to(device)

    batch = min(schedule.batch_size, len(used))
    per_epoch = math.ceil(len(used) / batch)
    optimiser = torch.optim.AdamW(
        estimator.parameters(), lr=schedule.peak_rate * slower, weight_decay=schedule.weight_decay
    )
    steps = schedule.epochs * per_epoch
    scheduler = torch.optim.lr_scheduler.OneCycleLR(
        optimiser,
        max_lr=schedule.peak_rate * slower,
        total_steps=steps,
        # torch divides by the steps of the warm-up but one
        pct_start=schedule.warm_up if schedule.warm_up * steps != 1 else 1.01 * schedule.warm_up,
    )
    losses: list[tuple[float, float]] = []
    best: dict[str, Tensor] = {}
    for epoch in range(schedule.epochs):
        estimator.train()
        total = 0.0
        for rows in used[torch.randperm(len(used), generator=rng)].split(batch):
            optimiser.zero_grad()
            loss = _loss(task, estimator, targets[rows].to(device), noisy(inputs[rows]).to(device)).mean()
            if not torch.isfinite(loss):
                raise _Diverged
            loss.backward()
            torch.nn.utils.clip_grad_norm_(estimator.parameters(), 5.0)
            optimiser.step()
            scheduler.step()
            total += loss.item() * len(rows)
        estimator.eval()
        with torch.no_grad():
            value = float(torch.cat([
                _loss(task, estimator, a, b) for a, b in zip(held_z.split(4096), held_x.split(4096), strict=True)
            ]).mean())  # fmt: skip
        # a validation that is not finite is the worst, not the end
        value = value if math.isfinite(value) else math.inf
        if value < min((v for _, v in losses), default=math.inf):
            best = copy.deepcopy(estimator.state_dict())
        losses.append((total / len(used), value))
        if progress is not None:
            progress(epoch + 1, f"loss {value:.2f}")
    if not best:
        raise _Diverged
    estimator.load_state_dict(best)
    estimator.to("cpu").eval()
    training, validation = np.array(losses).T
    return Trained(estimator, training, validation, int(validation.argmin()), read_losses(training, validation))


def _loss(task: Task, estimator: Any, z: Tensor, x: Tensor) -> Tensor:
    """``[row]``, in nats; splines refuse to compute one once their weights are not finite."""
    try:
        return LOSSES[task](estimator, z, x)
    except (AssertionError, ValueError) as error:
        raise _Diverged from error


def read_losses(training: NDArray[np.float64], validation: NDArray[np.float64]) -> str:
    """The loss curve in words: converged, still falling, or overfitting.

    Parameters
    ----------
    training, validation
        ``[epoch]`` in nats; a validation may be infinite.
    """
    n, best = len(validation), int(validation.argmin())
    tail = max(3, n // 10)
    if best < 0.7 * (n - 1) and validation[-tail:].mean() - validation[best] > RISEN_NATS:
        return f"overfitting after epoch {best + 1} of {n}; the weights of that epoch were kept"
    if n < 2 * tail or validation[-2 * tail : -tail].mean() - validation[-tail:].mean() > FALLING_NATS:
        return "still falling at the end: more epochs or simulations would help"
    if (gap := validation[best] - training[best]) > GAP_NATS:
        return f"converged, but {gap:.1f} nats better on its own simulations than on held-out ones: more would help"
    return "converged"
