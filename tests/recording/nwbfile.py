"""Writes NWB files with intracellular series, as the format's schema lays them out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

ICEPHYS = "general/intracellular_ephys"


@dataclass
class Series:
    """A series: stored numbers times ``conversion`` plus ``offset`` are in ``unit``."""

    name: str
    values: NDArray[Any]
    kind: str = "CurrentClampSeries"
    unit: str = "volts"
    conversion: float = 1e-3
    offset: float = 0.0
    sweep: int | None = 0
    rate_hz: float = 4000.0
    electrode: str = "electrode0"
    stamps: NDArray[np.float64] | None = None

    @property
    def place(self) -> str:
        return f"{'stimulus/presentation' if 'Stimulus' in self.kind else 'acquisition'}/{self.name}"


def stimulus(name: str, values: NDArray[Any], sweep: int | None = 0, **changes: Any) -> Series:
    """The injected current, stored in pA."""
    options = {"kind": "CurrentClampStimulusSeries", "unit": "amperes", "conversion": 1e-12, **changes}
    return Series(name, values, sweep=sweep, **options)


def write_nwb(path: Path, series: list[Series], table: list[tuple[str, str]] | None = None) -> Path:
    """Write a file; ``table`` pairs the names of responses and stimuli in the table of intracellular recordings."""
    with h5py.File(path, "w") as file:
        file.attrs["nwb_version"] = "2.7.0"
        file.attrs["neurodata_type"] = "NWBFile"
        for name in sorted({one.electrode for one in series}):
            file.create_group(f"{ICEPHYS}/{name}").attrs["neurodata_type"] = "IntracellularElectrode"
        for one in series:
            group = file.create_group(one.place)
            group.attrs["neurodata_type"] = one.kind
            if one.sweep is not None:
                group.attrs["sweep_number"] = np.uint32(one.sweep)
            data = group.create_dataset("data", data=one.values)
            data.attrs.update(unit=one.unit, conversion=np.float32(one.conversion), offset=np.float32(one.offset))
            if one.stamps is None:
                start = group.create_dataset("starting_time", data=0.0)
                start.attrs.update(rate=np.float32(one.rate_hz), unit="seconds")
            else:
                group.create_dataset("timestamps", data=one.stamps).attrs["unit"] = "seconds"
            group["electrode"] = h5py.SoftLink(f"/{ICEPHYS}/{one.electrode}")
        if table is not None:
            _write_table(file, {one.name: one for one in series}, table)
    return path


def _write_table(file: h5py.File, series: dict[str, Series], table: list[tuple[str, str]]) -> None:
    row = np.dtype([("idx_start", "i4"), ("count", "i4"), ("timeseries", h5py.ref_dtype)])
    root = file.create_group(f"{ICEPHYS}/intracellular_recordings")
    root.attrs["neurodata_type"] = "IntracellularRecordingsTable"
    for column, (category, name) in enumerate((("responses", "response"), ("stimuli", "stimulus"))):
        ones = [series[pair[column]] for pair in table]
        rows = np.array([(0, len(one.values), file[one.place].ref) for one in ones], dtype=row)
        root.create_dataset(f"{category}/{name}", data=rows)
