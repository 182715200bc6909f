"""Training a round and cutting the region to what it leaves."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neurofit.infer import Density, Method, Region, Summaries, train_ensemble, usable, widened
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
        The ensemble, at the observation.
    summaries
        With the tolerances this round trained with.
    losses
        ``[member, epoch, 2]``: training and validation, in nats.
    readings
        Each member's loss curve in words.
    region
        What is left after this round's cut.
    trained_on, nearest, leakage
        Simulations used; distance of the nearest ones in tolerances; share of the density outside the last region.
    seconds
        Time it took to train.
    """

    number: int
    density: Density
    summaries: Summaries
    losses: Array
    readings: tuple[str, ...]
    region: Region
    trained_on: int
    nearest: float
    leakage: float
    seconds: float
    held_out: NDArray[np.intp]


def propose(
    region: Region, number: int, method: Method, n_parameters: int, *, seed: int, workers: int, progress: Progress
) -> Array:
    """What a round simulates, ``[simulation, parameter]`` in ``z``: the prior, then the prior inside the region."""
    if number == 1:
        rng = np.random.default_rng(stream_seed(seed, "prior"))
        return rng.standard_normal((method.simulations, n_parameters))
    with progress.bar(f"Proposing round {number}", 1.0) as advance:
        return region.propose(method.simulations, stream_seed(seed, "propose", number), workers, advance)


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
    """Train on every usable simulation so far, and cut the region to what is left."""
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
                seed=stream_seed(seed, "train", number), members=method.members, workers=workers, report=advance,
            )  # fmt: skip
        seconds = time.monotonic() - started
        run.file(f"{folder}/network.safetensors", ensemble.density.save)
        cut = region.cut(ensemble.density, method.truncation, method.margin, stream_seed(seed, "region", number))
        leaked = 1 - region(ensemble.density.sample(5000, stream_seed(seed, "region", number))).mean()
        run.write_arrays(
            f"{folder}/training.npz",
            {"losses": ensemble.losses, "held_out": np.flatnonzero(chosen)[ensemble.held_out]},
        )
        run.write_json(
            f"{folder}/round.json",
            {
                "summaries": used.to_dict(),
                "threshold": cut.cuts[-1][1],
                "readings": ensemble.readings,
                "trained_on": int(chosen.sum()),
                "nearest": nearest,
                "leakage": float(leaked),
                "seconds": seconds,
            },
        )
    return read_round(run, number, region)


def read_round(run: Run, number: int, region: Region) -> Round:
    """A round that was trained before; ``region`` is what the rounds before it left."""
    folder = f"rounds/{number}"
    found = run.read_json(f"{folder}/round.json")
    arrays = run.read_arrays(f"{folder}/training.npz")
    density = Density.load(run / folder / "network.safetensors")
    return Round(
        number,
        density,
        Summaries.from_dict(found["summaries"]),
        arrays["losses"],
        tuple(found["readings"]),
        Region((*region.cuts, (density, found["threshold"]))),
        found["trained_on"],
        found["nearest"],
        found["leakage"],
        found["seconds"],
        arrays["held_out"],
    )


def pooled(sets: list[SimulationSet], declared: Summaries) -> tuple[Array, Array]:
    """``z`` and deviations from the observation (declared tolerances) of several sets, one under the other."""
    return np.concatenate([s.z for s in sets]), np.concatenate([declared.deviations(s.features) for s in sets])
