"""Simulating a set of parameters once and for all: batch by batch, each written as it ends."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurofit.features import FeatureTable, as_table
from neurofit.features.simulated import Simulated, n_batches, simulate_features
from neurofit.progress import Progress
from neurofit.recording import Recording
from neurofit.simulation import draw_keys
from neurofit.store import Run
from neurofit.template import Model

Array = NDArray[np.float64]

# Thinning of the voltage that is kept for the raw checks and the figures, and of how many simulations it is kept.
KEEP_MS = 0.5
KEPT = 500


@dataclass(frozen=True, eq=False)
class SimulationSet:
    """Simulations of one set of parameters under one set of sweeps.

    Attributes
    ----------
    z
        ``[row, parameter]``, unbounded.
    features, valid
        As measured.
    voltage_mv
        ``[row, sweep, time]`` thinned to ``KEEP_MS``, of the first rows only; ``None`` where none was kept.
    """

    z: Array
    features: FeatureTable
    valid: NDArray[np.bool_]
    voltage_mv: NDArray[np.float32] | None


def simulate_set(
    run: Run,
    name: str,
    model: Model,
    sweeps: Recording,
    z: Callable[[], Array],
    *,
    seed: int,
    workers: int,
    progress: Progress,
    keep: int = 0,
) -> SimulationSet:
    """Simulate a set once and for all: batch by batch, each written as it ends.

    Parameters
    ----------
    name
        Folder under ``simulations``.
    sweeps
        Whose current is injected.
    z
        ``() -> [row, parameter]``, called if the set was not begun before.
    keep
        Keep the thinned voltage of the first so many rows.
    """
    folder = f"simulations/{slug(name)}"
    stimulus, numbers = sweeps.stimulus, sweeps.sweep_numbers
    if not (run / folder / "all.npz").is_file():
        proposal = run.arrays(f"{folder}/parameters.npz", lambda: {"z": z()})["z"]
        total = n_batches(len(proposal), stimulus)
        files = [f"{folder}/{number:05d}.npz" for number in range(total)]
        finished = frozenset(number for number in range(total) if (run / files[number]).is_file())
        batches = simulate_features(
            model,
            stimulus,
            model.prior.from_unbounded(proposal),
            draw_keys(seed, zlib.crc32(name.encode()), len(proposal)),
            sweep_numbers=numbers,
            workers=workers,
            keep_every=max(1, round(KEEP_MS / stimulus.dt_ms)) if keep else None,
            skip=finished,
        )
        with progress.bar(f"Simulating {name}", total) as advance:
            bad = 0
            for count, (number, part) in enumerate(batches, len(finished) + 1):
                run.write_arrays(files[number], _batch_arrays(part, keep))
                bad += int((~part.valid).sum())
                note = f"{round(count / total * len(proposal)):,} of {len(proposal):,}"
                advance(count, note + (f", {bad} invalid" if bad else ""))
        parts = [run.read_arrays(file) for file in files]
        merged = {key: np.concatenate([p[key] for p in parts if key in p]) for key in parts[0]}
        run.write_arrays(f"{folder}/all.npz", {"z": proposal, **merged})
        for file in files:
            (run / file).unlink()
    return read_set(run, name, sweeps)


def read_set(run: Run, name: str, sweeps: Recording) -> SimulationSet:
    """A set that was simulated before under these sweeps."""
    found = run.read_arrays(f"simulations/{slug(name)}/all.npz")
    table = as_table(found["values"], sweeps.stimulus, sweeps.sweep_numbers)
    return SimulationSet(found["z"], table, found["valid"], found.get("voltage_mv"))


def _batch_arrays(part: Simulated, keep: int) -> dict[str, NDArray[Any]]:
    arrays: dict[str, NDArray[Any]] = {"values": part.features.values, "valid": part.valid}
    kept = max(0, min(keep, part.rows.stop) - part.rows.start)
    if part.voltage_mv is not None and kept:
        arrays["voltage_mv"] = part.voltage_mv[:kept]
    return arrays


def slug(name: str) -> str:
    """A name as a folder's name."""
    return re.sub(r"\W+", "-", name).strip("-")
