"""What a user says about a recording is part of the run, of what is printed and of the command line's options."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import neurofit as nf
from neurofit.cli import app
from neurofit.errors import RunDirectoryError
from neurofit.recording import load_recording
from neurofit.recording.split import split
from neurofit.stages.inputs import inputs_decided, keep_inputs, read_inputs
from neurofit.store import Run
from tests.recording.abf import Epoch, Input, Output
from tests.recording.abf1 import write_abf1
from tests.recording.synthetic import Cell

CELL = Cell(levels_pa=(-50.0, 50.0, 150.0), dt_ms=0.1)
EPOCHS = [Epoch(0.0, duration=2500 - 15000 // 64), Epoch(-50.0, 100.0, duration=5000)]


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """An ABF1 file whose header nobody has confirmed, with a monitor in mV."""
    inputs = [Input(CELL.record().voltage_mv, "Vm", "mV", None), Input(CELL.command_pa() / 20, "Im", "V", None)]
    return write_abf1(tmp_path / "old.abf", inputs, [Output(epochs=EPOCHS)], dt_us=100.0)


def decided(path: Path, **words: Any) -> dict[str, Any]:
    recording = load_recording(path, **words)
    return inputs_decided(recording, recording.sweep_numbers, 1, nf.load_model("lif"))


HEADER: dict[str, Any] = {"voltage_channel": "Vm", "command": "header"}
BY_HAND: dict[str, Any] = {"current_channel": "Im", "current_scale_pa": 20.0}


def test_other_words_are_another_run(old: Path, tmp_path: Path) -> None:
    run = Run(tmp_path / "run")
    with run.started(decided(old, **HEADER)):
        pass
    with run.started(decided(old, **HEADER)):
        pass
    with pytest.raises(RunDirectoryError, match="another run"), run.started(decided(old, **BY_HAND)):
        pass
    other_scale = decided(old, **{**BY_HAND, "current_scale_pa": 40.0})
    assert other_scale["recording"]["said"] != decided(old, **BY_HAND)["recording"]["said"]


def test_a_command_file_that_changed_is_another_run(old: Path, tmp_path: Path) -> None:
    command = tmp_path / "command.npz"
    np.savez(command, current_pa=CELL.command_pa())
    words = {"voltage_channel": "Vm", "command": command}
    before = decided(old, **words)
    np.savez(command, current_pa=2 * CELL.command_pa())
    assert decided(old, **words) != before


def test_nothing_said_is_nothing_decided(old: Path) -> None:
    recording = CELL.record()
    assert "said" not in inputs_decided(recording, recording.sweep_numbers, 1, nf.load_model("lif"))["recording"]


def test_a_run_keeps_what_was_said(old: Path, tmp_path: Path) -> None:
    recording, model, run = load_recording(old, **BY_HAND), nf.load_model("lif"), Run(tmp_path / "run")
    with run.started(inputs_decided(recording, [0, 2], 1, model)):
        keep_inputs(run, model, split(recording, [0, 2], 1), recording.findings)
    _, kept, _ = read_inputs(run)
    assert kept.fitted.source == recording.source
    assert kept.fitted.source.said == BY_HAND


def printed(*words: object) -> str:
    done = CliRunner().invoke(app, [str(word) for word in words])
    assert done.exit_code == 0, done.output
    return " ".join(done.output.split())


def test_the_same_words_on_the_command_line(old: Path) -> None:
    text = printed("inspect", old, "--no-picture", "--voltage-channel", "Vm", "--command", "header")
    assert "rebuilt from the epochs in the file's header" in text
    assert "command header" in text
    text = printed("inspect", old, "--no-picture", "--current-channel", "Im", "--current-scale", 20)
    assert "current_scale_pa 20" in text


@pytest.mark.parametrize("command", ["inspect", "fit", "simulate", "predict"])
def test_every_command_that_reads_a_recording_has_the_options(command: str) -> None:
    text = printed(command, "--help")
    for option in ("voltage-channel", "voltage-scale", "current-channel", "current-scale", "command", "sampling-rate"):
        assert f"--{option}" in text
