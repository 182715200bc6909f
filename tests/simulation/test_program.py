"""Whatever goes wrong while a program runs is said in words; nothing of it stays behind."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from neurofit.errors import SimulationError
from neurofit.simulation import compile_for, simulate
from neurofit.simulation import program as program_module
from neurofit.simulation.process import ending, run_process
from neurofit.simulation.program import N_NEURONS, Program
from neurofit.template import Model, parse_model
from tests.simulation.conftest import steps

N_SAMPLES = 10
BYTES = N_SAMPLES * N_NEURONS * 4


@pytest.fixture
def fake(tmp_path: Path) -> Callable[[str], Program]:
    """``(shell script) -> Program``: a program that does what the script says; ``$2`` is its results folder."""

    def make(script: str) -> Program:
        folder = tmp_path / "program"
        folder.mkdir(exist_ok=True)
        (folder / "main").write_text(f"#!/bin/sh\n{script}\n")
        (folder / "main").chmod(0o755)
        description = {"n_samples": N_SAMPLES, "n_sweeps": 32, "precision": "double"}
        return Program(folder, description, {"voltage_file": "v.dat", "parameters": {"C": 1e-12}})

    return make


def run(program: Program, n: int = 3) -> np.ndarray:
    return program.run(
        np.ones((n, 1)), np.arange(n, dtype=np.uint64), np.zeros(n, np.int32), np.zeros(n), np.zeros((1, N_SAMPLES))
    )


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


def test_a_program_that_works(fake: Callable[[str], Program], temporary: Path) -> None:
    voltage = run(fake(f'head -c {BYTES} /dev/zero > "$2v.dat"; echo "Warning: none of our business" >&2'))
    assert voltage.shape == (3, N_SAMPLES)
    assert (voltage == 0).all()
    assert list(temporary.iterdir()) == [], "its files are gone"


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("kill -9 $$", r"was killed by SIGKILL: no message\. If nobody killed it, perhaps there was not enough memory"),
        ("kill -SEGV $$", "was killed by SIGSEGV"),
        ("kill -INT $$", "was killed by SIGINT"),
        ("echo 'a reason' >&2; exit 3", "stopped with code 3: a reason"),
        (
            "exit 0",
            rf"wrote 0 bytes of voltage instead of {BYTES}: is the disk of .*temporary full\? It has \d+ MB left",
        ),
        (f'head -c {BYTES // 2} /dev/zero > "$2v.dat"', f"wrote {BYTES // 2} bytes of voltage"),
        (f'head -c {BYTES} /dev/zero > "$2v.dat"; echo "Error opening static array x."', "had trouble with its files"),
        (f'head -c {BYTES} /dev/zero > "$2v.dat"; echo "Error reading \'x\'" >&2', "had trouble with its files: Error"),
    ],
)
def test_a_program_that_fails(fake: Callable[[str], Program], temporary: Path, script: str, message: str) -> None:
    with pytest.raises(SimulationError, match=message):
        run(fake(script))
    assert list(temporary.iterdir()) == [], "its files are gone"


def test_a_program_that_cannot_be_started(fake: Callable[[str], Program]) -> None:
    broken = fake("")
    (broken.directory / "main").write_bytes(b"\x7fELF half a file")
    with pytest.raises(SimulationError, match=r"cannot be run.*Exec format error"):
        run(broken)
    (broken.directory / "main").unlink()
    with pytest.raises(SimulationError, match=r"cannot be run.*No such file"):
        run(broken)


def test_no_room_for_the_inputs(
    fake: Callable[[str], Program], monkeypatch: pytest.MonkeyPatch, temporary: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(temporary / "not there"))
    with pytest.raises(SimulationError, match=r"cannot be run: .*not there"):
        run(fake("exit 0"))


# A small disk of its own takes the right to mount one; the test exists where that is given.
if shutil.which("unshare") and not subprocess.run(["unshare", "--mount", "true"], capture_output=True).returncode:

    def test_a_full_disk(passive: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        small = tmp_path / "small"
        small.mkdir()
        compile_for(passive, steps(0))
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2M", "tmpfs", str(small)], check=True)
        try:
            monkeypatch.setattr("tempfile.tempdir", str(small))
            # what the program is given fits, its result does not
            with pytest.raises(
                SimulationError, match=rf"wrote \d+ bytes .* is the disk of {small} full\? It has 0 MB left"
            ):
                simulate(passive, steps(0), {})
            # and then not even what it is given
            (small / "filling").write_bytes(b"0" * 1_500_000)
            with pytest.raises(SimulationError, match=r"cannot be run: .*(No space left|requested and \d+ written)"):
                simulate(passive, steps(0), {})
            assert [path.name for path in small.iterdir()] == ["filling"]
        finally:
            subprocess.run(["umount", str(small)], check=True)


def test_voltage_keeps_its_place_and_what_blew_up_too(fake: Callable[[str], Program], tmp_path: Path) -> None:
    written = np.arange(N_SAMPLES * N_NEURONS, dtype=np.float32).reshape(N_SAMPLES, N_NEURONS)
    written[3, 1], written[4, 2] = np.inf, np.nan
    written.tofile(tmp_path / "v.dat")
    voltage = run(fake(f'cp "{tmp_path}/v.dat" "$2v.dat"'), n=1000)
    assert voltage.dtype == np.float32
    assert np.array_equal(voltage, written[:, :1000].T, equal_nan=True)


def test_what_a_program_is_given(fake: Callable[[str], Program], tmp_path: Path) -> None:
    script = f'shift 2; for a in "$@"; do cp "${{a#*=}}" "{tmp_path}/${{a%%=*}}"; done'
    with pytest.raises(SimulationError):
        fake(script).run(
            np.array([[100.0], [200.0]]),
            np.array([2**53 - 1, 5], dtype=np.uint64),
            np.array([1, 0], dtype=np.int32),
            np.array([-70.0, -60.0]),
            np.arange(2 * N_SAMPLES, dtype=np.float64).reshape(2, N_SAMPLES),
        )

    def given(name: str, dtype: type = np.float64) -> np.ndarray:
        return np.fromfile(tmp_path / name, dtype)

    assert np.allclose(given("cells.C"), [1e-10] + [2e-10] * (N_NEURONS - 1)), "the last one fills the vector"
    assert given("cells.key").astype(np.uint64)[:2].tolist() == [2**53 - 1, 5]
    assert given("cells.sweep", np.int32)[:3].tolist() == [1, 0, 0]
    assert np.allclose(given("cells.v")[:3], [-0.07, -0.06, -0.06])
    table = given("stimulus.values").reshape(N_SAMPLES, 32)
    assert np.allclose(table[:, 1], np.arange(N_SAMPLES, 2 * N_SAMPLES) * 1e-12)
    assert (table[:, 2:] == 0).all()


def test_endings_in_words() -> None:
    assert [ending(code) for code in (0, 3, -9, -11, -99)] == [
        "stopped with code 0",
        "stopped with code 3",
        "was killed by SIGKILL",
        "was killed by SIGSEGV",
        "was killed by 99",
    ]


def test_output_that_is_not_text(tmp_path: Path) -> None:
    done = run_process(["sh", "-c", r"printf '\377\376'; exit 1"], tmp_path)
    assert done.returncode == 1
    assert len(done.stdout) == 2


def processes_with(marker: str) -> list[int]:
    found = []
    for folder in Path("/proc").iterdir():
        try:
            if folder.name.isdigit() and marker in (folder / "environ").read_text(errors="replace"):
                found.append(int(folder.name))
        except OSError:
            continue
    return found


@pytest.mark.skipif(not Path("/proc/self/environ").is_file(), reason="needs /proc to see what is left")
def test_ctrl_c_leaves_nothing_behind(fake: Callable[[str], Program], tmp_path: Path) -> None:
    # a program that has started another one, as make does with compilers
    program = fake(f"sleep 100 & touch {tmp_path}/started; sleep 100; exit 0")
    temporary = tmp_path / "interrupted"
    temporary.mkdir()
    code = f"""
import numpy as np
from pathlib import Path
from neurofit.simulation.program import Program
program = Program(Path({str(program.directory)!r}), {program.description!r}, {program.manifest!r})
program.run(np.ones((1, 1)), np.zeros(1, np.uint64), np.zeros(1, np.int32), np.zeros(1), np.zeros((1, {N_SAMPLES})))
"""
    marker = f"NEUROFIT_TEST_MARKER={os.getpid()}-{time.time_ns()}"
    name, value = marker.split("=")
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        env={**os.environ, name: value, "TMPDIR": str(temporary)},
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 60
    while not (tmp_path / "started").is_file() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert len(processes_with(marker)) >= 3
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGINT or "KeyboardInterrupt" in errors
    time.sleep(0.2)
    assert processes_with(marker) == []
    assert list(temporary.iterdir()) == []


def test_the_number_of_neurons_is_a_whole_number_of_vectors() -> None:
    assert program_module.N_NEURONS % 8 == 0


def test_a_description_is_plain_and_whole(passive: Model) -> None:
    description = program_module.describe(passive, 100, 32, 0.1)
    assert json.loads(json.dumps(description)) == description
    assert program_module.describe(passive.with_dt(0.05), 100, 32, 0.1) != description
    commented = passive.text.replace("[equations]", "[equations]\n# a comment")
    assert program_module.describe(parse_model(commented, "x"), 100, 32, 0.1) == description
