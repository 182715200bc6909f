"""What cannot be fitted, and what a fit is told that it cannot mean: in words, with an exit code, and nothing lost."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

import neurofit as nf
from neurofit.cli import app
from neurofit.errors import BadInput, RunDirectoryError, RunFailed, SimulationError, TrainingError
from neurofit.store import FORMAT, Run
from tests.recording.synthetic import PASSIVE_PA, Cell
from tests.test_cli import assert_bad_input
from tests.tiny import CELL, METHOD, write_cell

TEMPLATES = Path(__file__).parent / "simulation" / "templates"
SILENT = replace(CELL, rheobase_pa=PASSIVE_PA)
ONE_ROUND = replace(METHOD, rounds=1, simulations=200)
DIVERGING = replace(ONE_ROUND, schedule=replace(METHOD.schedule, peak_rate=1e30))


def template(path: Path, source: Path, **swaps: tuple[str, str]) -> Path:
    """A template with other priors: ``parameter=(from, to)``."""
    head, *parts = source.read_text().split("\n[parameters.")
    for i, part in enumerate(parts):
        old, new = swaps.get(part.partition("]")[0], ("", ""))
        assert old in part
        parts[i] = part.replace(old, new) if old else part
    path.write_text("\n[parameters.".join([head, *parts]))
    return path


def shifted(path: Path) -> Path:
    """A passive membrane whose rest is far outside of what voltages are."""
    e = 'value = -70\nprior = { family = "uniform", low = -90, high = -50 }'
    return template(
        path, TEMPLATES / "passive.toml", E=(e, e.replace("-70", "850").replace("-90, high = -50", "800, high = 900"))
    )


def mostly_wild(path: Path) -> Path:
    """A passive membrane whose noise is mostly absurd: about one simulation in fifteen stays a voltage."""
    return template(path, TEMPLATES / "passive.toml", sigma=("high = 100", "high = 1e60"))


def deaf(path: Path) -> Path:
    """An integrate-and-fire cell that never fires."""
    th = 'value = -50\nprior = { family = "uniform", low = -65, high = -30 }'
    leak = 'value = 8\nprior = { family = "log_uniform", low = 1, high = 30 }'
    lif = Path(__file__).parents[1] / "models" / "lif.toml"
    return template(
        path, lif, V_th=(th, th.replace("-50", "700").replace("-65, high = -30", "600, high = 900")),
        g_leak=(leak, leak.replace("= 8", "= 20").replace("low = 1,", "low = 15,")),
    )  # fmt: skip


def tried(folder: Path, cell: Cell = CELL, model: str | Path = "lif", **changed: object) -> nf.Fit:
    file = folder / "cell.abf"
    recording = nf.load_recording(file if file.is_file() else write_cell(file, cell))
    options = {"method": ONE_ROUND, "workers": 1, "seed": 3, "anyway": True, **changed}
    return nf.fit(recording, nf.load_model(model), folder / "run", **options)


def cli(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(a) for a in arguments])


def assert_failed(result: Result, *words: str) -> None:
    """Exit code 1 and a paragraph that holds the words."""
    assert result.exit_code == 1, result.output
    assert "Traceback" not in result.output
    told = result.stderr.replace("\n", " ")
    for word in words:
        assert word in told, f"{word!r} not in {told!r}"


def contents(folder: Path) -> dict[Path, int]:
    return {p: p.stat().st_mtime_ns for p in folder.rglob("*") if p.is_file() and p.name != ".lock"}


@pytest.mark.parametrize(
    "changed",
    [
        {"seed": -1},
        {"seed": 1.5},
        {"seed": 2**60},
        {"method": {"rounds": 1}},
        {"workers": 0},
        {"workers": -1},
        {"workers": 1.5},
        {"step": 0},
        {"features": []},
        {"features": "spike_count"},
        {"sweeps": []},
        {"tolerance": {"spike_count": float("nan")}},
    ],
)
def test_settings_that_cannot_be_meant_leave_nothing(tmp_path: Path, changed: dict[str, object]) -> None:
    with pytest.raises(BadInput):
        tried(tmp_path, **changed)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("changed", [{"simulations": 1.5}, {"seed": -1}, {"keep_voltage": 0.5}, {"workers": 0}])
def test_simulations_that_cannot_be_meant_leave_nothing(tmp_path: Path, changed: dict[str, object]) -> None:
    recording = nf.load_recording(write_cell(tmp_path / "cell.abf"))
    with pytest.raises(BadInput):
        nf.simulate_prior(recording, nf.load_model("lif"), tmp_path / "run", **changed)  # type: ignore[arg-type]
    assert not (tmp_path / "run").exists()


def test_a_cell_that_has_none_of_the_features(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="none of the features is defined in the observation"):
        tried(tmp_path, SILENT, features=["latency", "first_isi"])
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(("make", "n"), [(shifted, "0"), (mostly_wild, "[0-9]+")])
def test_a_prior_with_hardly_a_valid_simulation_says_why_and_keeps_them(tmp_path: Path, make: object, n: str) -> None:
    model = make(tmp_path / "mine.toml")  # type: ignore[operator]
    message = rf"^{n} of 200 simulations from the prior are valid \(in \d+ voltage left -500 to 500 mV\): at least 50"
    with pytest.raises(SimulationError, match=message):
        tried(tmp_path, SILENT, model)
    before = contents(tmp_path / "run")
    assert tmp_path / "run/simulations/round-1/summary.json" in before
    # the same command again: the same words, and nothing is simulated again
    with pytest.raises(SimulationError, match=message):
        tried(tmp_path, SILENT, model)
    assert contents(tmp_path / "run") == before


def test_a_network_that_diverges_keeps_the_round(tmp_path: Path) -> None:
    for _ in range(2):
        with pytest.raises(TrainingError, match=r"at a tenth of it.*another seed.*another run, in another directory"):
            tried(tmp_path, method=DIVERGING)
        before = contents(tmp_path / "run")
        assert tmp_path / "run/simulations/round-1/features.npy" in before
        assert not list(tmp_path.glob("run/rounds/*/*"))
    assert contents(tmp_path / "run") == before
    for changed, named in (({"seed": 4}, "seed = 3"), ({"method": ONE_ROUND}, "method.schedule.peak_rate = 1e\\+30")):
        with pytest.raises(RunDirectoryError, match=f"holds another run. Expected: .*{named}"):
            tried(tmp_path, **{"method": DIVERGING, **changed})


@pytest.fixture
def begun(tmp_path: Path) -> Path:
    """A folder with a recording, a template and a run of them that stopped in words, by the command line."""
    shifted(tmp_path / "mine.toml")
    write_cell(tmp_path / "cell.abf", SILENT)
    assert_failed(again(tmp_path), "0 of 200 simulations from the prior are valid")
    return tmp_path


def again(folder: Path, out: Path | None = None) -> Result:
    options = ("--rounds", 1, "--simulations", 200, "--workers", 1, "--anyway")
    return cli(
        "fit",
        folder / "cell.abf",
        "--model",
        folder / "mine.toml",
        "--out",
        out or folder / "run",
        "--anyway",
        *options,
    )


def test_what_has_changed_since_is_named(begun: Path) -> None:
    before, text = contents(begun / "run"), (begun / "mine.toml").read_text()
    (begun / "mine.toml").write_text(text + "\n# another remark\n")
    assert_bad_input(again(begun), "another run: since then the template's text has changed", "model.sha256")
    (begun / "mine.toml").write_text(text)
    write_cell(begun / "cell.abf", replace(SILENT, seed=5))
    assert_bad_input(again(begun), "another run: since then the recording's file has changed", "recording.sha256")
    assert contents(begun / "run") == before


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (f"format = {FORMAT}", "format = 2", "another version"),
        ("rounds = 1", "rounds = 0", "method.rounds = 0"),
        ("[decisions]", "[decided]", "does not say what was decided"),
        (f"format = {FORMAT}", "format = ", "cannot be read"),
    ],
)
def test_an_edited_run_toml(begun: Path, old: str, new: str, words: str) -> None:
    file = begun / "run" / "run.toml"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new).replace("[decisions.", "[decided." if "decided" in new else "[decisions."))
    before = contents(begun / "run")
    assert_bad_input(again(begun), words)
    assert contents(begun / "run") == before


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("rounds = 1", "rounds = 0", "rounds = 0 cannot be used. Expected: a whole number, 1 or more"),
        ('density = "maf"', 'density = "made"', "density = 'made' cannot be used"),
        ("validation = 0.1", "validation = nan", "validation = nan"),
        ("epochs = ", "epoches = ", "epoches"),
        ("seed = 1", "sead = 1", "KeyError: 'seed'"),
    ],
)
def test_a_finished_run_with_an_edited_method(begun: Path, old: str, new: str, words: str) -> None:
    # what says that a run is finished
    (begun / "run/checks").mkdir()
    (begun / "run/checks/fit.json").write_text("{}")
    file = begun / "run" / "run.toml"
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))
    assert_bad_input(cli("check", begun / "run"), "run.toml", "was it edited?", words)


@pytest.mark.parametrize(
    "name", ["data.npz", "data.json", "simulations/round-1/z.npy", "simulations/round-1/features.npy"]
)
def test_a_damaged_file_is_named(begun: Path, name: str) -> None:
    file = begun / "run" / name
    file.write_bytes(file.read_bytes()[:5])
    result = again(begun)
    assert result.exit_code == 2, result.output
    assert f"{file}: this file is damaged" in result.stderr
    assert "Delete it" in result.stderr
    file.unlink()
    assert_failed(again(begun), "0 of 200")


@pytest.mark.parametrize("name", [".lock", "simulations", "simulations/round-1/z.npy"])
def test_a_file_where_a_folder_should_be_or_the_other_way_round(begun: Path, name: str) -> None:
    place = begun / "run" / name
    if place.is_dir():
        shutil.rmtree(place)
        place.write_text("")
    else:
        place.unlink()
        place.mkdir()
    result = again(begun)
    assert result.exit_code == 2, result.output
    assert "a file stands where a directory should" in result.stderr


def test_an_output_under_a_file(begun: Path) -> None:
    (begun / "file").write_text("precious")
    assert_bad_input(again(begun, begun / "file"), "is a file, not a directory")
    assert_bad_input(again(begun, begun / "file" / "run"), "a file stands where a directory should")
    assert (begun / "file").read_text() == "precious"


def test_a_directory_that_another_process_holds(begun: Path) -> None:
    before = contents(begun / "run")
    code = (
        "import sys, time\nfrom pathlib import Path\nfrom neurofit.disk import locked\n"
        "with locked(Path(sys.argv[1])):\n    print('held', flush=True)\n    time.sleep(600)"
    )
    holder = subprocess.Popen([sys.executable, "-c", code, str(begun / "run")], stdout=subprocess.PIPE)
    assert holder.stdout is not None
    try:
        assert holder.stdout.readline() == b"held\n"
        assert_bad_input(again(begun), "another process is working on this run", "Wait for it")
        assert contents(begun / "run") == before
    finally:
        holder.kill()
        holder.wait()
    # the lock of a process that was killed holds nobody up
    assert_failed(again(begun), "0 of 200")


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_file_system_without_locks(begun: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def refused(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("neurofit.disk.FileLock.acquire", refused)
    assert_bad_input(again(begun), "cannot lock files", os.strerror(number), "on a disk of this machine")


@pytest.mark.parametrize(
    ("number", "error", "words"),
    [
        (errno.ENOSPC, RunFailed, "disk is full.*make room"),
        (errno.EFBIG, RunFailed, "disk is full"),
        (errno.EIO, RunFailed, "could not be written.*the same command again"),
        (errno.EROFS, RunDirectoryError, "cannot be written to"),
    ],
)
def test_a_disk_that_fails_before_any_file_costs_nothing_that_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, error: type[Exception], words: str
) -> None:
    """However many files were written before, all of them are whole, and the next attempt goes on."""
    run, sync = Run(tmp_path / "run"), os.fsync
    values = np.arange(5.0)

    def work() -> None:
        with run.started({"seed": 1}):
            run.arrays("a/one.npz", lambda: {"x": values})
            run.write_rows("a/two.npy", 5, [values])
            run.json("three.json", lambda: [1])

    for before in range(4):
        left = [before]

        def failing(file: int, left: list[int] = left) -> None:
            left[0] -= 1
            if left[0] < 0:
                raise OSError(number, os.strerror(number))
            sync(file)

        shutil.rmtree(run.path, ignore_errors=True)
        with monkeypatch.context() as patch:
            patch.setattr("os.fsync", failing)
            with pytest.raises(error, match=words):
                work()
        assert len(contents(run.path)) == before
        work()
        assert run.read_arrays("a/one.npz")["x"].tolist() == run.rows("a/two.npy").tolist() == values.tolist()


# A small disk of its own takes the right to mount one; the test exists where that is given.
if shutil.which("unshare") and not subprocess.run(["unshare", "--mount", "true"], capture_output=True).returncode:

    @pytest.fixture
    def small(tmp_path: Path) -> Iterator[Path]:
        place = tmp_path / "small"
        place.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", str(place)], check=True)
        yield place
        # workers may still be leaving
        subprocess.run(["umount", "--lazy", str(place)], check=True)

    @pytest.mark.slow
    def test_a_full_disk_and_then_room(tmp_path: Path, small: Path) -> None:
        def fit() -> Result:
            options = ("--rounds", 1, "--simulations", 200, "--workers", 1, "--anyway")
            return cli("fit", tmp_path / "cell.abf", "--model", "lif", "--out", small / "run", *options)

        write_cell(tmp_path / "cell.abf")
        for size, full in (("600k", "batches"), ("4500k", "voltage_mv.npy"), ("9M", "predicted-fitted")):
            subprocess.run(["mount", "-o", f"remount,size={size}", str(small)], check=True)
            assert_failed(fit(), "The disk is full", full, "make room and run the same command again")
        subprocess.run(["mount", "-o", "remount,size=60M", str(small)], check=True)
        assert fit().exit_code == 0

    def test_a_place_that_can_only_be_read(begun: Path, small: Path) -> None:
        subprocess.run(["mount", "-o", "remount,ro", str(small)], check=True)
        assert_bad_input(again(begun, small / "run"), "cannot be written to", "Read-only file system")
        picture = cli("inspect", begun / "cell.abf", "--picture", small / "cell.png")
        assert_bad_input(picture, "cannot be written to")


@pytest.mark.slow
@pytest.mark.parametrize("features", [None, ["spike_count"]])
def test_a_model_that_never_fires_and_a_cell_that_does(tmp_path: Path, features: list[str] | None) -> None:
    """A feature that is the same in all simulations and another in the cell is a miss, and nothing overflows."""
    chosen = {} if features is None else {"features": features}
    fit = tried(tmp_path, CELL, deaf(tmp_path / "mine.toml"), **chosen)
    table = fit.simulations("round 1").features
    assert (table.select([name for name in table.names if name.startswith("spike_count@")]).values == 0).all()
    assert fit.verdict.word == "rejected"
    assert any("does not fire like the cell" in reason for reason in fit.verdict.reasons)
    draws = fit.posterior.sample(500)
    assert np.isfinite(fit.posterior.log_prob(draws)).all()
    assert fit.model.prior.inside(draws.to_numpy()).all()
    assert (fit.run / "report.html").is_file()


@pytest.mark.slow
def test_what_went_wrong_does_not_widen_the_tolerances(tmp_path: Path) -> None:
    """Where fewer simulations are valid than the nearest that are looked up, only valid ones are."""
    model = template(tmp_path / "mine.toml", TEMPLATES / "passive.toml", sigma=("high = 100", "high = 1e22"))
    fit = tried(tmp_path, SILENT, model, method=replace(ONE_ROUND, simulations=400))
    assert 50 <= fit.simulations("round 1").valid.sum() < fit.method.nearest
    # which every valid simulation has; an invalid one counts as 20 tolerances off
    rest = fit.summaries.names.index("resting_potential")
    assert fit.rounds[0].summaries.tolerance[rest] < 5 * fit.summaries.tolerance[rest]


@pytest.mark.slow
def test_a_cell_that_never_fires_is_fitted_by_what_it_has(tmp_path: Path) -> None:
    fit = tried(tmp_path, SILENT)
    assert not any(name.startswith(("latency", "mean_threshold")) for name in fit.summaries.names)
    assert fit.findings_of_fit["counts"]["fitted"]["recorded"] == [0, 0, 0]
    assert fit.checks["fit-summary"].p_value > 0.05
    assert np.isfinite(fit.posterior.log_prob(fit.posterior.sample(200))).all()
