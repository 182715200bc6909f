"""A loop over the time steps in plain Python, as the sbi tutorial has it: one simulation at a time."""

from __future__ import annotations

from math import exp

import numpy as np

from tests.benchmarks.ways.task import Run, Task


def prepare(task: Task) -> Run:
    """Of the first draw's first sweep alone: the others take as long."""
    cell = {name: float(value) for name, value in task.cell(0).items()}
    current = np.repeat(task.current[0], task.every).tolist()
    dt = task.model.dt_ms

    def run() -> np.ndarray:
        noise = np.random.default_rng(1).standard_normal(task.n_steps).tolist()
        return np.array(simulate(cell, current, noise, dt)[:: task.every])[None, None]

    return run


def simulate(cell: dict[str, float], current: list[float], noise: list[float], dt: float) -> list[float]:
    """Membrane voltage in mV at every step; the staggered scheme."""
    v, recorded = -70.0, []
    m, h, n = (a / (a + b) for a, b in rates(v, cell))
    p = 1 / (1 + exp(-(v + 35) / 10))
    for i, z in zip(current, noise, strict=True):
        recorded.append(v + cell["V_offset"] + cell["R_s"] * 1e-3 * i)
        g_na, g_k = cell["g_Na"] * m**3 * h, cell["g_K"] * n**4 + cell["g_M"] * p
        g = (g_na + g_k + cell["g_leak"]) / cell["C"]
        inward = g_na * cell["E_Na"] + g_k * cell["E_K"] + cell["g_leak"] * cell["E_leak"]
        v_inf = (inward + i + cell["sigma"] * z / dt**0.5) / cell["C"] / g
        v = v_inf + (v - v_inf) * exp(-g * dt)
        m, h, n = (
            a / (a + b) + (x - a / (a + b)) * exp(-(a + b) * cell["rate"] * dt)
            for x, (a, b) in zip((m, h, n), rates(v, cell), strict=True)
        )
        tau = cell["tau_max"] / (3.3 * exp((v + 35) / 20) + exp(-(v + 35) / 20))
        p_inf = 1 / (1 + exp(-(v + 35) / 10))
        p = p_inf + (p - p_inf) * exp(-dt / tau)
    return recorded


def rates(v: float, cell: dict[str, float]) -> tuple[tuple[float, float], ...]:
    """Opening and closing rates of m, h and n in 1/ms (Pospischil et al. 2008)."""
    x = v - cell["V_T"]
    return (
        (0.32 * linoid(13 - x, 4), 0.28 * linoid(x - 40, 5)),
        (0.128 * exp((17 - x) / 18), 4 / (1 + exp((40 - x) / 5))),
        (0.032 * linoid(15 - x, 5), 0.5 * exp((10 - x) / 40)),
    )


def linoid(x: float, k: float) -> float:
    return k if abs(x) < 1e-9 else x / (exp(x / k) - 1)
