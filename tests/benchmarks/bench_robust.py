"""What a robust posterior costs and saves: coverage and width of 90 % intervals, plain and robust, as a table.

    PYTHONPATH=. python tests/benchmarks/bench_robust.py [--observations 200] [--simulations 4000] [--seed 1]

A two-conductance Hodgkin-Huxley cell with the sbi tutorial's seven statistics. One round of NPE on the prior; then
observations that the model made, and some whose recording or noise is not the model's. Every tolerance is 2 % of the
statistic's standard deviation among the simulations: next to nothing. ``coverage`` is the share of the two true
conductances inside their intervals, ``width`` the intervals' mean over that of the plain posterior's when well
specified.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from neurofit.infer import Schedule, Summaries, train_ensemble
from neurofit.infer.robust import Hedge
from tests.benchmarks import toy_cells as toy

Array = NDArray[np.float64]
KINDS = {
    "well specified": None,
    **{
        name: toy.KINDS[name]
        for name in ("offset + 10 mV", "observation noise 0.5 mV", "intrinsic noise x 3", "drift 8 mV")
    },
}
TOLERANCE = 0.02
ENDS = (0.05, 0.95)
DRAWS, ROWS = 1500, 300


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("--observations", type=int, default=200, help="of each kind")
    arguments.add_argument("--simulations", type=int, default=4000)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    options = arguments.parse_args()
    rng = np.random.default_rng(options.seed)
    theta, values = simulated(options.simulations, rng)
    z = to_z(theta)
    d = values.shape[1]
    names = tuple(f"spike_count@{j}" for j in range(d))
    summaries = Summaries(names, np.median(values, axis=0), TOLERANCE * values.std(axis=0), np.zeros(d, bool), ())

    def deviations(measured: Array) -> Array:
        return (measured - summaries.observed) / summaries.tolerance

    density = train_ensemble(
        z, deviations(values), summaries, Schedule(), seed=options.seed, members=3, workers=options.workers
    ).density

    def sample(n: int, seed: int, x: Array) -> Array:
        return density.sample(n, seed, summaries.encode(torch.as_tensor(x, dtype=torch.float32)))

    noisy = deviations(values) + rng.standard_normal(values.shape)
    hedges = {way: Hedge.of(z, noisy, sample, method=way, seed=options.seed) for way in ("noise", "weights")}
    asked: dict[str, Callable[[Array, int], Array]] = {
        "plain": lambda y, i: sample(DRAWS, i, y[None])[:, 0],
        **{way: lambda y, i, own=own: own(y, DRAWS, i, ROWS).draws for way, own in hedges.items()},
    }
    report = sys.stdout.write
    report(f"{len(z):,} simulations, {options.observations} observations of each kind, seed {options.seed}\n")
    report(f"{'':28}" + "".join(f"{way:>10}{'width':>8}" for way in asked) + "\n")
    unit = None
    for kind, cell in KINDS.items():
        truths, measured = simulated(options.observations, rng, cell)
        found = {way: intervals(own, deviations(measured)) for way, own in asked.items()}
        widths = {way: float((high - low).mean()) for way, (low, high) in found.items()}
        unit = unit or widths["plain"]
        held = {way: float(((low <= truths) & (truths <= high)).mean()) for way, (low, high) in found.items()}
        report(f"{kind:28}" + "".join(f"{held[way]:10.3f}{widths[way] / unit:8.2f}" for way in asked) + "\n")
        sys.stdout.flush()


def simulated(n: int, rng: np.random.Generator, cell: toy.Cell | None = None) -> tuple[Array, Array]:
    """Parameters and statistics."""
    theta = toy.prior(n, rng)
    return theta, toy.tutorial_statistics(toy.simulate(theta, rng, cell))


def intervals(draw: Callable[[Array, int], Array], observed: Array) -> tuple[Array, Array]:
    """Lower and upper ends ``[observation, parameter]``."""
    ends = np.array([np.quantile(to_theta(draw(y, i)), ENDS, axis=0) for i, y in enumerate(observed)])
    return ends[:, 0], ends[:, 1]


def to_z(theta: Array) -> Array:
    return np.asarray(ndtri((theta - toy.PRIOR_LOW) / (toy.PRIOR_HIGH - toy.PRIOR_LOW)))


def to_theta(z: Array) -> Array:
    return toy.PRIOR_LOW + ndtr(z) * (toy.PRIOR_HIGH - toy.PRIOR_LOW)


if __name__ == "__main__":
    main()
