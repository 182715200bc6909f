"""ABF2: the injected current is what the cell got, or the file is refused in words that say why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from neurofit.errors import RecordingError
from neurofit.recording import Recording, load_recording
from tests.recording.abf import OFF, PULSES, Epoch, Input, Output, write_abf2
from tests.recording.synthetic import Cell

CELL = Cell(levels_pa=(-50.0, 0.0, 50.0, 100.0, 150.0), dt_ms=0.1)
STEPS = [Epoch(0.0, duration=2266), Epoch(-50.0, 50.0, duration=5000)]  # 15000 // 64 + 2266 = 250 ms
COMMAND = CELL.command_pa()


def cell(**changes: Any) -> Input:
    """The membrane potential of a cell that got :data:`COMMAND`."""
    return Input(CELL.record().voltage_mv, **changes)


def monitor(values: NDArray[np.float64] = COMMAND, **changes: Any) -> Input:
    """A recorded current with an amplifier's noise."""
    noise = np.random.default_rng(0).normal(0, 3, COMMAND.shape)
    return Input(values + noise, **{"name": "I_m", "unit": "pA", "mode": None, **changes})


def load(tmp_path: Path, inputs: list[Input], outputs: list[Output], **options: Any) -> Recording:
    return load_recording(write_abf2(tmp_path / "cell.abf", inputs, outputs, **options))


def refusal(tmp_path: Path, inputs: list[Input], outputs: list[Output], **options: Any) -> str:
    with pytest.raises(RecordingError) as caught:
        load(tmp_path, inputs, outputs, **options)
    message = str(caught.value)
    assert message.startswith(str(tmp_path / "cell.abf"))
    assert "\n" not in message
    return message


def kinds(recording: Recording) -> set[str]:
    return {finding.kind for finding in recording.findings if finding.severity == "warning"}


# The good file


@pytest.mark.parametrize("integers", [False, True])
def test_voltage_and_command_are_those_of_the_file(tmp_path: Path, integers: bool) -> None:
    recording = load(tmp_path, [cell()], [Output(epochs=STEPS)], integers=integers)
    assert np.array_equal(recording.current_pa, COMMAND)
    assert np.abs(recording.voltage_mv - CELL.record().voltage_mv).max() < (0.02 if integers else 1e-4)
    assert recording.voltage_mv.dtype == recording.current_pa.dtype == np.float64
    assert recording.dt_ms == 0.1
    assert recording.sweep_numbers == (0, 1, 2, 3, 4)
    assert recording.start_ms == 0
    assert recording.source.format == "ABF2"
    assert recording.source.current_from == "protocol"
    assert len(recording.source.sha256) == 64
    assert kinds(recording) == set()


def test_the_command_is_drawn_as_neo_draws_it(tmp_path: Path) -> None:
    from neo.io import AxonIO

    epochs = [Epoch(20.0, 5.0, 700, 10), Epoch(-30.0, 0.0, 900), Epoch(0.1, 12.5, 3000, -40)]
    path = write_abf2(tmp_path / "cell.abf", [cell()], [Output(holding=-12.5, epochs=epochs)])
    drawn = np.stack([s.analogsignals[0].magnitude[:, 0] for s in AxonIO(str(path)).read_protocol()])
    assert np.allclose(load_recording(path).current_pa, drawn, atol=1e-5)


@pytest.mark.parametrize(("unit", "scale"), [("nA", 1e-3), ("A", 1e-12), ("uA", 1e-6)])
def test_units_of_the_command_are_converted(tmp_path: Path, unit: str, scale: float) -> None:
    epochs = [Epoch(0.0, duration=2266), Epoch(-50.0 * scale, 50.0 * scale, duration=5000)]
    recording = load(tmp_path, [cell()], [Output(unit=unit, epochs=epochs)])
    assert np.allclose(recording.current_pa, COMMAND, atol=1e-5)


def test_voltage_in_volts_is_converted(tmp_path: Path) -> None:
    volts = Input(CELL.record().voltage_mv * 1e-3, unit="V")
    recording = load(tmp_path, [volts], [Output(epochs=STEPS)])
    assert np.abs(recording.voltage_mv - CELL.record().voltage_mv).max() < 1e-4


def test_the_command_may_be_on_another_output(tmp_path: Path) -> None:
    spare = Output("Cmd 0", "mV", epochs=[], fields={"nWaveformEnable": 0})
    recording = load(tmp_path, [cell()], [spare, Output("Cmd 1", epochs=STEPS)])
    assert np.array_equal(recording.current_pa, COMMAND)
    flat = Output("Cmd 0", epochs=[Epoch(0.0, duration=9000)])
    recording = load(tmp_path, [cell()], [flat, Output("Cmd 1", epochs=STEPS)])
    assert np.array_equal(recording.current_pa, COMMAND)


def test_a_recording_that_was_stopped_early_is_whole(tmp_path: Path) -> None:
    recording = load(tmp_path, [cell()], [Output(epochs=STEPS)], protocol={"lEpisodesPerRun": 200})
    assert np.array_equal(recording.current_pa, COMMAND)


# A protocol that is not what the cell got

DOUBTS: dict[str, tuple[str, list[Output], dict[str, Any]]] = {
    "triangle train": ("triangle", [Output(epochs=[STEPS[0], Epoch(100.0, 50.0, 5000, kind=4)])], {}),
    "pulse train without pulses": (
        "pulse train",
        [Output(epochs=[STEPS[0], Epoch(100.0, 50.0, 5000, kind=PULSES)])],
        {},
    ),
    "unknown epoch": ("not known", [Output(epochs=[STEPS[0], Epoch(100.0, 50.0, 5000, kind=42)])], {}),
    "epoch off with a duration": ("switched off", [Output(epochs=[*STEPS, Epoch(9.0, 0, 50, kind=OFF)])], {}),
    "user list": ("user list", [Output(epochs=STEPS)], {"user_list": True}),
    "stimulus file": ("stimulus file", [Output(epochs=STEPS, fields={"nWaveformSource": 2})], {}),
    "unknown source": ("where the command", [Output(epochs=STEPS, fields={"nWaveformSource": 9})], {}),
    "waveform off": ("switched off", [Output(epochs=STEPS, fields={"nWaveformEnable": 0})], {}),
    "waveform without source": ("switched off", [Output(epochs=STEPS, fields={"nWaveformSource": 0})], {}),
    "alternating": ("alternates", [Output(epochs=STEPS)], {"protocol": {"nAlternateDACOutputState": 1}}),
    "conditioning train": ("conditioning", [Output(epochs=STEPS, fields={"nConditEnable": 1})], {}),
    "outputs out of order": ("out of order", [Output(epochs=STEPS, fields={"nDACNum": 3})], {}),
    "more sweeps than planned": ("sweeps", [Output(epochs=STEPS)], {"protocol": {"lEpisodesPerRun": 3}}),
    "other length": ("length", [Output(epochs=STEPS)], {"protocol": {"lNumSamplesPerEpisode": 14000}}),
    "other number": ("number", [Output(epochs=STEPS)], {"header": {"lActualEpisodes": 7}}),
    "epochs too long": ("fit into", [Output(epochs=[*STEPS, Epoch(0.0, duration=20000)])], {}),
    "epochs growing too long": ("fit into", [Output(epochs=[*STEPS, Epoch(0.0, 0, 10, 9000)])], {}),
    "epochs shrinking to less than nothing": ("fit into", [Output(epochs=[Epoch(9.0, 0, 10, -5)])], {}),
    "epochs too long by far": ("fit into", [Output(epochs=[Epoch(1.0, 0, 2**31 - 1), *STEPS])], {}),
    "two commands": ("outputs command", [Output(epochs=STEPS), Output("Cmd 1", epochs=STEPS)], {}),
    "impossible scale": ("scale", [Output(unit="A", epochs=STEPS)], {}),
    "command in mV": ("units of current", [Output(unit="mV", epochs=STEPS)], {}),
    "no output at all": ("units of current", [], {}),
}


@pytest.mark.parametrize("doubt", DOUBTS)
def test_a_doubtful_protocol_is_refused(tmp_path: Path, doubt: str) -> None:
    says, outputs, options = DOUBTS[doubt]
    message = refusal(tmp_path, [cell()], outputs, **options)
    assert says in message
    assert "injected current cannot be told" in message


@pytest.mark.parametrize("doubt", DOUBTS)
def test_beside_a_doubtful_protocol_a_recorded_current_is_used(tmp_path: Path, doubt: str) -> None:
    says, outputs, options = DOUBTS[doubt]
    if doubt == "other length":
        options = {"protocol": {"lNumSamplesPerEpisode": 28000}}
    recording = load(tmp_path, [cell(), monitor()], outputs, **options)
    assert recording.source.current_from == "recorded"
    assert np.abs(recording.current_pa - COMMAND).max() < 2
    source = next(f for f in recording.findings if f.kind == "current-source")
    assert says in source.message


# Recorded current


def test_a_recorded_current_is_cleaned_and_agrees_with_the_protocol(tmp_path: Path) -> None:
    recording = load(tmp_path, [cell(), monitor()], [Output(epochs=STEPS)])
    assert recording.source.current_from == "recorded"
    assert np.abs(recording.current_pa - COMMAND).max() < 2
    assert kinds(recording) == set()
    assert "current-cleaned" in {finding.kind for finding in recording.findings}


def test_the_order_of_channels_does_not_matter(tmp_path: Path) -> None:
    current = Input(monitor().values * 1e-3, "I_m", "nA", None)
    recording = load(tmp_path, [current, cell()], [Output(epochs=STEPS)])
    assert recording.voltage_mv.min() < -60
    assert recording.source.current_from == "recorded"


@pytest.mark.parametrize(("scale", "offset"), [(1.0, -40.0), (0.1, 0.0), (2.0, 0.0), (-1.0, 0.0)])
def test_disagreement_is_told_and_the_recorded_current_used(tmp_path: Path, scale: float, offset: float) -> None:
    recording = load(tmp_path, [cell(), monitor(COMMAND * scale + offset)], [Output(epochs=STEPS)])
    assert "current-disagrees" in kinds(recording)
    assert np.abs(recording.current_pa - (COMMAND * scale + offset)).max() < 2
    message = next(f.message for f in recording.findings if f.kind == "current-disagrees")
    assert f"{scale:.2f} times" in message
    assert f"{offset:+.0f} pA" in message or abs(offset) < 1


def test_a_current_channel_that_is_not_connected_is_not_the_current(tmp_path: Path) -> None:
    flat = load(tmp_path, [cell(), monitor(np.full_like(COMMAND, 15.0))], [Output(epochs=STEPS)])
    slow = 40 * np.cumsum(np.random.default_rng(1).normal(0, 0.1, COMMAND.shape), axis=1)
    wandering = load(tmp_path, [cell(), monitor(slow)], [Output(epochs=STEPS)])
    for recording in (flat, wandering):
        assert recording.source.current_from == "protocol"
        assert np.array_equal(recording.current_pa, COMMAND)
        assert "current-disagrees" in kinds(recording)


def test_a_flat_current_channel_does_not_save_a_doubtful_protocol(tmp_path: Path) -> None:
    flat = monitor(np.full_like(COMMAND, 15.0))
    message = refusal(tmp_path, [cell(), flat], [Output(epochs=STEPS)], user_list=True)
    assert "user list" in message
    assert "'I_m' (pA) holds no step" in message


def test_a_channel_beyond_any_current_is_set_aside(tmp_path: Path) -> None:
    recording = load(tmp_path, [cell(), monitor(unit="A")], [Output(epochs=STEPS)])
    assert recording.source.current_from == "protocol"
    assert "set-aside" in {finding.kind for finding in recording.findings}


def test_two_current_channels_are_ambiguous_without_a_protocol(tmp_path: Path) -> None:
    channels = [cell(), monitor(), monitor(name="I_2")]
    recording = load(tmp_path, channels, [Output(epochs=STEPS)])
    assert recording.source.current_from == "protocol"
    message = refusal(tmp_path, channels, [Output(epochs=STEPS)], user_list=True)
    assert "'I_m' (pA), 'I_2' (pA)" in message


def test_a_recorded_current_that_is_not_steps_is_kept_and_told(tmp_path: Path) -> None:
    wave = 100 * np.sin(np.arange(COMMAND.shape[1]) / 300.0) * np.ones((5, 1))
    recording = load(tmp_path, [cell(), monitor(wave)], [])
    assert "current-not-steps" in kinds(recording)
    assert np.abs(recording.current_pa - wave).max() < 20


# Not current clamp


@pytest.mark.parametrize(
    ("channels", "outputs"),
    [
        ([monitor(mode=0)], [Output(unit="mV", epochs=STEPS)]),
        ([monitor(mode=0)], [Output(unit="pA", epochs=STEPS)]),
        ([monitor(mode=None)], [Output(unit="mV", epochs=STEPS)]),
        ([monitor(mode=None), Input(COMMAND, "V_m", "mV", None)], [Output(unit="mV", epochs=STEPS)]),
        ([cell(mode=0)], [Output(unit="pA", epochs=STEPS)]),
        ([cell(mode=0), monitor(mode=0)], [Output(unit="mV", epochs=STEPS)]),
    ],
)
def test_voltage_clamp_is_refused(tmp_path: Path, channels: list[Input], outputs: list[Output]) -> None:
    assert "voltage clamp" in refusal(tmp_path, channels, outputs)


def test_one_cell_in_voltage_clamp_does_not_spoil_the_other(tmp_path: Path) -> None:
    recording = load(tmp_path, [cell(), monitor(mode=0, name="cell 2")], [Output(epochs=STEPS)])
    assert recording.source.current_from == "protocol"


def test_current_zero_mode_is_refused(tmp_path: Path) -> None:
    message = refusal(tmp_path, [cell(mode=2)], [Output(epochs=STEPS)])
    assert "I = 0" in message
    assert "no stimulus" in message


def test_a_channel_left_in_pa_is_not_taken_for_a_voltage(tmp_path: Path) -> None:
    message = refusal(tmp_path, [cell(unit="pA")], [Output(epochs=STEPS)])
    assert "no channel holds a membrane potential" in message
    assert "left over from voltage clamp" in message


def test_two_voltages_are_ambiguous_unless_the_amplifier_tells(tmp_path: Path) -> None:
    message = refusal(tmp_path, [cell(mode=None), cell(mode=None, name="V_2")], [Output(epochs=STEPS)])
    assert "2 channels are in units of voltage" in message
    assert "'IN 0' (mV), 'V_2' (mV)" in message
    recording = load(tmp_path, [Input(COMMAND, "pressure", "mV", None), cell()], [Output(epochs=STEPS)])
    assert recording.voltage_mv.min() < -60


@pytest.mark.parametrize(("mode", "name"), [(1, "event-driven"), (2, "event-driven"), (3, "gap-free"), (4, ("osc"))])
def test_other_acquisition_has_no_stimulus(tmp_path: Path, mode: int, name: str) -> None:
    message = refusal(tmp_path, [cell()], [Output(epochs=STEPS)], protocol={"nOperationMode": mode})
    assert name in message
    assert "no stimulus" in message


# Nothing injected


def test_spikes_without_current_are_refused(tmp_path: Path) -> None:
    flat = [Output(epochs=[Epoch(0.0, duration=9000)])]
    message = refusal(tmp_path, [cell()], flat)
    assert "the spikes are not caused by injected current" in message
    message = refusal(tmp_path, [cell()], flat, digital=True)
    assert "a digital output" in message
    constant = [Output(holding=-35.0, epochs=[Epoch(-35.0, duration=9000)])]
    assert "stays at -35 pA" in refusal(tmp_path, [cell()], constant)


def test_no_current_and_no_spikes_is_no_stimulus(tmp_path: Path) -> None:
    quiet = Input(np.random.default_rng(0).normal(-65, 0.1, COMMAND.shape))
    message = refusal(tmp_path, [quiet], [Output(epochs=[Epoch(0.0, duration=9000)])])
    assert "no current step was injected" in message
    assert "no stimulus" in message


# What the header tells besides


def test_a_subset_saved_again_is_loaded_with_both_clues(tmp_path: Path) -> None:
    wrong = Cell(levels_pa=(50.0, 100.0, 150.0), dt_ms=0.1, electrode_mohm=14.0, command_error_pa=100.0)
    epochs = [Epoch(0.0, duration=2266), Epoch(50.0, 50.0, duration=5000)]
    recording = load(tmp_path, [Input(wrong.record().voltage_mv)], [Output(epochs=epochs)], starts_s=(6.0, 3.0))
    first = recording.findings[0]
    assert first.kind == "resaved-subset"
    assert first.severity == "warning"
    assert "starts at 6 s" in first.message
    assert "pA (± " in first.message
    assert kinds(recording).isdisjoint({"starts-late", "command-offset"})


def test_each_clue_alone_is_told_as_itself(tmp_path: Path) -> None:
    late = load(tmp_path, [cell()], [Output(epochs=STEPS)], starts_s=(6.0, 3.0))
    assert kinds(late) == {"starts-late"}
    usual = load(tmp_path, [cell()], [Output(epochs=STEPS)], starts_s=(0.016, 2.0))
    assert kinds(usual) == set()


def test_averages_comments_and_other_outputs_are_told(tmp_path: Path) -> None:
    light = Output("LED", "V", epochs=[Epoch(5.0, duration=500)])
    recording = load(
        tmp_path,
        [cell()],
        [Output(epochs=STEPS), light],
        protocol={"lRunsPerTrial": 4},
        comments=("TTX 1 uM", "washed"),
    )
    assert kinds(recording) == {"averaged", "other-output"}
    said = {finding.kind: finding.message for finding in recording.findings}
    assert "TTX 1 uM; washed" in said["tags"]
    assert "'LED' (V)" in said["other-output"]


def test_a_protocol_cannot_be_chosen_in_an_abf_file(tmp_path: Path) -> None:
    path = write_abf2(tmp_path / "cell.abf", [cell()], [Output(epochs=STEPS)])
    with pytest.raises(RecordingError, match="--protocol IDrest has no meaning for an ABF file"):
        load_recording(path, protocol="IDrest")
