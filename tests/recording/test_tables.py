"""Text tables and NumPy files: units are read, never guessed; what could run or flood is refused."""

from __future__ import annotations

import pickle
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neurofit.errors import RecordingError
from neurofit.recording import Recording, load_recording
from tests.recording.abf import Input, Output, write_abf2
from tests.recording.synthetic import Cell

CELL = Cell(levels_pa=(-50.0, 50.0, 150.0), dt_ms=0.25)
VOLTAGE, CURRENT, DT = CELL.record().voltage_mv, CELL.command_pa(), 0.25
TIME = np.arange(VOLTAGE.shape[1]) * DT


def table(path: Path, names: list[str], columns: list[np.ndarray], separator: str = ",", comma: bool = False) -> Path:
    rows = [separator.join(names)] if names else []
    for row in zip(*columns, strict=True):
        line = separator.join(f"{value:.6g}" for value in row)
        rows.append(line.replace(".", ",") if comma else line)
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


def sweeps() -> list[np.ndarray]:
    return [*VOLTAGE, *CURRENT]


def is_the_cell(recording: Recording, rows: slice = slice(None)) -> bool:
    return (
        np.allclose(recording.voltage_mv, VOLTAGE[rows], atol=1e-3)
        and np.array_equal(recording.current_pa, CURRENT[rows])
        and recording.dt_ms == DT
    )


def refusal(path: Path, **choices: Any) -> str:
    with pytest.raises(RecordingError) as caught:
        load_recording(path, **choices)
    assert "\n" not in str(caught.value)
    return str(caught.value)


NAMES = ["v1_mV", "v2_mV", "v3_mV", "i1_pA", "i2_pA", "i3_pA"]


@pytest.mark.parametrize(
    ("names", "separator", "comma"),
    [
        (["time_ms", *NAMES], ",", False),
        (
            ["Time (ms)", *[f"Trace {k} (mV)" for k in (1, 2, 3)], *[f"Current {k} (pA)" for k in (1, 2, 3)]],
            "\t",
            False,
        ),
        (["t [ms]", *[f"V #{k} [mV]" for k in (1, 2, 3)], *[f"I{k} [pA]" for k in (1, 2, 3)]], ";", True),
        (["Time/ms", *[f"Vm{k}/mV" for k in (1, 2, 3)], *[f"Im{k}/pA" for k in (1, 2, 3)]], ";", False),
    ],
)
def test_sweeps_in_columns(tmp_path: Path, names: list[str], separator: str, comma: bool) -> None:
    recording = load_recording(table(tmp_path / "cell.csv", names, [TIME, *sweeps()], separator, comma))
    assert is_the_cell(recording)
    assert recording.source.format == "table"
    assert recording.source.current_from == "recorded"


def test_units_are_converted(tmp_path: Path) -> None:
    names = ["t (s)", "V (V)", "I (nA)"]
    path = table(tmp_path / "cell.tsv", names, [TIME / 1e3, VOLTAGE[2] / 1e3, CURRENT[2] / 1e3], "\t")
    assert is_the_cell(load_recording(path), slice(2, 3))


def test_one_current_for_all_sweeps(tmp_path: Path) -> None:
    path = table(tmp_path / "cell.csv", ["time_ms", *NAMES[:3], "current_pA"], [TIME, *VOLTAGE, CURRENT[1]])
    assert np.array_equal(load_recording(path).current_pa, np.tile(CURRENT[1], (3, 1)))


def test_without_names_everything_is_said_by_hand(tmp_path: Path) -> None:
    path = table(tmp_path / "cell.txt", [], [VOLTAGE[2], CURRENT[2] / 10], " ")
    assert "unit of voltage" in refusal(path, sampling_rate_hz=4000)
    words = {"voltage_channel": 0, "voltage_scale_mv": 1, "current_channel": 1, "current_scale_pa": 10}
    assert "how fast" in refusal(path, **words)
    assert is_the_cell(load_recording(path, sampling_rate_hz=4000, **words), slice(2, 3))


@pytest.mark.parametrize(
    ("names", "columns", "choices", "says"),
    [
        (["time_ms", "voltage", "current"], [TIME, VOLTAGE[2], CURRENT[2]], {}, "no column is in a unit of voltage"),
        (["time_ms", "v", "i_pA"], [TIME, VOLTAGE[2], CURRENT[2]], {"voltage_channel": "v"}, "none is guessed"),
        (["time_ms", "v_mV", "i"], [TIME, VOLTAGE[2], CURRENT[2]], {}, "no column is in a unit of current"),
        (["v_mV", "i_pA"], [VOLTAGE[2], CURRENT[2]], {}, "does not say how fast"),
        (["time_ms", "v_mV", "command_mV", "i_pA"], [TIME, *VOLTAGE[:2], CURRENT[2]], {}, "not the numbered sweeps"),
        (["time_ms", "v_mV", "i_pA"], [TIME, VOLTAGE[2], CURRENT[2]], {"sampling_rate_hz": 1e4}, "stated twice"),
        (["time_ms", "v_mV", "i_pA"], [TIME % 700, VOLTAGE[2], CURRENT[2]], {}, "goes back at row"),
        (["time_ms", "v_mV", "i_pA"], [TIME**1.1, VOLTAGE[2], CURRENT[2]], {}, "not evenly spaced"),
        (["time_ms", "v_mV", "i1_pA", "i2_pA"], [TIME, VOLTAGE[2], *CURRENT[:2]], {}, "do not go together"),
        (["time_ms", "v_mV", "i_pA"], [TIME, VOLTAGE[0], CURRENT[0] * 0], {}, "no current step"),
        (["time_ms", "v_mV", "i_pA"], [TIME, VOLTAGE[2], CURRENT[2]], {"command": "header"}, "no header"),
        (["time_ms", "v_mV", "i_pA"], [TIME, VOLTAGE[2], CURRENT[2]], {"protocol": "IV"}, "no meaning for a table"),
    ],
)
def test_what_cannot_be_told_is_asked(
    tmp_path: Path, names: list[str], columns: list[np.ndarray], choices: dict[str, Any], says: str
) -> None:
    assert says in refusal(table(tmp_path / "cell.csv", names, columns), **choices)


def test_a_column_of_words_is_no_signal(tmp_path: Path) -> None:
    path = tmp_path / "cell.csv"
    path.write_text("time_ms,v_mV,i_pA\n0,-70,0\n1,-70,0\n2,high,0\n")
    assert "not a table of numbers" in refusal(path)


def test_an_axon_text_file(tmp_path: Path) -> None:
    path = tmp_path / "cell.atf"
    head = 'ATF\t1.0\n2\t3\n"AcquisitionMode=Episodic"\n"Signals="\t"IN 0"\n"Time (ms)"\t"Trace #1 (mV)"\t"I #1 (pA)"\n'
    rows = "".join(f"{t:.6g}\t{v:.6g}\t{i:.6g}\n" for t, v, i in zip(TIME, VOLTAGE[2], CURRENT[2], strict=True))
    path.write_text(head + rows)
    assert is_the_cell(load_recording(path), slice(2, 3))


# NumPy


def test_arrays_by_their_names(tmp_path: Path) -> None:
    path = tmp_path / "cell.npz"
    np.savez(path, voltage_mv=VOLTAGE, current_pa=CURRENT, dt_ms=DT)
    assert is_the_cell(load_recording(path))
    np.savez_compressed(path, v_mV=VOLTAGE[1], i_nA=CURRENT[1] / 1e3, time_s=TIME / 1e3)
    assert is_the_cell(load_recording(path), slice(1, 2))
    np.savez(path, voltage_mv=VOLTAGE.astype("f4"), current_pa=CURRENT, sampling_rate_hz=4000)
    assert is_the_cell(load_recording(path))


def test_one_array_with_the_current_beside_it(tmp_path: Path) -> None:
    np.save(tmp_path / "v.npy", np.asfortranarray(VOLTAGE))
    np.save(tmp_path / "i.npy", CURRENT)
    words = {"voltage_scale_mv": 1, "sampling_rate_hz": 4000, "command": tmp_path / "i.npy"}
    assert "which unit" in refusal(tmp_path / "v.npy", **words)
    recording = load_recording(tmp_path / "v.npy", current_scale_pa=1, **words)
    assert is_the_cell(recording)
    assert recording.source.current_from == "file"
    assert len(recording.source.said["command_sha256"]) == 64


def test_a_structured_array(tmp_path: Path) -> None:
    fields = np.zeros(len(TIME), dtype=[("time_ms", "f8"), ("v_mV", "f8"), ("i_pA", "f8")])
    fields["time_ms"], fields["v_mV"], fields["i_pA"] = TIME, VOLTAGE[2], CURRENT[2]
    np.save(tmp_path / "cell.npy", fields)
    assert is_the_cell(load_recording(tmp_path / "cell.npy"), slice(2, 3))


class Trap:
    """Unpickling this would make a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.path,))


def test_pickled_objects_are_never_loaded(tmp_path: Path) -> None:
    proof = tmp_path / "proof"
    objects = np.array([Trap(proof)] * 3, dtype=object)
    np.save(tmp_path / "cell.npy", objects, allow_pickle=True)
    np.savez(tmp_path / "cell.npz", voltage_mv=objects)
    (tmp_path / "cell.pkl").write_bytes(pickle.dumps(Trap(proof)))
    assert "could run code" in refusal(tmp_path / "cell.npy")
    assert "could run code" in refusal(tmp_path / "cell.npz")
    assert "pickle" in refusal(tmp_path / "cell.pkl")
    assert not proof.exists()


def test_a_header_that_asks_for_gigabytes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "cell.npy"
    np.save(path, VOLTAGE)
    whole = path.read_bytes()
    path.write_bytes(
        whole.replace(b"(3, 6000)", b"(3, 6000000000000)"[:9].ljust(9)).replace(b"(3, 60000", b"(9, 9**9)")
    )
    assert "damaged" in refusal(path)
    header = str({"descr": "<f8", "fortran_order": False, "shape": (10**12,)}).encode().ljust(117) + b"\n"
    path.write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + bytes(800))
    assert "damaged" in refusal(path)
    with zipfile.ZipFile(tmp_path / "bomb.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        entry = zipfile.ZipInfo("voltage_mv.npy")
        archive.writestr(entry, whole)
        archive.infolist()[0].file_size = 2**33
    assert "damaged" in refusal(tmp_path / "bomb.npz") or "memory" in refusal(tmp_path / "bomb.npz")


def test_an_archive_of_other_things_is_no_recording(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "cell.npz", "w") as archive:
        archive.writestr("../outside.txt", "x")
    assert "zip archive" in refusal(tmp_path / "cell.npz")
    assert not (tmp_path.parent / "outside.txt").exists()


# The injected current from a file of its own


@pytest.fixture
def silent(tmp_path: Path) -> Path:
    """A recording whose own protocol says nothing."""
    return write_abf2(tmp_path / "cell.abf", [Input(VOLTAGE)], [Output(unit="mV")], dt_us=250.0)


def test_a_command_for_every_sweep(tmp_path: Path, silent: Path) -> None:
    command = table(tmp_path / "command.csv", ["i1_pA", "i2_pA", "i3_pA"], list(CURRENT))
    recording = load_recording(silent, command=command)
    assert is_the_cell(recording)
    assert recording.source.current_from == "file"
    np.savez(tmp_path / "command.npz", current_pa=CURRENT)
    assert is_the_cell(load_recording(silent, command=tmp_path / "command.npz"))
    np.save(tmp_path / "command.npy", CURRENT / 400)
    assert is_the_cell(load_recording(silent, command=tmp_path / "command.npy", current_scale_pa=400))


def test_a_command_holds_until_its_next_time(tmp_path: Path, silent: Path) -> None:
    columns = [np.array([0.0, 250.0, 750.0, 1500.0]), np.array([0.0, 80.0, 0.0, 0.0])]
    command = table(tmp_path / "command.csv", ["time_ms", "current_pA"], columns)
    expected = np.where((TIME >= 250) & (TIME < 750), 80.0, 0.0)
    assert np.array_equal(load_recording(silent, command=command).current_pa, np.tile(expected, (3, 1)))


@pytest.mark.parametrize(
    ("names", "columns", "says"),
    [
        (["current"], [CURRENT[0]], "which unit"),
        (["current_pA"], [CURRENT[0][:-1]], "does not suit"),
        (["i1_pA", "i2_pA"], list(CURRENT[:2]), "does not suit"),
        (["time_ms", "i_pA"], [TIME[:3000], CURRENT[0][:3000]], "does not cover"),
        (["time_ms", "i_pA"], [TIME % 9, CURRENT[0]], "do not grow"),
        (["i_pA"], [CURRENT[0] * np.nan], "not numbers"),
    ],
)
def test_a_command_that_does_not_suit(
    tmp_path: Path, silent: Path, names: list[str], columns: list[np.ndarray], says: str
) -> None:
    assert says in refusal(silent, command=table(tmp_path / "command.csv", names, columns))


def test_a_command_that_is_no_table(tmp_path: Path, silent: Path) -> None:
    assert "no such file" in refusal(silent, command=tmp_path / "nothing.csv")
    assert "does not hold" in refusal(silent, command=silent)
