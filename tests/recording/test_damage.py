"""A damaged file is refused, or loaded with the current that it had; where the current is another, a warning says so.

What no reader can know: a level, a duration or a scale in a header that was changed to another plausible number, where
no second copy and nothing in the voltage contradicts it; and a text table that was cut at the end of a line, which is a
shorter recording. The voltage's own samples are not judged here.
"""

from __future__ import annotations

import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from neurofit.errors import RecordingError
from neurofit.recording import Recording, fetch_recording, load_recording
from tests.recording.abf import RAMP, Epoch, Input, Output, write_abf2
from tests.recording.abf1 import write_abf1
from tests.recording.damage import damaged
from tests.recording.ibw import write_pair
from tests.recording.nwbfile import Series, stimulus, write_nwb
from tests.recording.synthetic import Cell

CELL = Cell(levels_pa=(-50.0, 50.0, 150.0), dt_ms=0.25)
VOLTAGE, CURRENT = CELL.record().voltage_mv, CELL.command_pa()
NOISY = CURRENT + np.random.default_rng(0).normal(0, 2, CURRENT.shape)
OUT = Output(epochs=[Epoch(0.0, duration=907), Epoch(-50.0, 100.0, duration=2000)])
RAMPS = Output(epochs=[Epoch(0.0, duration=907), Epoch(-50.0, 100.0, duration=2000, kind=RAMP)])
# What says that the current may be wrong.
ABOUT_THE_CURRENT = {
    *("odd-levels", "header-copies", "user-list", "cut-short", "resaved-subset", "starts-late"),
    *("current-disagrees", "current-not-followed", "current-not-steps", "command-scale", "command-offset"),
    *("implausible-voltage", "set-aside"),
}
# About an edge of a recorded current, whose place is then found in another way.
EDGES = 1e-3
LARGEST_BYTES = 4 * 2**30


class Good(NamedTuple):
    path: Path
    header: int
    words: dict[str, Any]


def csv(path: Path) -> Path:
    rows = zip(np.arange(6000) * 0.25, VOLTAGE[2], CURRENT[2], strict=True)
    path.write_text("time_ms,v_mV,i_pA\n" + "".join(f"{t:.6g},{v:.6g},{i:.6g}\n" for t, v, i in rows))
    return path


def npz(path: Path) -> Path:
    np.savez(path, voltage_mv=VOLTAGE, current_pa=CURRENT, dt_ms=0.25)
    return path


def nwb(path: Path) -> Path:
    voltages = [Series(f"r{k}", VOLTAGE[k], sweep=k) for k in range(3)]
    return write_nwb(path, [*voltages, *(stimulus(f"s{k}", CURRENT[k], k) for k in range(3))])


SMALL: dict[str, Callable[[Path], Good]] = {
    "ABF2, protocol": lambda at: Good(write_abf2(at / "c.abf", [Input(VOLTAGE)], [OUT], dt_us=250.0), 6144, {}),
    "ABF2, ramps": lambda at: Good(write_abf2(at / "c.abf", [Input(VOLTAGE)], [RAMPS], dt_us=250.0), 6144, {}),
    "ABF2, recorded": lambda at: Good(
        write_abf2(at / "c.abf", [Input(VOLTAGE), Input(NOISY, "I", "pA", None)], [OUT], dt_us=250.0), 6144, {}
    ),
    "ABF1, header": lambda at: Good(
        write_abf1(at / "c.abf", [Input(VOLTAGE, "V", "mV", None)], [OUT]), 6144, {"command": "header"}
    ),
    "ABF1, recorded": lambda at: Good(
        write_abf1(at / "c.abf", [Input(VOLTAGE, "V", "mV", None), Input(NOISY, "I", "pA", None)], [OUT]), 6144, {}
    ),
    "Igor, voltage": lambda at: Good(write_pair(at, 1, VOLTAGE[2], NOISY[2])[0], 160, {}),
    "Igor, current": lambda at: Good(write_pair(at, 1, VOLTAGE[2], NOISY[2])[1], 160, {}),
    "text": lambda at: Good(csv(at / "c.csv"), 60, {}),
    "NumPy": lambda at: Good(npz(at / "c.npz"), 300, {}),
    "NWB": lambda at: Good(nwb(at / "c.nwb"), 2048, {}),
}


def judge(good: Good, undamaged: Recording, seed: int, at: Path) -> None:
    kind, content = damaged(good.path.read_bytes(), good.header, seed)
    at.write_bytes(content)
    try:
        recording = load_recording(at, **good.words)
    except RecordingError:
        return
    before = {(finding.kind, finding.message, finding.sweeps) for finding in undamaged.findings}
    told = {f.kind for f in recording.findings if (f.kind, f.message, f.sweeps) not in before} & ABOUT_THE_CURRENT
    current, was = recording.current_pa, undamaged.current_pa
    if current.shape != was.shape or recording.dt_ms != undamaged.dt_ms:
        n = current.shape[1]
        is_shorter = kind == "truncated" and good.path.suffix == ".csv" and np.array_equal(current, was[:, :n])
        assert is_shorter or told, f"another shape after {kind}"
    elif np.mean(np.abs(current - was) > 2.0) > EDGES:
        told |= {f.kind for f in undamaged.findings if f.kind == "current-disagrees" and len(f.sweeps) == len(was)}
        assert told, f"another current after {kind}, and no warning"


@pytest.fixture
def limited() -> Any:
    """A damaged header must not ask for gigabytes: more than this is a MemoryError, which no reader answers."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (LARGEST_BYTES, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


def judge_all(good: Good, seeds: range, tmp_path: Path) -> None:
    undamaged = load_recording(good.path, **good.words)
    # Igor waves are found beside each other by their names.
    at = good.path if good.path.suffix == ".ibw" else tmp_path / f"damaged{good.path.suffix}"
    whole = good.path.read_bytes()
    for seed in seeds:
        judge(good, undamaged, seed, at)
        if at == good.path:
            at.write_bytes(whole)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.usefixtures("limited")
@pytest.mark.parametrize("name", SMALL)
def test_damaged_files(tmp_path: Path, name: str) -> None:
    judge_all(SMALL[name](tmp_path), range(60), tmp_path)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.usefixtures("limited")
@pytest.mark.parametrize("name", SMALL)
def test_more_damaged_files(tmp_path: Path, name: str) -> None:
    judge_all(SMALL[name](tmp_path), range(60, 200), tmp_path)


T03 = "T03_abf1_no_protocol_current_labelled_mV.abf"
BY_HAND = {"voltage_channel": 0, "current_channel": 1, "current_scale_pa": 1986.0}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.usefixtures("limited")
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("171116sh_0018.abf", {}),
        ("2019_07_24_0055_fsi.abf", {}),
        ("simulated", {}),
        ("T05_userlist_wrong_command_model_cell.abf", {}),
        ("T06_ramp_epochs.abf", {}),
        (T03, {"voltage_channel": 0, "command": "header"}),
        (T03, BY_HAND),
    ],
)
def test_damaged_real_files(
    recordings_dir: Path, traps_dir: Path, tmp_path: Path, name: str, words: dict[str, Any]
) -> None:
    path = next((p for p in (recordings_dir / name, traps_dir / name) if p.is_file()), None)
    judge_all(Good(path or Path(fetch_recording(name)), 6144, words), range(200), tmp_path)
