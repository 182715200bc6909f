"""What a round simulates, and what it learns."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neurofit.infer import (
    Density,
    Method,
    Potential,
    Region,
    Summaries,
    load_density,
    train_ensemble,
    usable,
    widened,
)
from neurofit.progress import Progress
from neurofit.stages.seeds import stream_seed
from neurofit.stages.simulating import SimulationSet
from neurofit.store import Run

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Round:
    """What a round of inference left behind.

    Attributes
    ----------
    number
        From 1.
    density
        The ensemble's posterior at the observation.
    summaries
        With the tolerances this round trained with, as its networks see them.
    losses
        ``[member, epoch, 2]``: training and validation, in nats.
    readings
        Each member's loss curve in words.
    came_from
        What the rounds before it had left of the prior; everything where the method does not truncate.
    region
        What is left after this round's cut.
    trained_on, nearest, leakage
        Simulations used; distance of the nearest ones in tolerances; share of the density outside the last region.
    seconds
        Time it took to train.
    """

    number: int
    density: Density | Potential
    summaries: Summaries
    losses: Array
    readings: tuple[str, ...]
    came_from: Region
    region: Region
    trained_on: int
    nearest: float
    leakage: float
    seconds: float
    held_out: NDArray[np.intp]


def propose(
    rounds: Sequence[Round], method: Method, n_parameters: int, *, seed: int, workers: int, progress: Progress
) -> Array:
    """What the next round simulates, ``[simulation, parameter]`` in ``z``.

    The prior in the first round; then the prior inside the region, or the last round's posterior.
    """
    if not rounds:
        rng = np.random.default_rng(stream_seed(seed, "prior"))
        return rng.standard_normal((method.simulations, n_parameters))
    number = rounds[-1].number + 1
    own_seed = stream_seed(seed, "propose", number)
    with progress.bar(f"Proposing round {number}", 1.0) as advance:
        if method.truncates:
            return rounds[-1].region.propose(method.simulations, own_seed, workers, advance)
        return rounds[-1].density.sample(method.simulations, own_seed)


def train_round(
    run: Run,
    number: int,
    sets: list[SimulationSet],
    declared: Summaries,
    region: Region,
    method: Method,
    *,
    seed: int,
    workers: int,
    progress: Progress,
) -> Round:
    """Train on every usable simulation so far and, where the method truncates, cut the region to what is left."""
    folder = f"rounds/{number}"
    if not (run / folder / "round.json").is_file():
        z, deviations = pooled(sets, declared)
        valid = np.concatenate([s.valid for s in sets])
        used, nearest = widened(declared, deviations[valid], method.nearest)
        scaled = deviations * (declared.tolerance / used.tolerance)
        chosen = usable(z, valid, region)
        used = used.seen_in(scaled[chosen])
        started = time.monotonic()
        with progress.bar(f"Training round {number}", 1.0) as advance:
            ensemble = train_ensemble(
                z[chosen], scaled[chosen], used, method.schedule,
                seed=stream_seed(seed, "train", number), members=method.members, workers=workers,
                task=method.task(number), report=advance,
            )  # fmt: skip
        seconds = time.monotonic() - started
        run.file(f"{folder}/network.safetensors", ensemble.density.networks.save)
        threshold, leaked = None, 0.0
        if method.truncates:
            region_seed = stream_seed(seed, "region", number)
            threshold = region.cut(ensemble.density, method.truncation, method.margin, region_seed).cuts[-1][1]
            leaked = 1 - float(region(ensemble.density.sample(5000, region_seed)).mean())
        run.write_arrays(
            f"{folder}/training.npz",
            {"losses": ensemble.losses, "held_out": np.flatnonzero(chosen)[ensemble.held_out]},
        )
        run.write_json(
            f"{folder}/round.json",
            {
                "summaries": ensemble.summaries.to_dict(),
                "threshold": threshold,
                "readings": ensemble.readings,
                "trained_on": int(chosen.sum()),
                "nearest": nearest,
                "leakage": leaked,
                "seconds": seconds,
            },
        )
    return read_round(run, number, region)


def read_round(run: Run, number: int, region: Region) -> Round:
    """A round that was trained before; ``region`` is what the rounds before it left."""
    folder = f"rounds/{number}"
    found = run.read_json(f"{folder}/round.json")
    arrays = run.read_arrays(f"{folder}/training.npz")
    density = load_density(run / folder / "network.safetensors")
    cuts = [] if found["threshold"] is None else [(density, found["threshold"])]
    return Round(
        number,
        density,
        Summaries.from_dict(found["summaries"]),
        arrays["losses"],
        tuple(found["readings"]),
        region,
        Region((*region.cuts, *cuts)),
        found["trained_on"],
        found["nearest"],
        found["leakage"],
        found["seconds"],
        arrays["held_out"],
    )


def pooled(sets: list[SimulationSet], declared: Summaries) -> tuple[Array, Array]:
    """``z`` and deviations from the observation (declared tolerances) of several sets, one under the other."""
    return np.concatenate([s.z for s in sets]), np.concatenate([declared.deviations(s.features) for s in sets])
