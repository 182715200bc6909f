"""No file runs code, leads elsewhere, never ends, or writes into the terminal or the page that shows it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from neurofit.errors import RecordingError
from neurofit.recording import load_recording
from neurofit.recording.describe import describe
from tests.recording.abf import Epoch, Input, Output, write_abf2
from tests.recording.ibw import write_pair
from tests.recording.nwbfile import Series, stimulus, write_nwb
from tests.recording.synthetic import Cell

CELL = Cell(levels_pa=(-50.0, 50.0, 150.0), dt_ms=0.25)
VOLTAGE, CURRENT = CELL.record().voltage_mv, CELL.command_pa()
EPOCHS = [Epoch(0.0, duration=907), Epoch(-50.0, 100.0, duration=2000)]
WICKED = "\x1b[2J<script>alert(1)</script>\x07\n"


def refusal(path: Path, **choices: object) -> str:
    with pytest.raises(RecordingError) as caught:
        load_recording(path, **choices)  # type: ignore[arg-type]
    return str(caught.value)


@pytest.mark.parametrize("device", ["/dev/zero", "/dev/null", "/dev/random"])
def test_devices_are_refused(tmp_path: Path, device: str) -> None:
    assert "a device or a pipe" in refusal(Path(device))
    link = tmp_path / "cell.abf"
    link.symlink_to(device)
    assert "a device or a pipe" in refusal(link)


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "cell.abf")
    assert "a device or a pipe" in refusal(tmp_path / "cell.abf")
    good = write_abf2(tmp_path / "good.abf", [Input(VOLTAGE)], [Output(epochs=EPOCHS)], dt_us=250.0)
    assert "no such file" in refusal(good, command=tmp_path / "cell.abf")
    assert "no such file" in refusal(good, command="/dev/zero")


def test_links_and_pipes_in_a_folder_are_left_alone(tmp_path: Path) -> None:
    outside, inside = tmp_path / "outside", tmp_path / "inside"
    outside.mkdir()
    inside.mkdir()
    voltage, current = write_pair(outside, 1, VOLTAGE[2], CURRENT[2] + np.random.default_rng(0).normal(0, 2, 6000))
    shutil.copy(voltage, inside)
    (inside / current.name).symlink_to(current)
    assert "no sweep has both" in refusal(inside)
    assert "no sweep has both" in refusal(inside / voltage.name)
    (inside / current.name).unlink()
    os.mkfifo(inside / current.name)
    assert "no sweep has both" in refusal(inside)
    assert "no sweep has both" in refusal(inside / voltage.name)


def shown(path: Path) -> str:
    console = Console(width=300, record=True, file=open(os.devnull, "w"))  # noqa: SIM115
    recording = load_recording(path)
    console.print(describe(recording), markup=False)
    messages = " ".join(finding.message for finding in recording.findings)
    assert messages.isprintable()
    return console.export_text() + messages


def test_names_and_comments_cannot_steer_a_terminal(tmp_path: Path) -> None:
    noisy = CURRENT + np.random.default_rng(0).normal(0, 2, CURRENT.shape)
    inputs = [Input(VOLTAGE, name=WICKED), Input(noisy, WICKED, "pA", None)]
    outputs = [Output(WICKED, epochs=EPOCHS)]
    path = write_abf2(tmp_path / "cell.abf", inputs, outputs, dt_us=250.0, comments=(WICKED[:40],))
    text = shown(path)
    assert "script" in text
    assert "\x1b" not in text
    assert "\x07" not in text
    series = [Series("\x1b[2Jv", VOLTAGE[2]), stimulus("\x1b[2Ji", CURRENT[2], 7)]
    assert "\x1b" not in refusal(write_nwb(tmp_path / "cell.nwb", series))
    csv = tmp_path / "cell.csv"
    csv.write_text("time_ms,\x1b[2Jv,i_pA\n0,1,2\n1,2,3\n2,3,4\n")
    assert "\x1b" not in refusal(csv)
