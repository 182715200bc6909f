"""Parameters in, features out: simulations run and are measured by workers, batch by batch.

A batch is what one run of the compiled program holds. Its voltage is measured by the worker that simulated it and then
dropped, so that memory does not grow with the number of simulations; a thinned copy is kept where asked for. A worker
gets a plain description of the job and the rows of its batch; it finds the compiled program, or builds it, itself.
"""

from __future__ import annotations

import io
import json
import socket
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurofit.cluster import differences, versions
from neurofit.errors import RunFailed, SlowSimulation
from neurofit.features.extract import extract_features
from neurofit.recording import Stimulus
from neurofit.simulation import FINE, compile_for, draw_reasons, run_batch
from neurofit.template import Model, parse_model
from neurofit.threads import one_thread
from neurofit.workers import Pool

# eFEL and the reading of templates keep state of the whole process; a Dask worker may have several threads.
_ALONE = threading.Lock()


@dataclass(frozen=True, eq=False)
class Simulated:
    """A batch of simulations that was measured.

    Attributes
    ----------
    rows
        Which simulations these are.
    values
        ``[row, feature]``, NaN where undefined.
    reason
        ``[row]``, as :func:`neurofit.simulation.draw_reasons` has it.
    voltage_mv
        ``[row, sweep, time]`` of the first rows, thinned, in float32; no rows where none were asked for.
    seconds
        That one process took.
    """

    rows: slice
    values: NDArray[np.float64]
    reason: NDArray[np.uint8]
    voltage_mv: NDArray[np.float32]
    seconds: float


def simulate_features(
    model: Model,
    stimulus: Stimulus,
    batches: Iterable[slice],
    theta: Callable[[slice], NDArray[np.float64]],
    keys: Callable[[slice], NDArray[np.uint64]],
    *,
    sweep_numbers: Sequence[int],
    pool: Pool,
    keep_every: int = 1,
    keep: int = 0,
) -> Iterator[Simulated]:
    """Simulate and measure batches, yielding each as it ends, in any order.

    Parameters
    ----------
    batches
        Rows of each batch, at most as many as one run of the program holds.
    theta, keys
        ``rows -> [row, parameter]`` and ``rows -> [row]``, asked for as batches begin.
    keep_every, keep
        Keep every so many-th sample of the voltage of simulations 0 to ``keep``.
    """
    job = _packed(model, stimulus, sweep_numbers, keep_every)
    calls = ((job, rows, theta(rows), keys(rows), max(0, min(keep, rows.stop) - rows.start)) for rows in batches)
    return pool.unordered(_measure, calls)


def _measure(job: bytes, rows: slice, theta: NDArray[np.float64], keys: NDArray[np.uint64], kept: int) -> Simulated:
    started = time.perf_counter()
    with _ALONE, warnings.catch_warnings():
        # whoever began the run has been told
        warnings.simplefilter("ignore", SlowSimulation)
        model, stimulus, sweep_numbers, keep_every = _unpacked(job)
        compiled = compile_for(model, stimulus)
    voltage = run_batch(compiled, model, stimulus, theta, keys)
    reason = draw_reasons(voltage)
    with _ALONE, one_thread():
        features = extract_features(
            voltage,
            stimulus,
            sweep_numbers=sweep_numbers,
            spikes_drawn=model.spike is not None,
            valid=reason == FINE,
        )
    # a copy, or the thinned view would keep the whole voltage alive
    thinned = voltage[:kept, :, ::keep_every].copy()
    return Simulated(rows, features.values, reason, thinned, time.perf_counter() - started)


def _packed(model: Model, stimulus: Stimulus, sweep_numbers: Sequence[int], keep_every: int) -> bytes:
    """All that a worker on any machine needs to know, as plain values; steps of current are a few kilobytes."""
    about = {
        "template": model.text,
        "path": model.path,
        "dt_ms": model.dt_ms,
        "precision": model.precision,
        "sample_dt_ms": stimulus.dt_ms,
        "sweep_numbers": [int(number) for number in sweep_numbers],
        "keep_every": keep_every,
        "versions": versions(),
    }
    out = io.BytesIO()
    np.savez_compressed(out, about=np.array(json.dumps(about)), current_pa=stimulus.current_pa)
    return out.getvalue()


@lru_cache(maxsize=8)
def _unpacked(job: bytes) -> tuple[Model, Stimulus, list[int], int]:
    with np.load(io.BytesIO(job), allow_pickle=False) as found:
        about: dict[str, Any] = json.loads(str(found["about"]))
        current_pa = found["current_pa"]
    if different := differences(about["versions"]):
        raise RunFailed(
            f"A worker on {socket.gethostname()} that joined later is not like the others: the run was begun with "
            f"{', '.join(f'{name} {number}' for name, number in different.items())}."
        )
    model = parse_model(about["template"], about["path"])
    model = replace(model, dt_ms=about["dt_ms"], precision=about["precision"])
    return model, Stimulus(current_pa, about["sample_dt_ms"]), about["sweep_numbers"], about["keep_every"]
