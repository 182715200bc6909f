"""The last round's posterior, made as wide as simulations of known parameters around the cell ask for."""

from __future__ import annotations

from neurofit.infer import Cases, Density, Potential, Region, fitting_width
from neurofit.infer.ensemble import load_density
from neurofit.progress import Progress
from neurofit.recording import Recording
from neurofit.stages.seeds import stream_seed
from neurofit.stages.simulating import SimulationSet, read_set, simulate_set
from neurofit.stages.training import Round
from neurofit.store import Run
from neurofit.template import Model
from neurofit.workers import Pool

NAME = "calibration"
NETWORK = "calibration/network.safetensors"
# Simulations around the cell that the width is fitted to, and as many that it is checked on; fewer where a sampler has
# to be run for each.
CASES, CASES_SAMPLED = 400, 100


def calibrate(
    run: Run, model: Model, fitted: Recording, last: Round, *, seed: int, pool: Pool, progress: Progress
) -> Density | Potential:
    """The last round's density, as wide as truths around the cell ask for.

    They are drawn from the prior inside the posterior's own region and simulated anew: no network has seen them, in
    training or in validation.
    """
    if not (run / NETWORK).is_file():
        n = CASES_SAMPLED if isinstance(last.density, Potential) else 2 * CASES
        cases = simulate_set(
            run,
            NAME,
            model,
            fitted,
            lambda: surroundings(last, seed).propose(n, stream_seed(seed, "calibrate"), pool.workers),
            seed=seed,
            pool=pool,
            progress=progress,
        )
        networks = last.density.networks
        if isinstance(last.density, Density) and networks.can_widen:
            with progress.bar("Calibrating", 1) as advance:
                width = fitting_width(last.density, _cases(cases, last, seed, checked=False))
                networks = networks.widened(width)
                advance(1, f"base of the flows widened by {100 * (width - 1):.0f} %")
        run.file(NETWORK, networks.save)
    return load_density(run / NETWORK)


def surroundings(last: Round, seed: int) -> Region:
    """What the posterior of the last round fills of what its simulations came from."""
    return last.came_from.around(last.density, stream_seed(seed, "around"))


def checked_cases(run: Run, fitted: Recording, last: Round, seed: int) -> Cases:
    """The cases that nothing was fitted to."""
    return _cases(read_set(run, NAME, fitted), last, seed, checked=True)


def _cases(simulated: SimulationSet, last: Round, seed: int, *, checked: bool) -> Cases:
    half = len(simulated.z) // 2 if last.density.networks.can_widen else 0
    rows = slice(half, None) if checked else slice(half)
    valid = simulated.valid[rows]
    return Cases.of(
        last.summaries,
        simulated.z[rows][valid],
        last.summaries.deviations(simulated.features)[rows][valid],
        stream_seed(seed, "calibrate", 2 if checked else 1),
        surroundings(last, seed),
    )
