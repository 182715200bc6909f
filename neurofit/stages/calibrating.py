"""Simulations with known parameters around the cell, to see whether the posterior's intervals are right there."""

from __future__ import annotations

from neurofit.infer import Potential, Region
from neurofit.progress import Progress
from neurofit.recording import Recording
from neurofit.stages.seeds import stream_seed
from neurofit.stages.simulating import SimulationSet, simulate_set
from neurofit.stages.training import Round
from neurofit.store import Run
from neurofit.template import Model
from neurofit.workers import Pool

NAME = "calibration"
# Simulations; fewer where a sampler has to be run for each.
CASES, CASES_SAMPLED = 400, 100


def surroundings(last: Round, seed: int) -> Region:
    """What the posterior of the last round fills of what its simulations came from."""
    return last.came_from.around(last.density, stream_seed(seed, "around"))


def calibration_cases(
    run: Run,
    model: Model,
    fitted: Recording,
    last: Round,
    *,
    seed: int,
    pool: Pool,
    progress: Progress,
) -> SimulationSet:
    """Simulate draws of the prior around the cell, anew: no network has seen them, in training or in validation."""
    around = surroundings(last, seed)
    cases = CASES_SAMPLED if isinstance(last.density, Potential) else CASES
    return simulate_set(
        run,
        NAME,
        model,
        fitted,
        lambda: around.propose(cases, stream_seed(seed, "calibrate"), pool.workers),
        seed=seed,
        pool=pool,
        progress=progress,
    )
