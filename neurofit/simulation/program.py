"""A compiled simulation program: found in the cache or built, then rerun with new parameters, keys and currents."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs
from filelock import FileLock
from numpy.typing import NDArray

from neurofit.errors import CompileError, SimulationError
from neurofit.simulation.build import compiler_flags
from neurofit.simulation.rest import initial_voltage_mv
from neurofit.simulation.updater import NAME as STAGGERED
from neurofit.template import Model

# Neurons of one run of a program: a whole number of vectors, and few enough that the state stays in the cache.
N_NEURONS = 1024
# Changes whenever build.py or updater.py would write another program for the same description.
GENERATION = 1


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
        "generation": GENERATION,
        "equations": model.equations,
        "recorded": model.recorded,
        "initial": {k: e for k, e in model.initial.items() if k != "v"},
        "method": model.method,
        "dt_ms": model.dt_ms,
        "spike": vars(spike) if spike else None,
        "uses_noise": model.parsed.uses_noise,
        "units": dict(model.units),
        "fixed": {p.name: p.value for p in model.parameters if p.prior is None},
        "free": list(model.free),
        "n_samples": n_samples,
        "n_sweeps": n_sweeps,
        "sample_dt_ms": sample_dt_ms,
        "n_neurons": N_NEURONS,
    }


def cache_dir() -> Path:
    """Where compiled programs are kept: ``NEUROFIT_CACHE`` or the user's cache folder."""
    chosen = os.environ.get("NEUROFIT_CACHE")
    return Path(chosen) if chosen else Path(platformdirs.user_cache_dir("neurofit")) / "programs"


@dataclass(frozen=True)
class Program:
    """An executable for one model and one shape of protocol.

    Attributes
    ----------
    directory
        The Brian2 project.
    description
        What it was built from.
    """

    directory: Path
    description: dict[str, Any]

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
        """
        n = len(theta)
        manifest = json.loads((self.directory / "manifest.json").read_text())
        with tempfile.TemporaryDirectory(prefix="neurofit-run-") as name:
            results = Path(name)
            values: dict[str, NDArray[Any]] = {
                f"cells.{parameter}": theta[:, j] * scale
                for j, (parameter, scale) in enumerate(manifest["parameters"].items())
            }
            values |= {"cells.v": start_v_mv * 1e-3, "cells.key": keys.astype(np.float64)}
            # neurons past the last one repeat it, so that every run has the same whole vectors
            values = {k: np.concatenate([v, np.repeat(v[-1:], N_NEURONS - n)]) for k, v in values.items()}
            values["cells.sweep"] = np.concatenate([sweep, np.zeros(N_NEURONS - n, np.int32)]).astype(np.int32)
            unused = self.description["n_sweeps"] - len(current_pa)
            values["stimulus.values"] = np.ascontiguousarray(np.pad(current_pa, ((0, unused), (0, 0))).T) * 1e-12
            arguments = []
            for i, (variable, array) in enumerate(values.items()):
                array.tofile(results / f"in{i}.dat")
                arguments.append(f"{variable}={results / f'in{i}.dat'}")
            done = subprocess.run(
                [str(self.directory / "main"), "--results_dir", f"{results}{os.sep}", *arguments],
                cwd=self.directory,
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode or done.stderr.strip() or "Error" in done.stdout:
                raise SimulationError(
                    f"The simulation program stopped with code {done.returncode}: "
                    f"{(done.stderr or done.stdout).strip()[:500] or 'no message'} (in {self.directory})."
                )
            shape = (self.description["n_samples"], N_NEURONS)
            file = results / manifest["voltage_file"]
            if file.stat().st_size != shape[0] * shape[1] * 8:
                raise SimulationError(
                    f"The simulation program wrote {file.stat().st_size} bytes of voltage instead of "
                    f"{shape[0] * shape[1] * 8}: is the disk of {tempfile.gettempdir()} full?"
                )
            voltage = np.memmap(file, dtype=np.float64, mode="r", shape=shape)
            return _transposed_mv(voltage, n, manifest["voltage_scale_mv"])


def _transposed_mv(voltage: NDArray[np.float64], n: int, scale: float) -> NDArray[np.float32]:
    """``[time, neuron]`` to ``[neuron, time]`` in float32, in tiles that fit the processor's cache."""
    result = np.empty((n, len(voltage)), dtype=np.float32)
    for start in range(0, len(voltage), 64):
        np.multiply(voltage[start : start + 64, :n].T, scale, out=result[:, start : start + 64], casting="same_kind")
    return result


def program(description: dict[str, Any]) -> Program:
    """The program for a description, from the cache or compiled now.

    Two processes that want the same program build it once; a build that was interrupted leaves nothing behind.

    Raises
    ------
    CompileError
        If there is no C++ compiler or it fails.
    """
    where = cache_dir() / _digest(description)
    if (where / "manifest.json").is_file() and (where / "main").is_file():
        return Program(where, description)
    try:
        where.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{where}.lock"):
            if not ((where / "manifest.json").is_file() and (where / "main").is_file()):
                _build(description, where)
    except OSError as error:
        raise CompileError(f"The folder for compiled programs, {where.parent}, cannot be used: {error}.") from error
    return Program(where, description)


def is_compiled(description: dict[str, Any]) -> bool:
    """Is the program in the cache?"""
    return (cache_dir() / _digest(description) / "manifest.json").is_file()


def _build(description: dict[str, Any], where: Path) -> None:
    if shutil.which("g++") is None or shutil.which("make") is None:
        raise CompileError(
            "No C++ compiler was found: neurofit compiles its models with g++ and make. "
            "Install them (Debian and Ubuntu: apt install g++ make; macOS: xcode-select --install)."
        )
    shutil.rmtree(where, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix="building-", dir=where.parent, ignore_cleanup_errors=True) as name:
        project = Path(name) / "project"
        project.mkdir()
        (project / "description.json").write_text(json.dumps(description, indent=1))
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "neurofit.simulation.build",
                str(project / "description.json"),
                str(project),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode or not (project / "manifest.json").is_file() or not (project / "main").is_file():
            log = where.parent / f"{where.name}.log"
            log.write_text(done.stdout + done.stderr)
            last = [line for line in (done.stderr or done.stdout).strip().splitlines() if line.strip()]
            raise CompileError(
                f"The model could not be compiled: {last[-1] if last else 'no message'}. All of it: {log}"
            )
        for leftover in project.rglob("*.o"):
            leftover.unlink()
        project.rename(where)


def _digest(description: dict[str, Any]) -> str:
    """Everything that goes into a binary: the description, Brian2, the compiler and its flags, this processor."""
    parts = {
        "description": description,
        "brian2": version("brian2"),
        "compiler": _compiler(),
        "flags": compiler_flags() if description["method"] == STAGGERED else [*compiler_flags(), "other"],
        "processor": _processor(),
    }
    text = json.dumps(parts, sort_keys=True)
    return f"{description['free'][0]}-{hashlib.sha256(text.encode()).hexdigest()[:20]}"


@cache
def _compiler() -> str:
    done = (
        subprocess.run(["g++", "--version"], capture_output=True, text=True, check=False)
        if shutil.which("g++")
        else None
    )
    return done.stdout.splitlines()[0] if done and done.stdout else "none"


@cache
def _processor() -> str:
    """What -march=native would see, so that a cache on a shared disk serves machines of different kinds."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line for line in lines if line.startswith("flags"))
    except (OSError, StopIteration):
        return f"{platform.machine()} {platform.processor()}"


def starting_voltage_mv(
    model: Model, theta: NDArray[np.float64], current_pa: NDArray[np.float64]
) -> NDArray[np.float64]:
    """``[draw, sweep]``: where each simulation starts, given the current at the first sample."""
    return initial_voltage_mv(model, theta, current_pa[:, 0])
