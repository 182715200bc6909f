"""ABF1: a recorded current is used, the header's epochs by the user's word only, and damage is refused or told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neurofit.errors import RecordingError
from neurofit.recording import Recording, load_recording
from tests.recording.abf import RAMP, Epoch, Input, Output
from tests.recording.abf1 import write_abf1
from tests.recording.synthetic import Cell

CELL = Cell(levels_pa=(-50.0, 50.0, 150.0), dt_ms=0.25)
VOLTAGE, COMMAND = CELL.record().voltage_mv, CELL.command_pa()
STEPS = [Epoch(0.0, duration=907), Epoch(-50.0, 100.0, duration=2000)]
V = Input(VOLTAGE, "Vm", "mV", None)
I = Input(COMMAND, "Im", "pA", None)  # noqa: E741
OUT = Output(epochs=STEPS)


def load(
    tmp_path: Path, inputs: list[Input], outputs: list[Output], choices: dict[str, Any], **options: Any
) -> Recording:
    return load_recording(write_abf1(tmp_path / "cell.abf", inputs, outputs, **options), **choices)


def refusal(tmp_path: Path, inputs: list[Input], outputs: list[Output], **options: Any) -> str:
    with pytest.raises(RecordingError) as caught:
        load(tmp_path, inputs, outputs, {}, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("version", [1.3, 1.5, 1.65, 1.83])
def test_a_recorded_current_is_used_in_every_version(tmp_path: Path, version: float) -> None:
    recording = load(tmp_path, [V, I], [OUT], {}, version=version)
    assert np.abs(recording.voltage_mv - VOLTAGE).max() < 0.02
    assert np.abs(recording.current_pa - COMMAND).max() < 0.05
    assert (recording.dt_ms, recording.source.format, recording.source.current_from) == (0.25, "ABF1", "recorded")


@pytest.mark.parametrize("version", [1.3, 1.5, 1.65, 1.83])
def test_the_headers_epochs_are_drawn_by_the_users_word_only(tmp_path: Path, version: float) -> None:
    message = refusal(tmp_path, [V], [OUT], version=version)
    assert "ABF1" in message
    assert "--command header" in message
    assert "--current-channel" in message
    recording = load(tmp_path, [V], [OUT], {"command": "header"}, version=version)
    assert np.array_equal(recording.current_pa, COMMAND)
    assert recording.source.current_from == "header"


def test_ramps_are_drawn(tmp_path: Path) -> None:
    epochs = [Epoch(0.0, duration=907), Epoch(100.0, duration=2000, kind=RAMP)]
    recording = load(tmp_path, [V], [Output(epochs=epochs)], {"command": "header"})
    start = 6000 // 64 + 907
    assert np.allclose(recording.current_pa[0, start : start + 2000], 100 * np.arange(1, 2001) / 2000, atol=1e-5)


def test_a_user_list_of_levels_is_drawn(tmp_path: Path) -> None:
    wrong = [Epoch(0.0, duration=907), Epoch(500.0, duration=2000)]
    listed = {3360: ("h", 1), 3368: ("h", 22), 3376: ("256s", b"-50,50,150,".ljust(256))}
    recording = load(tmp_path, [V], [Output(epochs=wrong)], {"command": "header"}, fields=listed)
    assert np.array_equal(recording.current_pa, COMMAND)
    assert "user-list" in {finding.kind for finding in recording.findings}


def test_two_copies_of_the_epochs_that_differ_are_told(tmp_path: Path) -> None:
    recording = load(tmp_path, [V], [OUT], {"command": "header"}, fields={2352: ("f", -75.0)})
    assert "header-copies" in {finding.kind for finding in recording.findings if finding.severity == "warning"}


def test_a_resaved_subset_is_told(tmp_path: Path) -> None:
    recording = load(tmp_path, [V, I], [OUT], {}, starts_s=(6.0, 2.0))
    assert any("starts at 6 s" in finding.message for finding in recording.findings)


@pytest.mark.parametrize(
    ("inputs", "outputs", "options", "says"),
    [
        ([V], [OUT], {"fields": {8: ("h", 3)}}, "gap-free"),
        ([Input(COMMAND, "Im", "pA", None)], [Output(unit="mV", epochs=STEPS)], {}, "voltage clamp"),
        ([Input(VOLTAGE, "Vm", "mV", 0), I], [Output(unit="mV", epochs=STEPS)], {}, "voltage clamp"),
        ([V, I], [OUT], {"fields": {120: ("h", 33)}}, "damaged"),
        ([V, I], [OUT], {"fields": {16: ("i", 4)}}, "not those of the data"),
        ([V, I], [OUT], {"fields": {10: ("i", 2**30)}}, "cut short"),
        ([V, I], [OUT], {"fields": {138: ("i", -5)}}, "damaged"),
        ([V, I], [OUT], {"fields": {252: ("i", 0)}}, "without a gain"),
        ([V, I], [OUT], {"fields": {4: ("f", 7.5)}}, "damaged"),
        ([V, I], [OUT], {"fields": {126: ("f", 50.0)}}, "two rates"),
        ([V, I], [OUT], {"fields": {122: ("f", float("nan"))}}, "sampling interval|two rates"),
    ],
)
def test_what_is_refused(
    tmp_path: Path, inputs: list[Input], outputs: list[Output], options: dict[str, Any], says: str
) -> None:
    message = refusal(tmp_path, inputs, outputs, **options)
    assert any(word in message for word in says.split("|")), message
