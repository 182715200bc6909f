"""Training the members of an ensemble side by side in worker processes, with progress from each."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Protocol, Self, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from neurofit.errors import TrainingError
from neurofit.infer.density import Density
from neurofit.infer.method import Schedule
from neurofit.infer.networks import SAMPLED, Networks, Task
from neurofit.infer.potential import Potential
from neurofit.infer.train import Trained, held_among, train, training_device
from neurofit.workers import Report, side_by_side

# Simulated parameters that a sampler may start from.
_STARTS = 2000


class Inputs(Protocol):
    """How simulated features become a network's input: :class:`~neurofit.infer.summaries.Summaries` or the like."""

    def __len__(self) -> int: ...

    @property
    def n_inputs(self) -> int:
        """Columns of :meth:`encode`."""

    def for_task(self, task: Task, /) -> Self:
        """The same for a network that learns this."""

    def before_noise(self, deviations: NDArray[np.float64], /) -> NDArray[np.float64]:
        """``[row, summary]`` in tolerances, as noise is to be added to them."""

    def encode(self, deviations: torch.Tensor, /) -> torch.Tensor:
        """``[row, input]``."""


S = TypeVar("S", bound=Inputs)


def posterior_of(networks: Networks) -> Density | Potential:
    """The density at the observation that trained networks stand for."""
    return Potential(networks) if networks.task in SAMPLED else Density(networks)


def load_density(path: Path) -> Density | Potential:
    """What :meth:`~neurofit.infer.networks.Networks.save` saved, in a new process."""
    return posterior_of(Networks.load(path))


@dataclass(frozen=True, eq=False)
class Ensemble(Generic[S]):
    """Members trained on the same simulations, from their own seeds.

    Attributes
    ----------
    density
        Their mean, at the observation.
    losses
        ``[member, epoch, 2]``: training and validation loss in nats; NaN after the last epoch of a member that ended
        early.
    readings
        Each member's loss curve in words.
    held_out
        ``[row]``: positions of the simulations that no member was trained on.
    summaries
        As the networks see them.
    """

    density: Density | Potential
    losses: NDArray[np.float64]
    readings: tuple[str, ...]
    held_out: NDArray[np.intp]
    summaries: S


def train_ensemble(
    z: NDArray[np.float64],
    deviations: NDArray[np.float64],
    summaries: S,
    schedule: Schedule,
    *,
    seed: int,
    members: int,
    workers: int,
    task: Task = "density",
    report: Report | None = None,
) -> Ensemble[S]:
    """Train ``members`` networks on ``z`` ``[simulation, parameter]`` and ``deviations`` ``[simulation, summary]``.

    Parameters
    ----------
    task
        What they learn; see :mod:`~neurofit.infer.networks`.
    seed
        Fixes everything; the result does not depend on ``workers``. A GPU trains one member after the other: two
        processes would only take turns on it, and each would need its share of the memory.
    report
        Called with the fraction done and a line of text, a few times a second.

    Raises
    ------
    TrainingError
        As :func:`~neurofit.infer.train.train` does, or if no summary is left for the network to see.
    """
    if not summaries.n_inputs:
        raise TrainingError("No simulation defines any of the features that the cell has: there is nothing to learn.")
    summaries = summaries.for_task(task)
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(z))
    held = held_among(order, schedule)
    seeds = rng.integers(2**31, size=members)
    at_once = workers if training_device().type == "cpu" else 1
    trained: list[Trained] = side_by_side(
        _member, [(z, deviations, held, summaries, schedule, int(s), task) for s in seeds], at_once, report
    )
    losses = np.full((members, schedule.epochs, 2), np.nan)
    for own, t in zip(losses, trained, strict=True):
        own[: len(t.training)] = np.column_stack([t.training, t.validation])
    x = summaries.encode(torch.zeros(1, len(summaries)))
    starts = z[order[:_STARTS]] if task in SAMPLED else z[:0]
    networks = Networks(
        tuple(t.estimator for t in trained), x, torch.tensor(starts, dtype=torch.float32), task, schedule
    )
    return Ensemble(
        posterior_of(networks),
        losses,
        tuple(t.reading for t in trained),
        held,
        summaries,
    )


def _member(
    z: NDArray[np.float64],
    deviations: NDArray[np.float64],
    held: NDArray[np.intp],
    summaries: Inputs,
    schedule: Schedule,
    seed: int,
    task: Task,
    report: Report,
) -> Trained:
    def progress(epoch: int, text: str) -> None:
        report(epoch / schedule.epochs, text)

    return train(z, summaries.before_noise(deviations), held, summaries.encode, schedule, seed, task, progress)
