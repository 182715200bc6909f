"""A fit from file to verdict: what it leaves behind, and that the same command goes on from wherever it stopped."""

from __future__ import annotations

import os
import pickle
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import neurofit as nf
from neurofit.check import Nuisances
from neurofit.errors import BadInput, RunDirectoryError, StimulusError
from neurofit.result import Fit
from tests.recording.synthetic import Cell
from tests.tiny import CELL, METHOD, tiny_fit, write_cell

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def cell(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_cell(tmp_path_factory.mktemp("cell") / "cell.abf")


@pytest.fixture(scope="module")
def done(cell: Path, tmp_path_factory: pytest.TempPathFactory) -> Fit:
    """A finished run, not to be changed."""
    return tiny_fit(cell, tmp_path_factory.mktemp("fits") / "cell")


def results(path: Path) -> dict[str, bytes]:
    """What a run found, without what depends on when it ran."""
    names = ["posterior.csv", "parameters.csv", "checks/fit.json", "checks/fit-summary.json", "checks/fit-raw.json"]
    return {name: (path / name).read_bytes() for name in names}


def test_what_a_run_leaves_behind(done: Fit) -> None:
    path = done.run.path
    tables = ("posterior.csv", "posterior.nc", "parameters.csv")
    for name in ("run.toml", "model.toml", "data.npz", "report.html", *tables):
        assert (path / name).stat().st_size > 0, name
    assert not list(path.rglob("*.pkl"))
    # nothing half-written, no batches that were merged
    assert not [p for p in path.rglob(".*") if p.name != ".lock"]
    kept = {"z.npy", "features.npy", "reason.npy", "summary.json", "voltage_mv.npy"}
    assert {p.name for p in (path / "simulations" / "round-1").iterdir()} == kept


def test_the_split(done: Fit) -> None:
    assert done.split.fitted.sweep_numbers == (0, 2, 4)
    assert {name: part.sweep_numbers for name, part in done.split.held_out.items()} == {
        "step 1, other sweeps": (1, 3, 5)
    }
    step = done.split.fitted.stimulus.test_step
    assert (step.start_ms, step.stop_ms) == (100.0, 600.0)
    assert step.level_pa.tolist() == [CELL.levels_pa[i] for i in (0, 2, 4)]


def test_the_posterior(done: Fit) -> None:
    draws = done.posterior.sample(500, seed=1)
    assert list(draws.columns) == list(done.model.free)
    assert draws.attrs["units"]["C"] == "pF"
    assert done.model.prior.inside(draws.to_numpy()).all()
    assert np.isfinite(done.posterior.log_prob(draws)).all()
    pd.testing.assert_frame_equal(draws, done.posterior.sample(500, seed=1))
    assert list(done.posterior.map().columns) == list(done.model.free)
    summary = done.posterior.summary(0.8)
    assert list(summary.index) == list(done.model.free)
    assert {"10 %", "90 %", "HDI low", "HDI high", "MAP", "prior 10 %", "contraction", "remark"} <= set(summary.columns)
    assert (summary["contraction"] < 1).all()
    assert done.posterior.correlations().shape == 2 * (len(done.model.free),)
    table = pd.read_csv(done.run / "posterior.csv")
    assert list(table.columns) == [f"{n} [{done.model.units[n]}]" for n in done.model.free]


def test_the_verdict_and_checks(done: Fit) -> None:
    assert done.verdict.word in ("supported", "doubtful", "rejected")
    assert done.verdict.reasons
    assert set(done.checks) == {"prior-summary", "prior-raw", "fit-summary", "fit-raw"}
    assert all(0 < result.p_value <= 1 for result in done.checks.values())
    counts = done.findings_of_fit["counts"]
    assert counts["fitted"]["recorded"] == [CELL.counts()[i] for i in (0, 2, 4)]
    assert counts["step 1, other sweeps"]["recorded"] == [CELL.counts()[i] for i in (1, 3, 5)]


def test_prediction_of_any_current(done: Fit) -> None:
    current = np.zeros((2, 7500))
    current[:, 1000:6000] = [[130.0], [170.0]]
    predicted = done.predict(nf.Stimulus(current, 0.1), n=5, seed=2)
    assert predicted.traces.voltage_mv.shape == (5, 2, 7500)
    again = done.predict(nf.Stimulus(current, 0.1), n=5, seed=2)
    assert np.array_equal(predicted.traces.voltage_mv, again.traces.voltage_mv)


def test_a_new_process_reads_the_same(done: Fit) -> None:
    code = (
        "import sys, neurofit as nf\nfit = nf.load_fit(sys.argv[1])\n"
        "print(fit.posterior.sample(50, seed=4).to_csv(), end='')\nprint(fit.verdict.word, end='')"
    )
    out = subprocess.run([sys.executable, "-c", code, str(done.run.path)], capture_output=True, text=True, check=True)
    assert out.stdout == done.posterior.sample(50, seed=4).to_csv() + done.verdict.word


def test_reading_a_run_runs_nothing_that_is_in_it(done: Fit) -> None:
    """In a process where nothing can be unpickled, the posterior is the same."""
    code = (
        "import pickle, sys, torch, neurofit as nf, neurofit.report.netcdf\n"
        "fit = nf.load_fit(sys.argv[1])\n"
        "def never(*_, **__): raise AssertionError('something was unpickled')\n"
        "pickle.load = pickle.loads = pickle.Unpickler = torch.load = never\n"
        "print(fit.posterior.sample(50, seed=4).to_csv(), end='')\n"
        "print(fit.verdict.word, len(fit.simulations('round 1').z), fit.observed.values.shape, end='')\n"
        "nf.read_netcdf(fit.run / 'posterior.nc')"
    )
    out = subprocess.run([sys.executable, "-c", code, str(done.run.path)], capture_output=True, text=True, check=True)
    about = f"{done.verdict.word} {METHOD.simulations} {done.observed.values.shape}"
    assert out.stdout == done.posterior.sample(50, seed=4).to_csv() + about


@pytest.mark.parametrize("name", ["run.toml", "rounds/2/network.safetensors", "simulations/round-1/z.npy", "data.npz"])
def test_files_that_are_pickles_are_refused_and_not_run(done: Fit, tmp_path: Path, name: str) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, ...]:
            return Path(tmp_path / "sprung").touch, ()

    copy = tmp_path / "copy"
    shutil.copytree(done.run.path, copy)
    trap = np.array([Trap()], dtype=object)
    with (copy / name).open("wb") as out:
        if name.endswith(".npy"):
            np.save(out, trap, allow_pickle=True)
        elif name.endswith(".npz"):
            np.savez(out, trap, allow_pickle=True)
        else:
            out.write(pickle.dumps(Trap()))

    def read_all() -> None:
        reread = nf.load_fit(copy)
        reread.posterior.sample(5)
        assert reread.split.fitted.n_sweeps
        reread.simulations("round 1")

    with pytest.raises((BadInput, ValueError, KeyError)):
        read_all()
    assert not (tmp_path / "sprung").exists()


def test_a_posterior_of_another_version_says_so(done: Fit, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(done.run.path, copy)
    file = copy / "run.toml"
    file.write_text(re.sub(r"^format = \d+", "format = 99", file.read_text(), flags=re.MULTILINE))
    with pytest.raises(RunDirectoryError, match="another version"):
        nf.load_fit(copy)


def test_a_finished_run_is_not_computed_again(done: Fit, cell: Path) -> None:
    before = {p: p.stat().st_mtime_ns for p in done.run.path.rglob("*") if p.is_file() and p.suffix != ".html"}
    again = tiny_fit(cell, done.run.path)
    after = {p: p.stat().st_mtime_ns for p in before}
    changed = {p.name for p in before if before[p] != after[p]} - {".lock"}
    assert not changed
    assert again.verdict == done.verdict


@pytest.mark.parametrize(
    "lost",
    [
        ["report.html", "posterior.csv", "posterior.nc", "parameters.csv"],
        ["checks/fit.json", "checks/fit-raw.json"],
        ["rounds/2", "simulations/predicted-fitted", "posterior.csv", "parameters.csv", "checks/fit.json"],
        ["simulations/round-2/features.npy", "rounds/2", "posterior.csv", "checks/fit.json", "checks/fit-summary.json"],
    ],
    ids=["tables", "checks", "a round", "simulations"],
)
def test_what_is_lost_is_computed_again_to_the_same(done: Fit, cell: Path, tmp_path: Path, lost: list[str]) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(done.run.path, copy)
    for name in lost:
        target = copy / name
        shutil.rmtree(target) if target.is_dir() else target.unlink()
    tiny_fit(cell, copy)
    assert results(copy) == results(done.run.path)


def test_a_run_from_before_sources_of_tolerances_were_kept_is_the_same_run(
    done: Fit, cell: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(done.run.path, copy)
    file = copy / "run.toml"
    text = file.read_text(encoding="utf-8")
    assert "[decisions.summaries.tolerance_from]\n" in text
    file.write_text(text.replace("[decisions.summaries.tolerance_from]\n", ""), encoding="utf-8")
    assert tiny_fit(cell, copy).summaries.sources == {}


def test_the_raw_check_compares_with_a_rig_that_has_noise(done: Fit) -> None:
    """A cell is a recording, simulations are not: the default noise is decided, said, and drawn for each of them."""
    assert done.decisions["rig"] == {"noise_sd_mv": {"family": "log_uniform", "low": 0.02, "high": 0.5}}
    for name, of in (("prior-raw", "the prior predictive"), ("fit-raw", "the last round's simulations")):
        assert done.checks[name].reference == f"{of}, with observation noise of 0.02 to 0.5 mV"
        noise = next(effect for effect in done.checks[name].effects if effect.name == "baseline noise")
        # of 200 samples the sd is within a fifth, and the membrane's own noise only adds
        assert noise.quantiles is not None
        assert noise.quantiles[0] > 0.8 * 0.02


def test_other_decisions_are_refused(done: Fit, cell: Path) -> None:
    for changed in (
        {"seed": 4},
        {"sweeps": "odd"},
        {"method": nf.Method()},
        {"tolerance": {"spike_count": 1.0}},
        {"rig": Nuisances()},
    ):
        with pytest.raises(RunDirectoryError, match="another run"):
            tiny_fit(cell, done.run.path, **changed)


@pytest.mark.parametrize(
    ("changed", "error", "words"),
    [
        ({"step": 2}, StimulusError, "no step 2"),
        ({"sweeps": "17"}, BadInput, "17"),
        ({"sweeps": [99]}, BadInput, "99"),
        ({"tolerance": {"spike_cuont": 1.0}}, BadInput, "spike_cuont"),
        ({"tolerance": {"spike_count": -1.0}}, BadInput, "spike_count"),
        ({"rig": Nuisances(corner_khz=2)}, BadInput, "a filter"),
        ({"rig": {"noise_sd_mv": 0.1}}, BadInput, "rig"),
    ],
)
def test_bad_input_leaves_nothing(
    cell: Path, tmp_path: Path, changed: dict[str, object], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        tiny_fit(cell, tmp_path / "run", **changed)
    assert not (tmp_path / "run").exists()


def in_a_process(cell: Path, out: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.tiny", str(cell), str(out)],
        cwd=REPOSITORY,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def wait_for(path: Path, process: subprocess.Popen[bytes]) -> None:
    for _ in range(6000):
        if path.exists() or process.poll() is not None:
            return
        time.sleep(0.02)
    raise AssertionError(f"{path} did not appear")


def nobody_left(group: int) -> bool:
    """Have all processes of a group ended, soon after its first one?"""
    for _ in range(300):
        left = subprocess.run(["pgrep", "-g", str(group)], capture_output=True, text=True, check=False)
        if not left.stdout.strip():
            return True
        time.sleep(0.1)
    return False


@pytest.mark.slow
def test_interrupted_by_the_user(done: Fit, cell: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    process = in_a_process(cell, out)
    wait_for(out / "simulations" / "round-1" / "z.npy", process)
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(timeout=60) != 0
    assert nobody_left(process.pid), "processes were left behind"
    tiny_fit(cell, out)
    assert results(out) == results(done.run.path)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["npe", "npe-c", "nle", "nre"])
def test_every_method_goes_all_the_way(cell: Path, tmp_path: Path, name: str) -> None:
    method = replace(METHOD, name=name, rounds=1 if name == "npe" else 2, members=1)
    fitted = tiny_fit(cell, tmp_path / "run", method=method)
    assert fitted.method == method
    assert fitted.verdict.word in ("supported", "doubtful", "rejected")
    assert fitted.findings_of_fit["calibration"]["n"] > 50
    draws = fitted.posterior.sample(300, seed=1)
    assert fitted.model.prior.inside(draws.to_numpy()).all()
    assert np.isfinite(fitted.posterior.log_prob(draws)).all()
    assert (fitted.first_posterior is None) == (name == "npe")
    if name != "nre":
        return  # how a run goes on does not depend on the method
    found = results(fitted.run.path)
    for lost in (f"rounds/{method.rounds}", "calibration", "checks"):
        shutil.rmtree(fitted.run / lost)
    for lost in ("posterior.csv", "parameters.csv"):
        (fitted.run / lost).unlink()
    tiny_fit(cell, tmp_path / "run", method=method)
    assert results(fitted.run.path) == found


@pytest.mark.slow
def test_the_number_of_workers_changes_nothing(done: Fit, cell: Path, tmp_path: Path) -> None:
    tiny_fit(cell, tmp_path / "run", workers=1)
    assert results(tmp_path / "run") == results(done.run.path)


def test_method_is_kept(done: Fit) -> None:
    assert done.method == METHOD


def test_a_protocol_that_was_run_twice(tmp_path: Path) -> None:
    """Sweeps of the same level are summaries of their own, told apart by their numbers."""
    twice = Cell(levels_pa=(-60.0, 100.0, 200.0) * 2, dt_ms=0.1).record()
    fitted = nf.fit(
        twice, nf.load_model("lif"), tmp_path / "twice", sweeps="all", method=METHOD, workers=2, anyway=True
    )
    labels = [miss["label"] for miss in fitted.findings_of_fit["misses"]]
    assert len(set(labels)) == len(labels)
    assert {"spike count at +100 pA (sweep 1)", "spike count at +100 pA (sweep 4)"} <= set(labels)
    assert (fitted.run / "report.html").is_file()
