"""Time and error of simulations, beside stock Brian2 on the same cells, as two tables.

    PYTHONPATH=. python tests/benchmarks/bench_simulation.py [--draws 113] [--repeats 5]

One core. The protocol is that of a typical recording: 9 sweeps of 750 ms from -100 to 300 pA, sampled at 0.1 ms;
one simulation is one parameter set under all of them. ``stock Brian2`` is C++ standalone mode as its documentation
has it: its own flags, ``exponential_euler``, the current from a TimedArray in the equations, ``randn()`` for the noise.
Times are of the whole call, with files in and out: the least of the repeats, by the clock and of the processor.

Spikes are counted without noise and compared with a time step of 0.005 ms, sweep by sweep.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neurofit.recording import Stimulus
from neurofit.simulation import compile_for, draw_keys, run_batch, simulate
from neurofit.template import Model, load_model, parse_model

Array = NDArray[np.float64]

SWEEPS, SAMPLES, DT_MS = 9, 7500, 0.1
STEPS_MS = (0.0125, 0.025, 0.05, 0.1)
REFERENCE_MS = 0.005


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("--draws", type=int, default=113, help="parameter sets; 113 fill one run of a program")
    arguments.add_argument("--repeats", type=int, default=5)
    options = arguments.parse_args()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    report = sys.stdout.write
    model = load_model("hh_pospischil")
    theta = model.prior.sample(options.draws, np.random.default_rng(0))

    report(f"{options.draws} simulations of {SWEEPS} sweeps, {SAMPLES * DT_MS:g} ms; load {os.getloadavg()[0]:.1f}\n")
    report(f"{'':34}{'dt (ms)':>8}{'ms per simulation':>20}{'of processor':>14}\n")
    ours, stock = neurofit_run(model, theta), stock_run(model, theta)
    rows = [("neurofit", model.dt_ms, ours), ("stock Brian2", model.dt_ms, stock)]
    least: dict[str, float] = {}
    for name, dt_ms, run in rows:
        wall, processor = timed(run, options.repeats)
        least[name] = processor
        report(f"{name:34}{dt_ms:8g}{wall / options.draws * 1e3:20.2f}{processor / options.draws * 1e3:14.2f}\n")
    report(
        f"stock Brian2 takes {least['stock Brian2'] / least['neurofit']:.1f} times as long at the same time step.\n\n"
    )

    quiet = model.table(theta)
    quiet["sigma"] = 0.0
    reference = spike_counts(model.with_dt(REFERENCE_MS), quiet)
    brian2s = parse_model(model.text.replace('"staggered_exponential_euler"', '"exponential_euler"'), "x")
    report(f"Sweeps of {reference.size} with another spike count than at dt {REFERENCE_MS:g} ms, and the largest ")
    report(f"difference\n{'dt (ms)':>8}{'staggered':>16}{'exponential_euler':>22}\n")
    for dt_ms in STEPS_MS:
        cells = []
        for scheme in (model, brian2s):
            difference = np.abs(spike_counts(scheme.with_dt(dt_ms), quiet) - reference)
            cells.append(f"{(difference > 0).sum()} ({difference.max()})")
        report(f"{dt_ms:8g}{cells[0]:>16}{cells[1]:>22}\n")
        sys.stdout.flush()


def protocol() -> Stimulus:
    current = np.zeros((SWEEPS, SAMPLES))
    current[:, 1000:6000] = np.linspace(-100, 300, SWEEPS)[:, None]
    return Stimulus(current, DT_MS)


def neurofit_run(model: Model, theta: Array) -> Callable[[], object]:
    stimulus, keys = protocol(), draw_keys(1, 0, len(theta))
    program = compile_for(model, stimulus)
    return lambda: run_batch(program, model, stimulus, theta, keys)


def stock_run(model: Model, theta: Array) -> Callable[[], object]:
    import brian2 as b2

    b2.set_device("cpp_standalone", build_on_run=False)
    n = len(theta) * SWEEPS
    b2.defaultclock.dt = model.dt_ms * b2.ms
    values = {p.name: p.value for p in model.parameters}
    unit = {name: eval(text, vars(b2)) if text != "1" else 1 for name, text in model.units.items()}  # noqa: S307
    declared = [f"{name} : {_base(unit[name])} (constant)" for name in model.free]
    more = ["I_inj = command(t, sweep) : amp", "white_noise = randn()/sqrt(dt) : second**-0.5 (constant over dt)"]
    lines = [model.parsed.text, f"v_recorded = {model.recorded} : volt", *more, *declared]
    group = b2.NeuronGroup(
        n,
        "\n".join([*lines, "sweep : integer (constant)"]),
        method="exponential_euler",
        namespace={
            **{name: values[name] * unit[name] for name in values if name not in model.free},
            "command": b2.TimedArray(protocol().current_pa.T * b2.pA, dt=DT_MS * b2.ms),
        },
    )
    group.sweep = np.tile(np.arange(SWEEPS), len(theta))
    for j, name in enumerate(model.free):
        setattr(group, name, np.repeat(theta[:, j], SWEEPS) * unit[name])
    group.v = "E_leak"
    for gate in ("m", "h", "n", "p"):
        setattr(group, gate, model.initial[gate])
    monitor = b2.StateMonitor(group, "v_recorded", record=True, dt=DT_MS * b2.ms)
    b2.run(SAMPLES * DT_MS * b2.ms)
    b2.device.build(directory=tempfile.mkdtemp(prefix="stock-"), run=False, with_output=False)

    def run() -> object:
        b2.device.run(with_output=False)
        return np.asarray(monitor.v_recorded / b2.mV)

    return run


def _base(unit: object) -> str:
    from neurofit.template.units import si_unit

    return si_unit(unit.dim) if hasattr(unit, "dim") else "1"


def timed(run: Callable[[], object], repeats: int) -> tuple[float, float]:
    """Seconds by the clock and of the processor, the least of the repeats."""
    found = []
    for _ in range(repeats):
        before, start = _processor(), time.perf_counter()
        run()
        found.append((time.perf_counter() - start, _processor() - before))
    wall, processor = np.min(found, axis=0)
    return float(wall), float(processor)


def _processor() -> float:
    return sum(
        usage.ru_utime + usage.ru_stime
        for usage in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )


def spike_counts(model: Model, theta: pd.DataFrame) -> NDArray[np.int_]:
    voltage = simulate(model, protocol(), theta).voltage_mv
    return ((voltage[..., :-1] < -20) & (voltage[..., 1:] >= -20)).sum(axis=2)


if __name__ == "__main__":
    main()
