"""Simulations from the prior, as many as wanted, streamed to a directory that any program can read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neurofit import stages
from neurofit.features import FeatureTable, as_table
from neurofit.infer.valid import SEED, require_one, whole
from neurofit.progress import Progress, Silent
from neurofit.recording import Recording, Stimulus
from neurofit.simulation import FINE, REASONS, compile_for
from neurofit.store import Run
from neurofit.template import Model
from neurofit.threads import one_thread
from neurofit.workers import open_pool

if TYPE_CHECKING:
    from distributed import Client

# Parameter sets that are drawn at once.
_BLOCK = 10_000

_README = """\
{n:,} simulations of {model} under the protocol of {recording}, one row each in every file.

    parameters.npy   [simulation, parameter] drawn from the template's prior
    features.npy     [simulation, feature]   measured on the voltage; NaN where a feature is undefined
    reason.npy       [simulation]            0: fine; {reasons}
    columns.json     names and units of the columns of parameters.npy and features.npy
    protocol.npz     current_pa [sweep, time], dt_ms, sweep numbers
{voltage}    summary.json     how many, how many invalid and why, seconds of one process
    model.toml       the template;  run.toml: what was decided, and the versions of what ran

In Python, with or without neurofit:

    import json, numpy as np, pandas as pd
    columns = json.load(open("columns.json"))
    parameters = pd.DataFrame(np.load("parameters.npy", mmap_mode="r"), columns=columns["parameters"]["names"])
    features = pd.DataFrame(np.load("features.npy", mmap_mode="r"), columns=columns["features"]["names"])
    valid = np.load("reason.npy") == 0
"""
_VOLTAGE = "    voltage_mv.npy   [simulation, sweep, time] of the first {kept}, every {every:g} ms\n"


@dataclass(frozen=True, eq=False)
class PriorSimulations:
    """A directory of simulations from a prior; its arrays are read from the disk as they are used.

    Attributes
    ----------
    path
        The directory.
    model
        Whose prior it was.
    """

    path: Path
    model: Model

    @property
    def _run(self) -> Run:
        return Run(self.path)

    @property
    def parameters(self) -> pd.DataFrame:
        """A row a simulation, a column a free parameter; units in ``.attrs["units"]``."""
        return self.model.table(self._run.rows("parameters.npy"))

    @property
    def features(self) -> FeatureTable:
        """A row a simulation, as :func:`neurofit.extract_features` measures them."""
        with np.load(self._run / "protocol.npz") as found:
            stimulus, numbers = Stimulus(found["current_pa"], float(found["dt_ms"])), found["sweeps"].tolist()
        return as_table(self._run.rows("features.npy"), stimulus, numbers)

    @property
    def reason(self) -> NDArray[np.uint8]:
        """``[simulation]``: 0 where it is valid, else what went wrong, as in :data:`neurofit.simulation.REASONS`."""
        return self._run.rows("reason.npy")

    @property
    def valid(self) -> NDArray[np.bool_]:
        """``[simulation]``: nothing went wrong."""
        return self.reason == FINE

    @property
    def voltage_mv(self) -> NDArray[np.float32] | None:
        """``[simulation, sweep, time]`` of the first ones, thinned; ``None`` if none was asked for."""
        return self._run.rows("voltage_mv.npy") if (self._run / "voltage_mv.npy").is_file() else None

    def lines(self) -> Iterator[str]:
        """What is there, how much of it is invalid and why, and how to read it."""
        summary = self._run.read_json("summary.json")
        n, invalid = summary["simulations"], summary["invalid"]
        columns = self._run.read_json("columns.json")
        yield (
            f"{n:,} simulations: {len(columns['parameters']['names'])} parameters, "
            f"{len(columns['features']['names'])} features each; "
            f"{1e3 * summary['seconds_of_one_process'] / n:.3g} ms of one process per simulation."
        )
        if invalid:
            why = "; ".join(f"{count:,} ({100 * count / n:.2g} %) {words}" for words, count in invalid.items())
            yield f"Invalid: {why}. Their features are undefined."
        else:
            yield "None is invalid."
        yield f"{self.path}: parameters.npy, features.npy, reason.npy, columns.json; README.txt says how to read them."


def simulate_prior(
    recording: Recording,
    model: Model,
    out: str | Path,
    *,
    simulations: int = 10_000,
    seed: int = 1,
    sweeps: str | Sequence[int] = "all",
    step: int = 1,
    keep_all: bool = False,
    keep_voltage: int = 0,
    workers: int | None = None,
    scheduler: str | Client | None = None,
    progress: Progress | None = None,
) -> PriorSimulations:
    """Draw parameters from a model's prior, simulate a recording's protocol and measure it, into a directory.

    Memory does not grow with the number of simulations, and the same call goes on where it was stopped.

    Parameters
    ----------
    recording
        Whose current is injected.
    model
        From :func:`neurofit.load_model`.
    out
        The directory. If it holds begun simulations of the same decisions, these go on.
    simulations
        How many.
    seed
        Fixes every draw.
    sweeps, step, keep_all
        Which sweeps and which test step, as for :func:`neurofit.fit`.
    keep_voltage
        Keep the voltage of the first so many simulations, in float32, thinned to 0.5 ms.
    workers, scheduler
        Processes here, or the cluster of a Dask scheduler, as for :func:`neurofit.fit`. They change no number.

    Raises
    ------
    BadInput
        For a recording, model, selection or directory that cannot be used; nothing was overwritten.
    RunFailed
        If something went wrong on the way; what was finished is kept.
    """
    for what, value, limit in (
        ("simulations", simulations, whole(1)),
        ("keep_voltage", keep_voltage, whole(0)),
        ("seed", seed, SEED),
    ):
        require_one(what, value, limit, "simulate_prior")
    progress, kept = progress or Silent(), min(keep_voltage, simulations)
    recording, chosen, cut, model = stages.chosen_inputs(recording, model, sweeps, step, keep_all)
    protocol = cut.fitted
    decided = {
        **stages.inputs_decided(recording, chosen, step, model),
        "simulations": simulations,
        "keep_voltage": kept,
        "seed": seed,
    }
    run = Run(out)
    with one_thread(), open_pool(workers, scheduler) as pool, run.started(decided):
        run.file("model.toml", lambda path: path.write_bytes(model.text.encode()))
        _keep_protocol(run, protocol)
        if not (run / "parameters.npy").is_file():
            run.write_rows("parameters.npy", simulations, _drawn(model, simulations, seed))
        if pool.client is None:
            with progress.bar("Compiling the model", 1) as advance:
                compile_for(model, protocol.stimulus)
                advance(1, "")
        stages.stream(
            run,
            "prior",
            model,
            protocol,
            simulations,
            # a copy, so that what was read does not stay mapped
            lambda rows: np.array(run.rows("parameters.npy")[rows]),
            seed=seed,
            pool=pool,
            progress=progress,
            keep=kept,
        )
        _describe(run, model, protocol, simulations, kept)
    return PriorSimulations(run.path, model)


def _drawn(model: Model, n: int, seed: int) -> Iterator[NDArray[np.float64]]:
    """Draws of the prior, block by block: the first ones are those of a fit with this seed."""
    rng = np.random.default_rng(stages.stream_seed(seed, "prior"))
    for start in range(0, n, _BLOCK):
        yield model.prior.sample(min(_BLOCK, n - start), rng)


def _keep_protocol(run: Run, protocol: Recording) -> None:
    run.arrays(
        "protocol.npz",
        lambda: {
            "current_pa": protocol.current_pa,
            "dt_ms": np.array(protocol.dt_ms),
            "sweeps": np.array(protocol.sweep_numbers),
        },
    )


def _describe(run: Run, model: Model, protocol: Recording, n: int, kept: int) -> None:
    """The columns' names, and how to read what is there."""
    # no rows: only the names are wanted
    table = as_table(run.rows("features.npy")[:0], protocol.stimulus, protocol.sweep_numbers)
    columns = {
        "parameters": {"names": model.free, "units": [model.units[name] for name in model.free]},
        "features": {"names": table.names, "units": table.units, "labels": table.labels},
    }
    run.json("columns.json", lambda: columns)
    every = max(1, round(stages.KEEP_MS / protocol.dt_ms)) * protocol.dt_ms
    text = _README.format(
        n=n,
        model=model.name,
        recording=protocol.source.path,
        reasons="; ".join(f"{code}: {words}" for code, words in enumerate(REASONS) if code != FINE),
        voltage=_VOLTAGE.format(kept=f"{kept:,}", every=every) if kept else "",
    )
    run.file("README.txt", lambda path: path.write_text(text, encoding="utf-8"))
