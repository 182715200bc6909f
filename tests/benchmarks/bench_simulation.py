"""Time of one simulation, way by way, measured in turn in one run on one core.

    PYTHONPATH=. python tests/benchmarks/bench_simulation.py [--repeats 3] [--without jaxley ...]

Two tasks: the sbi tutorial's Hodgkin-Huxley cell (120 ms at its own step of 0.01 ms, one sweep, 1,000 sets) and
a typical recording's protocol (9 sweeps of 750 ms, the template's own step, 113 sets that fill a run of a program);
noise in both. A simulation is one parameter set under all sweeps. Processor time of this process and its
children, the least of the repeats, with everything from parameters in memory to voltage in memory: start of the
program, files, reading back. The limit alone is without: a hand-written kernel's own clock.

Then what a template's freedom costs: the shipped ones and freer ones under the recording's protocol. And the same
program in two worker processes beside one, by the clock, if there are two cores to spare.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import replace

import joblib
import numpy as np

from neurofit.recording import Stimulus
from neurofit.simulation import compile_for, draw_keys, run_batch
from neurofit.template import Model, load_model, parse_model
from tests.benchmarks.ways import jaxley_cells, limit, python_loop, stock_brian2
from tests.benchmarks.ways.task import Run, Task

Timed = Callable[[], tuple[float, np.ndarray]]

WAYS: dict[str, Callable[[Task], Timed]] = {
    "plain Python loop": lambda task: by_processor(python_loop.prepare(task)),
    "stock Brian2": lambda task: by_processor(stock_brian2.prepare(task)),
    "Jaxley, double": lambda task: jaxley_cells.prepare(task, "float64"),
    "Jaxley, single": lambda task: jaxley_cells.prepare(task, "float32"),
    "neurofit, double": lambda task: by_processor(neurofit_run(task, "double")),
    "neurofit, single": lambda task: by_processor(neurofit_run(task, "single")),
    "limit, double": lambda task: limit.prepare(task, "double"),
    "limit, single": lambda task: limit.prepare(task, "float"),
}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("--repeats", type=int, default=3)
    arguments.add_argument("--without", nargs="*", default=[], metavar="WAY", help="beginnings of ways' names")
    options = arguments.parse_args()
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    for task in (tutorial(), recording()):
        table(task, options.repeats, tuple(options.without))
    freedom(options.repeats)
    os.sched_setaffinity(0, cores)
    side_by_side(recording(), options.repeats)


def tutorial() -> Task:
    current = np.zeros((1, 1200))
    current[:, 100:1100] = 500
    model = load_model("hh_tutorial").with_dt(0.01)
    return Task("The sbi tutorial's cell", model, Stimulus(current, 0.1), draws(model, 1000))


def recording() -> Task:
    current = np.zeros((9, 7500))
    current[:, 1000:6000] = np.linspace(-100, 300, 9)[:, None]
    model = load_model("hh_pospischil")
    return Task("A recording's protocol", model, Stimulus(current, 0.1), draws(model, 113))


def draws(model: Model, n: int) -> np.ndarray:
    return model.prior.sample(n, np.random.default_rng(0))


def table(task: Task, repeats: int, without: tuple[str, ...]) -> None:
    n, model, stimulus = len(task.theta), task.model, task.stimulus
    say(f"\n{task.title}: {n} sets, {stimulus.n_sweeps} x {stimulus.duration_ms:g} ms, dt {model.dt_ms:g} ms; ")
    say(f"load {os.getloadavg()[0]:.1f}\n")
    ways: dict[str, Timed] = {}
    for name, prepare in WAYS.items():
        if name.lower().startswith(without or "-"):
            continue
        try:
            ways[name] = prepare(task)
        except ImportError as error:
            say(f"{name}: not installed ({error})\n")
            continue
        ways[name]()  # compiling, and a warm cache
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    spikes: dict[str, float] = {}
    for _ in range(repeats):
        for name, run in ways.items():
            taken, voltage = run()
            seconds[name].append(taken / (voltage.shape[0] * voltage.shape[1]))
            spikes[name] = fired(voltage)
    least = {name: min(found) * stimulus.n_sweeps * 1e3 for name, found in seconds.items()}
    say(f"{'':22}{'ms per simulation':>18}{'of stock Brian2':>17}{'of the limit':>14}{'spikes a sweep':>16}\n")
    for name, ms in least.items():
        stock = f"1/{least['stock Brian2'] / ms:.1f}" if "stock Brian2" in least else ""
        own = least["limit, single" if name.endswith("single") else "limit, double"]
        say(f"{name:22}{ms:18.3f}{stock:>17}{ms / own:14.2f}{spikes[name]:16.2f}\n")


def neurofit_run(task: Task, precision: str) -> Run:
    model = replace(task.model, precision=precision)
    program, keys = compile_for(model, task.stimulus), draw_keys(1, 0, len(task.theta))
    return lambda: run_batch(program, model, task.stimulus, task.theta, keys)


GATE = "p_inf = 1/(1 + exp(-(v + 35*mV)/(10*mV)))"
FREER = {
    "an h current added, as documented": ("hh_pospischil_ih", {}),
    "in double precision": ("hh_pospischil", {'"single"': '"double"'}),
    "a gate with tanh": ("hh_pospischil", {GATE: "p_inf = 0.5*(1 + tanh((v + 35*mV)/(20*mV)))"}),
    "a condition on the voltage": ("hh_pospischil", {GATE: "p_inf = int(v > -35*mV)"}),
    "a power that is not whole": ("hh_pospischil", {"m**3*h": "m**2.7*h"}),
    "Brian2's exponential_euler": ("hh_pospischil", {'"staggered_exp': '"exp'}),
    "Brian2's rk4": ("hh_pospischil", {'"staggered_exponential_euler"': '"rk4"'}),
    "threshold and reset (lif, 0.0125 ms)": ("lif", {}),
}


def freedom(repeats: int) -> None:
    """What other equations and schemes take."""
    tasks = {"hh_pospischil as shipped": recording().model}
    for title, (name, changes) in FREER.items():
        text = load_model(name).text
        for old, new in changes.items():
            assert old in text, old
            text = text.replace(old, new)
        tasks[title] = parse_model(text, title)
    runs: dict[str, tuple[Timed, Task]] = {}
    for title, model in tasks.items():
        task = Task(title, model, recording().stimulus, draws(model, 113))
        runs[title] = by_processor(neurofit_run(task, model.precision)), task
        runs[title][0]()
    seconds = {title: min(run()[0] for _ in range(repeats)) for title, (run, _) in runs.items()}
    say(f"\n{'':38}{'ms per simulation':>18}{'ns per neuron and step':>24}\n")
    for title, (_, task) in runs.items():
        ms = seconds[title] / len(task.theta) * 1e3
        say(f"{title:38}{ms:18.2f}{ms * 1e6 / task.n_steps / task.stimulus.n_sweeps:24.1f}\n")


def side_by_side(task: Task, repeats: int) -> None:
    """Two worker processes beside one, by the clock."""
    run = neurofit_run(task, task.model.precision)

    def rate(workers: int) -> float:
        with joblib.Parallel(n_jobs=workers) as pool:
            pool(joblib.delayed(run)() for _ in range(workers))
            start = time.perf_counter()
            pool(joblib.delayed(_size)(run) for _ in range(6 * workers))
            return 6 * workers * len(task.theta) / (time.perf_counter() - start)

    one, two = (max(rate(workers) for _ in range(repeats)) for workers in (1, 2))
    say(f"\nSimulations a second: {one:.0f} in one worker process, {two:.0f} in two ({two / one:.2f} times)\n")


def _size(run: Run) -> int:
    return run().size


def fired(voltage: np.ndarray) -> float:
    """Spikes a sweep: ways that agree in this simulate the same cells."""
    return float(((voltage[..., :-1] < -20) & (voltage[..., 1:] >= -20)).sum(axis=-1).mean())


def by_processor(run: Run) -> Timed:
    """Seconds of this process and of its children that ended, and the voltage."""

    def seconds() -> float:
        usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        return sum(usage.ru_utime + usage.ru_stime for usage in usages)

    def timed() -> tuple[float, np.ndarray]:
        before = seconds()
        voltage = run()
        return seconds() - before, voltage

    return timed


def say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


if __name__ == "__main__":
    main()
