"""Many cells and several models in one command."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

import neurofit as nf
from neurofit.cells import named_cells
from neurofit.cli import app
from tests.report.conftest import three_parameters
from tests.report.reading import Reading
from tests.tiny import CELL, METHOD, write_cell

# the fits are made once: on one worker
pytestmark = pytest.mark.xdist_group("cells")

QUICK = replace(METHOD, rounds=1, simulations=240, members=1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two cells and a file that is none, whose name must not become markup."""
    folder = tmp_path_factory.mktemp("cells")
    write_cell(folder / "first.abf")
    write_cell(folder / "second & last.abf", replace(CELL, rest_mv=-64.0))
    (folder / "<b>broken.abf").write_bytes(b"ABF2")
    return folder


@pytest.fixture(scope="module")
def done(folder: Path) -> nf.Cells:
    models = [nf.load_model("lif"), nf.load_model(three_parameters(folder))]
    return nf.fit_cells(sorted(folder.glob("*.abf")), models, folder / "fits", method=QUICK, anyway=True, workers=2)


def test_every_cell_has_its_fits_and_the_broken_one_its_reason(done: nf.Cells, folder: Path) -> None:
    assert [(o.cell, o.model, o.state) for o in done.outcomes] == [
        (cell, model, "failed" if "broken" in cell else "done")
        for cell in ("<b>broken", "first", "second & last")
        for model in ("lif", "lif_small")
    ]
    assert all("cut short" in outcome.said for outcome in done.failed)
    assert {fit.model.name for _, fit in done.fits()} == {"lif", "lif_small"}
    assert (folder / "fits/first/lif/report.html").is_file()
    table = pd.read_csv(folder / "fits/cells.csv").set_index(["cell", "model"])
    assert set(table.loc["first", "verdict"]) <= {"supported", "doubtful", "rejected"}
    assert "cut short" in table.loc[("<b>broken", "lif"), "why"]
    parameters = pd.read_csv(folder / "fits/parameters.csv").set_index(["cell", "model", "parameter"])
    for outcome, fit in done.fits():
        own = parameters.loc[(outcome.cell, outcome.model)]
        assert own["median"].to_numpy() == pytest.approx(fit.parameters["median"].to_numpy(), rel=1e-4)


def test_the_page_names_every_cell_and_runs_nothing(done: nf.Cells) -> None:
    page = (done.out / "cells.html").read_text(encoding="utf-8")
    read = Reading(page)
    assert all(text in read.text for text in ("<b>broken", "first", "second & last", "cut short"))
    assert "<b>broken" not in page
    assert all(image["src"].startswith("data:image/") and image["alt"] for image in read.of("img"))
    for link in read.of("a"):
        if not link["href"].startswith("#"):
            assert not link["href"].startswith(("/", "http"))
    assert (done.out / "first/comparison.html").is_file()


def test_the_comparison_of_a_cell_says_which_model_predicts_best(done: nf.Cells) -> None:
    page = Reading((done.out / "first/comparison.html").read_text(encoding="utf-8")).text
    assert "predicts the 3 held-out sweeps best" in page
    fits = {o.model: f for o, f in done.fits() if o.cell == "first"}
    scores = fits["lif"].held_out_scores
    assert list(scores.index) == [("step 1, other sweeps", sweep) for sweep in (1, 3, 5)]
    assert ((scores["score"] > -1) & (scores["score"] < 10)).all()


def test_the_same_call_does_nothing_again_and_tries_what_failed(done: nf.Cells, folder: Path) -> None:
    before = {file: file.stat().st_mtime_ns for file in (folder / "fits").rglob("*.npy")}
    write_cell(folder / "<b>broken.abf")
    models = [nf.load_model("lif"), nf.load_model(folder / "lif_small.toml")]
    again = nf.fit_cells(sorted(folder.glob("*.abf")), models, folder / "fits", method=QUICK, anyway=True, workers=2)
    assert not again.failed
    assert {file: file.stat().st_mtime_ns for file in before} == before


@pytest.mark.slow
def test_the_number_of_workers_changes_nothing(folder: Path, done: nf.Cells, tmp_path: Path) -> None:
    alone = nf.fit(
        nf.load_recording(folder / "first.abf"), nf.load_model("lif"), tmp_path / "alone", method=QUICK, anyway=True,
        workers=1,
    )  # fmt: skip
    beside = next(f for o, f in done.fits() if (o.cell, o.model) == ("first", "lif"))
    assert alone.posterior.sample(50, 1).equals(beside.posterior.sample(50, 1))


def test_names_of_cells(tmp_path: Path) -> None:
    assert list(named_cells(["a/x.abf", "b/x.abf", "c.abf"])) == ["a-x", "b-x", "c"]
    with pytest.raises(nf.BadInput, match="two cells are called"):
        named_cells([tmp_path / "x.abf", tmp_path / "x.abf"])
    with pytest.raises(nf.BadInput, match="there is no cell"):
        named_cells([])
    for name in ("..", "a/b", "", "a\\b"):
        with pytest.raises(nf.BadInput, match="cannot be called"):
            named_cells({name: tmp_path})


@pytest.mark.slow
def test_the_command_reports_a_failing_cell_and_goes_on(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "empty.abf").touch()
    options = ["--rounds", "1", "--simulations", "240", "--workers", "1", "--anyway", "--out", str(tmp_path / "fits")]
    model = three_parameters(tmp_path)
    done = CliRunner().invoke(
        app, ["fit", str(folder / "first.abf"), str(tmp_path / "empty.abf"), "--model", str(model), *options]
    )
    assert done.exit_code == 1
    assert "1 of 2 failed; the others are done" in done.output
    assert "the file is empty" in " ".join(done.output.split())
    assert (tmp_path / "fits/first/report.html").is_file()


def test_a_shared_posterior_takes_what_it_can_use(folder: Path, tmp_path: Path) -> None:
    for option in (["--model", "hh_pospischil"], ["--rounds", "2"], ["--method", "nle"], ["--anyway"]):
        words = ["fit", str(folder / "first.abf"), "--model", "lif", "--shared", "--out", str(tmp_path / "x"), *option]
        done = CliRunner().invoke(app, words)
        assert done.exit_code == 2
        assert "--shared does not go with" in done.output
    assert not (tmp_path / "x").exists()
