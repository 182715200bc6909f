"""The method, from a recording to a verdict, on one screen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from neurofit import stages
from neurofit.check import Nuisances
from neurofit.features import SUMMARIES_UNDER, recorded_features
from neurofit.infer import Method, Region
from neurofit.infer.valid import SEED, require_one, require_type
from neurofit.progress import Progress, Silent
from neurofit.recording import Recording
from neurofit.result import Fit
from neurofit.stages import SimulationSet
from neurofit.store import Run
from neurofit.template import Model
from neurofit.threads import one_thread
from neurofit.workers import open_pool

if TYPE_CHECKING:
    from distributed import Client


def fit(
    recording: Recording,
    model: Model,
    out: str | Path,
    *,
    seed: int = 1,
    sweeps: str | Sequence[int] = "even",
    step: int = 1,
    keep_all: bool = False,
    method: Method | None = None,
    features: Sequence[str] | None = None,
    tolerance: Mapping[str, float] | None = None,
    rig: Nuisances | None = None,
    anyway: bool = False,
    workers: int | None = None,
    scheduler: str | Client | None = None,
    progress: Progress | None = None,
) -> Fit:
    """Fit a model to a recording: a posterior, predictions of what was held out, checks and a verdict.

    Parameters
    ----------
    recording
        From :func:`neurofit.load_recording`.
    model
        From :func:`neurofit.load_model`.
    out
        The run directory. If it holds a started run of the same decisions, that run goes on.
    seed
        Fixes every draw: the same seed gives the same result on the same machine.
    sweeps
        Which sweeps to fit: ``"even"`` (every other row of the file), ``"odd"``, ``"all"``, ``"0,2,4-8"`` or numbers.
        The others are held out and predicted. What the recording sets aside (``recording.set_aside``) is in neither,
        unless asked for by its number.
    step
        Which test step to fit, from 1; the others are held out and predicted. A current that is not made of steps has
        one: all of the stretch in which it moves.
    keep_all
        Use the sweeps that are set aside like all others.
    method
        Rounds, simulations, networks.
    features
        Summaries, by their names in the catalogue; by default those that make sense for steps, ramps or any other
        current (docs/features.md).
    tolerance
        ``{feature: standard deviation}`` on the feature's own scale, in place of the catalogue's and the recording's.
    rig
        What the raw check's simulations get of a rig's imperfections; observation noise of 0.02 to 0.5 mV by default. A
        template's recorded voltage may have an offset and a series resistance of its own.
    anyway
        Go on where the model and prior cannot make the cell (:mod:`neurofit.check.reach`). Otherwise the fit stops
        there, before any training, with the verdict "rejected", and can go on from there.
    workers
        Processes side by side; as many as there are processors by default. It does not change the result.
    scheduler
        Simulate on a Dask cluster: the address of its scheduler, or a ``distributed.Client``. Training stays here.

    Returns
    -------
    Fit
        With ``stopped`` where it ended before training.

    Raises
    ------
    BadInput
        For a recording, model, selection or directory that cannot be used; nothing was overwritten.
    RunFailed
        If something went wrong on the way; what was finished is kept.
    """
    if method is not None:
        require_type("method", method, Method, "fit")
    if rig is not None:
        require_type("rig", rig, Nuisances, "fit")
    require_one("seed", seed, SEED, "fit")
    method, progress = method or Method(), progress or Silent()
    recording, chosen, cut, model = stages.chosen_inputs(recording, model, sweeps, step, keep_all)
    rig = stages.chosen_rig(rig, model)
    observed = recorded_features(cut.fitted)
    summaries = SUMMARIES_UNDER[cut.fitted.stimulus.kind] if features is None else features
    declared = stages.declared_summaries(model, cut.fitted, observed, summaries, tolerance)

    run = Run(out)
    decided = stages.decisions(recording, chosen, step, model, declared, method, rig, seed)
    with one_thread(), open_pool(workers, scheduler) as pool, run.started(decided):
        stages.keep_inputs(run, model, cut, recording.findings)
        if pool.client is None:
            stages.compile_all(model, cut, progress)

        sets, rounds = list[SimulationSet](), list[stages.Round]()

        def propose() -> np.ndarray:
            return stages.propose(rounds, method, len(model.free), seed=seed, workers=pool.workers, progress=progress)

        for number in range(1, method.rounds + 1):
            kept = stages.KEPT if number in (1, method.rounds) else 0
            name = f"round {number}"
            sets.append(
                stages.simulate_set(
                    run, name, model, cut.fitted, propose, seed=seed, pool=pool, progress=progress, keep=kept
                )
            )
            if number == 1:
                stages.check_prior(run, sets[0], cut.fitted, declared, seed=seed, progress=progress)
                if stages.stopped(run):
                    if not anyway:
                        return _stopped(run, progress)
                    # the page of the stop gives way to that of the fit
                    (run / "report.html").unlink(missing_ok=True)
                said = stages.sensitivity(
                    run, "prior", name, sets[0], model, cut.fitted, declared, seed=seed, progress=progress
                )
                progress.say(" ".join(said.sentences()))
            region = rounds[-1].region if rounds else Region()
            rounds.append(
                stages.train_round(
                    run, number, sets, declared, region, method, seed=seed, workers=pool.workers, progress=progress
                )
            )

        stages.calibrate(run, model, cut.fitted, rounds[-1], method, seed=seed, pool=pool, progress=progress)
        result = Fit(run)
        predicted = stages.predict(run, result.posterior, cut, seed=seed, pool=pool, progress=progress)
        outcome = stages.Outcome(declared, method, sets, rounds, result.posterior, predicted, cut)
        stages.sensitivity(run, "fit", name, sets[-1], model, cut.fitted, declared, seed=seed, progress=progress)
        stages.check_fit(run, outcome, seed=seed, progress=progress)
        result.write_tables()
        if not (run / "report.html").is_file():
            result.report(progress=progress)
    return result


def _stopped(run: Run, progress: Progress) -> Fit:
    """The end of a fit that has no point: its verdict, and a page."""
    result = Fit(run)
    progress.say(str(result.verdict))
    progress.say(stages.WHAT_NEXT)
    if not (run / "report.html").is_file():
        result.report(progress=progress)
    return result
