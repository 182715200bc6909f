"""Igor waves are paired by unit, kept in order, and never mixed."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from neurofit.errors import RecordingError
from neurofit.recording import Recording, load_recording
from neurofit.recording.formats.igor_wave import read_wave
from tests.recording.ibw import write_pair, write_wave
from tests.recording.synthetic import Cell

CELL = Cell(levels_pa=(-50.0, 0.0, 50.0, 100.0, 150.0), dt_ms=0.25, holding_pa=-20.0)
VOLTAGE, COMMAND = CELL.record().voltage_mv, CELL.command_pa()
NOISY = COMMAND + np.random.default_rng(0).normal(0, 3, COMMAND.shape)


@pytest.fixture
def waves(tmp_path: Path) -> Path:
    """Five sweeps of one protocol, numbers 8 to 12."""
    for k in range(5):
        write_pair(tmp_path, 8 + k, VOLTAGE[k], NOISY[k])
    return tmp_path


def kinds(recording: Recording) -> set[str]:
    return {finding.kind for finding in recording.findings if finding.severity == "warning"}


def refusal(path: Path | list[Path], protocol: str | None = None) -> str:
    with pytest.raises(RecordingError) as caught:
        load_recording(path, protocol=protocol)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_directory_is_one_recording(waves: Path) -> None:
    recording = load_recording(waves)
    assert recording.sweep_numbers == (8, 9, 10, 11, 12), "by number: 10 does not come before 8"
    assert np.allclose(recording.voltage_mv, VOLTAGE, atol=1e-4)
    assert np.abs(recording.current_pa - COMMAND).max() < 1.5
    assert recording.voltage_mv.dtype == np.float64
    assert recording.voltage_mv.dtype.isnative
    assert recording.dt_ms == 0.25
    assert recording.source.format == "Igor binary waves"
    assert recording.source.current_from == "recorded"
    assert kinds(recording) == set()


@pytest.mark.parametrize("version", [2, 5])
@pytest.mark.parametrize("order", [">", "<"])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_every_form_of_the_format_gives_the_same(tmp_path: Path, version: int, order: str, dtype: str) -> None:
    write_pair(tmp_path, 1, VOLTAGE[3], NOISY[3], version=version, order=order, dtype=dtype, note=b"a note")
    recording = load_recording(tmp_path)
    assert np.allclose(recording.voltage_mv, VOLTAGE[3:4], atol=1e-4)
    assert recording.dt_ms == 0.25


def test_pairs_are_told_by_unit_not_by_channel(tmp_path: Path) -> None:
    write_pair(tmp_path, 1, VOLTAGE[3], NOISY[3], voltage_channel=0)
    write_pair(tmp_path, 2, VOLTAGE[4], NOISY[4], voltage_channel=1)
    recording = load_recording(tmp_path)
    assert np.allclose(recording.voltage_mv, VOLTAGE[3:5], atol=1e-4)


def test_one_file_finds_its_partner(waves: Path) -> None:
    for name in ("X_IDrest_ch0_11.ibw", "X_IDrest_ch1_11.ibw"):
        recording = load_recording(waves / name)
        assert recording.sweep_numbers == (11,)
        assert np.allclose(recording.voltage_mv, VOLTAGE[3:4], atol=1e-4)


def test_a_list_of_files_is_exactly_those(waves: Path) -> None:
    names = ["X_IDrest_ch1_12.ibw", "X_IDrest_ch0_9.ibw", "X_IDrest_ch0_12.ibw", "X_IDrest_ch1_9.ibw"]
    recording = load_recording([waves / name for name in names])
    assert recording.sweep_numbers == (9, 12)


def test_two_files_of_any_name_are_a_pair(tmp_path: Path) -> None:
    voltage = write_wave(tmp_path / "cell7.ibw", VOLTAGE[3], "mV")
    current = write_wave(tmp_path / "current.ibw", NOISY[3], "pA")
    recording = load_recording([current, voltage])
    assert np.allclose(recording.voltage_mv, VOLTAGE[3:4], atol=1e-3)
    assert "half of a sweep" in refusal(voltage)


def test_the_sha256_is_of_the_files_that_were_used(waves: Path, tmp_path: Path) -> None:
    before = load_recording(waves).source.sha256
    (waves / "notes.txt").write_text("not part of it")
    assert load_recording(waves).source.sha256 == before
    write_pair(waves, 13, VOLTAGE[0], NOISY[0])
    assert load_recording(waves).source.sha256 != before


def test_several_protocols_must_be_chosen_from(waves: Path) -> None:
    for k in range(3):
        write_pair(waves, 20 + k, VOLTAGE[k, :3000], NOISY[k, :3000], protocol="IV")
    message = refusal(waves)
    assert "IDrest (5 sweeps" in message
    assert "IV (3 sweeps" in message
    assert 'protocol="IDrest"' in message
    assert "--protocol IDrest" in message
    assert load_recording(waves, protocol="IV").sweep_numbers == (20, 21, 22)
    assert load_recording(waves, protocol="IDrest").n_sweeps == 5
    assert "no protocol APWaveform" in refusal(waves, "APWaveform")


def test_several_cells_are_not_one_recording(waves: Path) -> None:
    write_pair(waves, 30, VOLTAGE[0], NOISY[0], prefix="Y")
    assert "several cells" in refusal(waves)


def test_orphans_are_set_aside_and_told(waves: Path) -> None:
    (waves / "X_IDrest_ch0_10.ibw").unlink()
    recording = load_recording(waves)
    assert recording.sweep_numbers == (8, 9, 11, 12)
    assert kinds(recording) == {"orphan-waves"}
    assert "X_IDrest_ch1_10.ibw (V)" in recording.findings[0].message


def test_a_voltage_alone_is_refused(waves: Path) -> None:
    (waves / "X_IDrest_ch0_10.ibw").unlink()
    assert "both its voltage and its current" in refusal(waves / "X_IDrest_ch1_10.ibw")


def test_waves_without_units_cannot_be_paired(tmp_path: Path) -> None:
    for channel in (0, 1):
        write_wave(tmp_path / f"X_IDrest_ch{channel}_1.ibw", VOLTAGE[0], "")
    assert "no unit" in refusal(tmp_path)


def test_two_cells_at_once_are_ambiguous(waves: Path) -> None:
    write_wave(waves / "X_IDrest_ch2_10.ibw", VOLTAGE[0] * 1e-3, "V")
    assert "sweep 10 has 2 waves in units of voltage" in refusal(waves)


def test_a_sweep_of_another_length_is_set_aside(waves: Path) -> None:
    write_pair(waves, 13, VOLTAGE[3, :4000], NOISY[3, :4000])
    recording = load_recording(waves)
    assert recording.sweep_numbers == (8, 9, 10, 11, 12)
    assert kinds(recording) == {"set-aside"}


def test_lengths_that_do_not_agree_at_all_are_refused(tmp_path: Path) -> None:
    for k, length in enumerate((6000, 5000, 4000, 3500)):
        write_pair(tmp_path, k, VOLTAGE[3, :length], NOISY[3, :length])
    assert "differ in length" in refusal(tmp_path)


def test_a_pair_that_was_not_sampled_alike_is_refused(tmp_path: Path) -> None:
    write_wave(tmp_path / "X_IDrest_ch0_1.ibw", NOISY[0] * 1e-12, "A")
    write_wave(tmp_path / "X_IDrest_ch1_1.ibw", VOLTAGE[0] * 1e-3, "V", dt_s=1e-4)
    assert "not sampled alike" in refusal(tmp_path)


def test_waves_with_other_names_are_set_aside(waves: Path) -> None:
    shutil.copy(waves / "X_IDrest_ch0_8.ibw", waves / "copy of 8.ibw")
    recording = load_recording(waves)
    assert recording.n_sweeps == 5
    assert "copy of 8.ibw" in next(f.message for f in recording.findings if f.kind == "set-aside")


def test_only_waves_with_other_names_are_refused(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        write_wave(tmp_path / f"{name}.ibw", VOLTAGE[0], "V")
    assert "3 waves with other names" in refusal(tmp_path)


def test_a_damaged_wave_in_a_directory_is_named(waves: Path) -> None:
    wave = waves / "X_IDrest_ch1_10.ibw"
    wave.write_bytes(wave.read_bytes()[:9000])
    message = refusal(waves)
    assert message.startswith(str(wave))
    assert "cut short" in message


@pytest.mark.parametrize(("unit", "dt_s"), [("ms", 0.25), ("s", 2.5e-4), ("", 2.5e-4)])
def test_the_time_unit_is_heeded(tmp_path: Path, unit: str, dt_s: float) -> None:
    wave = read_wave(write_wave(tmp_path / "a.ibw", VOLTAGE[0], "V", dt_s=dt_s, time_unit=unit))
    assert wave.dt_ms == 0.25


@pytest.mark.parametrize("dt_s", [1.0, 0.0, -1e-4, float("nan")])
def test_an_x_scale_that_was_never_set_is_refused(tmp_path: Path, dt_s: float) -> None:
    write_pair(tmp_path, 1, VOLTAGE[0], NOISY[0], dt_s=dt_s)
    assert "sampling interval" in refusal(tmp_path)


def test_waves_that_are_not_sweeps_are_refused(tmp_path: Path) -> None:
    image = write_wave(tmp_path / "image.ibw", VOLTAGE[:2].T, "V", version=5)
    with pytest.raises(RecordingError, match="not one sweep"):
        read_wave(image)
    spectrum = write_wave(tmp_path / "spectrum.ibw", VOLTAGE[0], "V", time_unit="Hz")
    with pytest.raises(RecordingError, match="not sampled in time"):
        read_wave(spectrum)


def test_a_note_that_is_cut_is_noticed(tmp_path: Path) -> None:
    wave = write_wave(tmp_path / "a.ibw", VOLTAGE[0], "V", note=b"DATE 01/05/2008")
    wave.write_bytes(wave.read_bytes()[:-4])
    with pytest.raises(RecordingError, match="cut short"):
        read_wave(wave)
