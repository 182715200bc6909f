"""Model, stimulus, parameters and keys -> recorded voltage."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from neurofit.errors import StimulusError
from neurofit.recording import Stimulus
from neurofit.simulation.keys import checked_keys, draw_keys, sweep_keys
from neurofit.simulation.program import N_NEURONS, Program, describe, program
from neurofit.simulation.rest import initial_voltage_mv
from neurofit.simulation.slow import SlowProgram
from neurofit.template import Model

# A membrane that leaves this range has blown up numerically.
SANE_MV = (-500.0, 500.0)
# What became of a draw, in words; its code is the place here.
REASONS = ("fine", "voltage became not a number", f"voltage left {SANE_MV[0]:g} to {SANE_MV[1]:g} mV")
FINE, NOT_A_NUMBER, OUT_OF_RANGE = range(3)
# Programs are compiled for a multiple of this many sweeps, so that one serves any choice of sweeps of a recording.
SWEEP_COLUMNS = 32
# The stream of a seed that simulate() takes its keys from.
_STREAM = 0


@dataclass(frozen=True, eq=False)
class Traces:
    """Simulated voltage.

    Attributes
    ----------
    voltage_mv
        ``[draw, sweep, time]`` in float32, what the electrode would report.
    dt_ms
        Sampling interval, the stimulus's own.
    reason
        ``[draw]``: 0 where the voltage stayed finite and within ``SANE_MV`` in every sweep, else the place in
        :data:`REASONS` of what went wrong.
    keys
        ``[draw]``: give them back to get the same noise again.
    """

    voltage_mv: NDArray[np.float32]
    dt_ms: float
    reason: NDArray[np.uint8]
    keys: NDArray[np.uint64]

    @property
    def valid(self) -> NDArray[np.bool_]:
        """``[draw]``: nothing went wrong."""
        return self.reason == FINE


def simulate(
    model: Model,
    stimulus: Stimulus,
    theta: ArrayLike | pd.DataFrame | Mapping[str, ArrayLike],
    seed: int = 0,
    *,
    keys: ArrayLike | None = None,
) -> Traces:
    """Simulate every parameter set under every sweep of a stimulus.

    Parameters
    ----------
    model
        From :func:`neurofit.load_model`.
    stimulus
        The injected current; voltage is sampled as it is.
    theta
        ``[draw, parameter]`` in the template's units, columns as in ``model.free``, or a table by name. Brian2
        quantities are converted.
    seed
        Gives every draw its key.
    keys
        ``[draw]`` keys instead of a seed: a simulation is a pure function of model, stimulus, parameters and key,
        the same to the last bit in any batch and any order on one kind of processor and compiler.

    Raises
    ------
    ParameterError
        For parameters of the wrong shape, name or dimension, not finite or not possible (a negative capacitance).
    StimulusError
        If the model's time step does not divide the stimulus's.
    CompileError, SimulationError
        If the program cannot be built or fails.

    Warns
    -----
    SlowSimulation
        Once in a process, if there is no C++ compiler; the results are the same.

    Examples
    --------
    >>> import numpy as np, neurofit as nf
    >>> current = np.zeros((1, 2000)); current[:, 500:1500] = 200.
    >>> traces = nf.simulate(nf.load_model("lif"), nf.Stimulus(current, dt_ms=0.1), {"V_th": [-55., -45.]}, seed=1)
    >>> traces.voltage_mv.shape, traces.valid.tolist()
    ((2, 1, 2000), [True, True])
    """
    values = model.array(theta)
    chosen = draw_keys(seed, _STREAM, len(values)) if keys is None else checked_keys(keys, len(values))
    compiled = compile_for(model, stimulus)
    voltage = np.empty((len(values), stimulus.n_sweeps, stimulus.n_samples), dtype=np.float32)
    for rows in batches(len(values), stimulus.n_sweeps):
        voltage[rows] = run_batch(compiled, model, stimulus, values[rows], chosen[rows])
    return Traces(voltage, stimulus.dt_ms, draw_reasons(voltage), chosen)


def compile_for(model: Model, stimulus: Stimulus) -> Program | SlowProgram:
    """The program for a model and a stimulus's shape: from the cache where it is there, or compiled now."""
    if stimulus.n_sweeps > N_NEURONS:
        raise StimulusError(
            f"{stimulus.n_sweeps} sweeps are more than one run of a program holds",
            expected=f"at most {N_NEURONS}",
            found=repr(stimulus),
        )
    ratio = stimulus.dt_ms / model.dt_ms
    if ratio < 1 - 1e-9 or abs(ratio - round(ratio)) > 1e-6:
        raise StimulusError(
            f"the model's time step of {model.dt_ms:g} ms does not divide the stimulus's {stimulus.dt_ms:g} ms",
            where=model.path,
            expected="a sampling interval that is a whole number of time steps",
            found=f"{ratio:g} time steps",
            advice="Change dt_ms under [integration] in the template, or resample the stimulus.",
        )
    columns = -(-stimulus.n_sweeps // SWEEP_COLUMNS) * SWEEP_COLUMNS
    return program(describe(model, stimulus.n_samples, columns, stimulus.dt_ms))


def batches(n_draws: int, n_sweeps: int) -> Iterator[slice]:
    """Whole draws that fit one run of the program."""
    per_run = N_NEURONS // n_sweeps
    return (slice(start, min(start + per_run, n_draws)) for start in range(0, n_draws, per_run))


def run_batch(
    compiled: Program | SlowProgram,
    model: Model,
    stimulus: Stimulus,
    theta: NDArray[np.float64],
    keys: NDArray[np.uint64],
) -> NDArray[np.float32]:
    """One run of the program: ``[draw, sweep, time]`` in mV. ``theta`` ``[draw, parameter]``, at most one batch."""
    n, sweeps = len(theta), stimulus.n_sweeps
    voltage = compiled.run(
        np.repeat(theta, sweeps, axis=0),
        sweep_keys(keys, sweeps).ravel(),
        np.tile(np.arange(sweeps, dtype=np.int32), n),
        initial_voltage_mv(model, theta, stimulus.current_pa[:, 0]).ravel(),
        stimulus.current_pa,
    )
    return voltage.reshape(n, sweeps, stimulus.n_samples)


def draw_reasons(voltage_mv: NDArray[np.float32]) -> NDArray[np.uint8]:
    """What became of each draw, ``[draw]``, as its place in :data:`REASONS`.

    A voltage that ran away and ended as no number at all counts as the latter.
    """
    low, high = SANE_MV
    flat = voltage_mv.reshape(len(voltage_mv), -1)
    least, most = flat.min(axis=1), flat.max(axis=1)
    outside = np.where((least > low) & (most < high), FINE, OUT_OF_RANGE)
    # the least of values with a NaN among them is NaN
    return np.where(np.isnan(least), NOT_A_NUMBER, outside).astype(np.uint8)


def count_reasons(reason: NDArray[np.uint8]) -> dict[str, int]:
    """``{words: number of draws}`` of what went wrong, without what did not happen."""
    counts = np.bincount(reason, minlength=len(REASONS))
    return {REASONS[code]: int(n) for code, n in enumerate(counts) if n and code != FINE}
