"""Training a network to a budget: scheduled learning rate, validation set, best weights kept."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from neurofit.errors import TrainingError
from neurofit.infer.method import Schedule
from neurofit.infer.networks import LOSSES, Task, build_network

Progress = Callable[[int, str], None]
# Task, schedule, parameters and inputs of the simulations -> the network, with a loss of its own for ``"density"``.
Build = Callable[[Task, Schedule, Tensor, Tensor], Any]
FEWEST = 50
SMALLEST_BATCH, LARGEST_BATCH = 32, 1024
# Validations in an epoch, if need be of the same simulations with other noise.
VALIDATED = 1000
# Numbers that go through a network at once in a validation: memory.
VALIDATED_AT_ONCE = 1_000_000
# So many epochs are waited for the validation at the least, however few the schedule has.
FEWEST_EPOCHS = 5
# What counts in the reading of a loss curve: risen since its best, for so many epochs at least; falling between its
# last tenths; better on its own simulations than on held-out ones.
RISEN_NATS, FALLING_NATS, GAP_NATS = 0.2, 0.1, 1.0
FEWEST_RISEN = 3


@dataclass(frozen=True, eq=False)
class Trained:
    """A trained network and the story of its training.

    Attributes
    ----------
    estimator
        sbi's network.
    training, validation
        ``[epoch]``: mean loss of a simulation, in nats; as many epochs as were run.
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
    deviations: NDArray[np.floating],
    held: NDArray[np.intp],
    encode: Callable[[Tensor], Tensor],
    schedule: Schedule,
    seed: int,
    task: Task = "density",
    progress: Progress | None = None,
    *,
    noise_sd: float = 1.0,
    build: Build | None = None,
) -> Trained:
    """Learn from ``z`` and ``encode(deviations + noise)`` what the task says.

    Parameters
    ----------
    z
        ``[simulation, parameter]``, unbounded.
    deviations
        ``[simulation, summary]`` in tolerances, or inputs of another kind ``[simulation, ...]``; normal noise is added
        anew in each epoch.
    held
        Positions of the simulations that are only used to validate.
    encode
        From deviations to the network's input.
    seed
        Fixes the weights, the batches and the noise.
    task
        Of :mod:`~neurofit.infer.networks`.
    progress
        Called with ``(epoch, text)`` after each epoch; with the schedule's last where training ends early.
    noise_sd
        Of the noise.
    build
        Makes the network, in place of sbi's.

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
            return _train(z, deviations, held, encode, schedule, seed, task, slower, progress, noise_sd, build)
    raise TrainingError(
        "The network's loss was not finite, at the learning rate of the schedule and at a tenth of it. "
        "The simulations are kept, and the same command goes on from them, to the same end: try another seed, density "
        "estimator or a smaller network, which is another run, in another directory."
    )


class _Diverged(Exception):
    """The loss, or every validation of it, was not finite."""


def _train(
    z: NDArray[np.float64],
    deviations: NDArray[np.floating],
    held: NDArray[np.intp],
    encode: Callable[[Tensor], Tensor],
    schedule: Schedule,
    seed: int,
    task: Task,
    slower: float,
    progress: Progress | None,
    noise_sd: float,
    build: Build | None,
) -> Trained:
    device = training_device()
    rng = torch.Generator().manual_seed(seed)
    # copies: arrays that a worker process was handed may be read-only maps of a file
    targets = torch.tensor(z, dtype=torch.float32)
    inputs = torch.tensor(deviations, dtype=torch.float32)

    def noisy(rows: Tensor) -> Tensor:
        return encode(rows + noise_sd * torch.randn(rows.shape, generator=rng) if noise_sd else rows)

    kept = np.ones(len(z), dtype=bool)
    kept[held] = False
    used = torch.as_tensor(np.flatnonzero(kept))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        estimator = (build or build_network)(task, schedule, targets[used], noisy(inputs[used]))
    estimator.to(device)
    # the validation set's noise is drawn once, so that epochs are compared on the same task, and several times over
    # where it is small
    times = math.ceil(VALIDATED / len(held)) if noise_sd else 1
    held_z = torch.cat([targets[held]] * times).to(device)
    held_x = noisy(torch.cat([inputs[held]] * times)).to(device)

    at_once = max(1, VALIDATED_AT_ONCE // held_x[0].numel())
    batch = min(max(SMALLEST_BATCH, math.ceil(len(used) / schedule.batches)), LARGEST_BATCH)
    peak_rate = slower * schedule.peak_rate * math.sqrt(batch / 256)
    steps = schedule.epochs * math.ceil(len(used) / batch)
    weights = _in_one_piece(estimator)
    optimiser = torch.optim.AdamW([weights], lr=peak_rate, weight_decay=schedule.weight_decay, fused=True)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(
        optimiser,
        max_lr=peak_rate,
        total_steps=steps,
        # torch divides by the steps of the warm-up but one
        pct_start=schedule.warm_up if schedule.warm_up * steps != 1 else 1.01 * schedule.warm_up,
        anneal_strategy="linear",
    )
    losses: list[tuple[float, float]] = []
    best: dict[str, Tensor] = {}
    for epoch in range(schedule.epochs):
        estimator.train()
        total = torch.zeros((), device=device)
        for rows in used[torch.randperm(len(used), generator=rng)].split(batch):
            optimiser.zero_grad(set_to_none=False)
            loss = _loss(task, estimator, targets[rows].to(device), noisy(inputs[rows]).to(device)).mean()
            loss.backward()
            torch.nn.utils.clip_grad_norm_([weights], 5.0)
            optimiser.step()
            scheduler.step()
            total += loss.detach() * len(rows)
        # asked once an epoch: a loss that is not finite leaves none finite after it
        if not torch.isfinite(total):
            raise _Diverged
        estimator.eval()
        with torch.no_grad():
            value = float(torch.cat([
                _loss(task, estimator, a, b) for a, b in zip(held_z.split(at_once), held_x.split(at_once), strict=True)
            ]).mean())  # fmt: skip
        # a validation that is not finite is the worst, not the end
        value = value if math.isfinite(value) else math.inf
        if value < min((v for _, v in losses), default=math.inf):
            best = {name: tensor.clone() for name, tensor in estimator.state_dict().items()}
        losses.append((total.item() / len(used), value))
        over = _learns_by_heart(losses, schedule)
        if progress is not None:
            progress(schedule.epochs if over else epoch + 1, f"loss {value:.2f}")
        if over:
            break
    if not best:
        raise _Diverged
    estimator.load_state_dict(best, assign=True)
    estimator.to("cpu").eval()
    training, validation = np.array(losses).T
    return Trained(estimator, training, validation, int(validation.argmin()), read_losses(training, validation))


def held_among(order: NDArray[np.intp], schedule: Schedule) -> NDArray[np.intp]:
    """Positions that are only used to validate: the first of ``order``, at least ten, sorted."""
    return np.sort(order[: max(10, round(schedule.validation * len(order)))])


def training_device() -> torch.device:
    """Where networks are trained; the random numbers are drawn on the CPU, so that both see the same."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def _in_one_piece(estimator: Any) -> torch.nn.Parameter:
    """The weights as one vector, of which the network's own become views, and the same for their gradients.

    A network has fifty small arrays: clipped and stepped one by one they take a tenth of the time.
    """
    own = list(estimator.parameters())
    weights = torch.nn.Parameter(parameters_to_vector(own).detach())
    vector_to_parameters(weights.detach(), own)
    weights.grad = torch.zeros_like(weights)
    for parameter, gradient in zip(own, weights.grad.split([p.numel() for p in own]), strict=True):
        parameter.grad = gradient.view_as(parameter)
    return weights


def _learns_by_heart(losses: list[tuple[float, float]], schedule: Schedule) -> bool:
    """Has the validation been above its best for so long, while training went on falling, that more is useless?"""
    training, validation = np.array(losses).T
    best, wait = int(validation.argmin()), max(FEWEST_EPOCHS, math.ceil(schedule.patience * schedule.epochs))
    return (
        len(losses) - 1 - best >= wait
        and validation[-wait:].min() > validation[best] + RISEN_NATS
        and training[-1] < training[best]
    )


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
    # what has come since the best, of the last ones: a curve that falls steeply to its end has not risen
    since = validation[max(best + 1, n - tail) :]
    if n >= 2 * tail and len(since) >= FEWEST_RISEN and since.mean() - validation[best] > RISEN_NATS:
        return f"overfitting after epoch {best + 1} of {n}; the weights of that epoch were kept"
    falling = n < 2 * tail or validation[-2 * tail : -tail].mean() - validation[-tail:].mean() > FALLING_NATS
    state = "still falling at the end" if falling else "converged"
    if (gap := validation[best] - training[best]) > GAP_NATS:
        return f"{state}, but {gap:.1f} nats better on its own simulations than on held-out ones: more would help"
    return f"{state}: more epochs or simulations would help" if falling else state
