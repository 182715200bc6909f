"""After the last round: does the fit explain the cell, and what is to be said about it?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurofit.check.conflict import conflicts_with
from neurofit.check.nearness import Nearness
from neurofit.check.predictive import Counts, compare, compare_counts, count_error
from neurofit.check.result import CheckResult
from neurofit.check.verdict import Verdict, decide
from neurofit.features import recorded_features
from neurofit.features.catalogue import feature_of
from neurofit.infer import Density, Method, Posterior, Potential, Summaries, assess_held_out
from neurofit.progress import Advance, Progress
from neurofit.recording.split import Split
from neurofit.simulation import count_reasons
from neurofit.stages.calibrating import checked_cases
from neurofit.stages.power import read_sensitivity
from neurofit.stages.prior_checks import NEARNESS, read_reach
from neurofit.stages.seeds import stream_seed
from neurofit.stages.simulating import SimulationSet, require_valid
from neurofit.stages.spaces import both_spaces
from neurofit.stages.training import Round, pooled
from neurofit.store import Run

Array = NDArray[np.float64]

LAST = "the last round's simulations"
# The sides of a cell that conflicts are looked for from.
LOOKED_FROM = ("firing", "passive")
# Draws that say which parameters pile up at a bound, and how much of the density has to be drawn again.
DRAWS = 5000


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a run has computed when its checks begin.

    Attributes
    ----------
    declared
        The summaries, with the tolerances as declared.
    method
        How the posterior was found.
    sets, rounds
        Of each round.
    posterior
        The last round's, calibrated.
    predicted
        Posterior predictive simulations, ``{"fitted": ..., "step 2": ...}``.
    cut
        What was fitted and what was held out.
    """

    declared: Summaries
    method: Method
    sets: list[SimulationSet]
    rounds: list[Round]
    posterior: Posterior
    predicted: dict[str, SimulationSet]
    cut: Split


def check_fit(run: Run, outcome: Outcome, *, seed: int, progress: Progress) -> Verdict:
    """After the last round: does the fit explain the cell, what does it miss, and are its intervals right?"""
    if not (run / "checks/fit.json").is_file():
        with progress.bar("Checking the fit", 6) as advance:
            run.write_json("checks/fit.json", _found(run, outcome, seed, advance))
    verdict = Verdict.from_dict(run.read_json("checks/fit.json")["verdict"])
    progress.say(str(verdict))
    return verdict


def _found(run: Run, outcome: Outcome, seed: int, advance: Advance) -> dict[str, Any]:
    """What ``checks/fit.json`` holds."""
    declared, sets, cut, predicted = outcome.declared, outcome.sets, outcome.cut, outcome.predicted
    require_valid(sets[-1], "the last round")
    results = both_spaces(run, "fit", sets[-1], cut.fitted, declared, LAST, seed, advance)
    prior = CheckResult.from_dict(run.read_json("checks/prior-summary.json"))
    near = Nearness.from_dict(run.read_json(NEARNESS))

    chosen = predicted["fitted"].features.select(declared.names)
    specs = [feature_of(name) for name in declared.names]
    about = [
        {"name": name, "label": label, "unit": f.unit, "aspect": f.aspect}
        for name, label, f in zip(declared.names, chosen.labels, specs, strict=True)
    ]
    misses = compare(declared.observed, chosen.values, declared.tolerance, declared.log, about)
    advance(3, "predictions")

    z, deviations = pooled(sets, declared)
    values = np.concatenate([s.features.select(declared.names).values for s in sets])
    valid = np.concatenate([s.valid for s in sets])
    conflicts = {
        side: conflicts_with(side, deviations[valid], values[valid], declared.observed, about) for side in LOOKED_FROM
    }
    advance(4, "conflicts")

    last, posterior = outcome.rounds[-1], outcome.posterior
    density, names = posterior.density, posterior.model.free
    calibration = assess_held_out(
        density, last.summaries, checked_cases(run, cut.fitted, last, outcome.method, seed), names
    )
    advance(5, "calibration")

    counts = _counts(cut, predicted, declared, stream_seed(seed, "check", 2))
    verdict = decide(
        prior,
        near,
        read_reach(run),
        results["summary"],
        misses,
        conflicts["firing"],
        counts["fitted"].hits,
        read_sensitivity(run, "fit").unseen(),
    )
    efficiency = importance_efficiency(density, last.summaries, predicted["fitted"])
    advance(6, "done")
    return {
        "verdict": verdict.to_dict(),
        "misses": [vars(m) for m in misses],
        "conflicts": {side: c.to_dict() for side, c in conflicts.items()},
        "calibration": {**calibration.to_dict(), "base": density.networks.base.to_dict()},
        "counts": {name: {**vars(c), "numbers": c.numbers()} for name, c in counts.items()},
        "efficiency": efficiency,
        "leakage": posterior.leakage(seed),
        "at_bounds": {name: said for name, said in posterior.remarks(DRAWS, seed).items() if "bound" in said},
        "invalid": int(sum((~s.valid).sum() for s in sets)),
        "invalid_reasons": count_reasons(np.concatenate([s.reason for s in sets])),
        "simulations": len(z),
    }


def _counts(cut: Split, predicted: dict[str, SimulationSet], declared: Summaries, seed: int) -> dict[str, Counts]:
    """Recorded and predicted spike counts of each part of the recording."""
    parts = {"fitted": cut.fitted, **cut.held_out}
    recorded = {name: recorded_features(part).by_sweep("spike_count")[0] for name, part in parts.items()}
    simulated = {name: s.features.by_sweep("spike_count")[s.valid] for name, s in predicted.items()}
    error = count_error(recorded["fitted"], simulated["fitted"], declared.tolerance_of("spike_count"))
    levels = cut.fitted.stimulus.test_step.level_pa
    return {
        name: compare_counts(
            part.sweep_numbers,
            part.stimulus.test_step.level_pa,
            recorded[name],
            simulated[name],
            error,
            levels,
            recorded["fitted"],
            seed,
        )
        for name, part in parts.items()
    }


def importance_efficiency(density: Density | Potential, summaries: Summaries, predicted: SimulationSet) -> float:
    """Effective share of the posterior's draws under the tolerances themselves, between 0 and 1.

    One simulation of a draw gives an unbiased estimate of the likelihood that the tolerances define; weighting the
    draws by prior times that over the network's density would make them exact, and what share of them such weights
    leave is how near the network's posterior is to it (Dax et al. 2023). One simulation a draw makes it a lower bound.
    """
    deviations = summaries.deviations(predicted.features)[predicted.valid]
    z = predicted.z[predicted.valid]
    log_weight = summaries.log_kernel(deviations) - 0.5 * (z**2).sum(axis=1) - density.log_prob(z)
    if not np.isfinite(log_weight).any():
        return 0.0
    weight = np.exp(log_weight - log_weight.max())
    return float(weight.sum() ** 2 / (weight**2).sum() / len(weight))
