"""The last round's posterior, put right by simulations of known parameters around the cell."""

from __future__ import annotations

from neurofit.infer import Cases, Density, Method, Potential, Region, fitting_base
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
NETWORK, REGION = "calibration/network.safetensors", "calibration/region.json"
# The most that are checked where a sampler has to be run for each.
MOST_SAMPLED = 100


def calibrate(
    run: Run, model: Model, fitted: Recording, last: Round, method: Method, *, seed: int, pool: Pool, progress: Progress
) -> Density | Potential:
    """The last round's density, calibrated on truths around the cell.

    They are drawn from the prior inside the posterior's own region and simulated anew: no network has seen them, in
    training or in validation.
    """
    if not (run / NETWORK).is_file():
        networks = last.density.networks
        n = method.cases_made
        if isinstance(last.density, Potential):
            n = min(MOST_SAMPLED, n - method.cases_fitted)
        cases = simulate_set(
            run,
            NAME,
            model,
            fitted,
            lambda: surroundings(run, last, seed).propose(n, stream_seed(seed, "calibrate"), pool.workers),
            seed=seed,
            pool=pool,
            progress=progress,
        )
        if isinstance(last.density, Density) and networks.are_flows:
            with progress.bar("Calibrating", 1) as advance:
                base = fitting_base(last.density, _cases(run, cases, last, method, seed, checked=False))
                networks = networks.rebased(base)
                advance(1, f"widened by {100 * (base.width - 1):.0f} %")
        run.file(NETWORK, networks.save)
    return load_density(run / NETWORK)


def surroundings(run: Run, last: Round, seed: int) -> Region:
    """What the posterior of the last round fills of what its simulations came from."""

    def region() -> dict[str, float]:
        return {"threshold": last.came_from.around(last.density, stream_seed(seed, "around")).cuts[-1][1]}

    # thousands of draws, which for a sampler are seconds: worked out once
    return Region((*last.came_from.cuts, (last.density, run.json(REGION, region)["threshold"])))


def checked_cases(run: Run, fitted: Recording, last: Round, method: Method, seed: int) -> Cases:
    """The cases that nothing was fitted to."""
    return _cases(run, read_set(run, NAME, fitted), last, method, seed, checked=True)


def _cases(run: Run, simulated: SimulationSet, last: Round, method: Method, seed: int, *, checked: bool) -> Cases:
    fitted = method.cases_fitted if last.density.networks.are_flows else 0
    rows = slice(fitted, None) if checked else slice(fitted)
    valid = simulated.valid[rows]
    return Cases.of(
        last.summaries,
        simulated.z[rows][valid],
        last.summaries.deviations(simulated.features)[rows][valid],
        stream_seed(seed, "calibrate", 2 if checked else 1),
        surroundings(run, last, seed),
        most=method.cases_made,
    )
