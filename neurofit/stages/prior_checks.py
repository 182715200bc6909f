"""Before any training: can this model and prior make this cell at all?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neurofit.check.caveats import reading_said
from neurofit.check.nearness import Nearness, nearness
from neurofit.check.reach import Reach, reach
from neurofit.check.result import CheckResult
from neurofit.check.verdict import Verdict, before_training
from neurofit.features import SUMMARIES_UNDER, recorded_features
from neurofit.features.catalogue import columns_for, feature_of
from neurofit.features.table import on_scale
from neurofit.infer import Summaries
from neurofit.progress import Progress
from neurofit.recording import Recording
from neurofit.stages.seeds import stream_seed
from neurofit.stages.simulating import SimulationSet, require_valid
from neurofit.stages.spaces import MOST_REFERENCES, both_spaces
from neurofit.store import Run

Array = NDArray[np.float64]

PRIOR = "the prior predictive"
# How near the prior comes to the cell, and what of it is out of reach.
NEARNESS, REACH = "checks/prior-nearness.json", "checks/prior-reach.json"
WHAT_NEXT = (
    "Nothing was trained. What lies out of reach is consistent with a current that the model lacks, with priors that "
    "are too narrow, and with an artefact of the recording. Look at the features named above; widen the priors "
    "('neurofit models copy') or take another model, and fit into another directory. Or repeat the command with "
    "--anyway (in Python, anyway=True): it goes on from here and simulates nothing again."
)


def check_prior(
    run: Run, prior: SimulationSet, fitted: Recording, declared: Summaries, *, seed: int, progress: Progress
) -> None:
    """Can this model and prior make this cell at all, and how near do simulations come to it?

    Raises
    ------
    SimulationError
        If hardly any simulation is valid.
    """
    require_valid(prior, "the prior")
    if own := declared.sources_said():
        progress.say(f"Tolerances that are not the catalogue's: {'; '.join(own)}.")
    with progress.bar("Checking the prior", 4) as advance:
        said = both_spaces(run, "prior", prior, fitted, declared, PRIOR, seed, advance)["summary"]
        compared = _Compared.of(prior, fitted, declared)
        near = Nearness.from_dict(
            run.json(NEARNESS, lambda: compared.nearness(stream_seed(seed, "check", 3)).to_dict())
        )
        advance(3, "nearness")
        out = Reach.from_dict(run.json(REACH, lambda: compared.reach(said.p_value).to_dict()))
        advance(4, "reach")
    progress.say(
        f"Can this model and prior make this cell?  Features: p = {said.p_value:.2g}; nearness: p = {near.p_value:.2g}"
    )
    for sentence in _told(said, near, out):
        progress.say(f"  {sentence}")


def _told(said: CheckResult, near: Nearness, out: Reach) -> list[str]:
    """What the terminal says of the prior: out of reach, how the check is to be read, nearness."""
    if out.hopeless:
        return []  # the verdict says it
    sentences = [*said.sentences[:4], reading_said(said)]
    told = [*sentences, *near.sentences()] if near.reached else [*near.sentences(), *sentences]
    return [*told, *out.sentences()]


def stopped(run: Run) -> bool:
    """Is the cell out of reach, and has nothing been trained yet?  There a fit stops unless it is told to go on."""
    found = (run / REACH).is_file() and not (run / "rounds/1/round.json").is_file()
    return found and read_reach(run).hopeless


def read_reach(run: Run) -> Reach:
    """What of the cell the prior can make, as :func:`check_prior` found."""
    return Reach.from_dict(run.read_json(REACH))


def stopped_verdict(run: Run) -> Verdict:
    """The verdict of a run that stopped before training."""
    prior = CheckResult.from_dict(run.read_json("checks/prior-summary.json"))
    return before_training(read_reach(run), prior, Nearness.from_dict(run.read_json(NEARNESS)))


@dataclass(frozen=True, eq=False)
class _Compared:
    """The fitted features, and those that the cell does not have, of cell and simulations.

    Attributes
    ----------
    observed, simulated
        ``[column]`` and ``[row, column]`` in the features' units, NaN where undefined.
    tolerance, log
        ``[column]``.
    about
        ``name``, ``label``, ``unit`` and ``aspect`` of each column.
    """

    observed: Array
    simulated: Array
    tolerance: Array
    log: NDArray[np.bool_]
    about: list[dict[str, str]]

    @staticmethod
    def of(prior: SimulationSet, fitted: Recording, declared: Summaries) -> _Compared:
        observed = recorded_features(fitted)
        levels, usual = observed.levels_pa, SUMMARIES_UNDER[fitted.stimulus.kind]
        lacking = [name for name in usual if not observed.select(columns_for([name], levels)).defined.any()]
        chosen = dict.fromkeys([*(feature_of(name).name for name in declared.names), *lacking])
        table = observed.select(columns_for(chosen, levels))
        specs = [feature_of(name) for name in table.names]
        return _Compared(
            table.values[0],
            prior.features.select(table.names).values[prior.valid],
            np.array([declared.tolerance_of(f.name) for f in specs]),
            np.array([f.scale == "log" for f in specs]),
            [
                {"name": name, "label": label, "unit": f.unit, "aspect": f.aspect}
                for name, label, f in zip(table.names, table.labels, specs, strict=True)
            ],
        )

    def reach(self, p_value: float) -> Reach:
        return reach(self.observed, self.simulated, self.tolerance, self.log, self.about, p_value)

    def nearness(self, seed: int) -> Nearness:
        names = [words["name"] for words in self.about]
        observed, simulated = (
            on_scale(values, self.log) / self.tolerance for values in (self.observed, self.simulated[:MOST_REFERENCES])
        )
        return nearness(observed, simulated, names, [feature_of(name).label for name in names], seed)
