"""What the tolerance does: fits of the demo recording with more and less of it, as a table.

    PYTHONPATH=. python tests/benchmarks/bench_tolerance.py [--simulations 10000] [--factors 0.05 0.5 1 2] [--seeds 1 2]
    PYTHONPATH=. python tests/benchmarks/bench_tolerance.py --run fits/demo

Even sweeps of the first step, hh_pospischil. Either one round on draws of the prior, or the last round of a finished
run once more, on the simulations that it was trained on. All fits of a table see the same simulations, scaled alike;
only the noise that training adds to them differs: ``factor`` times the tolerances, widened as in that round where the
model cannot follow. Of the posterior's draws, simulated with noise of their own:

``hits``     share that has every fitted spike count within one spike
``fitted``   error of the predicted (median) count, mean over the fitted sweeps that spike
``held out`` the same over the odd sweeps, and over the second step
``missed``   features further than two standard deviations (tolerance x 1 and prediction together) from the median
``width``    90 % intervals over those of the prior, mean over the parameters, where the prior is standard normal
``outside``  share that lies outside the region that the simulations came from: there the network has seen nothing
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

import neurofit as nf
from neurofit.check.predictive import compare
from neurofit.features import recorded_features
from neurofit.features.catalogue import feature_of
from neurofit.infer import Region, Summaries, train_ensemble, usable, widened
from neurofit.recording.split import Split
from neurofit.stages import chosen_inputs
from neurofit.stages.training import pooled

Array = NDArray[np.float64]
PRIOR_WIDTH = 2 * 1.6449
COLUMNS = ("factor", "seed", "hits", "fitted", "held out", "step 2", "missed", "width", "outside")


@dataclass(frozen=True, eq=False)
class Noisier(Summaries):
    """Summaries as they are, given deviations in other units: those of the noise."""

    factor: float = 1.0

    def encode(self, deviations: torch.Tensor) -> torch.Tensor:
        return super().encode(deviations * self.factor)


@dataclass(frozen=True)
class Material:
    """What all fits of a table share; ``deviations`` are in the tolerances of ``seen``."""

    model: nf.Model
    cut: Split
    declared: Summaries
    seen: Summaries
    z: Array
    deviations: Array
    region: Region = field(default_factory=Region)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("--run", type=Path, default=None, help="a finished run instead of the prior")
    arguments.add_argument("--simulations", type=int, default=10_000, help="of the prior")
    arguments.add_argument("--factors", type=float, nargs="+", default=[0.05, 0.5, 1.0, 2.0])
    arguments.add_argument("--seeds", type=int, nargs="+", default=[1, 2], help="of the training, one fit each")
    arguments.add_argument("--draws", type=int, default=300)
    arguments.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    arguments.add_argument("--out", type=Path, default=None, help="where to keep the prior's simulations")
    options = arguments.parse_args()
    with tempfile.TemporaryDirectory(prefix="neurofit-bench-") as folder:
        run = from_run(options.run) if options.run else None
        what = run or from_prior(options.out or Path(folder), options.simulations, options.workers)
    report = sys.stdout.write
    report(f"{what.model.name}, {len(what.z):,} simulations, {len(what.seen)} features, {options.draws} draws\n")
    report("".join(f"{word:>10}" for word in COLUMNS) + "\n")
    for factor in options.factors:
        for seed in options.seeds:
            ensemble = train_ensemble(
                what.z, what.deviations / factor, Noisier(**vars(what.seen), factor=factor), nf.Schedule(),
                seed=seed, members=3, workers=options.workers,
            )  # fmt: skip
            report(f"{factor:10g}{seed:10}{row(what, ensemble.density.sample(options.draws, seed))}\n")
            sys.stdout.flush()


def from_prior(folder: Path, simulations: int, workers: int) -> Material:
    recording = nf.load_recording(nf.fetch_recording("regular_spiking"))
    _, _, cut, model = chosen_inputs(recording, nf.load_model("hh_pospischil"), "even", 1)
    prior = nf.simulate_prior(recording, model, folder, simulations=simulations, sweeps="even", workers=workers)
    declared = Summaries.of(recorded_features(cut.fitted))
    deviations = declared.deviations(prior.features)[prior.valid]
    z = model.prior.to_unbounded(prior.parameters.to_numpy())[prior.valid]
    return scaled(Material(model, cut, declared, widened(declared, deviations)[0], z, deviations))


def from_run(path: Path) -> Material:
    fit = nf.load_fit(path)
    rounds = [fit.simulations(f"round {number}") for number in range(1, fit.method.rounds + 1)]
    z, deviations = pooled(rounds, fit.summaries)
    region = Region(fit.rounds[-1].region.cuts[:-1])
    chosen = usable(z, np.concatenate([s.valid for s in rounds]), region)
    used = widened(fit.summaries, deviations, fit.method.nearest)[0]
    return scaled(Material(fit.model, fit.split, fit.summaries, used, z[chosen], deviations[chosen], region))


def scaled(what: Material) -> Material:
    """In the tolerances that the round trains with, without what hardly any simulation defines."""
    deviations = what.deviations * (what.declared.tolerance / what.seen.tolerance)
    return replace(what, deviations=deviations, seen=what.seen.seen_in(deviations))


def row(what: Material, z: Array) -> str:
    """What draws of a posterior do, as cells of the table."""
    declared, theta = what.declared, what.model.prior.from_unbounded(z)
    parts = {"fitted": what.cut.fitted, **what.cut.held_out}
    found = {name: predicted(what.model, part, theta) for name, part in parts.items()}
    recorded = {name: recorded_features(part) for name, part in parts.items()}
    counts = {name: (of_counts(recorded[name])[0], of_counts(table)) for name, table in found.items()}
    cell, draws = counts["fitted"]
    hits = (np.abs(draws - cell) <= 1).all(axis=1).mean()
    errors = [float(np.abs(np.nanmedian(draws, axis=0) - cell)[cell > 0].mean()) for cell, draws in counts.values()]
    about = [
        {"name": name, "label": name, "unit": feature_of(name).unit, "aspect": feature_of(name).aspect}
        for name in declared.names
    ]
    values = found["fitted"].select(declared.names).values
    missed = sum(m.missed for m in compare(declared.observed, values, declared.tolerance, declared.log, about))
    width = np.mean(np.quantile(z, 0.95, axis=0) - np.quantile(z, 0.05, axis=0)) / PRIOR_WIDTH
    outside = 1 - what.region(z).mean()
    counted = f"{100 * hits:.0f} %", *(f"{error:.2f}" for error in errors)
    cells = (*counted, str(missed), f"{width:.2f}", f"{100 * outside:.0f} %")
    return "".join(f"{cell:>10}" for cell in cells)


def predicted(model: nf.Model, part: nf.Recording, theta: Array) -> nf.FeatureTable:
    traces = nf.simulate(model, part.stimulus, theta, 1)
    return nf.extract_features(
        traces.voltage_mv, part.stimulus, sweep_numbers=part.sweep_numbers, valid=traces.valid
    )  # fmt: skip


def of_counts(table: nf.FeatureTable) -> Array:
    """``[row, sweep]``."""
    return table.select([name for name in table.names if name.startswith("spike_count@")]).values


if __name__ == "__main__":
    main()
