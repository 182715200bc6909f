"""Parameters in, features out: simulations run and are measured in worker processes, batch by batch.

A batch is what one run of the compiled program holds. Its voltage is measured in the process that simulated it and
then dropped, so that memory does not grow with the number of simulations; a thinned copy is kept where asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import joblib
import numpy as np
from numpy.typing import NDArray

from neurofit.features.extract import extract_features
from neurofit.features.table import FeatureTable
from neurofit.recording import Stimulus
from neurofit.simulation import batches, compile_for, run_batch, valid_draws
from neurofit.template import Model


@dataclass(frozen=True, eq=False)
class Simulated:
    """Simulations that were measured.

    Attributes
    ----------
    rows
        Which rows of ``theta`` these are.
    features
        ``[row, feature]``.
    valid
        ``[row]``.
    voltage_mv
        ``[row, sweep, time]``, every ``keep_every``-th sample in float32; ``None`` if none was asked for.
    """

    rows: slice
    features: FeatureTable
    valid: NDArray[np.bool_]
    voltage_mv: NDArray[np.float32] | None


def simulate_features(
    model: Model,
    stimulus: Stimulus,
    theta: NDArray[np.float64],
    keys: NDArray[np.uint64],
    *,
    sweep_numbers: Sequence[int],
    workers: int = 1,
    keep_every: int | None = None,
    skip: frozenset[int] = frozenset(),
) -> Iterator[tuple[int, Simulated]]:
    """Simulate and measure, yielding ``(batch number, Simulated)`` as batches end, in any order.

    Parameters
    ----------
    theta, keys
        ``[draw, parameter]`` and ``[draw]``.
    workers
        Processes to run side by side.
    keep_every
        Keep every so many-th sample of the voltage.
    skip
        Numbers of batches that are not wanted (because they were finished before).
    """
    compiled = compile_for(model, stimulus)
    slices = list(batches(len(theta), stimulus.n_sweeps))

    def one(number: int) -> tuple[int, Simulated]:
        rows = slices[number]
        voltage = run_batch(compiled, model, stimulus, theta[rows], keys[rows])
        valid = valid_draws(voltage)
        features = extract_features(
            voltage, stimulus, sweep_numbers=sweep_numbers, spikes_drawn=model.spike is not None, valid=valid
        )
        # a copy, or the thinned view would keep the whole voltage alive
        kept = voltage[..., ::keep_every].copy() if keep_every else None
        return number, Simulated(rows, features, valid, kept)

    todo = [number for number in range(len(slices)) if number not in skip]
    if workers <= 1 or len(todo) <= 1:
        yield from map(one, todo)
        return
    with joblib.parallel_config(backend="loky", inner_max_num_threads=1):
        parallel = joblib.Parallel(
            n_jobs=workers, return_as="generator_unordered", batch_size=1, pre_dispatch="2*n_jobs"
        )
        yield from parallel(joblib.delayed(one)(number) for number in todo)


def n_batches(n_draws: int, stimulus: Stimulus) -> int:
    """How many batches :func:`simulate_features` will yield."""
    return sum(1 for _ in batches(n_draws, stimulus.n_sweeps))


def gather(parts: Sequence[Simulated]) -> Simulated:
    """All batches of a set, in the order of their rows."""
    ordered = sorted(parts, key=lambda part: part.rows.start)
    kept = [part.voltage_mv for part in ordered if part.voltage_mv is not None]
    return Simulated(
        slice(ordered[0].rows.start, ordered[-1].rows.stop),
        FeatureTable.concatenate([part.features for part in ordered]),
        np.concatenate([part.valid for part in ordered]),
        np.concatenate(kept) if len(kept) == len(ordered) else None,
    )
