"""The command line as a user meets it: exit codes, one paragraph for bad input, nothing overwritten."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from neurofit.cli import app
from neurofit.features import FEATURES
from neurofit.template import list_models
from tests.tiny import write_cell

RUNNER = CliRunner()
ROOT = Path(__file__).parents[1]


def run(*arguments: object) -> Result:
    return RUNNER.invoke(app, [str(a) for a in arguments])


def assert_bad_input(result: Result, *words: str) -> None:
    """Exit code 2 and one paragraph that holds the words."""
    assert result.exit_code == 2, result.output
    told = result.stderr.strip()
    assert told.startswith("neurofit: ")
    assert "\n" not in told
    assert "Traceback" not in result.output
    for word in words:
        assert word in told, f"{word!r} not in {told!r}"


@pytest.fixture(scope="module")
def cell(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_cell(tmp_path_factory.mktemp("cell") / "cell.abf")


@pytest.mark.parametrize(
    "command",
    [
        *("inspect", "features", "simulate", "fit", "check", "posterior", "predict", "report", "compare", "demo"),
        *("robust", "models", "cache"),
    ],
)
def test_every_command_has_help(command: str) -> None:
    result = run(command, "--help")
    assert result.exit_code == 0
    assert "Usage" in result.output


def test_models() -> None:
    listed = run("models")
    assert listed.exit_code == 0
    assert re.findall(r"^\w+", listed.output, re.MULTILINE) == list(list_models())
    assert "dv/dt" in run("models", "show", "lif").output
    checked = run("models", "check", "hh_pospischil")
    assert checked.exit_code == 0
    assert "12 free parameters" in checked.output
    dependent = run("models", "check", Path(__file__).parent / "template" / "good" / "dependent.toml")
    assert "100*C/g_leak" in dependent.output


def test_copy_and_edit_a_template(tmp_path: Path) -> None:
    mine = tmp_path / "mine.toml"
    assert run("models", "copy", "lif", mine).exit_code == 0
    assert run("models", "check", mine).exit_code == 0
    before = mine.read_text()
    assert_bad_input(run("models", "copy", "hh_pospischil", mine), "exists")
    assert mine.read_text() == before
    mine.write_text(before.replace('unit = "nS"', 'unit = "mV"', 1))
    assert_bad_input(run("models", "check", mine), "mine.toml", "units", "Found")


def test_features() -> None:
    listed = run("features")
    assert listed.exit_code == 0
    assert "spike_count*" in listed.output
    page = run("features", "--markdown").output
    assert page.strip() == (ROOT / "docs/features.md").read_text().strip(), "write docs/features.md again"
    for name in FEATURES:
        assert f"| {name} |" in page or f"| **{name}** |" in page


def test_inspect(cell: Path, tmp_path: Path) -> None:
    result = run("inspect", cell, "--picture", tmp_path / "cell.png")
    assert result.exit_code == 0, result.output
    assert "ABF2" in result.output
    assert "electrode" in result.output
    assert (tmp_path / "cell.png").stat().st_size > 10_000


def test_inspect_without_a_picture(cell: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("inspect", cell, "--no-picture").exit_code == 0
    assert not list(tmp_path.iterdir())


BAD_FILES = {
    "T01_voltage_clamp_abf2.abf": "voltage clamp",
    "T03_abf1_no_protocol_current_labelled_mV.abf": "ABF1",
    "T04_gapfree_no_protocol_no_spikes.abf": "no stimulus",
    "T09_spikes_without_current_opto.abf": "not caused by injected current",
    "T25_truncated_data.abf": "cut short",
    "T26_truncated_header.abf": "cut short",
    "T28_empty.abf": "empty",
    "T29_text_renamed.abf": "text",
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_files_that_must_not_be_fitted(traps_dir: Path, tmp_path: Path, name: str) -> None:
    out = tmp_path / "run"
    for command in (("inspect", "--no-picture"), ("fit", "--model", "lif", "--out", out)):
        assert_bad_input(run(command[0], traps_dir / name, *command[1:]), name, BAD_FILES[name])
    assert not out.exists()


def test_a_missing_file(tmp_path: Path) -> None:
    assert_bad_input(run("fit", tmp_path / "no.abf", "--model", "lif", "--out", tmp_path / "run"), "no.abf")


def test_a_missing_template(cell: Path, tmp_path: Path) -> None:
    result = run("fit", cell, "--model", "hh_posposchil", "--out", tmp_path / "run")
    assert_bad_input(result, "hh_posposchil", "hh_pospischil")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--sweeps", "3,99"), "99"),
        (("--sweeps", "evne"), "evne"),
        (("--step", "7"), "step 7"),
        (("--tolerance", "spike_count"), "feature=number"),
        (("--tolerance", "no_such=1"), "no_such"),
        (("--protocol", "IDrest"), "IDrest"),
        (("--rig", "noise_sd_mv: 0.1"), "noise_sd_mv = {family"),
        (("--rig", "noise = 0.1"), "noise_sd_mv"),
        (("--rig", "noise_sd_mv = -0.1"), "cannot be negative"),
    ],
)
def test_options_that_ask_for_what_is_not_there(
    cell: Path, tmp_path: Path, options: tuple[str, str], words: str
) -> None:
    assert_bad_input(run("fit", cell, "--model", "lif", "--out", tmp_path / "run", *options), words)
    assert not (tmp_path / "run").exists()


def test_an_output_directory_of_something_else(cell: Path, tmp_path: Path) -> None:
    (tmp_path / "precious.txt").write_text("precious")
    assert_bad_input(run("fit", cell, "--model", "lif", "--out", tmp_path), "not a run of neurofit")
    assert [p.name for p in tmp_path.iterdir()] == ["precious.txt"]


@pytest.mark.parametrize("command", ["check", "posterior", "predict", "report", "compare"])
def test_a_directory_without_a_run(tmp_path: Path, command: str) -> None:
    assert_bad_input(run(command, tmp_path), "no run here")


@pytest.mark.slow
def test_without_a_compiler_a_fit_is_slow_and_says_so_once(
    cell: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fit = ("fit", cell, "--model", "lif", "--rounds", 1, "--simulations", 100, "--anyway", "--out")
    assert run(*fit, tmp_path / "compiled").exit_code == 0
    monkeypatch.setenv("CXX", "no-such-compiler")
    monkeypatch.setattr("neurofit.simulation.slow._warned", set())
    done = run(*fit, tmp_path / "slow")
    assert done.exit_code == 0, done.output
    assert done.stderr.count("no-such-compiler cannot be found") == 1
    ours, theirs = (
        {file.stem: np.load(file) for file in (tmp_path / name / "simulations/round-1").glob("*.npy")}
        for name in ("slow", "compiled")
    )
    assert np.array_equal(ours["z"], theirs["z"])
    assert np.abs(ours["voltage_mv"] - theirs["voltage_mv"]).max() < 1e-4
    assert np.allclose(ours["features"], theirs["features"], rtol=1e-5, atol=1e-4, equal_nan=True)


@pytest.mark.slow
def test_the_whole_job(cell: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    fit = ("fit", cell, "--model", "lif", "--out", out, "--rounds", 1, "--simulations", 300, "--anyway")
    first = run(*fit)
    assert first.exit_code == 0, first.output
    for words in (
        "Posterior",
        "Spike counts",
        "REJECTED",
        "Held out",
        "Interpolating",
        "simulations invalid",
        str(out / "report.html"),
    ):
        assert words in first.output.replace("\n", ""), words
    # the same command again only reads; another one is refused
    assert run(*fit).exit_code == 0
    before = (out / "run.toml").read_bytes()
    assert_bad_input(run(*fit, "--seed", 2), "another run")
    assert (out / "run.toml").read_bytes() == before

    checked = run("check", out)
    assert checked.exit_code == 0
    assert "Check in summary space" in checked.output
    assert run("report", out, "--out", tmp_path / "page.html").exit_code == 0
    assert "<html" in (tmp_path / "page.html").read_text()
    predicted = run("predict", out, "--draws", 5, "--recording", cell, "--sweeps", "odd")
    assert predicted.exit_code == 0, predicted.output
    assert (out / "predictions-cell.csv").is_file()
    compared = run("compare", out, out, "--out", tmp_path / "compare.html")
    assert compared.exit_code == 0, compared.output
    assert (tmp_path / "compare.html").stat().st_size > 1000
