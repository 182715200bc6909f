"""The cell against one set of simulations, in summary and in raw space."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurofit import check
from neurofit.check import Nuisances, words
from neurofit.check.result import CheckResult
from neurofit.features import FeatureTable
from neurofit.infer import Summaries
from neurofit.infer.summaries import noisy
from neurofit.progress import Advance
from neurofit.recording import Recording
from neurofit.stages.seeds import stream_seed
from neurofit.stages.simulating import KEEP_MS, SimulationSet
from neurofit.store import Run

Array = NDArray[np.float64]

# No check needs more references than this.
MOST_REFERENCES = 2000


def both_spaces(
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
        every = kept_every(fitted)
        step, rig = fitted.stimulus.test_step, rig_of(run)
        found = check.raw(
            fitted.voltage_mv[:, ::every],
            as_recorded(run, simulated, fitted, seed),
            dt_ms=every * fitted.dt_ms,
            step_ms=(step.start_ms, step.stop_ms),
            label=f"{label}, with {rig}" if rig.to_dict() else label,
            seed=stream_seed(seed, "check"),
        )
        return in_the_file(found, fitted).to_dict()

    results = {}
    for count, (space, compute) in enumerate({"summary": summary, "raw": raw}.items(), 1):
        results[space] = CheckResult.from_dict(run.json(f"checks/{name}-{space}.json", compute))
        advance(count, space)
    return results


def kept_every(fitted: Recording) -> int:
    """Of the recording's samples, one in so many is kept of a simulation's voltage."""
    return max(1, round(KEEP_MS / fitted.dt_ms))


def rig_of(run: Run) -> Nuisances:
    """What the raw checks' simulations get of a rig's imperfections."""
    return Nuisances.from_dict(run.decisions()["rig"])


def as_recorded(run: Run, simulated: SimulationSet, fitted: Recording, seed: int) -> NDArray[Any]:
    """``[row, sweep, time]``: the voltage that was kept of valid simulations, as the run's rig would record it."""
    assert simulated.voltage_mv is not None
    every = kept_every(fitted)
    return rig_of(run).applied_to(
        simulated.voltage_mv[simulated.valid[: len(simulated.voltage_mv)]],
        dt_ms=every * fitted.dt_ms,
        current_pa=fitted.current_pa[:, ::every],
        seed=stream_seed(seed, "check", 4),
    )


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
        tolerances=declared.tolerance * np.where(declared.log, np.abs(declared.observed), 1.0),
        label=label,
        seed=stream_seed(seed, "check"),
    )


def in_the_file(found: CheckResult, fitted: Recording) -> CheckResult:
    """The raw check with its sentences about the file's sweeps, by number and current, in the file's own time."""
    levels = fitted.stimulus.test_step.level_pa
    rows = range(fitted.n_sweeps)
    own = words.stretches(found.stretches, False, [f"sweep {row}" for row in rows], 1)
    moved = [
        replace(s, start_ms=s.start_ms + fitted.start_ms, stop_ms=s.stop_ms + fitted.start_ms) for s in found.stretches
    ]
    named = [f"sweep {number} ({level:+.0f} pA)" for number, level in zip(fitted.sweep_numbers, levels, strict=True)]
    by_own = dict(zip(own, words.stretches(moved, False, named, 1), strict=True))
    return replace(found, sentences=tuple(by_own.get(sentence, sentence) for sentence in found.sentences))
