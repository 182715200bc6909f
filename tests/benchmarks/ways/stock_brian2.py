"""C++ standalone mode as Brian2's documentation has it.

Its own compiler flags, ``exprel`` and ``exponential_euler``, the current from a TimedArray in the equations,
``randn()`` for the noise; all parameter sets and sweeps in one group, compiled once and run again.
"""

from __future__ import annotations

import tempfile

import numpy as np

from neurofit.template.units import si_unit
from tests.benchmarks.ways.task import Run, Task


def prepare(task: Task) -> Run:
    import brian2 as b2

    model, sweeps = task.model, task.stimulus.n_sweeps
    b2.device.reinit()
    b2.device.activate()
    b2.set_device("cpp_standalone", build_on_run=False)
    b2.defaultclock.dt = model.dt_ms * b2.ms
    unit = {name: eval(text, vars(b2)) if text != "1" else 1 for name, text in model.units.items()}  # noqa: S307
    base = {name: si_unit(u.dim) if hasattr(u, "dim") else "1" for name, u in unit.items()}
    lines = [model.parsed.text, f"v_recorded = {model.recorded} : volt", "I_inj = command(t, sweep) : amp"]
    lines += ["white_noise = randn()/sqrt(dt) : second**-0.5 (constant over dt)", "sweep : integer (constant)"]
    lines += [f"{name} : {base[name]} (constant)" for name in model.free]
    command = b2.TimedArray(task.stimulus.current_pa.T * b2.pA, dt=task.stimulus.dt_ms * b2.ms)
    fixed = {p.name: p.value * unit[p.name] for p in model.parameters if p.prior is None}
    group = b2.NeuronGroup(
        len(task.theta) * sweeps,
        "\n".join(lines),
        method="exponential_euler",
        namespace={**fixed, "command": command},
    )
    group.sweep = np.tile(np.arange(sweeps), len(task.theta))
    for j, name in enumerate(model.free):
        setattr(group, name, np.repeat(task.theta[:, j], sweeps) * unit[name])
    group.v = "E_leak"
    for name, expression in model.initial.items():
        if name != "v":
            setattr(group, name, expression)
    monitor = b2.StateMonitor(group, "v_recorded", record=True, dt=task.stimulus.dt_ms * b2.ms)
    b2.run(task.stimulus.n_samples * task.stimulus.dt_ms * b2.ms)
    b2.device.build(directory=tempfile.mkdtemp(prefix="stock-"), run=False, with_output=False)
    device = b2.device

    def run() -> np.ndarray:
        device.run(with_output=False)
        return np.asarray(monitor.v_recorded / b2.mV).reshape(len(task.theta), sweeps, -1)

    return run
