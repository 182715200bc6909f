"""Time against error of every shipped template, scheme by scheme, as Markdown tables (docs/accuracy.md).

    PYTHONPATH=. python tests/benchmarks/bench_accuracy.py [hh_pospischil lif ...] [--schemes rk4 ...] [--repeats 2]

Parameter sets from the template's prior, without noise, under a step protocol sampled at 0.1 ms: four sweeps of 750 ms
at -100, 100, 200 and 300 pA for 256 sets, or the sbi tutorial's own single sweep for 1,024. The reference is the
staggered scheme at 0.001 ms. Parameter sets that leave -500 to 500 mV in the reference are left out of everything; a
trace that does so under a scheme only has an infinite error there.

- *RMS*: of the voltage, over a trace that fires in the reference.
- *spike*: difference in time, of spikes paired in order where both traces have as many.
- *count*: share of the traces that fire in either, in which the number of spikes differs.
- *feature*: the feature with the largest median error, in tolerances, over the traces where it is defined in both.
- *time*: processor time of the program for a parameter set, all sweeps, files written; the least of the repeats, which
  are taken in turn. The noise is computed and multiplied by nothing.
"""

from __future__ import annotations

import argparse
import resource
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neurofit.features import FEATURES, FeatureTable, extract_features
from neurofit.features.table import on_scale
from neurofit.recording import Stimulus
from neurofit.simulation.keys import draw_keys
from neurofit.simulation.program import Program
from neurofit.simulation.run import FINE, compile_for, draw_reasons, run_batch
from neurofit.template import Model, list_models, load_model, parse_model

Array = NDArray[np.float64]

STAGGERED, BRIAN2S = "staggered_exponential_euler", "exponential_euler"
STEPS_MS = (0.005, 0.0125, 0.025, 0.05, 0.1)
# Brian2's own scheme needs steps this small to come near.
SMALL_MS = (0.001, 0.0025)
REFERENCE_MS, SAMPLE_MS, THRESHOLD_MV = 0.001, 0.1, -20.0
WORST = 8


@dataclass
class Run:
    """One scheme at one step: its program, the error of each thing that is compared, and the least time."""

    scheme: str
    precision: str
    dt_ms: float
    model: Model
    program: Program
    seconds: list[float] = field(default_factory=list)
    rms_mv: Array = field(default_factory=lambda: np.empty(0))
    spike_ms: Array = field(default_factory=lambda: np.empty(0))
    miscounted: float = np.nan
    features: dict[str, Array] = field(default_factory=dict)

    def errors(self) -> dict[str, float]:
        """What two schemes are compared at."""
        return {"RMS": float(np.median(self.rms_mv)), "spike time": float(np.median(self.spike_ms))}


@dataclass(frozen=True)
class Seen:
    """What is kept of a run's voltage ``[draw, sweep, time]``."""

    voltage: NDArray[np.float32]
    valid: NDArray[np.bool_]
    spikes_ms: list[Array]
    features: FeatureTable


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("models", nargs="*", help="all that are shipped by default")
    arguments.add_argument("--schemes", nargs="*", default=["rk2", "rk4"], help="of Brian2, beside exponential_euler")
    arguments.add_argument("--repeats", type=int, default=2)
    options = arguments.parse_args()
    for name in options.models or list_models():
        compare(load_model(name), options.schemes, options.repeats)


def protocol(model: Model) -> tuple[Stimulus, int]:
    """The current, and how many parameter sets get it: together they fill one run of a program."""
    if model.name == "hh_tutorial":
        current = np.zeros((1, 1200))
        current[:, 100:1100] = 500
        return Stimulus(current, SAMPLE_MS), 1024
    current = np.zeros((4, 7500))
    current[:, 1000:6000] = np.array([[-100], [100], [200], [300]])
    return Stimulus(current, SAMPLE_MS), 256


def compare(shipped: Model, schemes: Sequence[str], repeats: int) -> None:
    stimulus, n = protocol(shipped)
    quiet = parse_model(shipped.text.replace("sigma*white_noise", "0*sigma*white_noise"), shipped.name)
    theta = shipped.prior.sample(n, np.random.default_rng(0))
    exact = seen(prepared(quiet, STAGGERED, "double", REFERENCE_MS, stimulus), stimulus, theta)
    wanted = [(STAGGERED, precision, dt) for precision in ("double", "single") for dt in STEPS_MS]
    wanted += [(BRIAN2S, "double", dt) for dt in (*SMALL_MS, *STEPS_MS)]
    wanted += [(scheme, "double", dt) for scheme in schemes for dt in STEPS_MS]
    runs = [prepared(quiet, scheme, precision, dt, stimulus) for scheme, precision, dt in wanted]
    for run in runs:
        judge(run, seen(run, stimulus, theta), exact)
    for _ in range(repeats - 1):
        for run in runs:
            voltage_of(run, stimulus, theta)

    fires = sum(len(times) > 0 for times in exact.spikes_ms)
    sys.stdout.write(f"\n## {shipped.name}\n\n{n} parameter sets, of which {(~exact.valid).sum()} are left out; ")
    sys.stdout.write(f"{fires} of the {exact.valid.sum() * stimulus.n_sweeps} traces fire.\n\n")
    markdown(main_table(runs, n))
    ours = [run for run in runs if run.scheme == STAGGERED and run.precision == "double"]
    sys.stdout.write(f"\nMedian (90th percentile) error of the {WORST} worst features, staggered, in tolerances:\n\n")
    markdown(feature_table(ours))
    sys.stdout.write(f"\nTimes as long as the staggered scheme takes for the same median error ({BRIAN2S}):\n\n")
    markdown(speed_table(ours, [run for run in runs if run.scheme == BRIAN2S]))
    sys.stdout.flush()


def prepared(quiet: Model, scheme: str, precision: str, dt_ms: float, stimulus: Stimulus) -> Run:
    model = parse_model(quiet.text.replace(f'"{quiet.method}"', f'"{scheme}"'), quiet.name)
    model = replace(model, dt_ms=dt_ms, precision=precision)
    return Run(scheme, precision, dt_ms, model, compile_for(model, stimulus))


def voltage_of(run: Run, stimulus: Stimulus, theta: Array) -> NDArray[np.float32]:
    before = _processor_of_children()
    voltage = run_batch(run.program, run.model, stimulus, theta, draw_keys(1, 0, len(theta)))
    run.seconds.append(_processor_of_children() - before)
    return voltage


def _processor_of_children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def seen(run: Run, stimulus: Stimulus, theta: Array) -> Seen:
    voltage = voltage_of(run, stimulus, theta)
    valid, drawn = draw_reasons(voltage) == FINE, run.model.spike is not None
    with np.errstate(invalid="ignore"):
        spikes = list(
            stated_spikes(run, stimulus, theta)
            if drawn
            else crossings(voltage * np.where(valid, 1.0, np.nan)[:, None, None])
        )
    return Seen(voltage, valid, spikes, extract_features(voltage, stimulus, spikes_drawn=drawn, valid=valid))


def crossings(voltage: NDArray[np.float32]) -> Iterator[Array]:
    """Times in ms of the upward crossings of each trace, between samples."""
    for trace in voltage.reshape(-1, voltage.shape[-1]).astype(np.float64):
        up = np.flatnonzero((trace[:-1] < THRESHOLD_MV) & (trace[1:] >= THRESHOLD_MV))
        yield (up + (THRESHOLD_MV - trace[up]) / (trace[up + 1] - trace[up])) * SAMPLE_MS


def stated_spikes(run: Run, stimulus: Stimulus, theta: Array) -> Iterator[Array]:
    """Spike times of a model that draws its spikes on the grid of the samples: a program that records the last one's.

    A spike of the step from t is in the state at t + dt.
    """
    model = run.model
    recorded = f'recorded = "lastspike*mV/ms + 0*({model.recorded})"'
    told = parse_model(model.text.replace(f'recorded = "{model.recorded}"', recorded), model.name)
    told = replace(told, dt_ms=run.dt_ms, precision=run.precision)
    last = run_batch(compile_for(told, stimulus), told, stimulus, theta, draw_keys(1, 0, len(theta)))
    assert model.spike is not None
    for trace in last.reshape(-1, last.shape[-1]):
        yield np.unique(trace[(trace >= 0) & (trace != model.spike.drawn_peak_mv)]) + run.dt_ms


def judge(run: Run, found: Seen, exact: Seen) -> None:
    sweeps = found.voltage.shape[1]
    kept, valid = np.repeat(exact.valid, sweeps), np.repeat(found.valid, sweeps)
    counts = [np.array([len(times) for times in one.spikes_ms]) for one in (found, exact)]
    with np.errstate(over="ignore", invalid="ignore"):
        squared = (found.voltage.astype(np.float64) - exact.voltage) ** 2
        rms = np.where(valid, np.sqrt(squared.mean(axis=2)).ravel(), np.inf)
    run.rms_mv = rms[kept & (counts[1] > 0)]
    paired = np.flatnonzero(kept & valid & (counts[0] == counts[1]) & (counts[1] > 0))
    run.spike_ms = np.abs(np.concatenate([found.spikes_ms[i] - exact.spikes_ms[i] for i in paired]))
    fires = kept & ((counts[0] > 0) | (counts[1] > 0))
    run.miscounted = float(((counts[0] != counts[1]) | ~valid)[fires].mean())
    run.features = feature_errors(found.features, exact.features)


def feature_errors(found: FeatureTable, exact: FeatureTable) -> dict[str, Array]:
    """``{feature: errors in tolerances}``, all sweeps together, where it is defined in both."""
    errors: dict[str, list[Array]] = {}
    for j, name in enumerate(exact.names):
        feature, both = exact.feature(name), found.defined[:, j] & exact.defined[:, j]
        one, other = (on_scale(table.values[both, j], feature.scale == "log") for table in (found, exact))
        errors.setdefault(feature.name, []).append(np.abs(one - other) / feature.tolerance)
    return {name: every for name, parts in errors.items() if len(every := np.concatenate(parts))}


def main_table(runs: list[Run], n: int) -> pd.DataFrame:
    rows = []
    for run in runs:
        medians = {name: float(np.median(errors)) for name, errors in run.features.items()}
        worst = max(medians, key=medians.__getitem__)
        rows.append(
            {
                "scheme": run.scheme + (", single" if run.precision == "single" else ""),
                "step (ms)": f"{run.dt_ms:g}",
                "RMS (mV): median": f"{np.median(run.rms_mv):.2g}",
                "90 %": f"{upper(run.rms_mv):.2g}",
                "spike (ms): median": f"{np.median(run.spike_ms):.2g}",
                "90 % ": f"{upper(run.spike_ms):.2g}",
                "count": f"{run.miscounted:.2%}",
                "feature": f"{medians[worst]:.2g} ({worst})",
                "time (ms)": f"{min(run.seconds) / n * 1e3:.3g}",
            }
        )
    return pd.DataFrame(rows)


def upper(errors: Array) -> float:
    """Their 90th percentile, which may be infinite."""
    return float(np.percentile(errors, 90, method="higher"))


def feature_table(runs: list[Run]) -> pd.DataFrame:
    shown = sorted(FEATURES, key=lambda name: -max(_tail(run, name) for run in runs if run.dt_ms <= 0.05))[:WORST]
    cells = {
        f"{run.dt_ms:g} ms": [f"{np.median(run.features[name]):.2g} ({_tail(run, name):.2g})" for name in shown]
        for run in runs
    }
    return pd.DataFrame({"feature": shown} | cells)


def _tail(run: Run, name: str) -> float:
    return upper(run.features[name]) if name in run.features else -1.0


def speed_table(ours: list[Run], theirs: list[Run]) -> pd.DataFrame:
    """Their time at our error: between their runs on logarithmic axes, below them (*) as the scheme is of first order.

    That is the least it can be: their errors still fall more slowly than their steps.
    """
    rows = []
    for run in ours:
        row = {"step (ms)": f"{run.dt_ms:g}"}
        for name, error in run.errors().items():
            points = sorted((other.errors()[name], min(other.seconds)) for other in theirs)
            errors, seconds = np.array([point for point in points if 0 < point[0] < np.inf]).T
            needed = np.exp(np.interp(np.log(error), np.log(errors), np.log(seconds))) * max(1, errors[0] / error)
            row[name] = f"{needed / min(run.seconds):.0f}{'*' if error < errors[0] else ''}"
        rows.append(row)
    return pd.DataFrame(rows)


def markdown(table: pd.DataFrame) -> None:
    lines = [table.columns, ["---"] * len(table.columns), *table.itertuples(index=False)]
    sys.stdout.write("".join(f"| {' | '.join(map(str, line))} |\n" for line in lines))


if __name__ == "__main__":
    main()
