"""The checks of a run: can this model and prior make this cell, does the fit, and what is to be said about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurofit import check
from neurofit.check.conflict import conflicts_with
from neurofit.check.nearness import Nearness, nearness
from neurofit.check.predictive import Counts, compare, compare_counts, count_error
from neurofit.check.result import CheckResult
from neurofit.check.verdict import Verdict, decide
from neurofit.features import SUMMARIES, FeatureTable, recorded_features
from neurofit.features.catalogue import columns_for, feature_of
from neurofit.features.table import on_scale
from neurofit.infer import Density, Method, Potential, Summaries, assess_held_out
from neurofit.infer.summaries import noisy
from neurofit.progress import Advance, Progress
from neurofit.recording import Recording
from neurofit.recording.split import Split
from neurofit.simulation import count_reasons
from neurofit.stages.calibrating import checked_cases
from neurofit.stages.seeds import stream_seed
from neurofit.stages.simulating import KEEP_MS, SimulationSet, require_valid
from neurofit.stages.training import Round, pooled
from neurofit.store import Run

Array = NDArray[np.float64]

PRIOR, LAST = "the prior predictive", "the last round's simulations"
# The sides of a cell that conflicts are looked for from.
LOOKED_FROM = ("firing", "passive")
# No check needs more references than this.
MOST_REFERENCES = 2000
# How near the prior comes to the cell.
NEARNESS = "checks/prior-nearness.json"


def check_prior(
    run: Run, prior: SimulationSet, fitted: Recording, declared: Summaries, *, seed: int, progress: Progress
) -> None:
    """Before any training: can this model and prior make this cell at all, and how near do simulations come to it?

    Raises
    ------
    SimulationError
        If hardly any simulation is valid.
    """
    require_valid(prior, "the prior")

    def near() -> dict[str, Any]:
        return _nearness(prior, fitted, declared, stream_seed(seed, "check", 3)).to_dict()

    if own := declared.sources_said():
        progress.say(f"Tolerances that are not the catalogue's: {'; '.join(own)}.")
    with progress.bar("Checking the prior", 3) as advance:
        said = _both_spaces(run, "prior", prior, fitted, declared, PRIOR, seed, advance)["summary"]
        reach = Nearness.from_dict(run.json(NEARNESS, near))
        advance(3, "nearness")
    progress.say(
        f"Can this model and prior make this cell?  Features: p = {said.p_value:.2g}; nearness: p = {reach.p_value:.2g}"
    )
    told = [said.sentences[:4], reach.sentences()]
    for sentences in told if reach.reached else reversed(told):
        for sentence in sentences:
            progress.say(f"  {sentence}")


def _nearness(prior: SimulationSet, fitted: Recording, declared: Summaries, seed: int) -> Nearness:
    """On the fitted features, and on those that the cell does not have."""
    observed = recorded_features(fitted)
    lacking = [name for name in SUMMARIES if not observed.select(_columns(name, observed)).defined.any()]
    chosen = dict.fromkeys(feature_of(name).name for name in declared.names) | dict.fromkeys(lacking)
    names = [column for name in chosen for column in _columns(name, observed)]
    tolerance = np.array([declared.tolerance_of(feature_of(name).name) for name in names])
    log = np.array([feature_of(name).scale == "log" for name in names])

    def scaled(table: FeatureTable) -> Array:
        found = table.select(names)
        return np.where(found.defined, on_scale(found.values, log), np.nan) / tolerance

    simulated = prior.features.rows(np.flatnonzero(prior.valid)[:MOST_REFERENCES])
    labels = [feature_of(name).label for name in names]
    return nearness(scaled(observed)[0], scaled(simulated), names, labels, seed)


def _columns(feature: str, table: FeatureTable) -> list[str]:
    return columns_for([feature], table.levels_pa)


def _both_spaces(
    run: Run,
    name: str,
    simulated: SimulationSet,
    fitted: Recording,
    declared: Summaries,
    label: str,
    seed: int,
    advance: Advance,
) -> dict[str, CheckResult]:
    """The summary check, tolerances included, and the raw check against one set of simulations."""

    def summary() -> dict[str, Any]:
        rows = np.flatnonzero(simulated.valid)[:MOST_REFERENCES]
        rng = np.random.default_rng(stream_seed(seed, "check"))
        values, defined = noisy(simulated.features.rows(rows), declared, rng)
        return summary_check(
            declared, simulated.features, values, defined, f"{label}, tolerances included", seed
        ).to_dict()

    def raw() -> dict[str, Any]:
        assert simulated.voltage_mv is not None
        rows = simulated.valid[: len(simulated.voltage_mv)]
        every = max(1, round(KEEP_MS / fitted.dt_ms))
        dt_ms = every * fitted.dt_ms
        step, rig = fitted.stimulus.test_step, check.Nuisances.from_dict(run.decisions()["rig"])
        return check.raw(
            fitted.voltage_mv[:, ::every],
            rig.applied_to(
                simulated.voltage_mv[rows],
                dt_ms=dt_ms,
                current_pa=fitted.current_pa[:, ::every],
                seed=stream_seed(seed, "check", 4),
            ),
            dt_ms=dt_ms,
            step_ms=(step.start_ms, step.stop_ms),
            label=f"{label}, with {rig}",
            seed=stream_seed(seed, "check"),
        ).to_dict()

    results = {}
    for count, (space, compute) in enumerate({"summary": summary, "raw": raw}.items(), 1):
        results[space] = CheckResult.from_dict(run.json(f"checks/{name}-{space}.json", compute))
        advance(count, space)
    return results


def summary_check(
    declared: Summaries, table: FeatureTable, values: Array, defined: NDArray[np.bool_], label: str, seed: int
) -> CheckResult:
    """The observation's summaries against those of simulations ``[row, summary]``."""
    chosen = table.select(declared.names)
    return check.summary(
        declared.observed,
        np.where(defined, values, 0.0),
        reference_defined=defined,
        names=chosen.labels,
        units=chosen.units,
        label=label,
        seed=stream_seed(seed, "check"),
    )


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a run has computed when its checks begin.

    Attributes
    ----------
    declared
        The summaries, with the tolerances as declared.
    parameters
        Names of the free parameters.
    method
        How the posterior was found.
    sets, rounds
        Of each round.
    density
        The last round's, calibrated.
    predicted
        Posterior predictive simulations, ``{"fitted": ..., "step 2": ...}``.
    cut
        What was fitted and what was held out.
    """

    declared: Summaries
    parameters: tuple[str, ...]
    method: Method
    sets: list[SimulationSet]
    rounds: list[Round]
    density: Density | Potential
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
    results = _both_spaces(run, "fit", sets[-1], cut.fitted, declared, LAST, seed, advance)
    prior = CheckResult.from_dict(run.read_json("checks/prior-summary.json"))
    reach = Nearness.from_dict(run.read_json(NEARNESS))

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

    last, density = outcome.rounds[-1], outcome.density
    calibration = assess_held_out(
        density, last.summaries, checked_cases(run, cut.fitted, last, outcome.method, seed), outcome.parameters
    )
    advance(5, "calibration")

    counts = _counts(cut, predicted, declared, stream_seed(seed, "check", 2))
    verdict = decide(prior, reach, results["summary"], misses, conflicts["firing"], counts["fitted"].hits)
    efficiency = importance_efficiency(density, last.summaries, predicted["fitted"])
    advance(6, "done")
    return {
        "verdict": verdict.to_dict(),
        "misses": [vars(m) for m in misses],
        "conflicts": {side: c.to_dict() for side, c in conflicts.items()},
        "calibration": {**calibration.to_dict(), "base": density.networks.base.to_dict()},
        "counts": {name: {**vars(c), "numbers": c.numbers()} for name, c in counts.items()},
        "efficiency": efficiency,
        "invalid": int(sum((~s.valid).sum() for s in sets)),
        "invalid_reasons": count_reasons(np.concatenate([s.reason for s in sets])),
        "simulations": len(z),
    }


def _counts(cut: Split, predicted: dict[str, SimulationSet], declared: Summaries, seed: int) -> dict[str, Counts]:
    """Recorded and predicted spike counts of each part of the recording."""
    parts = {"fitted": cut.fitted, **cut.held_out}
    recorded = {name: _spike_counts(recorded_features(part))[0] for name, part in parts.items()}
    simulated = {name: _spike_counts(s.features)[s.valid] for name, s in predicted.items()}
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


def _spike_counts(table: FeatureTable) -> Array:
    """``[row, sweep]``."""
    return table.select(_columns("spike_count", table)).values


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
