"""What the tolerance does: fits of the demo recording with more and less of it, as a table.

    PYTHONPATH=. python tests/benchmarks/bench_tolerance.py [--simulations 10000] [--factors 0.05 0.5 1 2] [--seeds 1 2]

One round on draws of the prior (even sweeps of the first step, hh_pospischil). All fits see the same simulations,
scaled alike; only the noise that training adds to them differs: ``factor`` times the tolerances, which are the
catalogue's, widened where the nearest simulations show that the model cannot follow (``--as-declared``: not widened).
Of the posterior draws, simulated with noise of their own:

``hits``     share that has every fitted spike count within one spike
``fitted``   error of the predicted (median) count, mean over the fitted sweeps that spike
``held out`` the same over the odd sweeps, and over the second step
``missed``   features further than two standard deviations (tolerance x 1 and prediction together) from the median
``width``    90 % intervals over those of the prior, mean over the parameters, where the prior is standard normal
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

import neurofit as nf
from neurofit.check.predictive import compare
from neurofit.features import recorded_features
from neurofit.features.catalogue import feature_of
from neurofit.infer import Summaries, train_ensemble, widened
from neurofit.recording.split import Split
from neurofit.stages import chosen_inputs

Array = NDArray[np.float64]
PRIOR_WIDTH = 2 * 1.6449


@dataclass(frozen=True)
class Noisier:
    """Summaries as they are, given deviations in other units: those of the noise."""

    seen: Summaries
    factor: float

    @property
    def n_inputs(self) -> int:
        return self.seen.n_inputs

    def __len__(self) -> int:
        return len(self.seen)

    def encode(self, deviations: torch.Tensor) -> torch.Tensor:
        return self.seen.encode(deviations * self.factor)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("--simulations", type=int, default=10_000)
    arguments.add_argument("--factors", type=float, nargs="+", default=[0.05, 0.5, 1.0, 2.0])
    arguments.add_argument("--seeds", type=int, nargs="+", default=[1, 2], help="of the training, one fit each")
    arguments.add_argument("--draws", type=int, default=300)
    arguments.add_argument("--model", default="hh_pospischil")
    arguments.add_argument("--as-declared", action="store_true", help="tolerances without the model's discrepancy")
    arguments.add_argument("--workers", type=int, default=None)
    arguments.add_argument("--out", type=Path, default=None, help="where to keep the simulations, or where they are")
    options = arguments.parse_args()
    recording = nf.load_recording(nf.fetch_recording("regular_spiking"))
    _, cut, model = chosen_inputs(recording, nf.load_model(options.model), "even", 1)
    report = sys.stdout.write
    with tempfile.TemporaryDirectory(prefix="neurofit-bench-") as folder:
        prior = nf.simulate_prior(
            recording, model, options.out or folder, simulations=options.simulations, sweeps="even",
            workers=options.workers,
        )  # fmt: skip
        declared = Summaries.of(recorded_features(cut.fitted))
        z = model.prior.to_unbounded(prior.parameters.to_numpy())[prior.valid]
        deviations = declared.deviations(prior.features)[prior.valid]
    used = declared if options.as_declared else widened(declared, deviations)[0]
    deviations *= declared.tolerance / used.tolerance
    seen = used.seen_in(deviations)
    report(f"{model.name}, {len(z):,} simulations, {len(declared)} features, {options.draws} draws\n")
    report(f"{'factor':>6}{'seed':>6}{'hits':>8}{'fitted':>8}{'held out':>10}{'step 2':>8}{'missed':>8}{'width':>8}\n")
    for factor in options.factors:
        for seed in options.seeds:
            ensemble = train_ensemble(
                z, deviations / factor, Noisier(seen, factor), nf.Schedule(), seed=seed, members=3,
                workers=options.workers or os.cpu_count() or 1,
            )  # fmt: skip
            report(f"{factor:6g}{seed:6}{row(model, cut, declared, ensemble.density.sample(options.draws, seed))}\n")
            sys.stdout.flush()


def row(model: nf.Model, cut: Split, declared: Summaries, z: Array) -> str:
    """What draws of a posterior do, as cells of the table."""
    theta = model.prior.from_unbounded(z)
    parts = {"fitted": cut.fitted, **cut.held_out}
    found = {name: predicted(model, part, theta) for name, part in parts.items()}
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
    return f"{100 * hits:6.0f} %{errors[0]:8.2f}{errors[1]:10.2f}{errors[2]:8.2f}{missed:8}{width:8.2f}"


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
