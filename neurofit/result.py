"""A fit, as it is used afterwards: posterior, predictions, checks, verdict, tables, report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import pandas as pd

from neurofit import stages
from neurofit.check import CheckResult
from neurofit.check.nearness import Nearness
from neurofit.check.reach import Reach
from neurofit.check.sensitivity import Sensitivity
from neurofit.check.verdict import Verdict
from neurofit.errors import BadInput, RunDirectoryError
from neurofit.features import FeatureTable, extract_features, recorded_features
from neurofit.infer import Method, Posterior, Region, Summaries, load_density
from neurofit.infer.robust import Way
from neurofit.infer.valid import SEED, one_of, require_one
from neurofit.progress import Progress, Silent
from neurofit.recording import Finding, Recording, Stimulus
from neurofit.recording.split import Split
from neurofit.simulation import Traces, simulate
from neurofit.stages import RobustFit, Round, SimulationSet
from neurofit.store import Run
from neurofit.template import Model

if TYPE_CHECKING:
    import xarray
    from matplotlib.figure import Figure

    from neurofit.report.posterior import Truth

# Draws in posterior.csv.
IN_TABLE = 5000


@dataclass(frozen=True, eq=False)
class Prediction:
    """Posterior predictive simulations.

    Attributes
    ----------
    theta
        The posterior draws, a table by name.
    traces
        ``voltage_mv`` ``[draw, sweep, time]`` and what goes with it.
    features
        Measured like the recording's.
    """

    theta: pd.DataFrame
    traces: Traces
    features: FeatureTable


class Fit:
    """A run directory, read.

    Parameters
    ----------
    run
        A run whose rounds are finished, or which stopped before training.
    """

    def __init__(self, run: Run) -> None:
        self.run = run
        self.decisions = run.decisions()
        try:
            self.method = Method.from_dict(self.decisions["method"])
            self.seed = int(self.decisions["seed"])
        except (BadInput, KeyError, TypeError, ValueError) as error:
            raise RunDirectoryError(
                "run.toml does not say how this run was fitted: was it edited?",
                where=run / "run.toml",
                found=f"{type(error).__name__}: {error}" if isinstance(error, KeyError) else str(error),
            ) from error

    def __repr__(self) -> str:
        return f"Fit({self.run.path}: {self.model.name} to {Path(self.split.fitted.source.path).name})"

    @cached_property
    def _inputs(self) -> tuple[Model, Split, tuple[Finding, ...]]:
        return stages.read_inputs(self.run)

    @property
    def model(self) -> Model:
        return self._inputs[0]

    @property
    def split(self) -> Split:
        """What was fitted and what was held out."""
        return self._inputs[1]

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What was notable about the recording."""
        return self._inputs[2]

    @cached_property
    def observed(self) -> FeatureTable:
        """Features of the fitted sweeps, one row."""
        return recorded_features(self.split.fitted)

    @cached_property
    def summaries(self) -> Summaries:
        """The summaries that were fitted, with the tolerances as declared."""
        decided = self.decisions["summaries"]
        return Summaries.declared(self.observed, decided["names"], decided["tolerance"], decided.get("tolerance_from"))

    @cached_property
    def rounds(self) -> tuple[Round, ...]:
        self._must_be_trained()
        region, rounds = Region(), list[Round]()
        for number in range(1, self.method.rounds + 1):
            rounds.append(stages.read_round(self.run, number, region))
            region = rounds[-1].region
        return tuple(rounds)

    @cached_property
    def posterior(self) -> Posterior:
        """The last round's, calibrated on simulations of known parameters around the cell."""
        came_from = self.rounds[-1].came_from
        return Posterior(self.model, load_density(self.run / stages.NETWORK), came_from)

    @cached_property
    def first_posterior(self) -> Posterior | None:
        """The first round's, from simulations of the prior alone (plain NPE, but for NLE and NRE); ``None`` where it is
        the only one. What the rounds add to it should lie inside it."""
        return Posterior(self.model, self.rounds[0].density, Region()) if self.method.rounds > 1 else None

    def simulations(self, name: str) -> SimulationSet:
        """Simulations that the run kept: ``"round 1"``, ``"predicted fitted"``, ``"predicted step 2"``..."""
        part = self.split.held_out.get(name.removeprefix("predicted "), self.split.fitted)
        return stages.read_set(self.run, name, part)

    def robust(self, method: Way = "noise", seed: int = 1, progress: Progress | None = None) -> RobustFit:
        """A posterior that lets some of the cell's features be off, beside the plain one: a hedge for a model that
        cannot make them all, which corrects neither the model nor the verdict.

        Worked out once and kept under ``robust/``, with its tables and a figure; the report then shows it.

        Parameters
        ----------
        method
            ``"noise"``: features are denoised (after Ward et al. 2022); a minute. ``"weights"``: the last round's
            simulations are weighted by how alike they are; at once, but with many features hardly any counts.
        seed
            Of its draws.

        Raises
        ------
        BadInput
            For another method, or a seed that is no whole number from 0.
        """
        from neurofit.report.robust import write_robust

        require_one("method", method, one_of(*get_args(Way)), "Fit.robust")
        require_one("seed", seed, SEED, "Fit.robust")
        sets = [self.simulations(f"round {number}") for number in range(1, self.method.rounds + 1)]
        plain = self.posterior.sample_unbounded(IN_TABLE, self.seed)
        found = stages.hedge(
            self.run, sets, self.rounds[-1], self.summaries, self.posterior, plain, method,
            seed=seed, progress=progress or Silent(),
        )  # fmt: skip
        write_robust(self, found)
        return found

    @property
    def robust_kept(self) -> dict[str, RobustFit]:
        """The robust posteriors that were worked out before, by method."""
        return {way: stages.read_hedge(self.run, self.posterior, way) for way in stages.kept_ways(self.run)}

    @cached_property
    def checks(self) -> dict[str, CheckResult]:
        """``"prior-summary"``, ``"prior-raw"`` and, if training was done, ``"fit-summary"``, ``"fit-raw"``."""
        asked = ("prior",) if self.stopped else ("prior", "fit")
        names = [f"{when}-{space}" for when in asked for space in ("summary", "raw")]
        return {name: CheckResult.from_dict(self.run.read_json(f"checks/{name}.json")) for name in names}

    @cached_property
    def nearness(self) -> Nearness:
        """How near the prior's simulations come to the cell."""
        return Nearness.from_dict(self.run.read_json(stages.NEARNESS))

    @cached_property
    def reach(self) -> Reach:
        """What of the cell the prior can make, and what is out of its reach."""
        return stages.read_reach(self.run)

    @cached_property
    def sensitivity(self) -> dict[str, Sensitivity]:
        """What the checks would have seen: ``"prior"``, against the prior, and ``"fit"``, against the last round."""
        self._must_be_trained()
        return {when: stages.read_sensitivity(self.run, when) for when in ("prior", "fit")}

    @property
    def stopped(self) -> bool:
        """Did the fit end before training, because this model and prior cannot make this cell?"""
        return stages.stopped(self.run)

    def _must_be_trained(self) -> None:
        if self.stopped:
            raise RunDirectoryError(
                "this fit stopped before training, so that it has a verdict but no posterior",
                where=self.run.path,
                advice="'neurofit check' says why. Repeat the command that started it with --anyway (in Python, "
                "anyway=True) to go on from there.",
            )

    @cached_property
    def findings_of_fit(self) -> Mapping[str, Any]:
        """Misses, conflicts, calibration, spike counts: what ``checks/fit.json`` holds."""
        self._must_be_trained()
        return self.run.read_json("checks/fit.json")

    @property
    def verdict(self) -> Verdict:
        if self.stopped:
            return stages.stopped_verdict(self.run)
        return Verdict.from_dict(self.findings_of_fit["verdict"])

    def predict(self, to: Recording | Stimulus | None = None, n: int = 100, seed: int = 0) -> Prediction:
        """Posterior predictive voltage for any stimulus, fitted or not.

        Parameters
        ----------
        to
            Whose current to inject; the fitted sweeps by default. Its sampling interval must be a multiple of the
            model's time step.
        n
            Posterior draws.
        seed
            Of the draws and their noise.
        """
        chosen = self.split.fitted if to is None else to
        stimulus = chosen.stimulus if isinstance(chosen, Recording) else chosen
        numbers = chosen.sweep_numbers if isinstance(chosen, Recording) else None
        model = stages.with_dividing_step(self.model, stimulus.dt_ms)
        theta = self.posterior.sample(n, seed)
        traces = simulate(model, stimulus, theta, seed)
        features = extract_features(
            traces.voltage_mv,
            stimulus,
            sweep_numbers=numbers,
            spikes_drawn=model.spike is not None,
            valid=traces.valid,
        )
        return Prediction(theta, traces, features)

    @cached_property
    def predictive_table(self) -> pd.DataFrame:
        """One row a sweep, fitted and held out: how well it is predicted.

        Indexed by ``part`` and ``sweep``: ``held out``; ``level_pa``; recorded and predicted spike counts (``count``,
        ``count median``, ``count 5 %``, ``count 95 %``, as in the report); ``count percentile``, the share of the
        model's own counts below the recorded one; ``voltage covered (%)``, the time in which 90 % of the predictions
        hold the recorded voltage; ``deviation_mv``, the median distance of a prediction from the recording outside
        spikes. The last two are NaN where no prediction's voltage was kept.
        """
        from neurofit.report.sweeps import predictive_table

        return predictive_table(self)

    @cached_property
    def held_out_scores(self) -> pd.DataFrame:
        """One row a held-out sweep: ``level_pa`` and ``score``, how far the posterior's predictions are from it.

        In tolerances a feature, 0 to 10, less is better: a proper score (:mod:`neurofit.check.prediction`), by which
        models are compared.
        """
        from neurofit.report.held_out import held_out_scores

        return held_out_scores(self)

    @cached_property
    def parameters(self) -> pd.DataFrame:
        """One row a parameter, as :meth:`Posterior.summary` says, with intervals of 90 %."""
        return self.posterior.summary(seed=self.seed)

    def write_tables(self) -> None:
        """``posterior.csv``, ``parameters.csv`` and, where the extra ``arviz`` is installed, ``posterior.nc``."""
        from neurofit.report import netcdf

        self.run.file("posterior.csv", lambda path: self.write_draws(path, IN_TABLE, self.seed))
        self.run.file("parameters.csv", lambda path: self.parameters.to_csv(path, float_format="%.6g"))
        if netcdf.available():
            self.run.file("posterior.nc", self.to_netcdf)

    def write_draws(self, path: str | Path, n: int = IN_TABLE, seed: int = 0) -> None:
        """``n`` draws of the posterior as a .csv table, a column ``name [unit]`` each."""
        draws = self.posterior.sample(n, seed)
        draws.columns = pd.Index([f"{name} [{self.model.units[name]}]" for name in self.model.free])
        self.run.write(Path(path).absolute(), draws.to_csv(index=False, float_format="%.6g").encode())

    def to_datatree(self, n: int = IN_TABLE) -> xarray.DataTree:
        """Posterior, prior, recorded and predicted features in ArviZ's groups, with units (the extra ``arviz``)."""
        from neurofit.report.netcdf import to_datatree

        return to_datatree(self, n)

    def to_netcdf(self, path: str | Path | None = None, n: int = IN_TABLE) -> Path:
        """:meth:`to_datatree` as a file, ``posterior.nc`` in the run directory by default."""
        from neurofit.report.netcdf import write_netcdf

        target = Path(path) if path is not None else self.run / "posterior.nc"
        write_netcdf(self, n, target)
        return target

    def pairplot(
        self, path: str | Path | None = None, parameters: Sequence[str] | None = None, truth: Truth | None = None
    ) -> Figure:
        """Draw the posterior two parameters by two, with the prior and the most probable parameters.

        Parameters
        ----------
        path
            A file to save the figure in (.png, .pdf, .svg).
        parameters
            Names; all free ones by default.
        truth
            True values by name, in the template's units, of the parameters of which they are known.
        """
        from neurofit.report.posterior import pair_plot

        return self._saved(pair_plot(self, parameters, truth), path)

    def marginalplot(
        self, path: str | Path | None = None, parameters: Sequence[str] | None = None, truth: Truth | None = None
    ) -> Figure:
        """Draw prior and posterior of each parameter; arguments as of :meth:`pairplot`."""
        from neurofit.report.posterior import marginal_plot

        return self._saved(marginal_plot(self, parameters, truth), path)

    def conditionalplot(
        self, path: str | Path | None = None, parameters: Sequence[str] | None = None, at: Truth | None = None
    ) -> Figure:
        """Draw slices of the posterior's density through a point: what is left of it when all but one or two
        parameters are known.

        Parameters
        ----------
        path, parameters
            As of :meth:`pairplot`.
        at
            The point, a value for every free parameter; the most probable parameters by default.
        """
        from neurofit.report.posterior import conditional_plot

        return self._saved(conditional_plot(self, parameters, at), path)

    def _saved(self, figure: Figure, path: str | Path | None) -> Figure:
        from neurofit.report.posterior import save

        if path is not None:
            save(figure, path, self.run)
        return figure

    def report(self, path: str | Path | None = None, progress: Progress | None = None) -> Path:
        """Write the page: one HTML file that opens offline.

        Parameters
        ----------
        path
            ``report.html`` in the run directory by default.
        """
        from neurofit.report import write_report, write_stopped_report

        target = Path(path) if path is not None else self.run / "report.html"
        write = write_stopped_report if self.stopped else write_report
        write(self, target, progress or Silent())
        return target


def load_fit(path: str | Path) -> Fit:
    """Read a finished run, or one that stopped before training.

    Raises
    ------
    RunDirectoryError
        If there is none, or it is not finished.
    """
    run = Run(path)
    run.decisions()
    if not stages.stopped(run):
        run.must_have("checks/fit.json")
    return Fit(run)
