"""A fit that has no point stops before training, says so, and goes on from there when it is told to."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from typer.testing import CliRunner

import neurofit as nf
from neurofit.check.reach import reach
from neurofit.cli import app
from neurofit.commands.fits import STOPPED
from neurofit.errors import RunDirectoryError
from neurofit.features import SUMMARIES, FeatureTable
from neurofit.features.catalogue import feature_of
from neurofit.features.extract import as_table
from neurofit.infer import Summaries
from neurofit.infer.summaries import noisy
from neurofit.stages import measurable
from neurofit.stages.spaces import summary_check
from tests.recording.synthetic import Cell
from tests.report.reading import Reading
from tests.tiny import METHOD, tiny_fit, write_cell

# No integrate-and-fire cell of the template's prior rests here.
FAR = Cell(levels_pa=(-100.0, -50.0), dt_ms=0.1, rest_mv=-38.0)
OPTIONS = {"sweeps": "all", "workers": 1, "method": replace(METHOD, rounds=1)}


@pytest.fixture(scope="module")
def cell(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_cell(tmp_path_factory.mktemp("cell") / "far.abf", FAR)


@pytest.fixture(scope="module")
def stopped(cell: Path, tmp_path_factory: pytest.TempPathFactory) -> nf.Fit:
    """A run that stopped, not to be changed."""
    return tiny_fit(cell, tmp_path_factory.mktemp("fits") / "far", anyway=False, **OPTIONS)


def test_nothing_is_trained_and_the_verdict_names_what_is_out_of_reach(stopped: nf.Fit) -> None:
    assert stopped.stopped
    assert not (stopped.run / "rounds").exists()
    assert stopped.verdict.word == "rejected"
    assert "resting potential" in stopped.verdict.sides["passive"]
    rest = next(f for f in stopped.reach.out if f.name == "resting_potential")
    assert rest.recorded == pytest.approx(-38.0, abs=0.5)
    assert rest.tolerances > 3
    text = str(stopped.verdict)
    assert "Resting potential -38 mV: no simulation of 400 comes nearer than" in text
    assert f"p = {stopped.checks['prior-summary'].p_value:.2g}" in text
    assert set(stopped.checks) == {"prior-summary", "prior-raw"}


def test_a_run_that_stopped_is_read_again_and_has_no_posterior(stopped: nf.Fit) -> None:
    again = nf.load_fit(stopped.run.path)
    assert again.stopped
    assert again.verdict == stopped.verdict
    for use in (lambda: again.posterior, lambda: again.rounds, lambda: again.predict(), lambda: again.findings_of_fit):
        with pytest.raises(RunDirectoryError, match=r"stopped before training.*--anyway"):
            use()


def test_its_page_has_verdict_figures_and_the_command_to_go_on(stopped: nf.Fit) -> None:
    page = Reading((stopped.run / "report.html").read_text(encoding="utf-8"))
    for reason in stopped.verdict.reasons:
        assert reason.replace("Mohm", "MΩ") in page.text
    assert page.ids >= {"verdict", "features", "checks", "recording", "made"}
    assert any("Resting potential -38 mV" in image["alt"] for image in page.of("img"))
    assert "consistent with a current that the model lacks" in page.text
    assert "caused by" not in page.text
    assert any("anyway=True" in text for text in page.words)


def test_on_the_command_line_it_is_exit_code_3_and_a_check_still_answers(cell: Path, tmp_path: Path) -> None:
    def cli(*arguments: object) -> object:
        return CliRunner().invoke(app, [str(a) for a in arguments])

    out = tmp_path / "run"
    fit = ("fit", cell, "--model", "lif", "--out", out, "--simulations", 200, "--sweeps", "all", "--workers", 1)
    for _ in range(2):  # and again, where nothing is left to do
        done = cli(*fit)
        assert done.exit_code == STOPPED, done.output
        told = " ".join(done.stderr.split())
        assert "REJECTED" in told
        assert "no simulation of 200 comes nearer than" in told
        assert "--anyway" in told
    checked = cli("check", out)
    assert checked.exit_code == 0, checked.output
    assert checked.output.startswith("REJECTED")
    assert "Outside: the cell is unlike the simulations (the prior predictive" in checked.output
    refused = cli("posterior", out)
    assert refused.exit_code == 2
    assert "stopped before training" in refused.stderr


@pytest.mark.slow
def test_told_to_go_on_it_goes_on_from_there_and_ends_as_if_it_had_never_stopped(
    cell: Path, stopped: nf.Fit, tmp_path: Path
) -> None:
    at_once = tiny_fit(cell, tmp_path / "at once", anyway=True, **OPTIONS)
    kept = [*(stopped.run / "simulations").rglob("*.npy"), stopped.run / "run.toml"]
    kept += [stopped.run / f"checks/prior-{name}.json" for name in ("summary", "raw", "nearness", "reach")]
    before = {path: path.stat().st_mtime_ns for path in kept}
    page = (stopped.run / "report.html").read_bytes()
    later = tiny_fit(cell, stopped.run.path, anyway=True, **OPTIONS)
    assert {path: path.stat().st_mtime_ns for path in kept} == before
    assert not later.stopped
    for name in ("posterior.csv", "checks/fit.json", "checks/fit-power.json"):
        assert (later.run / name).read_bytes() == (at_once.run / name).read_bytes(), name
    assert (later.run / "report.html").read_bytes() != page
    assert any("the fit went on. Resting potential" in reason for reason in later.verdict.reasons)
    # once it has gone on, the flag is needed no more
    assert tiny_fit(cell, stopped.run.path, anyway=False, **OPTIONS).verdict == later.verdict


def test_what_stops_a_fit_does_not_stop_a_cell_within_reach(tmp_path: Path) -> None:
    """The same protocol, and a rest that the template has."""
    recording = Cell(levels_pa=(-100.0, -50.0), dt_ms=0.1).record()
    method = nf.Method(rounds=1, simulations=200, members=1, schedule=nf.Schedule(epochs=2), cases=150)
    fit = nf.fit(recording, nf.load_model("lif"), tmp_path / "near", seed=3, **{**OPTIONS, "method": method})
    assert not fit.stopped
    assert fit.reach.out == ()


@pytest.mark.slow
def test_cells_simulated_from_the_prior_itself_are_hardly_ever_stopped(tmp_path: Path) -> None:
    """200 of them, under six steps of current, tolerances added, each against 1,000 others."""
    recording = Cell(levels_pa=(-100.0, 0.0, 100.0, 200.0, 300.0, 400.0), dt_ms=0.1).record()
    model = nf.load_model("lif")
    made = nf.simulate_prior(recording, model, tmp_path / "prior", simulations=1200, seed=5, workers=1)
    table = as_table(np.load(made.path / "features.npy"), recording.stimulus, recording.sweep_numbers)
    reference = table.rows(slice(0, 1000))
    rng = np.random.default_rng(6)
    stopped = 0
    for i in range(1000, 1200):
        own = Summaries.of(table.rows(slice(i, i + 1)), measurable(model, SUMMARIES))
        values, defined = noisy(table.rows(slice(i, i + 1)), own, rng)
        row = FeatureTable(values, defined, own.names, table.levels_pa)
        own = Summaries.declared(row, own.names, own.tolerance)
        about = [
            {"name": name, "label": label, "unit": feature_of(name).unit, "aspect": feature_of(name).aspect}
            for name, label in zip(row.names, row.labels, strict=True)
        ]
        compared = (own.observed, reference.select(own.names).values, own.tolerance, own.log, about)
        if reach(*compared, p_value=0.0).hopeless:  # otherwise no p would stop it
            simulated, has = noisy(reference, own, rng)
            p_value = summary_check(own, reference, simulated, has, "the prior predictive", 1).p_value
            stopped += reach(*compared, p_value=p_value).hopeless
    assert stats.binomtest(stopped, 200, 0.02, alternative="greater").pvalue > 1e-3, stopped
