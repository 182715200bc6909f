"""A posterior of all cells of one protocol: learned once, then asked about each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neurofit import stages
from neurofit.check.prediction import prediction_scores
from neurofit.check.result import CheckResult
from neurofit.errors import BadInput
from neurofit.features import SUMMARIES_UNDER, FeatureTable, extract_features, recorded_features
from neurofit.features.catalogue import columns_for
from neurofit.infer import Schedule, Summaries
from neurofit.infer.local import local_test
from neurofit.infer.shared import SharedPosterior
from neurofit.infer.summaries import noisy
from neurofit.infer.valid import METHOD, SEED, require_one
from neurofit.progress import Progress, Silent
from neurofit.recording import Recording
from neurofit.shared.cell import SharedCell
from neurofit.shared.protocol import different_protocol, protocol_id
from neurofit.simulation import simulate
from neurofit.stages import SimulationSet, sharing
from neurofit.stages.spaces import MOST_REFERENCES, summary_check
from neurofit.store import Run
from neurofit.template import Model
from neurofit.threads import one_thread
from neurofit.workers import open_pool

if TYPE_CHECKING:
    from distributed import Client

Array = NDArray[np.float64]

# Among so many simulated cells that fire most like a cell its predictions are ranked, and near so many its calibration
# is looked at.
RANKED_AMONG, NEAR = 100, 200
# Splines: over a whole prior, posteriors differ more in shape than affine flows follow; theirs come out too wide.
SCHEDULE = Schedule(density="nsf", epochs=40, peak_rate=1e-2)
# Draws of a cell's posterior whose predictions are simulated.
PREDICTED = 60


class Shared:
    """A posterior of all cells of one protocol, as :func:`learn_shared` leaves it.

    Attributes
    ----------
    run
        Its directory.
    protocol
        The sweeps whose current all cells got; the voltage is that of the first of them.
    posterior
        The networks.
    """

    def __init__(
        self, run: Run, protocol: Recording, posterior: SharedPosterior, prior: SimulationSet,
        cases: sharing.SharedCases, sweeps: str | Sequence[int], step: int, seed: int,
    ) -> None:  # fmt: skip
        self.run, self.protocol, self.posterior, self.seed = run, protocol, posterior, seed
        self._prior, self._cases, self._sweeps, self._step = prior, cases, sweeps, step

    def __repr__(self) -> str:
        return f"Shared({self.run.path}: {self.posterior.model.name}, {self.protocol.n_sweeps} sweeps)"

    @property
    def calibration(self) -> dict[str, Any]:
        """How honest the posterior is over the whole prior: verdict, sentence and curves."""
        return sharing.calibration_of(self.run)

    def cell(self, recording: Recording) -> SharedCell:
        """The posterior of one cell, and whether it is good enough for it.

        Parameters
        ----------
        recording
            The whole of it: the same sweeps and step are taken as when the posterior was learned.

        Raises
        ------
        BadInput
            If the recording's current is not the protocol's, or it lacks the sweeps or the step.
        """
        recording = stages.chosen_inputs(recording, self.posterior.model, self._sweeps, self._step)[2].fitted
        if difference := different_protocol(self.protocol, recording):
            raise BadInput(
                "this cell has another protocol than the one that the posterior was learned for",
                where=recording.source.path,
                found=difference,
                advice="Fit it on its own, or with the cells that share its protocol.",
            )
        with one_thread():
            return self._cell(recording)

    def _cell(self, recording: Recording) -> SharedCell:
        shared, model = self.posterior, self.posterior.model
        observed = recorded_features(recording)
        posterior = shared.posterior(observed)
        theta = posterior.sample(PREDICTED, self.seed)
        traces = simulate(model, self.protocol.stimulus, theta, stages.stream_seed(self.seed, "predict", 1))
        table = extract_features(
            traces.voltage_mv,
            self.protocol.stimulus,
            sweep_numbers=self.protocol.sweep_numbers,
            spikes_drawn=model.spike is not None,
            valid=traces.valid,
        )
        seed = stages.stream_seed(self.seed, "predict", 2)
        # as many as the simulated cells' scores are made of
        predicted = sharing.predicted_scaled(shared, table, traces.valid, seed)[: sharing.PREDICTED_DRAWS]
        scaled = shared.summaries.scaled(observed)
        score = float(prediction_scores(scaled[0], predicted).mean())
        counts = observed.by_sweep("spike_count")[0]
        return SharedCell(
            recording,
            posterior,
            self._features(observed),
            self._ranked(score, counts),
            self._near(shared.encoded(scaled).numpy()[0]),
            score,
            _counts(recording, counts, table.by_sweep("spike_count")[traces.valid]),
        )

    def _features(self, observed: FeatureTable) -> CheckResult:
        summaries = self.posterior.summaries
        features = (name.partition("@")[0] for name in summaries.names)
        tolerance = dict(zip(features, summaries.tolerance.tolist(), strict=True))
        declared = Summaries.of(observed, list(tolerance), tolerance)
        rows = np.flatnonzero(self._prior.valid)[:MOST_REFERENCES]
        rng = np.random.default_rng(stages.stream_seed(self.seed, "check"))
        values, defined = noisy(self._prior.features.rows(rows), declared, rng)
        label = "simulations of the prior, tolerances included"
        return summary_check(declared, self._prior.features, values, defined, label, self.seed)

    def _ranked(self, score: float, counts: Array) -> float:
        """Share of the simulated cells that fire most like this one and are predicted no better."""
        of = self._cases.counts[: len(self._cases.scores)]
        apart = np.linalg.norm(np.sqrt(of) - np.sqrt(counts), axis=1)
        alike = self._cases.scores[np.argsort(apart, kind="stable")[:RANKED_AMONG]]
        return float((1 + (alike >= score).sum()) / (1 + len(alike)))

    def _near(self, inputs: NDArray[np.floating]) -> float:
        apart = np.linalg.norm(self._cases.inputs - inputs, axis=1)
        near = np.sort(np.argsort(apart, kind="stable")[:NEAR])
        rng = np.random.default_rng(stages.stream_seed(self.seed, "calibrate", 3))
        return local_test(self._cases.draws, self._cases.z, near, rng).p_value


def learn_shared(
    recording: Recording,
    model: Model,
    out: str | Path,
    *,
    sweeps: str | Sequence[int] = "even",
    step: int = 1,
    simulations: int = 20_000,
    features: Sequence[str] | None = None,
    tolerance: Mapping[str, float] | None = None,
    schedule: Schedule = SCHEDULE,
    members: int = 3,
    seed: int = 1,
    workers: int | None = None,
    scheduler: str | Client | None = None,
    progress: Progress | None = None,
) -> Shared:
    """Learn one posterior for every cell that got a recording's protocol.

    Amortised neural posterior estimation from features, on simulations of the prior; the same call on the same protocol
    goes on where it was stopped, and finds what it learned.

    Parameters
    ----------
    recording
        Any of the cells: only its current counts.
    model
        From :func:`neurofit.load_model`.
    out
        The directory.
    sweeps, step
        Which sweeps, and which test step, as for :func:`neurofit.fit`.
    simulations
        To learn from; the checks take some thousand more.
    features, tolerance
        As for :func:`neurofit.fit`. A tolerance that a cell's own recording would ask for is not used: the networks
        know one for all.
    schedule, members
        The networks and their training, and how many.
    seed, workers, scheduler, progress
        As for :func:`neurofit.fit`.

    Raises
    ------
    BadInput
        For a recording, model, selection or directory that cannot be used; nothing was overwritten.
    RunFailed
        If something went wrong on the way; what was finished is kept.
    """
    require_one("simulations", simulations, METHOD["simulations"], "learn_shared")
    require_one("members", members, METHOD["members"], "learn_shared")
    require_one("seed", seed, SEED, "learn_shared")
    progress = progress or Silent()
    _, _, cut, model = stages.chosen_inputs(recording, model, sweeps, step)
    protocol = cut.fitted
    summaries = SUMMARIES_UNDER[protocol.stimulus.kind] if features is None else features
    chosen = stages.measurable(model, summaries)
    columns = columns_for(chosen, protocol.sweep_numbers)
    given = dict(tolerance or {})
    if unknown := given.keys() - set(chosen):
        raise BadInput(f"there is no feature {min(unknown)} to fit", expected=f"some of {', '.join(chosen)}")
    run = Run(out)
    decided = {
        "protocol": {"sha256": protocol_id(protocol), "sweeps": list(protocol.sweep_numbers), "dt_ms": protocol.dt_ms},
        "model": {"name": model.name, "path": model.path, "sha256": model.sha256, "dt_ms": model.dt_ms},
        "simulations": simulations,
        "features": list(chosen),
        "tolerance": given,
        "schedule": schedule.to_dict(),
        "members": members,
        "seed": seed,
    }
    with one_thread(), open_pool(workers, scheduler) as pool, run.started(decided):
        run.file("model.toml", lambda path: path.write_bytes(model.text.encode()))
        prior = sharing.prior_set(run, model, protocol, simulations, seed=seed, pool=pool, progress=progress)
        trained = sharing.learn(
            run, model, prior, columns, given, schedule, members, seed=seed, workers=pool.workers, progress=progress
        )
        posterior, cases = sharing.calibrate(run, trained, protocol, seed=seed, pool=pool, progress=progress)
    return Shared(run, protocol, posterior, prior, cases, sweeps, step, seed)


def _counts(recording: Recording, recorded: Array, predicted: Array) -> pd.DataFrame:
    low, median, high = np.quantile(predicted, [0.05, 0.5, 0.95], axis=0)
    table = {
        "level_pa": recording.stimulus.test_step.level_pa,
        "recorded": recorded,
        "5 %": low,
        "median": median,
        "95 %": high,
    }
    return pd.DataFrame(table, index=pd.Index(recording.sweep_numbers, name="sweep"))
