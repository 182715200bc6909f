"""Which method for a cell with a dozen parameters: the same simulations' worth of each, on known posteriors and a cell.

    python tests/benchmarks/bench_methods.py                       twelve parameters, linear and bent
    python tests/benchmarks/bench_methods.py --cell FILE --out DIR  a recording, with hh_pospischil; resumable

On a known posterior: C2ST between its draws and the method's, by a network and by a forest (.5: they cannot be told
apart), the ratio of standard deviations, the largest shift of a mean in standard deviations. Everywhere: seconds of one
process, and how often the 90 % regions of fresh simulations around the observation hold the true parameters. On a cell:
the share of posterior draws with every fitted spike count within one, and the effective share of draws under the
tolerances.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

import neurofit as nf
from neurofit.check.predictive import MISSED
from neurofit.infer import assess_held_out
from neurofit.infer.valid import Name
from neurofit.progress import Terminal
from neurofit.threads import one_thread
from tests.infer.loop import fresh_cases, infer
from tests.infer.toys import Problem, plain_summaries
from tests.references.comparing import compare

Array = NDArray[np.float64]
ROUNDS, SIMULATIONS = 3, 3000
CELL_ROUNDS, CELL_SIMULATIONS = 3, 5000
# Cases of the calibration: fewer where a sampler is run for each.
CASES, CASES_SAMPLED = 400, 100


def method(name: str, rounds: int, simulations: int, members: int) -> nf.Method:
    """The same budget for each."""
    return replace(nf.Method.named(name, rounds, rounds * simulations), members=members)


def on_a_problem(name: str, problem: Problem, members: int, seed: int = 1) -> list[str]:
    """A row of the table."""
    summaries = plain_summaries(problem.s)

    def deviations(z: Array, _: int) -> Array:
        return problem.deviations(z)

    if problem.bent:
        reference = problem.reference()
    else:
        reference = np.random.default_rng(1).multivariate_normal(*problem.exact(), 2000)
    chosen = method(name, ROUNDS, SIMULATIONS, members)
    found = infer(chosen, deviations, summaries, problem.d, seed)
    draws = found.draws(len(reference))
    beside = compare(draws, reference)
    around = found.came_from.around(found.density, seed)
    cases = fresh_cases(
        found.summaries, deviations, around, CASES_SAMPLED if name in ("nle", "nre") else CASES, seed + 1
    )
    checked = assess_held_out(found.density, found.summaries, cases, [f"p{j}" for j in range(problem.d)])
    return [
        name, f"{found.proposing:.0f}", f"{found.training:.0f}", f"{found.calibrating:.0f}",
        f"{beside.network:.2f}, {beside.forest:.2f}",
        f"{beside.mean_ratio:.2f} ({beside.ratio.min():.2f} to {beside.ratio.max():.2f})",
        f"{np.abs(beside.shift).max():.2f}",
        f"{(checked.coverage.values <= 0.9).mean():.2f}", checked.verdict,
    ]  # fmt: skip


def on_a_cell(name: str, recording: Path, out: Path, members: int) -> list[str]:
    """A row of the table; the run is kept."""
    begun = time.process_time(), time.monotonic()
    fit = nf.fit(
        nf.load_recording(recording), nf.load_model("hh_pospischil"), out / name,
        method=method(name, CELL_ROUNDS, CELL_SIMULATIONS, members), anyway=True, workers=2, progress=Terminal(),
    )  # fmt: skip
    found = fit.findings_of_fit
    return [
        name, f"{time.monotonic() - begun[1]:.0f}", f"{sum(r.seconds for r in fit.rounds):.0f}",
        f"{found['counts']['fitted']['hits']:.2f}", f"{found['efficiency']:.3f}",
        str(sum(abs(miss["distance"]) > MISSED for miss in found["misses"])),
        found["calibration"]["verdict"], fit.verdict.word,
    ]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--cell", type=Path)
    parser.add_argument("--out", type=Path, default=Path("fits/methods"))
    parser.add_argument("--members", type=int, default=1)
    parser.add_argument("--methods", nargs="+", default=list(get_args(Name)))
    parser.add_argument("--problems", nargs="+", default=["linear", "bent"])
    given = parser.parse_args()
    console = Console(width=120)
    with one_thread():
        if given.cell:
            heads = ["method", "seconds", "training", "hits", "efficiency", "missed", "calibration", "verdict"]
            table = Table(*heads, title=f"{given.cell.name}: {CELL_ROUNDS} x {CELL_SIMULATIONS} simulations")
            for name in given.methods:
                table.add_row(*on_a_cell(name, given.cell, given.out, given.members))
            console.print(table)
            return
        for title, bent in (("linear", 0.0), ("bent", 0.05)):
            if title not in given.problems:
                continue
            heads = [
                "method",
                "proposing",
                "training",
                "calibrating",
                "C2ST",
                "sd ratio",
                "shift",
                "90 % held",
                "calibration",
            ]
            table = Table(*heads, title=f"twelve parameters, {title}: {ROUNDS} x {SIMULATIONS} simulations")
            for name in given.methods:
                row = on_a_problem(name, Problem(bent=bent), given.members)
                table.add_row(*row)
                console.print(title, *row)
            console.print(table)


if __name__ == "__main__":
    main()
