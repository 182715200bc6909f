"""Jaxley: its own Pospischil channels, jit and vmap over all parameter sets and sweeps, noise with the current."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import numpy as np
from joblib.externals.loky import ProcessPoolExecutor

from tests.benchmarks.ways.task import Run, Task

# A cylinder of this area takes a current in nA as a density.
RADIUS_UM, LENGTH_UM = 10.0, 20.0


def prepare(task: Task, precision: str) -> Callable[[], tuple[float, np.ndarray]]:
    """``() -> seconds, voltage`` in a process of its own, since JAX has one precision in a process.

    Raises
    ------
    ImportError
        Where Jaxley is not installed.
    """
    process = ProcessPoolExecutor(max_workers=1, env={"JAX_PLATFORMS": "cpu"})
    process.submit(_keep, task, precision, sys.path).result()
    return lambda: process.submit(_run_kept).result()


_kept: list[Run] = []


def _keep(task: Task, precision: str, path: list[str]) -> None:
    sys.path[:] = path
    _kept.append(_compiled(task, precision))


def _run_kept() -> tuple[float, np.ndarray]:
    before = time.process_time()
    voltage = _kept[0]()
    return time.process_time() - before, voltage


def _compiled(task: Task, precision: str) -> Run:
    import jax
    import jax.numpy as jnp
    import jaxley as jx
    from jaxley.channels.pospischil import K, Km, Leak, Na

    jax.config.update("jax_enable_x64", precision == "float64")
    kind = jnp.float64 if precision == "float64" else jnp.float32
    dt, steps, sweeps = task.model.dt_ms, task.n_steps, task.stimulus.n_sweeps
    cell = jx.Cell([jx.Branch(jx.Compartment(), ncomp=1)], parents=[-1])
    cell.set("radius", RADIUS_UM)
    cell.set("length", LENGTH_UM)
    for channel in (Leak(), Na(), K(), Km()):
        cell.insert(channel)
    cell.set("v", -70.0)
    cell.init_states(delta_t=dt)
    cell.record(verbose=False)
    area_cm2 = 2 * np.pi * RADIUS_UM * LENGTH_UM * 1e-8
    values = task.cell()
    per_cm2 = 1.0 if task.per_area else 1 / values["C"]  # uF/cm2 is 1
    columns = {
        "Leak_gLeak": values["g_leak"] * per_cm2 * 1e-3,
        "Leak_eLeak": values["E_leak"],
        "Na_gNa": values["g_Na"] * per_cm2 * 1e-3,
        "K_gK": values["g_K"] * per_cm2 * 1e-3,
        "Km_gKm": values["g_M"] * per_cm2 * 1e-3,
        "Km_taumax": values["tau_max"],
        "vt": values["V_T"],
        "eNa": values["E_Na"],
        "eK": values["E_K"],
    }
    names = list(columns)
    theta = jnp.asarray(np.repeat(np.stack(list(columns.values()), axis=1), sweeps, axis=0), kind)
    density = jnp.asarray(
        np.tile(task.current, (len(task.theta), 1))
        * np.repeat(np.broadcast_to(per_cm2, len(task.theta)), sweeps)[:, None],
        kind,
    )
    strength = jnp.asarray(np.repeat(values["sigma"] * per_cm2, sweeps) / np.sqrt(dt), kind)
    keys = jax.random.split(jax.random.PRNGKey(0), len(theta))

    def simulate(row, current, sigma, key):
        state = None
        for j, name in enumerate(names):
            state = cell.data_set(name, row[j], state)
        noisy = jnp.repeat(current, task.every) + sigma * jax.random.normal(key, (steps,), kind)
        # uA/cm2 times cm2 is uA, a thousand nA
        stimuli = cell[0, 0].data_stimulate(noisy * area_cm2 * 1e3)
        v = jx.integrate(cell, param_state=state, data_stimuli=stimuli, delta_t=dt)
        return v[0, : steps : task.every]

    compiled = jax.jit(jax.vmap(simulate))

    def run() -> np.ndarray:
        return np.asarray(compiled(theta, density, strength, keys)).reshape(len(task.theta), sweeps, -1)

    return run
