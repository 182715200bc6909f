"""NWB: a current-clamp series is loaded with the stimulus that went with it, or refused; no link leads outside."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from neurofit.errors import RecordingError
from neurofit.recording import Recording, load_recording
from tests.recording.nwbfile import Series, stimulus, write_nwb
from tests.recording.synthetic import Cell

CELL = Cell(levels_pa=(-50.0, 50.0, 150.0), dt_ms=0.25)
VOLTAGE, CURRENT = CELL.record().voltage_mv, CELL.command_pa()


def pairs(**changes: Any) -> list[Series]:
    """Three sweeps, stored in mV and pA, and listed in another order than they were recorded."""
    voltages = [Series(f"response {5 - k}", VOLTAGE[k], sweep=10 + k, **changes) for k in range(3)]
    return [*voltages, *(stimulus(f"stimulus {k}", CURRENT[k], 10 + k) for k in range(3))]


def refusal(path: Path, **choices: Any) -> str:
    with pytest.raises(RecordingError) as caught:
        load_recording(path, **choices)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def is_the_cell(recording: Recording) -> bool:
    close = np.allclose(recording.voltage_mv, VOLTAGE, atol=1e-3)
    return close and bool(np.abs(recording.current_pa - CURRENT).max() < 0.01)


def test_sweeps_are_paired_by_their_numbers(tmp_path: Path) -> None:
    recording = load_recording(write_nwb(tmp_path / "cell.nwb", pairs()))
    assert is_the_cell(recording)
    assert recording.sweep_numbers == (10, 11, 12)
    assert (recording.dt_ms, recording.source.format, recording.source.current_from) == (0.25, "NWB", "recorded")


def test_sweeps_are_paired_by_the_table_of_recordings(tmp_path: Path) -> None:
    series = pairs()
    for one in series:
        one.sweep = None
    table = [(f"response {5 - k}", f"stimulus {k}") for k in range(3)]
    recording = load_recording(write_nwb(tmp_path / "cell.nwb", series, table))
    assert is_the_cell(recording) or np.allclose(recording.voltage_mv[::-1], VOLTAGE, atol=1e-3)
    rows = [int(np.argmin(np.abs(VOLTAGE - sweep).max(axis=1))) for sweep in recording.voltage_mv]
    assert np.abs(recording.current_pa - CURRENT[rows]).max() < 0.01


def test_conversion_and_offset(tmp_path: Path) -> None:
    series = [
        Series("v", np.round((VOLTAGE[2] + 10) * 32).astype("i2"), conversion=1e-3 / 32, offset=-0.01),
        stimulus("i", CURRENT[2] / 400, conversion=4e-10),
    ]
    recording = load_recording(write_nwb(tmp_path / "cell.nwb", series))
    assert np.abs(recording.voltage_mv - VOLTAGE[2]).max() < 0.02
    assert np.abs(recording.current_pa - CURRENT[2]).max() < 0.01


def test_time_stamps_tell_the_sampling(tmp_path: Path) -> None:
    stamps = 3.0 + np.arange(VOLTAGE.shape[1]) / 4000
    series = [Series("v", VOLTAGE[2], stamps=stamps), stimulus("i", CURRENT[2], stamps=stamps)]
    assert load_recording(write_nwb(tmp_path / "cell.nwb", series)).dt_ms == 0.25
    series[0].stamps = stamps**1.2
    assert "evenly" in refusal(write_nwb(tmp_path / "cell.nwb", series))


def test_a_sweep_of_another_length_is_set_aside_and_told(tmp_path: Path) -> None:
    series = [*pairs(), Series("short", VOLTAGE[0, :900], sweep=13), stimulus("short i", CURRENT[0, :900], 13)]
    recording = load_recording(write_nwb(tmp_path / "cell.nwb", series))
    assert recording.n_sweeps == 3
    assert any("13 (900 samples)" in finding.message for finding in recording.findings)


def test_a_series_without_its_stimulus_is_set_aside_and_told(tmp_path: Path) -> None:
    recording = load_recording(write_nwb(tmp_path / "cell.nwb", pairs()[:-1]))
    assert recording.sweep_numbers == (10, 11)
    assert any("have no stimulus" in finding.message for finding in recording.findings)


CLAMP = {"kind": "VoltageClampSeries", "unit": "amperes", "conversion": 1e-12}
BAD: dict[str, tuple[list[Series], str]] = {
    "voltage clamp": ([Series("i", CURRENT[2], **CLAMP)], "voltage clamp"),
    "nothing": ([stimulus("i", CURRENT[2])], "no current-clamp series"),
    "no stimulus": ([Series("v", VOLTAGE[2])], "no current-clamp series has a stimulus"),
    "another sweep's stimulus": ([Series("v", VOLTAGE[2], sweep=1), stimulus("i", CURRENT[2], 2)], "has a stimulus"),
    "two cells": (
        [*pairs(), Series("other", VOLTAGE[0], sweep=20, electrode="electrode1"), stimulus("o", CURRENT[0], 20)],
        "2 electrodes",
    ),
    "two responses": ([*pairs(), Series("other", VOLTAGE[0], sweep=10)], "several current-clamp series"),
    "two stimuli": ([*pairs(), stimulus("other", CURRENT[0], 10)], "several stimuli"),
    "no unit": ([Series("v", VOLTAGE[2], unit="a.u."), stimulus("i", CURRENT[2])], "not in a unit of voltage"),
    "other rate": ([Series("v", VOLTAGE[2]), stimulus("i", CURRENT[2], rate_hz=1e4)], "not sampled alike"),
    "two channels": ([Series("v", VOLTAGE.T), stimulus("i", CURRENT[2])], "one channel of numbers"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_paired_is_refused(tmp_path: Path, case: str) -> None:
    series, says = BAD[case]
    assert says in refusal(write_nwb(tmp_path / "cell.nwb", series))


def test_one_of_two_cells_is_chosen_by_its_electrode(tmp_path: Path) -> None:
    series, _ = BAD["two cells"]
    assert is_the_cell(load_recording(write_nwb(tmp_path / "cell.nwb", series), voltage_channel="electrode0"))


def test_units_and_currents_by_hand(tmp_path: Path) -> None:
    path = write_nwb(tmp_path / "cell.nwb", [Series("v", VOLTAGE[2], unit="a.u.", conversion=1.0)])
    np.save(tmp_path / "i.npy", CURRENT[2])
    words = {"voltage_scale_mv": 1.0, "command": tmp_path / "i.npy", "current_scale_pa": 1.0}
    recording = load_recording(path, **words)
    assert np.array_equal(recording.current_pa[0], CURRENT[2])
    assert recording.source.current_from == "file"


# Safety


@pytest.mark.parametrize("place", ["acquisition/v", "acquisition/v/data", "stimulus"])
def test_a_link_to_another_file_is_not_followed(tmp_path: Path, place: str) -> None:
    write_nwb(tmp_path / "other.nwb", [Series("v", VOLTAGE[2]), stimulus("i", CURRENT[2])])
    path = write_nwb(tmp_path / "cell.nwb", [Series("v", VOLTAGE[2]), stimulus("i", CURRENT[2])])
    with h5py.File(path, "a") as file:
        del file[place]
        file[place] = h5py.ExternalLink("other.nwb", place)
    assert "not followed" in refusal(path)


def test_a_link_within_the_file_does_not_lead_out_of_it(tmp_path: Path) -> None:
    write_nwb(tmp_path / "other.nwb", [Series("v", VOLTAGE[2])])
    path = write_nwb(tmp_path / "cell.nwb", [Series("v", VOLTAGE[2]), stimulus("i", CURRENT[2])])
    with h5py.File(path, "a") as file:
        file["away"] = h5py.ExternalLink("other.nwb", "/acquisition")
        del file["acquisition/v/data"]
        file["acquisition/v/data"] = h5py.SoftLink("/away/v/data")
    assert "not followed" in refusal(path)
    with h5py.File(path, "a") as file:
        del file["acquisition/v/data"]
        file["acquisition/v/data"] = h5py.SoftLink("/acquisition/v/data")
    assert "in a circle" in refusal(path)


def test_data_that_lie_in_another_file_are_not_read(tmp_path: Path) -> None:
    outside = tmp_path / "outside.bin"
    VOLTAGE[2].tofile(outside)
    path = write_nwb(tmp_path / "cell.nwb", [Series("v", VOLTAGE[2]), stimulus("i", CURRENT[2])])
    with h5py.File(path, "a") as file:
        del file["acquisition/v/data"]
        data = file.create_dataset(
            "acquisition/v/data", (6000,), dtype="f8", external=[(str(outside), 0, h5py.h5f.UNLIMITED)]
        )
        data.attrs.update(unit="volts", conversion=1e-3)
    assert "numbers of its own" in refusal(path)


def test_a_dataset_that_claims_terabytes_is_refused(tmp_path: Path) -> None:
    path = write_nwb(tmp_path / "cell.nwb", [Series("v", VOLTAGE[2]), stimulus("i", CURRENT[2])])
    with h5py.File(path, "a") as file:
        for place in ("acquisition/v", "stimulus/presentation/i"):
            del file[place]["data"]
            data = file[place].create_dataset("data", (10**12,), dtype="f8", chunks=(4096,))
            data.attrs.update(unit="volts" if "v" in place[-1] else "amperes", conversion=1e-3)
    assert "more memory" in refusal(path)


def test_other_hdf5_files_are_refused_by_what_they_are(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "cell.mat", "w") as file:
        file["data"] = VOLTAGE
    assert "no NWB" in refusal(tmp_path / "cell.mat")


def test_without_h5py_it_is_said_how_to_install_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_nwb(tmp_path / "cell.nwb", pairs())
    monkeypatch.setitem(__import__("sys").modules, "h5py", None)
    assert "pip install 'neurofit[nwb]'" in refusal(path)
