"""The cache of programs: whole or not at all, built once, and clear about what is missing."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from neurofit.cli import app
from neurofit.errors import CompileError
from neurofit.recording import Stimulus
from neurofit.simulation import cache, compile_for, compiler, entries, simulate
from neurofit.simulation.program import Program, describe
from neurofit.template import Model
from tests.simulation.conftest import TEMPLATES, TOUCH, steps, wrapped_compiler
from tests.simulation.test_program import processes_with

STIMULUS = steps(0, 100)


@pytest.fixture
def copied(passive: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    """A compiled program in a cache of its own; whatever would build another takes the original instead."""
    original = compile_for(passive, STIMULUS)
    folder = tmp_path / "programs"
    shutil.copytree(original.directory, folder / original.directory.name)
    monkeypatch.setenv("NEUROFIT_CACHE", str(folder))
    return compile_for(passive, STIMULUS)


@pytest.fixture
def builds(monkeypatch: pytest.MonkeyPatch, programs: Path) -> list[Path]:
    """What was built: a build is a copy of a program that was compiled before."""
    built: list[Path] = []

    def copy(_: dict[str, Any], where: Path) -> None:
        shutil.rmtree(where, ignore_errors=True)
        shutil.copytree(programs / where.name, where)
        built.append(where)

    monkeypatch.setattr(cache, "_build", copy)
    return built


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


DAMAGE: dict[str, Callable[[Path], object]] = {
    "no main": lambda where: (where / "main").unlink(),
    "half of main": lambda where: cut(where / "main"),
    "one byte of main": lambda where: (where / "main").write_bytes((where / "main").read_bytes()[:-1] + b"x"),
    "no manifest": lambda where: (where / "manifest.json").unlink(),
    "half a manifest": lambda where: cut(where / "manifest.json"),
    "an empty manifest": lambda where: (where / "manifest.json").write_text(""),
    "another manifest": lambda where: (where / "manifest.json").write_text("[]"),
    "a manifest of an older version": lambda where: (where / "manifest.json").write_text('{"voltage_file": "x"}'),
    "no static arrays": lambda where: shutil.rmtree(where / "static_arrays"),
    "half a static array": lambda where: cut(next((where / "static_arrays").iterdir())),
    "an empty folder": lambda where: (shutil.rmtree(where), where.mkdir()),
    "nothing": shutil.rmtree,
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_entry_is_built_again(copied: Program, builds: list[Path], passive: Model, damage: str) -> None:
    compile_for(passive, STIMULUS)
    assert builds == [], "whole as it is"
    DAMAGE[damage](copied.directory)
    traces = simulate(passive, STIMULUS, {}, seed=1)
    assert builds == [copied.directory]
    assert traces.valid.all()
    compile_for(passive, STIMULUS)
    assert len(builds) == 1, "once is enough"


def test_any_choice_of_sweeps_shares_a_program(passive: Model, copied: Program) -> None:
    for n_sweeps in (1, 7, 32):
        assert compile_for(passive, steps(*range(n_sweeps))).directory == copied.directory
    description = copied.description
    for other in ({"dt_ms": 0.05}, {"n_samples": 1}, {"n_sweeps": 64}, {"method": "rk4"}, {"equations": "x"}):
        assert cache._name({**description, **other}) != copied.directory.name


@pytest.mark.parametrize("what", ["brian2", "flags", "processor", "compiler"])
def test_what_decides_the_binary_decides_its_name(copied: Program, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    change = {
        "brian2": ("version", lambda _: "9.9"),
        "flags": ("compiler_flags", lambda: ["-O1"]),
        "processor": ("processor", lambda: "another"),
        "compiler": ("compiler_version", lambda: "g++ 99"),
    }[what]
    monkeypatch.setattr(cache, *change)
    assert cache._name(copied.description) != copied.directory.name


def test_where_the_cache_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NEUROFIT_CACHE", "here")
    assert cache.cache_dir() == tmp_path / "here", "programs run in their own folder: the path must not be relative"
    monkeypatch.setenv("NEUROFIT_CACHE", "~/there")
    assert cache.cache_dir() == Path.home() / "there"
    monkeypatch.delenv("NEUROFIT_CACHE")
    assert cache.cache_dir().parts[-2:] == ("neurofit", "programs")


def test_a_cache_that_cannot_be_used(passive: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("NEUROFIT_CACHE", str(tmp_path / "file"))
    with pytest.raises(CompileError, match=r"cannot be used: .*Set NEUROFIT_CACHE to a folder that can be written to"):
        compile_for(passive, STIMULUS)


def test_a_cache_that_may_not_be_written(passive: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", str(tmp_path / "x"))

    monkeypatch.setenv("NEUROFIT_CACHE", str(tmp_path / "x"))
    monkeypatch.setattr(Path, "mkdir", forbidden)
    with pytest.raises(CompileError, match=r"cannot be used: \[Errno 13\] Permission denied"):
        compile_for(passive, STIMULUS)


def test_a_compiler_that_fails(passive: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    failing = wrapped_compiler(tmp_path, 'echo "x.cpp:1:2: error: the disk has eaten my header" >&2; exit 1')
    monkeypatch.setenv("CXX", failing)
    monkeypatch.setenv("NEUROFIT_CACHE", str(tmp_path / "programs"))
    with pytest.raises(CompileError) as caught:
        compile_for(passive, STIMULUS)
    message = str(caught.value)
    assert "could not be compiled" in message
    assert "x.cpp:1:2: error: the disk has eaten my header" in message
    log = Path(message.rpartition("All of it: ")[2].rstrip("."))
    assert "the disk has eaten my header" in log.read_text()
    assert {path.suffix for path in (tmp_path / "programs").iterdir()} <= {".log", ".lock"}, "no half of a program"


def test_flags_for_other_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "-march=native" in compiler.compiler_flags() or compiler.platform.machine() not in ("x86_64", "AMD64")
    monkeypatch.setattr(compiler.platform, "machine", lambda: "aarch64")
    flags = compiler.compiler_flags()
    assert "-mcpu=native" in flags
    assert not any(flag.startswith(("-march", "-mprefer")) for flag in flags)
    monkeypatch.setattr(compiler, "compiler_version", lambda: "Apple clang version 17.0.0")
    assert not any(flag.startswith("--param") for flag in compiler.compiler_flags())


BUILD_AND_RUN = """
import sys, numpy as np, neurofit as nf
current = np.zeros((2, 200)); current[:, 100:] = [[0], [100]]
traces = nf.simulate(nf.load_model(sys.argv[1]), nf.Stimulus(current, 0.1), {"g": [5., 10.]}, seed=1)
print(traces.voltage_mv.tobytes().hex())
"""


def test_what_a_killed_build_left_is_no_program(
    passive: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CXX", wrapped_compiler(tmp_path, TOUCH))
    monkeypatch.setenv("NEUROFIT_CACHE", str(tmp_path / "programs"))
    where = cache.cache_dir() / cache._name(describe(passive, 50, 32, 0.1))
    leftover = where.with_name(f"{where.name}.building")
    leftover.mkdir(parents=True)
    (leftover / "main").write_text("half a program")
    assert compile_for(passive, Stimulus(np.zeros(50), 0.1)).directory == where
    assert not leftover.exists()
    assert (where / "main").read_text() == ""
    assert json.loads((where / "manifest.json").read_text())["parameters"]["C"] == pytest.approx(1e-12)


def wait_for(file: Path) -> None:
    deadline = time.monotonic() + 120
    while not file.is_file() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert file.is_file()


@pytest.fixture
def building(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[subprocess.Popen[str]]:
    """A process in the middle of a build, in a cache of its own, whose compiler takes for ever."""
    endless = wrapped_compiler(
        tmp_path, f'case "$*" in *main.cpp*) touch "{tmp_path}/started"; sleep 1000;; esac; {TOUCH}'
    )
    monkeypatch.setenv("NEUROFIT_CACHE", str(tmp_path / "programs"))
    marker = f"{os.getpid()}-{time.time_ns()}"
    process = subprocess.Popen(
        [sys.executable, "-c", BUILD_AND_RUN, str(TEMPLATES / "passive.toml")],
        env={**os.environ, "CXX": endless, "NEUROFIT_TEST_MARKER": marker},
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        wait_for(tmp_path / "started")
        yield process
    finally:
        process.kill()
        process.wait()
        for left in processes_with(f"NEUROFIT_TEST_MARKER={marker}"):
            with suppress(ProcessLookupError):  # it may have ended since
                os.kill(left, signal.SIGKILL)


@pytest.mark.skipif(not Path("/proc/self/environ").is_file(), reason="needs /proc to stop what is left")
def test_a_build_that_was_killed_is_done_again_beside_its_own_compilers(
    building: subprocess.Popen[str], passive: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    building.kill()
    building.wait()
    # what it started goes on, and may write until the end
    (orphaned,) = (tmp_path / "programs").glob("*.building*")
    monkeypatch.setenv("CXX", wrapped_compiler(tmp_path, TOUCH))
    where = compile_for(passive, Stimulus(np.zeros(200), 0.1)).directory
    assert cache.manifest_of(where) is not None
    assert not orphaned.exists()
    assert sorted(path.name for path in where.parent.iterdir()) == [where.name, f"{where.name}.lock"]


@pytest.mark.skipif(not Path("/proc/self/environ").is_file(), reason="needs /proc to stop what is left")
def test_clearing_leaves_what_is_being_built(copied: Program, building: subprocess.Popen[str]) -> None:
    before = {entry.state: entry for entry in entries.entries()}
    assert set(before) == {"whole", "being built"}
    removed, left = entries.clear()
    assert [entry.path for entry in removed] == [copied.directory]
    assert [entry.path for entry in left] == [before["being built"].path]
    assert building.poll() is None
    assert [entry.state for entry in entries.entries()] == ["being built"]
    assert list(cache.cache_dir().glob("*.building*/main.cpp"))


def test_what_is_in_the_cache(copied: Program, passive: Model) -> None:
    os.utime(copied.directory / "manifest.json", (0, 0))
    long_ago = max(file.stat().st_mtime for file in copied.directory.rglob("*"))
    compile_for(passive, STIMULUS)
    (entry,) = entries.entries()
    assert (entry.template, entry.protocol) == ("passive", "300 ms at 0.1 ms, 32")
    assert entry.state == "whole"
    assert entry.used >= max(long_ago, time.time() - 60)
    assert entry.size_bytes == sum(file.stat().st_size for file in copied.directory.rglob("*") if file.is_file())
    for damage in ("half of main", "no manifest", "half a static array"):
        shutil.copytree(copied.directory, copied.directory.with_name(f"{damage}-{'0' * 20}"))
        DAMAGE[damage](copied.directory.with_name(f"{damage}-{'0' * 20}"))
    assert {entry.template: entry.state for entry in entries.entries()} == {
        "passive": "whole",
        "half of main": "damaged",
        "no manifest": "damaged",
        "half a static array": "damaged",
    }


def test_clearing_removes_what_is_ours_and_nothing_else(copied: Program) -> None:
    folder, name = copied.directory.parent, copied.directory.name
    for left_over in (f"{name}.lock", f"{name}.log", f"lif-{'1' * 20}.lock"):
        (folder / left_over).touch()
    killed = folder / f"lif-{'1' * 20}.building-12345678"
    killed.mkdir()
    (killed / "main").write_text("half a program")
    others = {
        folder / "thesis.txt": "precious",
        folder / f"thesis-{'2' * 20}" / "chapter.txt": "a folder that is named like ours",
        folder / f"thesis-{'3' * 20}.log": "a log without a lock",
        folder / "passive" / "description.json": "{}",
    }
    for file, text in others.items():
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
    removed, left = entries.clear()
    assert {entry.template for entry in removed} == {"passive", "lif"}
    assert sum(entry.size_bytes for entry in removed) > 100_000
    assert left == []
    assert {file: file.read_text() for file in folder.rglob("*") if file.is_file()} == others
    assert entries.entries() == []
    assert entries.clear() == ([], [])


def test_a_cache_that_is_not_there_is_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEUROFIT_CACHE", str(tmp_path / "nowhere"))
    assert (entries.entries(), entries.clear()) == ([], ([], []))
    assert not (tmp_path / "nowhere").exists()


def test_the_cache_at_the_command_line(copied: Program) -> None:
    shown = CliRunner().invoke(app, ["cache"])
    assert shown.exit_code == 0
    assert re.search(r"passive +│ 300 ms .* whole", shown.output)
    folder = str(cache.cache_dir())
    told = CliRunner().invoke(app, ["cache", "--clear"]).output.replace("\n", "")
    assert re.fullmatch(rf"{folder}: 1 compiled program, \d+\.\d MB removed\.", told)
    assert CliRunner().invoke(app, ["cache"]).output.replace("\n", "") == f"{folder}: 0 compiled programs, 0.0 MB."


@pytest.mark.slow
def test_two_processes_build_a_program_once(tmp_path: Path) -> None:
    """From an empty cache with a blank in its path, with a user's preferences that would spoil everything."""
    log = tmp_path / "links"
    fast = wrapped_compiler(tmp_path, f'case "$*" in *" -o main "*) echo link >> "{log}";; esac; exec g++ "$@" -O0')
    home = tmp_path / "a home"
    (home / ".brian").mkdir(parents=True)
    preferences = "core.default_float_dtype = float32\ndevices.cpp_standalone.openmp_threads = 2\n"
    (home / ".brian" / "user_preferences").write_text(preferences)
    (home / "brian_preferences").write_text(preferences)
    (home / "random.py").write_text("raise SystemExit('a file of the user was imported')\n")
    environment = {
        **os.environ,
        "CXX": fast,
        "HOME": str(home),
        "NEUROFIT_CACHE": str(tmp_path / "the programs"),
        "PYTHONSAFEPATH": "1",
    }
    running = [
        subprocess.Popen(
            [sys.executable, "-c", BUILD_AND_RUN, str(TEMPLATES / "passive.toml")],
            env=environment,
            cwd=home,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    results = [process.communicate(timeout=300)[0].strip() for process in running]
    assert [process.returncode for process in running] == [0, 0]
    assert results[0] == results[1] != ""
    assert log.read_text().split() == ["link"]
    left = sorted(path.suffix for path in (tmp_path / "the programs").iterdir())
    assert left == ["", ".lock"]
    voltage = np.frombuffer(bytes.fromhex(results[0]), dtype=np.float32).reshape(2, 2, 200)
    assert np.allclose(voltage[:, :, 0], -70, atol=1e-3)
