"""A compiled simulation program, rerun with new parameters, keys and currents."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurofit.disk import scratch
from neurofit.errors import SimulationError
from neurofit.simulation.build import FLOATS
from neurofit.simulation.cache import find_or_build
from neurofit.simulation.compiler import missing_tools
from neurofit.simulation.process import ending, run_process
from neurofit.simulation.slow import SlowProgram, warn_slow
from neurofit.template import Model

# Neurons of one run of a program: a whole number of vectors, and few enough that the state stays in the cache.
N_NEURONS = 1024

# What the program says when it could not read or write a file; its return code does not tell.
_COMPLAINTS = ("Error reading", "Could not read", "Error opening", "Error writing", "Cannot set")


def describe(model: Model, n_samples: int, n_sweeps: int, sample_dt_ms: float) -> dict[str, Any]:
    """Everything that decides what is compiled, as plain values.

    Parameters
    ----------
    n_samples, sample_dt_ms
        Length and sampling of the stimulus and of the recorded voltage.
    n_sweeps
        Columns of the stimulus table; not all need be used.
    """
    spike = model.spike
    return {
        "name": model.name,
        "equations": model.parsed.text,
        "recorded": model.recorded,
        # a list, for these are set in order
        "initial": [[name, expression] for name, expression in model.initial.items() if name != "v"],
        "method": model.method,
        "dt_ms": model.dt_ms,
        "precision": model.precision,
        "spike": vars(spike) if spike else None,
        "uses_noise": model.parsed.uses_noise,
        "uses_observation_noise": model.parsed.uses_observation_noise,
        "units": dict(model.units),
        "fixed": {p.name: p.value for p in model.parameters if p.prior is None},
        "free": list(model.free),
        "n_samples": n_samples,
        "n_sweeps": n_sweeps,
        "sample_dt_ms": sample_dt_ms,
        "n_neurons": N_NEURONS,
    }


@dataclass(frozen=True)
class Program:
    """An executable for one model and one shape of protocol.

    Attributes
    ----------
    directory
        The Brian2 project.
    description
        What it was built from.
    manifest
        The name of its voltage file, and its free parameters with the size of their units.
    """

    directory: Path
    description: dict[str, Any]
    manifest: dict[str, Any]

    def run(
        self,
        theta: NDArray[np.float64],
        keys: NDArray[np.uint64],
        sweep: NDArray[np.int32],
        start_v_mv: NDArray[np.float64],
        current_pa: NDArray[np.float64],
    ) -> NDArray[np.float32]:
        """Recorded voltage in mV, ``[neuron, time]``.

        Parameters
        ----------
        theta
            ``[neuron, parameter]`` in the template's units; at most ``N_NEURONS`` rows.
        keys, sweep, start_v_mv
            ``[neuron]``: noise key, column of the stimulus, starting voltage.
        current_pa
            ``[sweep, time]``, at most as many sweeps as the program has columns.

        Raises
        ------
        SimulationError
            If the program fails, or its result cannot be written or read.
        """
        values = self._inputs(theta, keys, sweep, start_v_mv, current_pa)
        try:
            with scratch("neurofit-run-") as results:
                arguments = []
                for i, (variable, array) in enumerate(values.items()):
                    array.tofile(results / f"in{i}.dat")
                    arguments.append(f"{variable}={results / f'in{i}.dat'}")
                main = [str(self.directory / "main"), "--results_dir", f"{results}{os.sep}", *arguments]
                self._check(run_process(main, cwd=self.directory), results)
                return self._voltage_mv(results / self.manifest["voltage_file"], len(theta))
        except OSError as error:
            raise SimulationError(f"The simulation program in {self.directory} cannot be run: {error}.") from error

    def _inputs(
        self,
        theta: NDArray[np.float64],
        keys: NDArray[np.uint64],
        sweep: NDArray[np.int32],
        start_v_mv: NDArray[np.float64],
        current_pa: NDArray[np.float64],
    ) -> dict[str, NDArray[Any]]:
        """``{Brian2 variable: values}`` in SI units."""
        values: dict[str, NDArray[Any]] = {
            f"cells.{parameter}": theta[:, j] * scale
            for j, (parameter, scale) in enumerate(self.manifest["parameters"].items())
        }
        values |= {"cells.v": start_v_mv * 1e-3}
        values = {name: column.astype(FLOATS[self.description["precision"]]) for name, column in values.items()}
        values |= {"cells.key": keys.astype(np.float64), "cells.sweep": sweep}
        # neurons past the last one repeat it, so that every run has the same whole vectors
        values = {k: np.concatenate([v, np.repeat(v[-1:], N_NEURONS - len(v))]) for k, v in values.items()}
        unused = self.description["n_sweeps"] - len(current_pa)
        values["stimulus.values"] = np.ascontiguousarray(np.pad(current_pa, ((0, unused), (0, 0))).T) * 1e-12
        return values

    def _check(self, done: subprocess.CompletedProcess[str], results: Path) -> None:
        said = f"{done.stderr}\n{done.stdout}".strip()
        if done.returncode:
            raise SimulationError(
                f"The simulation program in {self.directory} {ending(done.returncode)}: {said[:500] or 'no message'}. "
                "If nobody killed it, perhaps there was not enough memory."
            )
        file = results / self.manifest["voltage_file"]
        expected = self.description["n_samples"] * N_NEURONS * 4
        written = file.stat().st_size if file.is_file() else 0
        if written != expected:
            free = shutil.disk_usage(results).free
            raise SimulationError(
                f"The simulation program wrote {written} bytes of voltage instead of {expected}: is the disk of "
                f"{results.parent} full? It has {free / 1e6:.0f} MB left. Set TMPDIR to a folder with more room."
            )
        if any(complaint in said for complaint in _COMPLAINTS):
            raise SimulationError(f"The simulation program had trouble with its files: {said[:500]}")

    def _voltage_mv(self, file: Path, n: int) -> NDArray[np.float32]:
        """``[neuron, time]`` from the file's ``[time, neuron]``, in tiles that fit the processor's cache."""
        found = np.memmap(file, dtype=np.float32, mode="r", shape=(self.description["n_samples"], N_NEURONS))
        result = np.empty((n, len(found)), dtype=np.float32)
        for start in range(0, len(found), 64):
            result[:, start : start + 64] = found[start : start + 64, :n].T
        return result


def program(description: dict[str, Any]) -> Program | SlowProgram:
    """The program for a description, from the cache or compiled now; without a compiler, what stands in for it.

    Raises
    ------
    CompileError
        If the C++ compiler fails, or the cache cannot be used.
    """
    missing = missing_tools()
    if missing:
        warn_slow(missing)
        return SlowProgram(description)
    directory, manifest = find_or_build(description)
    return Program(directory, description, manifest)
