"""The hand-written kernel of ``limit.cpp``, compiled for this processor; its own clock, without files or start."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tests.benchmarks.ways.task import Task

# Neurons that go through all steps together; two vectors overlap best.
WIDTHS = {"double": 16, "float": 32}
LONGEST = 64
FLAGS = "-w -O3 -ffast-math -std=c++17 -march=native -fopenmp-simd -mprefer-vector-width=512"
ORDER = (
    "C",
    "g_leak",
    "E_leak",
    "g_Na",
    "g_K",
    "g_M",
    "tau_max",
    "V_T",
    "rate",
    "sigma",
    "V_offset",
    "R_s",
    "E_Na",
    "E_K",
)


def prepare(task: Task, real: str) -> Callable[[], tuple[float, np.ndarray]]:
    """``() -> seconds, voltage``."""
    program = Path(tempfile.mkdtemp(prefix="limit-")) / "limit"
    flags = [*FLAGS.split(), f"-DREAL={real}", f"-DWIDTH={WIDTHS[real]}"]
    subprocess.run(["g++", *flags, str(Path(__file__).with_name("limit.cpp")), "-o", str(program)], check=True)
    cell, sweeps, n = task.cell(), task.stimulus.n_sweeps, len(task.theta) * task.stimulus.n_sweeps
    cell["R_s"] = cell["R_s"] * 1e-3
    given = np.stack([np.repeat(cell[name], sweeps) for name in ORDER])
    filled = np.pad(given, ((0, 0), (0, -n % LONGEST)), mode="edge")
    data = filled.tobytes() + np.ascontiguousarray(task.current.T).tobytes()
    arguments = (filled.shape[1], task.stimulus.n_samples, task.every, sweeps, task.model.dt_ms)

    def run() -> tuple[float, np.ndarray]:
        done = subprocess.run([program, *map(str, arguments)], input=data, capture_output=True, check=True).stdout
        voltage = np.frombuffer(done[8:], np.float32).reshape(-1, task.stimulus.n_samples)[:n]
        return float(np.frombuffer(done[:8])[0]), voltage.reshape(len(task.theta), sweeps, -1)

    return run
