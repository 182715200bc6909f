"""Where the time of "parameters in, features out" goes, as a table.

    PYTHONPATH=. python tests/benchmarks/bench_features.py [--draws 113] [--repeats 5] [--model hh_pospischil]

One core. The protocol is that of a typical recording: 9 sweeps of 750 ms from -100 to 300 pA, sampled at 0.1 ms;
one simulation is one parameter set under all of them. ``prior``: draws from the template's prior. ``firing``: those of
them that fire at least 5 times in 6 to 8 of the 9 sweeps, as most draws of a posterior do. Times are milliseconds of
the processor per parameter set, the least of the repeats. ``sent to eFEL`` is the share of the traces that fire that
eFEL itself measures; ``all by eFEL`` is what the spike features take if it measures every one of them.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
from collections.abc import Callable
from dataclasses import replace
from unittest import mock

import numpy as np
from numpy.typing import NDArray

from neurofit.features import extract_features, passive, spikes
from neurofit.features.spike_shapes import shapes_of
from neurofit.features.spike_times import Spikes, find_spikes, timing_of
from neurofit.features.windows import Windows
from neurofit.recording import Stimulus
from neurofit.simulation import FINE, compile_for, draw_keys, draw_reasons, run_batch
from neurofit.template import Model, load_model

Array = NDArray[np.float64]

SWEEPS, SAMPLES, DT_MS = 9, 7500, 0.1
FIRING_SWEEPS, LEAST_SPIKES = (6, 8), 5


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("--draws", type=int, default=113, help="parameter sets; 113 fill one run of a program")
    arguments.add_argument("--repeats", type=int, default=5)
    arguments.add_argument("--model", default="hh_pospischil", help="a template whose spikes are not drawn")
    options = arguments.parse_args()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    report = sys.stdout.write
    model, stimulus = load_model(options.model), protocol()
    report(f"{options.draws} simulations of {SWEEPS} sweeps, {SAMPLES * DT_MS:g} ms; load {os.getloadavg()[0]:.1f}\n")
    prior = model.prior.sample(options.draws, np.random.default_rng(0))
    columns = {"prior": prior, "firing": firing_draws(model, stimulus, options.draws)}
    found = {name: measure(model, stimulus, theta, options.repeats) for name, theta in columns.items()}
    report(f"{'ms per simulation':34}" + "".join(f"{name:>10}" for name in columns) + "\n")
    for line in found["prior"]:
        report(f"{line:34}" + "".join(f"{found[name][line]:>10}" for name in columns) + "\n")


def protocol() -> Stimulus:
    current = np.zeros((SWEEPS, SAMPLES))
    current[:, 1000:6000] = np.linspace(-100, 300, SWEEPS)[:, None]
    return Stimulus(current, DT_MS)


def firing_draws(model: Model, stimulus: Stimulus, n: int) -> Array:
    """``n`` parameter sets that fire in most sweeps."""
    program, rng, chosen = compile_for(model, stimulus), np.random.default_rng(1), [np.empty((0, len(model.free)))]
    while sum(map(len, chosen)) < n:
        theta = model.prior.sample(113, rng)
        voltage = run_batch(program, model, stimulus, theta, draw_keys(1, 0, len(theta)))
        sweeps = (spikes_of(voltage).count.reshape(-1, SWEEPS) >= LEAST_SPIKES).sum(axis=1)
        chosen.append(theta[(sweeps >= FIRING_SWEEPS[0]) & (sweeps <= FIRING_SWEEPS[1]) & fine(voltage)])
    return np.concatenate(chosen)[:n]


def measure(model: Model, stimulus: Stimulus, theta: Array, repeats: int) -> dict[str, str]:
    """``{line of the table: text}``."""
    program, keys, windows = compile_for(model, stimulus), draw_keys(2, 0, len(theta)), Windows.of(stimulus)

    def run() -> NDArray[np.float32]:
        return run_batch(program, model, stimulus, theta, keys)

    voltage = run()
    valid = fine(voltage)
    voltage = voltage[valid]
    flat = voltage.reshape(-1, SAMPLES)

    def measured() -> dict[str, Array]:
        return spikes.spike_features(flat, DT_MS, windows.start_ms, windows.stop_ms)

    def by_efel() -> dict[str, Array]:
        with mock.patch.object(spikes, "find_spikes", return_value=unsure):
            return measured()

    found = spikes_of(voltage)
    unsure = replace(found, sure=found.count == 0)
    sent = ~shapes_of(found)[1]
    calls: dict[str, Callable[[], object]] = {
        "validity": lambda: fine(voltage),
        "all features": lambda: extract_features(voltage, stimulus),
        "  passive, by sweep": lambda: passive.sweep_features(voltage, windows, DT_MS),
        "  spikes": measured,
        "    found": lambda: spikes_of(voltage),
        "    timed": lambda: timing_of(found),
        "    shapes": lambda: shapes_of(found),
        "  spikes, all by eFEL": by_efel,
    }
    own, child = timed(run, repeats)
    scale = 1e3 / len(theta)
    lines = {"simulating": f"{child * scale:.2f}", "reading back": f"{own * scale:.2f}"}
    parts = {name: timed(call, repeats) for name, call in calls.items()}
    lines |= {name: f"{own * 1e3 / len(voltage):.2f}" for name, (own, _) in parts.items()}
    fires = found.count > 0
    lines["sweeps that fire, of 9"] = f"{fires.sum() / len(voltage):.1f}"
    lines["spikes"] = f"{found.count.sum() / len(voltage):.0f}"
    lines["sent to eFEL"] = f"{sent.sum() / max(1, fires.sum()):.1%}"
    return lines


def fine(voltage_mv: NDArray[np.float32]) -> NDArray[np.bool_]:
    return draw_reasons(voltage_mv) == FINE


def spikes_of(voltage_mv: NDArray[np.float32]) -> Spikes:
    return find_spikes(voltage_mv.reshape(-1, SAMPLES), DT_MS, 1000, 6000, spikes.SPIKE_THRESHOLD_MV, 900)


def timed(run: Callable[[], object], repeats: int) -> tuple[float, float]:
    """Seconds of the processor here and in child processes, the least of the repeats."""
    found = []
    for _ in range(repeats):
        before = _processor()
        run()
        found.append(_processor() - before)
    own, child = np.min(found, axis=0)
    return float(own), float(child)


def _processor() -> Array:
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return np.array([usage.ru_utime + usage.ru_stime for usage in usages])


if __name__ == "__main__":
    main()
