"""The run directory: whole files or none, the same run or an error, one process at a time."""

import errno
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from neurofit.disk import scratch, writing
from neurofit.errors import RunDirectoryError, RunFailed
from neurofit.store import Run

DECIDED = {"seed": 1, "recording": {"path": "cell.abf", "sweeps": [0, 2]}, "method": {"rounds": 3}}


def begin(path: Path, **changed: object) -> Run:
    run = Run(path)
    with run.started({**DECIDED, **changed}):
        pass
    return run


def test_a_run_is_resumed_by_the_same_decisions(tmp_path: Path) -> None:
    assert begin(tmp_path / "run").decisions() == DECIDED
    begin(tmp_path / "run")
    assert "neurofit" in Run(tmp_path / "run").versions()


@pytest.mark.parametrize(
    ("changed", "named"),
    [({"seed": 2}, "seed"), ({"method": {"rounds": 4}}, "method.rounds"), ({"more": "x"}, "more")],
)
def test_another_run_is_refused_and_left_alone(tmp_path: Path, changed: dict[str, object], named: str) -> None:
    run = begin(tmp_path / "run")
    run.write_json("result.json", [1])
    before = {p: p.read_bytes() for p in sorted(tmp_path.rglob("*")) if p.is_file()}
    with pytest.raises(RunDirectoryError, match="holds another run") as caught:
        begin(tmp_path / "run", **changed)
    assert named in str(caught.value)
    assert {p: p.read_bytes() for p in sorted(tmp_path.rglob("*")) if p.is_file()} == before


def test_a_directory_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(RunDirectoryError, match="not a run of neurofit"):
        begin(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_file_is_no_directory(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("precious")
    with pytest.raises(RunDirectoryError, match="is a file"):
        begin(tmp_path / "out")


@pytest.mark.parametrize("content", ["format = 99", "this is not toml ]["])
def test_a_run_of_another_version_or_damaged_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "run.toml").write_text(content)
    with pytest.raises(RunDirectoryError):
        begin(tmp_path)


def test_no_run(tmp_path: Path) -> None:
    with pytest.raises(RunDirectoryError, match="no run here"):
        Run(tmp_path / "nowhere").decisions()


def test_a_second_process_is_refused(tmp_path: Path) -> None:
    run = Run(tmp_path / "run")
    with run.started(DECIDED):
        code = (
            "import sys, json\nfrom neurofit.store import Run\nfrom neurofit.errors import RunDirectoryError\n"
            "try:\n    with Run(sys.argv[1]).started(json.loads(sys.argv[2])): print('in')\n"
            "except RunDirectoryError as e: print(e)"
        )
        arguments = [sys.executable, "-c", code, str(run.path), json.dumps(DECIDED)]
        done = subprocess.run(arguments, capture_output=True, text=True, check=True)
        assert "another process is working on this run" in done.stdout


def test_results_are_computed_once(tmp_path: Path) -> None:
    run = begin(tmp_path)
    calls = []

    def compute() -> dict[str, np.ndarray]:
        calls.append(1)
        return {"a": np.arange(3)}

    for _ in range(2):
        assert run.arrays("x/y.npz", compute)["a"].tolist() == [0, 1, 2]
    assert len(calls) == 1


def test_a_failed_write_leaves_nothing(tmp_path: Path) -> None:
    run = begin(tmp_path / "run")

    def make(path: Path) -> None:
        path.write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run.file("page.html", make)
    assert sorted(p.name for p in run.path.iterdir()) == [".lock", "run.toml"]


def test_what_a_killed_process_left_half_written_is_removed(tmp_path: Path) -> None:
    run = begin(tmp_path / "run")
    code = (
        "import os, sys\nfrom neurofit.store import Run\n"
        "Run(sys.argv[1]).file('a/page.html', lambda path: (path.write_text('half'), os._exit(9)))"
    )
    assert subprocess.run([sys.executable, "-c", code, str(run.path)], check=False).returncode == 9
    assert len(list((run / "a").iterdir())) == 1
    begin(tmp_path / "run")
    assert not list((run / "a").iterdir())


def test_rows_are_written_block_by_block_and_read_as_they_are_used(tmp_path: Path) -> None:
    run = begin(tmp_path)
    values = np.random.default_rng(0).random((10, 2, 3)).astype(np.float32)
    run.write_rows("x/values.npy", 10, (values[i : i + 3] for i in range(0, 10, 3)))
    assert np.array_equal(np.load(run / "x/values.npy"), values)
    found = run.rows("x/values.npy")
    assert type(found) is np.ndarray
    assert found.dtype == np.float32
    assert not found.flags.writeable
    assert not found.flags.owndata
    assert np.array_equal(found[7], values[7])

    def interrupted() -> Iterator[np.ndarray]:
        yield values[:3]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run.write_rows("x/others.npy", 10, interrupted())
    assert [path.name for path in (run / "x").iterdir()] == ["values.npy"]


def test_a_full_disk_in_words(tmp_path: Path) -> None:
    with pytest.raises(RunFailed, match="disk is full"), writing(tmp_path):
        raise OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(RunDirectoryError, match="cannot be written"), writing(tmp_path):
        raise OSError(errno.EACCES, "Permission denied")


def test_temporary_folders_of_killed_processes_are_removed_and_no_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    code = (
        "import os, sys, time\nfrom neurofit.disk import scratch\nwith scratch('some-') as folder:\n"
        "    (folder / 'big').write_text('x')\n    print(folder, flush=True)\n    {then}"
    )

    def begun(then: str) -> tuple[subprocess.Popen[str], Path]:
        process = subprocess.Popen(
            [sys.executable, "-c", code.format(then=then)],
            env={**os.environ, "TMPDIR": str(tmp_path)}, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert process.stdout is not None
        return process, Path(process.stdout.readline().strip())

    (killed, left), (alive, used), (young_one, young) = (
        begun("os._exit(9)"),
        begun("time.sleep(600)"),
        begun("os._exit(9)"),
    )
    killed.wait()
    young_one.wait()
    (tmp_path / "some-other").mkdir()
    for folder in (left, used):
        os.utime(folder / ".lock", (0, 0))
    try:
        with scratch("some-") as mine:
            assert sorted(tmp_path.iterdir()) == sorted([used, young, mine, tmp_path / "some-other"])
            assert (used / "big").is_file()
        assert not mine.exists()
    finally:
        alive.kill()
        alive.wait()


def test_json_is_strict(tmp_path: Path) -> None:
    run = begin(tmp_path)
    run.write_json("a.json", {"x": np.float64(1.5), "y": np.arange(2), "z": None, "w": (1, 2)})
    assert run.read_json("a.json") == {"x": 1.5, "y": [0, 1], "z": None, "w": [1, 2]}
    with pytest.raises(ValueError, match="JSON"):
        run.write_json("b.json", {"x": float("nan")})
    assert not (run / "b.json").exists()


def test_an_unfinished_run_says_so(tmp_path: Path) -> None:
    with pytest.raises(RunDirectoryError, match="not finished"):
        begin(tmp_path).must_have("checks/fit.json")
