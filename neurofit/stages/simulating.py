"""Simulating a set of parameters once and for all: batch by batch, each written as it ends."""

from __future__ import annotations

import re
import shutil
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurofit.check.inputs import FEWEST_REFERENCES
from neurofit.errors import SimulationError
from neurofit.features import FeatureTable, as_table
from neurofit.features.simulated import Simulated, simulate_features
from neurofit.progress import Progress
from neurofit.recording import Recording
from neurofit.simulation import FINE, REASONS, batches, count_reasons, draw_keys
from neurofit.store import Run
from neurofit.template import Model
from neurofit.workers import Pool

Array = NDArray[np.float64]

# Thinning of the voltage that is kept for the raw checks and the figures, and of how many simulations it is kept.
KEEP_MS = 0.5
KEPT = 500


@dataclass(frozen=True, eq=False)
class SimulationSet:
    """Simulations of one set of parameters under one set of sweeps; its arrays are read from the disk as they are used.

    Attributes
    ----------
    z
        ``[row, parameter]``, unbounded.
    features
        As measured.
    reason
        ``[row]``: 0 for a valid simulation, else what went wrong, as in :data:`neurofit.simulation.REASONS`.
    voltage_mv
        ``[row, sweep, time]`` thinned to ``KEEP_MS``, of the first rows only; ``None`` where none was kept.
    """

    z: Array
    features: FeatureTable
    reason: NDArray[np.uint8]
    voltage_mv: NDArray[np.float32] | None

    @property
    def valid(self) -> NDArray[np.bool_]:
        """``[row]``: nothing went wrong."""
        return self.reason == FINE


def simulate_set(
    run: Run,
    name: str,
    model: Model,
    sweeps: Recording,
    z: Callable[[], Array],
    *,
    seed: int,
    pool: Pool,
    progress: Progress,
    keep: int = 0,
) -> SimulationSet:
    """Simulate a set once and for all.

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
    place = _place(run, name)
    if not (place / "z.npy").is_file():
        proposal = z()
        place.write_rows("z.npy", len(proposal), [proposal])

    def theta(rows: slice) -> Array:
        return model.prior.from_unbounded(place.rows("z.npy")[rows])

    n = len(place.rows("z.npy"))
    stream(place, name, model, sweeps, n, theta, seed=seed, pool=pool, progress=progress, keep=keep)
    return read_set(run, name, sweeps)


def read_set(run: Run, name: str, sweeps: Recording) -> SimulationSet:
    """A set that was simulated before under these sweeps."""
    place = _place(run, name)
    table = as_table(place.rows("features.npy"), sweeps.stimulus, sweeps.sweep_numbers)
    voltage = place.rows("voltage_mv.npy") if (place / "voltage_mv.npy").is_file() else None
    return SimulationSet(place.rows("z.npy"), table, place.rows("reason.npy"), voltage)


def require_valid(simulated: SimulationSet, source: str) -> None:
    """Are there enough valid simulations, also of those whose voltage is kept, to hold a cell against?

    Raises
    ------
    SimulationError
        If not, with what went wrong and how often.
    """
    n, valid = len(simulated.valid), simulated.valid
    kept = n if simulated.voltage_mv is None else len(simulated.voltage_mv)
    if valid[:kept].sum() < FEWEST_REFERENCES:
        why = "; ".join(f"in {count:,} {words}" for words, count in count_reasons(simulated.reason).items())
        of_kept = "" if kept == n else f", {valid[:kept].sum()} of the first {kept}"
        raise SimulationError(
            f"{valid.sum():,} of {n:,} simulations from {source} are valid{of_kept} ({why}): at least "
            f"{FEWEST_REFERENCES} are needed. The simulations are kept. Narrow the priors in the template, or give it "
            "a shorter time step, and fit it into another directory."
        )


def stream(
    place: Run,
    name: str,
    model: Model,
    sweeps: Recording,
    n: int,
    theta: Callable[[slice], Array],
    *,
    seed: int,
    pool: Pool,
    progress: Progress,
    keep: int = 0,
) -> None:
    """Simulate ``n`` rows into ``features.npy``, ``reason.npy``, ``summary.json`` and, where asked, ``voltage_mv.npy``.

    Every batch is a file as soon as it ends, and what is there is not simulated again; at the end the batches are put
    under one another, one at a time. Nothing here grows with ``n``.

    Parameters
    ----------
    name
        Of the set, which has keys of its own.
    theta
        ``rows -> [row, parameter]``.
    """
    stimulus = sweeps.stimulus
    wanted = ["features.npy", "reason.npy", "summary.json", *(["voltage_mv.npy"] if keep else [])]
    if not all((place / file).is_file() for file in wanted):
        files = {_file(rows): rows for rows in batches(n, stimulus.n_sweeps)}
        todo = {file: rows for file, rows in files.items() if not (place / file).is_file()}
        tally = _Tally(n)
        for file in files.keys() - todo.keys():
            tally.add(place.read_array(file, "reason"))
        found = simulate_features(
            model,
            stimulus,
            todo.values(),
            theta,
            lambda rows: draw_keys(seed, zlib.crc32(name.encode()), rows.stop - rows.start, rows.start),
            sweep_numbers=sweeps.sweep_numbers,
            pool=pool,
            keep_every=max(1, round(KEEP_MS / stimulus.dt_ms)),
            keep=keep,
        )
        with progress.bar(f"Simulating {name}", n, tally.done) as advance:
            tally.begin()
            for part in found:
                place.write_arrays(_file(part.rows), _arrays(part))
                tally.add(part.reason)
                advance(tally.done, tally.note())
        _put_together(place, list(files), n, min(keep, n))
    shutil.rmtree(place / "batches", ignore_errors=True)


def _file(rows: slice) -> str:
    return f"batches/{rows.start:08d}-{rows.stop:08d}.npz"


def _arrays(part: Simulated) -> dict[str, NDArray[Any]]:
    arrays: dict[str, NDArray[Any]] = {
        "features": part.values,
        "reason": part.reason,
        "seconds": np.array(part.seconds),
    }
    return arrays | ({"voltage_mv": part.voltage_mv} if len(part.voltage_mv) else {})


def _put_together(place: Run, files: list[str], n: int, kept: int) -> None:
    """The batches' files under one another, one at a time; the summary comes last."""
    place.write_rows("features.npy", n, (place.read_array(file, "features") for file in files))
    place.write_rows("reason.npy", n, (place.read_array(file, "reason") for file in files))
    if kept:
        first = files[: -(-kept // len(place.read_array(files[0], "reason")))]
        place.write_rows("voltage_mv.npy", kept, (place.read_array(file, "voltage_mv") for file in first))
    summary = {
        "simulations": n,
        "invalid": count_reasons(place.rows("reason.npy")),
        "seconds_of_one_process": sum(float(place.read_array(file, "seconds")) for file in files),
    }
    place.write_json("summary.json", summary)


class _Tally:
    """How far a set is: what the bar's note says."""

    def __init__(self, n: int) -> None:
        self.n, self.done = n, 0
        self._counts = np.zeros(len(REASONS), dtype=np.int64)
        self._begun, self._before = time.monotonic(), 0

    def begin(self) -> None:
        """The rate is that of what comes from here on."""
        self._begun, self._before = time.monotonic(), self.done

    def add(self, reason: NDArray[np.uint8]) -> None:
        self.done += len(reason)
        self._counts += np.bincount(reason, minlength=len(REASONS))

    def note(self) -> str:
        rate = (self.done - self._before) / max(time.monotonic() - self._begun, 1e-6)
        parts = [f"{self.done:,} of {self.n:,}", f"{rate:,.{0 if rate >= 10 else 1}f}/s"]
        for words, count in zip(REASONS, self._counts.tolist(), strict=True):
            if count and words != REASONS[FINE]:
                parts.append(f"{100 * count / self.done:.2g} % invalid: {words}")
        return ", ".join(parts)


def _place(run: Run, name: str) -> Run:
    return Run(run / "simulations" / slug(name))


def slug(name: str) -> str:
    """A name as a folder's name."""
    return re.sub(r"\W+", "-", name).strip("-")
