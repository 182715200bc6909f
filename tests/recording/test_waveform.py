"""Epochs become the current that pCLAMP makes of them; what its user says is believed where it can be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neurofit.errors import RecordingError
from neurofit.recording import Recording, load_recording
from tests.recording.abf import OFF, PULSES, RAMP, Epoch, Input, Output, write_abf2
from tests.recording.test_axon import CELL, COMMAND, STEPS, cell, monitor

SWEEPS, SAMPLES = COMMAND.shape
BEFORE = SAMPLES // 64


def load(
    tmp_path: Path, inputs: list[Input], outputs: list[Output], choices: dict[str, Any], **options: Any
) -> Recording:
    return load_recording(write_abf2(tmp_path / "cell.abf", inputs, outputs, **options), **choices)


def drawn(tmp_path: Path, output: Output, **options: Any) -> np.ndarray:
    return load(tmp_path, [cell()], [output], {}, **options).current_pa


def disagreement(recording: Recording) -> str:
    return next(f.message for f in recording.findings if f.kind == "current-disagrees")


def test_a_ramp_starts_from_the_level_before_and_ends_at_its_own(tmp_path: Path) -> None:
    epochs = [Epoch(20.0, duration=1000), Epoch(100.0, 50.0, 4000, kind=RAMP), Epoch(0.0, duration=500, kind=RAMP)]
    current = drawn(tmp_path, Output(holding=-10.0, epochs=epochs))
    for sweep in range(SWEEPS):
        top = 100.0 + 50.0 * sweep
        bends = [0, BEFORE - 1, BEFORE, BEFORE + 999, BEFORE + 4999, BEFORE + 5499]
        levels = [-10.0, -10.0, 20.0, 20.0, top, 0.0]
        inside = np.arange(BEFORE + 5500)
        assert np.allclose(current[sweep, : BEFORE + 5500], np.interp(inside, bends, levels), atol=1e-4)
        assert (current[sweep, BEFORE + 5500 :] == -10.0).all()


def test_a_train_pulses_from_the_level_before_and_leaves_out_a_pulse_that_does_not_fit(tmp_path: Path) -> None:
    epochs = [Epoch(20.0, duration=1000), Epoch(100.0, 10.0, 1030, kind=PULSES, period=100, width=40)]
    current = drawn(tmp_path, Output(epochs=epochs))
    train = current[:, BEFORE + 1000 : BEFORE + 2030]
    levels = 100.0 + 10.0 * np.arange(SWEEPS)[:, None]
    is_up = (np.arange(1030) % 100 < 40) & (np.arange(1030) < 1000)
    assert np.array_equal(train, np.where(is_up, levels, 20.0))


def test_a_last_level_is_kept_until_the_next_sweep(tmp_path: Path) -> None:
    epochs = [Epoch(0.0, duration=1000), Epoch(10.0, 5.0, 2000)]
    current = drawn(tmp_path, Output(holding=-3.0, epochs=epochs, fields={"nInterEpisodeLevel": 1}))
    last = 10.0 + 5.0 * np.arange(SWEEPS)
    assert np.array_equal(current[:, 0], [-3.0, *last[:-1]])
    assert np.array_equal(current[:, -1], last)


@pytest.mark.parametrize("parameter", [22, 62])
def test_a_user_list_of_levels_is_drawn_and_told(tmp_path: Path, parameter: int) -> None:
    levels = [-50, 0, 50, 100, 150]
    listed = (parameter, ",".join(map(str, levels)) + ",")
    wrong = [STEPS[0], Epoch(500.0, 7.0, duration=5000)]
    recording = load(tmp_path, [cell()], [Output(epochs=wrong)], {}, user_list=listed)
    assert np.array_equal(recording.current_pa, COMMAND)
    assert "user-list" in {finding.kind for finding in recording.findings if finding.severity == "warning"}


@pytest.mark.parametrize(
    "listed", [(32, "1,2,3,4,5"), (22, "1,2,3"), (22, "1,2,x,4,5"), (25, "1,2,3,4,5"), (7, "1,2,3,4,5"), (22, "")]
)
def test_a_user_list_of_anything_else_is_refused(tmp_path: Path, listed: tuple[int, str]) -> None:
    with pytest.raises(RecordingError, match="user list"):
        load(tmp_path, [cell()], [Output(epochs=STEPS)], {}, user_list=listed)


def test_a_level_that_nobody_types_is_told(tmp_path: Path) -> None:
    odd = [STEPS[0], Epoch(-50.000004, 50.0, 5000)]
    recording = load(tmp_path, [cell()], [Output(epochs=odd)], {})
    assert "odd-levels" in {finding.kind for finding in recording.findings}


# By the user's word

BY_WORD = {
    "waveform off": (Output(epochs=STEPS, fields={"nWaveformEnable": 0}), {}),
    "unknown source": (Output(epochs=STEPS, fields={"nWaveformSource": 9}), {}),
    "an epoch off": (Output(epochs=[*STEPS, Epoch(9.0, 0, 50, kind=OFF)]), {}),
    "command in mV": (
        Output(unit="mV", epochs=[Epoch(0.0, duration=2266), Epoch(-5.0, 5.0, 5000)]),
        {"current_scale_pa": 10.0},
    ),
}


@pytest.mark.parametrize("case", BY_WORD)
def test_the_epochs_are_drawn_by_the_users_word(tmp_path: Path, case: str) -> None:
    output, choices = BY_WORD[case]
    with pytest.raises(RecordingError, match="--command header"):
        load(tmp_path, [cell()], [output], {})
    recording = load(tmp_path, [cell()], [output], {"command": "header", **choices})
    assert np.array_equal(recording.current_pa, COMMAND)
    assert recording.source.current_from == "header"
    assert recording.source.said == {"command": "header", **choices}


@pytest.mark.parametrize(
    ("output", "options"),
    [
        (Output(epochs=STEPS, fields={"nWaveformSource": 2}), {}),
        (Output(epochs=STEPS), {"user_list": True}),
        (Output(epochs=[STEPS[0], Epoch(1.0, 0, 500, kind=5)]), {}),
        (Output(unit="mV", epochs=STEPS), {}),
        (Output(epochs=[*STEPS, Epoch(0.0, duration=20000)]), {}),
    ],
)
def test_the_users_word_does_not_make_up_a_command(tmp_path: Path, output: Output, options: dict[str, Any]) -> None:
    with pytest.raises(RecordingError, match="cannot be rebuilt from the header's epochs"):
        load(tmp_path, [cell()], [output], {"command": "header"}, **options)


def test_a_scale_corrects_the_protocol(tmp_path: Path) -> None:
    wrong = [Epoch(0.0, duration=2266), Epoch(-5.0, 5.0, duration=5000)]
    recording = load(tmp_path, [cell()], [Output(epochs=wrong)], {"current_scale_pa": 10.0})
    assert np.array_equal(recording.current_pa, COMMAND)


def test_a_named_channel_is_used_with_its_scale_and_compared(tmp_path: Path) -> None:
    odd = Input(COMMAND / 20.0 + 1.0, "monitor", "mV", None)
    inputs = [cell(mode=None), odd]
    choices = {"current_channel": "monitor", "current_scale_pa": 20.0}
    recording = load(tmp_path, inputs, [Output(epochs=STEPS)], choices)
    assert recording.source.current_from == "recorded"
    assert np.abs(recording.current_pa - COMMAND - 20.0).max() < 3.0
    assert "+20 pA" in disagreement(recording)
    by_number = load(tmp_path, inputs, [Output(epochs=STEPS)], {**choices, "current_channel": 1})
    assert np.array_equal(by_number.current_pa, recording.current_pa)


def test_the_headers_command_is_compared_with_a_recorded_one(tmp_path: Path) -> None:
    recording = load(tmp_path, [cell(), monitor(2 * COMMAND)], [Output(epochs=STEPS)], {"command": "header"})
    assert np.array_equal(recording.current_pa, COMMAND)
    assert "0.50 times" in disagreement(recording)


def test_a_voltage_left_in_pa_is_read_with_its_scale(tmp_path: Path) -> None:
    voltage = Input(CELL.record().voltage_mv / 2.0, unit="pA", name="V_m")
    recording = load(tmp_path, [voltage], [Output(epochs=STEPS)], {"voltage_channel": "V_m", "voltage_scale_mv": 2.0})
    assert np.abs(recording.voltage_mv - CELL.record().voltage_mv).max() < 1e-4


@pytest.mark.parametrize(
    ("choices", "says"),
    [
        ({"current_channel": "nothing"}, "no channel 'nothing'"),
        ({"current_channel": "IN 0"}, "cannot be both|no channel holds a membrane potential"),
        ({"current_channel": "I_m", "command": "header"}, "not both"),
        ({"current_scale_pa": 10.0}, "does not say what it is the scale of"),
        ({"current_scale_pa": 0.0}, "other than 0"),
        ({"current_scale_pa": float("nan")}, "other than 0"),
        ({"sampling_rate_hz": 1e4}, "no meaning for an ABF file"),
        ({"voltage_channel": "I_m", "current_channel": "IN 0"}, "not in a unit of voltage"),
    ],
)
def test_words_that_do_not_suit_the_file(tmp_path: Path, choices: dict[str, Any], says: str) -> None:
    with pytest.raises(RecordingError, match=says):
        load(tmp_path, [cell(), monitor()], [Output(epochs=STEPS)], choices)


def test_voltage_clamp_is_refused_whatever_is_said(tmp_path: Path) -> None:
    words = {"voltage_channel": "IN 0", "current_channel": "I_m"}
    for channels in ([cell(mode=0), monitor(mode=0)], [cell(mode=0), monitor()], [cell(mode=None), monitor(mode=0)]):
        if channels[0].mode is None:  # the other amplifier's channel may be another cell's
            continue
        with pytest.raises(RecordingError, match="voltage clamp"):
            load(tmp_path, channels, [Output(unit="mV", epochs=STEPS)], words)
