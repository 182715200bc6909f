"""Posteriors beside references that were found in another way (tests/references), as a table.

    PYTHONPATH=. python tests/benchmarks/bench_references.py [problem ...] [--ways ...] [--seeds N] [--budget N]

C2ST is the accuracy of sbi's classifier (its network, five folds, 2,000 draws of each, standardised) between draws
and reference in the space in which the prior is standard normal: 0.5 is perfect. ``sd`` are the posterior's standard
deviations over the reference's: geometric mean over the parameters, least and largest; ``shift`` the largest
difference of means, in standard deviations. All are means over the seeds; the C2ST's largest stands beside it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator

import numpy as np

from tests.references.comparing import compare
from tests.references.methods import BUDGETS, STATED, WAYS
from tests.references.problems import NAMES, load


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("problems", nargs="*", default=NAMES)
    arguments.add_argument("--ways", nargs="+", choices=list(WAYS), help="default: its own, and sbi's")
    arguments.add_argument("--seeds", type=int, default=1)
    arguments.add_argument("--budget", type=int, help="in place of each problem's own")
    options = arguments.parse_args()
    report = sys.stdout.write
    report(
        f"{'problem':12} {'way':15} {'budget':>6}   {'C2ST':>5} {'most':>5}   {'sd':>5} {'least':>6} {'most':>5}"
        f"   {'shift':>5}   seconds: simulating, training\n"
    )
    for name in options.problems:
        for line in measure(
            name, options.ways or [STATED[name], "sbi"], options.seeds, options.budget or BUDGETS[name]
        ):
            report(line)
            sys.stdout.flush()


def measure(name: str, ways: list[str], seeds: int, budget: int) -> Iterator[str]:
    """A line of the table for each way."""
    problem = load(name)
    reference = problem.reference()
    for way in ways:
        rows = []
        for seed in range(1, seeds + 1):
            answer = WAYS[way](problem, budget, seed)
            found = compare(answer.draws, reference, forest=False)
            rows.append((
                found.network, found.mean_ratio, found.ratio.min(), found.ratio.max(), np.abs(found.shift).max(),
                answer.simulating_s, answer.training_s,
            ))  # fmt: skip
        c2st, sd, least, most, shift, simulating_s, training_s = np.mean(rows, axis=0)
        yield (
            f"{name:12} {way:15} {budget:6}   {c2st:5.3f} {np.max(rows, axis=0)[0]:5.3f}   {sd:5.2f} {least:6.2f}"
            f" {most:5.2f}   {shift:5.2f}   {simulating_s:8.0f} {training_s:8.0f}\n"
        )


if __name__ == "__main__":
    main()
