"""Whatever is given, it is loaded whole or refused in one clear paragraph."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from neurofit.errors import BadInput, RecordingError
from neurofit.recording import Recording, load_recording
from tests.recording.abf import Epoch, Input, Output, write_abf2
from tests.recording.ibw import write_pair
from tests.recording.synthetic import Cell

CELL = Cell(levels_pa=(-50.0, 50.0, 150.0), dt_ms=0.25)


@pytest.fixture
def abf(tmp_path: Path) -> Path:
    """A small good file: three sweeps of 6000 samples."""
    epochs = [Epoch(0.0, duration=907), Epoch(-50.0, 100.0, duration=2000)]
    return write_abf2(tmp_path / "cell.abf", [Input(CELL.record().voltage_mv)], [Output(epochs=epochs)], dt_us=250.0)


@pytest.fixture
def ibw(tmp_path: Path) -> Path:
    """The voltage of a small good pair."""
    current = CELL.command_pa()[2] + np.random.default_rng(0).normal(0, 2, 6000)
    voltage, _ = write_pair(tmp_path, 1, CELL.record().voltage_mv[2], current)
    return voltage


def refusal(path: object) -> str:
    with pytest.raises(RecordingError) as caught:
        load_recording(path)  # type: ignore[arg-type]
    message = str(caught.value)
    assert "\n" not in message
    assert message.endswith((".", "?", "!"))
    assert isinstance(caught.value, BadInput)
    return message


def is_sound(recording: Recording) -> bool:
    """What can be promised of anything that loads."""
    voltage, current = recording.voltage_mv, recording.current_pa
    return (
        voltage.shape == current.shape == (recording.n_sweeps, voltage.shape[1])
        and len(recording.sweep_numbers) == recording.n_sweeps
        and bool(np.isfinite(voltage).all() and np.isfinite(current).all())
        and float(np.abs(voltage).max()) <= 5000
        and float(np.abs(current).max()) <= 1e5
        and 0.001 <= recording.dt_ms <= 1
    )


def load_or_refuse(path: Path) -> Recording | None:
    """A sound recording, or ``None`` after one clear refusal; any other exception goes through."""
    outcome: Recording | RecordingError
    try:
        outcome = load_recording(path)
    except RecordingError as error:
        outcome = error
    if isinstance(outcome, RecordingError):
        assert "\n" not in str(outcome)
        return None
    assert is_sound(outcome)
    return outcome


def test_the_good_files_are_good(abf: Path, ibw: Path) -> None:
    assert np.array_equal(load_recording(abf).current_pa, CELL.command_pa())
    assert np.abs(load_recording(ibw).current_pa - CELL.command_pa()[2]).max() < 1.5
    assert np.array_equal(load_recording(str(abf)).current_pa, CELL.command_pa())


def test_the_name_of_a_file_means_nothing(abf: Path) -> None:
    renamed = abf.rename(abf.with_suffix(".ibw"))
    assert load_recording(renamed).source.format == "ABF2"


OTHERS = {
    "text.abf": (b"# Real recordings\nof what was said\n" * 20, "a text file"),
    "umlaut.abf": (("Messung an Zelle, Größe µm\n" * 40).encode(), "a text file"),
    "cell.nwb": (b"\x89HDF\r\n\x1a\n" + bytes(600), "HDF5"),
    "cell.mat": (b"MATLAB 5.0 MAT-file" + bytes(600), "MATLAB"),
    "cell.atf": (b"ATF\t1.0\n" + b"one\t2\n" * 99, "Axon text"),
    "cell.dat": (b"DAT2" + bytes(600), "HEKA"),
    "cell.pkl": (b"\x80\x04\x95" + bytes(600), "pickle"),
    "cell.zip": (b"PK\x03\x04" + bytes(600), "zip"),
    "cell.pxp": (b"\1\0\2\0" + bytes(600), "packed experiment"),
    "zeros.abf": (bytes(4096), "zeros"),
    "noise.abf": (np.random.default_rng(1).bytes(4096), "bytes that begin with"),
    "empty.abf": (b"", "empty"),
    "itx.itx": (b"IGOR\nWAVES/D wave0\nBEGIN\n1\n", "Igor text"),
    "magic only.abf": (b"ABF2", "cut short"),
    "magic only 1.abf": (b"ABF ", "cut short"),
    "wave.ibw": (b"\0\2", "cut short"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_files_are_refused_by_what_they_are(tmp_path: Path, name: str) -> None:
    content, says = OTHERS[name]
    # Named as a wave is, so that even the wave's partner is looked for.
    path = tmp_path / ("X_IDrest_ch1_1.ibw" if name == "wave.ibw" else name)
    path.write_bytes(content)
    message = refusal(path)
    assert says in message
    assert str(path) in message


def test_what_is_not_there(tmp_path: Path) -> None:
    assert "no such file" in refusal(tmp_path / "cell.abf")
    assert "no Igor binary wave" in refusal(tmp_path)
    assert "no file was given" in refusal([])


def test_a_directory_of_abf_files_names_them(abf: Path) -> None:
    assert "cell.abf" in refusal(abf.parent)


def test_a_file_that_fails_while_it_is_read(abf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(5, "Input/output error", str(abf))

    monkeypatch.setattr("neurofit.recording.load.read_abf2", fail)
    message = refusal(abf)
    assert str(abf) in message
    assert "Input/output error" in message


def test_several_abf_files_are_not_one_recording(abf: Path) -> None:
    assert "one recording is one cell" in refusal([abf, abf])


@pytest.mark.parametrize("fraction", np.linspace(0.0, 0.999, 40))
def test_a_truncated_abf_is_refused(abf: Path, fraction: float) -> None:
    whole = abf.read_bytes()
    end = len(whole.rstrip(b"\0"))  # what is cut off after this is padding
    abf.write_bytes(whole[: int(fraction * end)])
    message = refusal(abf)
    assert "cut short" in message or "empty" in message or "not a recording" in message


def test_a_truncated_abf_is_refused_even_where_neo_reads_on(abf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from neo.io import AxonIO

    whole = abf.read_bytes()
    monkeypatch.setattr(AxonIO, "parse_header", lambda self: pytest.fail("Neo was asked to read it"))
    abf.write_bytes(whole[: len(whole) // 2])
    message = refusal(abf)
    assert "data" in message
    assert f"{len(whole) // 2} bytes" in message


@pytest.mark.parametrize("fraction", np.linspace(0.0, 0.999, 40))
def test_a_truncated_wave_is_refused(ibw: Path, fraction: float) -> None:
    whole = ibw.read_bytes()
    ibw.write_bytes(whole[: int(fraction * len(whole))])
    refusal(ibw)


@pytest.mark.filterwarnings("ignore")  # Neo computes gains from nonsense
@pytest.mark.parametrize("seed", range(100))
def test_flipped_bits_in_an_abf(abf: Path, seed: int) -> None:
    """Header bits: a clear error or a sound recording. Data bits: the current is that of the protocol."""
    generator = np.random.default_rng(seed)
    whole = bytearray(abf.read_bytes())
    data = whole.index(np.float32(CELL.record().voltage_mv[0, 0]).tobytes())
    in_data = seed % 4 == 0
    for _ in range(int(generator.integers(1, 8))):
        place = generator.integers(data, data + 70000) if in_data else generator.integers(4, data)
        whole[int(place)] ^= 1 << int(generator.integers(8))
    abf.write_bytes(bytes(whole))
    recording = load_or_refuse(abf)
    if in_data and recording is not None:
        assert np.array_equal(recording.current_pa, CELL.command_pa())


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("field", range(60))
def test_wild_numbers_in_an_abf_header(abf: Path, field: int) -> None:
    """A field of the header or the protocol at its largest or smallest: no hang, no flood of memory."""
    whole = bytearray(abf.read_bytes())
    protocol = int.from_bytes(whole[76:80], "little") * 512
    place = 8 + 4 * field if field < 30 else protocol + 2 * (field - 30)
    for wild in (b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", b"\0\0\0\0", b"\0\0\0\x80"):
        damaged = whole.copy()
        damaged[place : place + 4] = wild
        abf.write_bytes(bytes(damaged))
        load_or_refuse(abf)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("seed", range(100))
def test_flipped_bits_in_a_wave(ibw: Path, seed: int) -> None:
    generator = np.random.default_rng(seed)
    whole = bytearray(ibw.read_bytes())
    for _ in range(int(generator.integers(1, 8))):
        whole[int(generator.integers(0, 160))] ^= 1 << int(generator.integers(8))
    ibw.write_bytes(bytes(whole))
    recording = load_or_refuse(ibw)
    if recording is not None:  # the current's own file is whole
        assert np.abs(recording.current_pa - CELL.command_pa()[2]).max() < 1.5


def test_values_that_are_not_numbers_in_most_sweeps_are_refused(tmp_path: Path) -> None:
    voltage = CELL.record().voltage_mv.copy()
    voltage[1:, 77] = np.nan
    epochs = [Epoch(0.0, duration=907), Epoch(-50.0, 100.0, duration=2000)]
    path = write_abf2(tmp_path / "cell.abf", [Input(voltage)], [Output(epochs=epochs)], dt_us=250.0)
    assert "not numbers" in refusal(path)


@pytest.mark.parametrize(("scale", "dt_us", "says"), [(1e4, 250.0, "the voltage reaches"), (1, 0.5, ("interval"))])
def test_impossible_numbers_are_refused(tmp_path: Path, scale: float, dt_us: float, says: str) -> None:
    epochs = [Epoch(0.0, duration=907), Epoch(-50.0, 100.0, duration=2000)]
    inputs = [Input(CELL.record().voltage_mv * scale)]
    path = write_abf2(tmp_path / "cell.abf", inputs, [Output(epochs=epochs)], dt_us=dt_us)
    assert says in refusal(path)


def test_warnings_come_first(abf: Path) -> None:
    severities = [finding.severity for finding in load_recording(abf).findings]
    assert severities == sorted(severities, key=lambda severity: severity != "warning")
