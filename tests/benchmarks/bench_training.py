"""Training against sbi's own, as Markdown tables (docs/training.md).

    PYTHONPATH=. python tests/benchmarks/bench_training.py [tutorial demo ...] [--simulations 10000] [--cache DIR]

Each task's simulations are learnt by sbi's ``NPE(prior).append_simulations(z, x).train()``, all defaults, and by
neurofit's default schedule, one network each, in turn, on one core and without a GPU; then by neurofit's other density
estimators. All learn the unbounded parameters ``z`` from the encoded summaries; sbi gets them with one draw of the
tolerances' noise, as simulations are handed to it, neurofit draws it anew in each epoch.

Times are the processor's, from arrays to a trained network. *log-prob* is the mean over simulations that neither saw,
with noise of their own, in nats; *gain* is neurofit's over sbi's, with the standard error of the paired difference.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from sbi.inference import NPE

import neurofit as nf
from neurofit.features import STATISTICS, SUMMARIES, FeatureTable, recorded_features
from neurofit.infer import Schedule, Summaries, train_ensemble, widened
from neurofit.recording import Stimulus
from neurofit.recording.catalogue import demo_recording
from neurofit.stages import chosen_inputs, measurable
from neurofit.template import Prior
from neurofit.threads import one_thread
from tests.infer.toys import GaussianDensity, Problem, plain_summaries

Array = NDArray[np.float64]
HELD_OUT = 4000
OTHERS = ("nsf", "mdn")


@dataclass(frozen=True)
class Task:
    """Simulations to learn from, others to be judged by, and the exact log density of these where it is known."""

    summaries: Summaries
    z: Array
    deviations: Array
    held_z: Array
    held_x: torch.Tensor
    exact: float = np.nan

    @staticmethod
    def of(summaries: Summaries, z: Array, deviations: Array, problem: Problem | None = None) -> Task:
        """The last :data:`HELD_OUT` rows are held out."""
        held_z, held_x = z[-HELD_OUT:], encoded(summaries, deviations[-HELD_OUT:], seed=1)
        exact = np.nan
        if problem is not None and not problem.bent:
            exact = GaussianDensity(*problem.exact(), problem=problem).log_prob(held_z, held_x).mean()
        return Task(summaries, z[:-HELD_OUT], deviations[:-HELD_OUT], held_z, held_x, float(exact))


@dataclass(frozen=True)
class Learnt:
    """What a training took, and what it came to on the simulations held out ``[row]``."""

    seconds: float
    epochs: int
    log_prob: Array


def encoded(summaries: Summaries, deviations: Array, seed: int) -> torch.Tensor:
    noise = np.random.default_rng(seed).standard_normal(deviations.shape)
    return summaries.encode(torch.as_tensor(deviations + noise, dtype=torch.float32))


def known(n: int, cache: Path, **settings: float) -> Task:
    problem = Problem(**settings)  # type: ignore[arg-type]
    z = np.random.default_rng(3).standard_normal((n + HELD_OUT, problem.d))
    return Task.of(plain_summaries(problem.s), z, problem.deviations(z), problem)


def tutorial(n: int, cache: Path) -> Task:
    model = nf.load_model("hh_tutorial")
    stimulus = Stimulus(np.where((np.arange(1200) >= 100) & (np.arange(1200) < 1100), 500.0, 0.0), 0.1)
    theta = model.prior.sample(n + HELD_OUT, np.random.default_rng(1))
    voltage = nf.simulate(model, stimulus, np.vstack([theta, [50.0, 5.0]]), seed=1).voltage_mv
    observed = nf.seven_statistics(voltage[-1:], stimulus)
    return of_prior(Summaries.of(observed, STATISTICS), model.prior, theta, nf.seven_statistics(voltage[:-1], stimulus))


def demo(n: int, cache: Path) -> Task:
    recording, model = nf.load_recording(demo_recording()[0]), nf.load_model("hh_pospischil")
    cell = chosen_inputs(recording, model, "even", 1)[2].fitted
    simulated = nf.simulate_prior(recording, model, cache / f"demo-{n}", simulations=n + HELD_OUT, sweeps="even")
    summaries = Summaries.of(recorded_features(cell), measurable(model, SUMMARIES))
    return of_prior(summaries, model.prior, simulated.parameters.to_numpy(), simulated.features)


def of_prior(declared: Summaries, prior: Prior, theta: Array, features: FeatureTable) -> Task:
    """As the first round of a fit has them: tolerances widened, what hardly anything defines left out."""
    deviations = declared.deviations(features)
    used, _ = widened(declared, deviations)
    scaled = deviations * (declared.tolerance / used.tolerance)
    return Task.of(used.seen_in(scaled), prior.to_unbounded(theta), scaled)


TASKS: dict[str, tuple[str, Callable[[int, Path], Task]]] = {
    "tutorial": ("the HH tutorial's two conductances, seven statistics", tutorial),
    "demo": ("the demo's first round", demo),
    "linear": ("linear Gaussian", known),
    "bent": ("the same, bent", partial(known, bent=0.15, seed=1)),
    "small": ("bent, small", partial(known, d=6, s=8, gain=8.0, bent=0.05, seed=2)),
}


def learnt_by_sbi(task: Task) -> Learnt:
    x, d = encoded(task.summaries, task.deviations, seed=2), task.z.shape[1]
    torch.manual_seed(1)
    prior = torch.distributions.MultivariateNormal(torch.zeros(d), torch.eye(d))
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder), contextlib.redirect_stdout(io.StringIO()):
        started = time.process_time()
        trainer = NPE(prior, show_progress_bars=False)
        network = trainer.append_simulations(torch.as_tensor(task.z, dtype=torch.float32), x).train()
        seconds = time.process_time() - started
    with torch.no_grad():
        log_prob = network.log_prob(torch.as_tensor(task.held_z, dtype=torch.float32)[None], task.held_x)[0].numpy()
    return Learnt(seconds, trainer.summary["epochs_trained"][-1], log_prob)


def learnt_by_neurofit(task: Task, schedule: Schedule) -> Learnt:
    started = time.process_time()
    found = train_ensemble(task.z, task.deviations, task.summaries, schedule, seed=1, members=1, workers=1)
    seconds = time.process_time() - started
    epochs = int(np.isfinite(found.losses[0, :, 0]).sum())
    return Learnt(seconds, epochs, found.density.log_prob(task.held_z, task.held_x))


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("tasks", nargs="*", help=f"of {', '.join(TASKS)}; all by default")
    arguments.add_argument("--simulations", type=int, default=10_000)
    arguments.add_argument("--cache", type=Path, help="where simulations of the demo's recording are kept")
    given = arguments.parse_args()
    columns, compared = ["(s)", "epochs", "log-prob"], ["gain", "times as fast"]
    with tempfile.TemporaryDirectory() as folder, one_thread():
        tasks = {
            TASKS[name][0]: TASKS[name][1](given.simulations, given.cache or Path(folder))
            for name in given.tasks or TASKS
        }
        warm = known(500, Path(folder))
        learnt_by_neurofit(warm, Schedule(epochs=1))  # what is loaded at first use is loaded here
        theirs, rows = {}, []
        for title, task in tasks.items():
            ours, theirs[title] = learnt_by_neurofit(task, Schedule()), learnt_by_sbi(task)
            size = f"{title}: {task.z.shape[1]} of {task.summaries.n_inputs}"
            rows.append(
                [
                    size,
                    f"{len(task.z):,}",
                    *cells(theirs[title]),
                    *cells(ours),
                    exact(task),
                    *against(ours, theirs[title]),
                ]
            )
            sys.stderr.write(f"{rows[-1]}\n")
        markdown(
            ["parameters of inputs", "simulations", *(f"sbi {c}" for c in columns), *(f"neurofit {c}" for c in columns),
             "exact", *compared],
            rows,
        )  # fmt: skip
        others = []
        for title, task in tasks.items():
            kinds = [learnt_by_neurofit(task, Schedule(density=kind)) for kind in OTHERS]  # type: ignore[arg-type]
            others.append([title, *(cell for kind in kinds for cell in (*cells(kind), *against(kind, theirs[title])))])
            sys.stderr.write(f"{others[-1]}\n")
        markdown(["", *(f"{kind} {c}" for kind in OTHERS for c in (*columns, *compared))], others)


def cells(learnt: Learnt) -> list[str]:
    return [f"{learnt.seconds:.1f}", str(learnt.epochs), f"{learnt.log_prob.mean():.3f}"]


def exact(task: Task) -> str:
    return "" if np.isnan(task.exact) else f"{task.exact:.3f}"


def against(ours: Learnt, theirs: Learnt) -> list[str]:
    gain = ours.log_prob - theirs.log_prob
    error = gain.std() / np.sqrt(len(gain))
    return [f"{gain.mean():+.3f} ± {error:.3f}", f"**{theirs.seconds / ours.seconds:.1f}**"]


def markdown(columns: list[str], rows: list[list[str]]) -> None:
    sys.stdout.write("".join(f"| {' | '.join(line)} |\n" for line in (columns, ["---"] * len(columns), *rows)) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
