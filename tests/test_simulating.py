"""Simulations from a prior: what is in the directory, how it is read, and that a killed run goes on to the same."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from zlib import crc32

import numpy as np
import pytest
from typer.testing import CliRunner

import neurofit as nf
from neurofit import stages
from neurofit.cli import app
from neurofit.errors import BadInput, RunDirectoryError
from neurofit.progress import Advance, Silent
from neurofit.recording.split import split
from neurofit.simulation import REASONS, draw_keys
from tests.test_fit import wait_for
from tests.tiny import write_cell

REPOSITORY = Path(__file__).resolve().parents[1]
N = 400
ARRAYS = ("parameters.npy", "features.npy", "reason.npy", "voltage_mv.npy")


class Notes(Silent):
    """Remembers what the bars said."""

    def __init__(self) -> None:
        self.said: list[tuple[str, float, str]] = []

    @contextmanager
    def bar(self, text: str, total: float, begun: int = 0) -> Iterator[Advance]:
        def advance(done: float, note: str) -> None:
            self.said.append((text, done / total, note))

        yield advance


@pytest.fixture(scope="module")
def cell(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_cell(tmp_path_factory.mktemp("cell") / "cell.abf")


@pytest.fixture(scope="module")
def done(cell: Path, tmp_path_factory: pytest.TempPathFactory) -> nf.PriorSimulations:
    """Finished simulations, not to be changed."""
    return simulated(cell, tmp_path_factory.mktemp("sims") / "cell")


def simulated(cell: Path, out: Path, **changed: object) -> nf.PriorSimulations:
    options = {"simulations": N, "keep_voltage": 200, "workers": 1, "seed": 3, **changed}
    return nf.simulate_prior(nf.load_recording(cell), nf.load_model("lif"), out, **options)


def test_what_is_in_the_directory(done: nf.PriorSimulations) -> None:
    names = {path.name for path in done.path.iterdir()} - {".lock"}
    plain = {"README.txt", "columns.json", "summary.json", "protocol.npz", "model.toml", "run.toml"}
    assert names == {*ARRAYS, *plain}
    summary = json.loads((done.path / "summary.json").read_text())
    assert summary["simulations"] == N
    assert summary["invalid"] == {}
    assert summary["seconds_of_one_process"] > 0


def test_read_by_neurofit(done: nf.PriorSimulations, cell: Path) -> None:
    assert list(done.parameters.columns) == list(done.model.free)
    assert done.parameters.attrs["units"]["C"] == "pF"
    assert done.model.prior.inside(done.parameters.to_numpy()).all()
    assert done.valid.all()
    # the same as simulating and measuring them at once
    stimulus, keys = split(nf.load_recording(cell), range(6), 1).fitted.stimulus, draw_keys(3, crc32(b"prior"), 3)
    traces = nf.simulate(done.model, stimulus, done.parameters[:3], keys=keys)
    measured = nf.extract_features(traces.voltage_mv, stimulus, spikes_drawn=True)
    assert done.features.names == measured.names
    assert np.array_equal(done.features.values[:3], measured.values, equal_nan=True)
    assert done.voltage_mv is not None
    assert np.array_equal(done.voltage_mv[:3], traces.voltage_mv[:, :, ::5])
    assert len(done.voltage_mv) == 200


def test_the_readme_in_the_directory_works(done: nf.PriorSimulations, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(done.path)
    text = Path("README.txt").read_text()
    names: dict[str, object] = {}
    exec(re.sub(r"^    ", "", text.partition("without neurofit:\n")[2], flags=re.MULTILINE), names)
    assert names["parameters"].equals(done.parameters)  # type: ignore[attr-defined]
    assert names["features"]["rest@0"].tolist() == done.features.column("rest@0").tolist()  # type: ignore[index]
    assert names["valid"].all()  # type: ignore[attr-defined]
    for file in re.findall(r"^    (\w+\.\w+) ", text, re.MULTILINE):
        assert Path(file).is_file(), file
    columns = json.loads(Path("columns.json").read_text())
    assert all(len(part["names"]) == len(part["units"]) for part in columns.values())


def test_the_first_draws_are_those_of_a_fit(done: nf.PriorSimulations) -> None:
    method = nf.Method(simulations=100)
    z = stages.propose([], method, len(done.model.free), seed=3, workers=1, progress=Silent())
    assert np.array_equal(done.model.prior.from_unbounded(z), done.parameters[:100])


def test_workers_change_nothing_and_the_bar_tells(done: nf.PriorSimulations, cell: Path, tmp_path: Path) -> None:
    notes = Notes()
    two = simulated(cell, tmp_path / "two", workers=2, progress=notes)
    for name in ARRAYS:
        assert (two.path / name).read_bytes() == (done.path / name).read_bytes(), name
    bar = [(share, note) for text, share, note in notes.said if text == "Simulating prior"]
    assert bar[-1][0] == 1
    assert [share for share, _ in bar] == sorted(share for share, _ in bar)
    assert all(re.fullmatch(r"\d+ of 400, [\d.,]+/s", note) for _, note in bar)


def test_every_invalid_simulation_is_kept_with_its_reason(cell: Path, tmp_path: Path) -> None:
    """A prior that reaches where voltage leaves its range."""
    template = (REPOSITORY / "tests/simulation/templates/passive.toml").read_text()
    (tmp_path / "wild.toml").write_text(template.replace("high = -50", "high = 900"))
    notes, recording, model = Notes(), nf.load_recording(cell), nf.load_model(tmp_path / "wild.toml")
    done = nf.simulate_prior(recording, model, tmp_path / "wild", simulations=N, workers=1, progress=notes)
    assert 0.1 < np.mean(~done.valid) < 0.9
    words = REASONS[int(done.reason.max())]
    assert not done.features.defined[~done.valid].any(), "an invalid simulation has no features"
    assert done.features.defined[done.valid].any(axis=1).all()
    count = int((~done.valid).sum())
    assert json.loads((tmp_path / "wild/summary.json").read_text())["invalid"] == {words: count}
    assert f"% invalid: {words}" in notes.said[-1][2]
    assert f"Invalid: {count} (" in " ".join(done.lines())
    # begun again, the bar still counts those that were there
    (tmp_path / "wild/summary.json").unlink()
    again = nf.simulate_prior(recording, model, tmp_path / "wild", simulations=N, workers=1)
    assert np.array_equal(again.reason, done.reason)


def test_other_decisions_are_refused(done: nf.PriorSimulations, cell: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in done.path.iterdir() if path.name != ".lock"}
    for changed in ({"seed": 4}, {"simulations": N + 1}, {"sweeps": "odd"}, {"keep_voltage": 0}):
        with pytest.raises(RunDirectoryError, match="another run"):
            simulated(cell, done.path, **changed)
    simulated(cell, done.path)
    assert before == {path: path.stat().st_mtime_ns for path in before}


@pytest.mark.parametrize("changed", [{"simulations": 0}, {"keep_voltage": -1}, {"sweeps": "99"}, {"step": 2}])
def test_bad_input_leaves_nothing(cell: Path, tmp_path: Path, changed: dict[str, object]) -> None:
    with pytest.raises(BadInput):
        simulated(cell, tmp_path / "run", **changed)
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_killed_anywhere_the_same_command_ends_the_same(done: nf.PriorSimulations, cell: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    options = ["--simulations", N, "--keep-voltage", 200, "--workers", 2, "--seed", 3]
    command = ["simulate", cell, "--model", "lif", "--out", out, *options]
    stages_of_it = [
        ("run.toml", signal.SIGKILL),
        ("parameters.npy", signal.SIGKILL),
        ("batches/00000000-00000170.npz", signal.SIGKILL),
        ("batches/00000170-00000340.npz", signal.SIGINT),
        ("features.npy", signal.SIGKILL),
    ]
    for stage, sent in stages_of_it:
        process = subprocess.Popen(
            [sys.executable, "-m", "neurofit.cli", *map(str, command)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        wait_for(out / stage, process)
        os.killpg(process.pid, sent)
        process.wait(timeout=60)
    finished = CliRunner().invoke(app, [str(a) for a in command])
    assert finished.exit_code == 0, finished.output
    assert "400 simulations" in finished.output
    assert "None is invalid" in finished.output
    for name in ARRAYS:
        assert (out / name).read_bytes() == (done.path / name).read_bytes(), name
    assert not [path for path in out.rglob("*") if path.name.startswith(".") and path.name != ".lock"]
    assert not (out / "batches").exists()
