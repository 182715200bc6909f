"""One posterior for all cells of a protocol: what is simulated and learned once, and the cells it is judged by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurofit.check.prediction import prediction_scores
from neurofit.errors import SimulationError
from neurofit.features import FeatureTable
from neurofit.infer import Cases, Schedule, fitting_base, train_ensemble
from neurofit.infer.calibration import assess
from neurofit.infer.held_out import log_densities
from neurofit.infer.shared import SharedPosterior, SharedSummaries
from neurofit.progress import Progress
from neurofit.recording import Recording
from neurofit.stages.seeds import stream_seed
from neurofit.stages.simulating import SimulationSet, require_valid, simulate_set
from neurofit.store import Run
from neurofit.template import Model
from neurofit.workers import Pool

Array = NDArray[np.float64]

LEARNED, TRAINED, NETWORK = "shared.json", "trained.safetensors", "network.safetensors"
CALIBRATION, CASES = "calibration.json", "cases.npz"
# Simulated cells that nothing was trained on: so many put the networks right, and so many judge them. Draws of each
# one's posterior, and of how many cells and draws the predictions are simulated.
FITTED, HELD_OUT, DRAWS = 500, 1000, 100
PREDICTED, PREDICTED_DRAWS = 400, 15


@dataclass(frozen=True, eq=False)
class SharedCases:
    """Simulated cells of known parameters, as the shared posterior serves them.

    Attributes
    ----------
    z
        ``[case, parameter]``: the truths, drawn from the prior.
    draws
        ``[draw, case, parameter]``.
    inputs
        ``[case, input]``: what the networks saw of each.
    counts
        ``[case, sweep]``: spikes.
    scores
        ``[case]`` of the first ones: how well the draws predict the case's own features, less is better.
    """

    z: Array
    draws: Array
    inputs: Array
    counts: Array
    scores: Array


def prior_set(
    run: Run, model: Model, protocol: Recording, n: int, *, seed: int, pool: Pool, progress: Progress
) -> SimulationSet:
    """Simulations of the prior, to be learned from."""
    rng = np.random.default_rng(stream_seed(seed, "prior"))
    found = simulate_set(
        run, "prior", model, protocol, lambda: rng.standard_normal((n, len(model.free))),
        seed=seed, pool=pool, progress=progress,
    )  # fmt: skip
    require_valid(found, "the prior")
    return found


def learn(
    run: Run,
    model: Model,
    prior: SimulationSet,
    columns: list[str],
    tolerance: dict[str, float],
    schedule: Schedule,
    members: int,
    *,
    seed: int,
    workers: int,
    progress: Progress,
) -> SharedPosterior:
    """Train on the prior's simulations, once and for all."""
    if not (run / LEARNED).is_file():
        valid = prior.valid
        summaries = SharedSummaries.of(prior.features.rows(valid), columns, tolerance)
        scaled = summaries.scaled(prior.features)
        with progress.bar("Training", 1.0) as advance:
            ensemble = train_ensemble(
                prior.z[valid], scaled[valid], summaries, schedule,
                seed=stream_seed(seed, "train"), members=members, workers=workers, report=advance,
            )  # fmt: skip
        run.file(TRAINED, ensemble.density.networks.save)
        run.write_arrays("training.npz", {"losses": ensemble.losses})
        run.write_json(LEARNED, {"summaries": summaries.to_dict(), "readings": ensemble.readings})
    summaries = SharedSummaries.from_dict(run.read_json(LEARNED)["summaries"])
    return SharedPosterior.load(model, summaries, run / TRAINED)


def calibrate(
    run: Run, trained: SharedPosterior, protocol: Recording, *, seed: int, pool: Pool, progress: Progress
) -> tuple[SharedPosterior, SharedCases]:
    """Put the trained networks right on simulated cells that they were not trained on, and judge them by others.

    Raises
    ------
    SimulationError
        If hardly any of these cells is valid.
    """
    cells = cells_to_judge_by(run, trained.model, protocol, seed=seed, pool=pool, progress=progress)
    valid = np.flatnonzero(cells.valid)
    if len(valid) < FITTED:
        raise SimulationError(f"Only {len(valid)} of {len(cells.valid)} simulated cells to judge by are valid.")
    fitted, judged = np.split(valid, [round(len(valid) * FITTED / (FITTED + HELD_OUT))])
    scaled = trained.summaries.noisy(trained.summaries.scaled(cells.features), stream_seed(seed, "check"))
    if not (run / NETWORK).is_file():
        with progress.bar("Calibrating", 1) as advance:
            networks = trained.density.networks
            if networks.are_flows:
                own = Cases(cells.z[fitted], trained.encoded(scaled[fitted]), None, stream_seed(seed, "calibrate", 2))
                networks = networks.rebased(fitting_base(trained.density, own))
            run.file(NETWORK, networks.save)
            advance(1, "")
    shared = SharedPosterior.load(trained.model, trained.summaries, run / NETWORK)
    if not (run / CASES).is_file():
        features, z = cells.features.rows(judged), cells.z[judged]
        _judge(run, shared, protocol, features, z, scaled[judged], seed=seed, pool=pool, progress=progress)
    arrays = run.read_arrays(CASES)
    return shared, SharedCases(**{name: np.asarray(a, dtype=np.float64) for name, a in arrays.items()})


def cells_to_judge_by(
    run: Run, model: Model, protocol: Recording, *, seed: int, pool: Pool, progress: Progress
) -> SimulationSet:
    """Simulated cells of the prior that nothing is trained on."""
    rng = np.random.default_rng(stream_seed(seed, "calibrate"))
    return simulate_set(
        run, "cells to judge by", model, protocol,
        lambda: rng.standard_normal((FITTED + HELD_OUT, len(model.free))), seed=seed, pool=pool, progress=progress,
    )  # fmt: skip


def _judge(
    run: Run,
    shared: SharedPosterior,
    protocol: Recording,
    features: FeatureTable,
    z: Array,
    scaled: Array,
    *,
    seed: int,
    pool: Pool,
    progress: Progress,
) -> None:
    """Is the posterior calibrated for these cells, and how well does it predict the features it was asked with?"""
    draws = shared.sample(scaled, DRAWS, stream_seed(seed, "posterior"))
    some = min(PREDICTED, len(z))
    predicted = simulate_set(
        run, "what they predict", shared.model, protocol,
        lambda: draws[:PREDICTED_DRAWS, :some].swapaxes(0, 1).reshape(-1, draws.shape[2]),
        seed=seed, pool=pool, progress=progress,
    )  # fmt: skip
    noisy = predicted_scaled(shared, predicted.features, predicted.valid, stream_seed(seed, "predict"))
    each = noisy.reshape(some, PREDICTED_DRAWS, -1)
    scores = [float(prediction_scores(own, of).mean()) for own, of in zip(scaled[:some], each, strict=True)]
    log_draws, log_truths = log_densities(shared.density, draws, z, shared.encoded(scaled))
    calibration = assess(
        draws, z, shared.model.free, seed=stream_seed(seed, "calibrate", 1), log_draws=log_draws, log_truths=log_truths
    )
    run.write_json(CALIBRATION, calibration.to_dict())
    run.write_arrays(
        CASES,
        {
            "z": z,
            "draws": draws.astype(np.float32),
            "inputs": shared.encoded(scaled).numpy(),
            "counts": features.by_sweep("spike_count"),
            "scores": np.array(scores),
        },
    )


def predicted_scaled(shared: SharedPosterior, table: FeatureTable, valid: NDArray[np.bool_], seed: int) -> Array:
    """``[row, summary]`` of predictions with the tolerance as noise; a simulation that failed predicts nothing."""
    scaled = shared.summaries.noisy(shared.summaries.scaled(table), seed)
    return np.where(valid[:, None], scaled, np.nan)


def calibration_of(run: Run) -> dict[str, Any]:
    """What :func:`calibrate` found of the posterior's calibration over the whole prior."""
    return dict(run.read_json(CALIBRATION))
