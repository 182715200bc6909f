"""Writes Igor binary waves of version 2 and 5, as WaveMetrics' Technical Note 003 lays them out."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike


def write_wave(
    path: Path,
    values: ArrayLike,
    unit: str,
    *,
    dt_s: float = 2.5e-4,
    version: int = 2,
    order: str = ">",
    note: bytes = b"",
    time_unit: str = "s",
    dtype: str = "f4",
) -> Path:
    """Write one wave; ``order`` is ``">"`` for big-endian (the Macintosh) and ``"<"`` for little-endian."""
    data = np.asarray(values)
    kind = {"f4": 2, "f8": 4, "i2": 0x10}[dtype]
    raw = np.asfortranarray(data).astype(order + dtype).tobytes(order="F")
    name = path.stem.encode()
    if version == 2:
        wave = struct.pack(
            f"{order}hI20shhI4s4sihddhhhddBBIiI2sII",
            *(kind, 0, name[:18], 0, 0, 0, unit.encode(), time_unit.encode(), data.size, 0, dt_s, 0.0),
            *(0, 0, 0, 0.0, 0.0, 0, 0, 0, 0, 0, b"", 0, 0),
        )
        assert len(wave) == 110
        head = struct.pack(f"{order}hiiih", 2, len(wave) + len(raw) + 16, len(note), 0, 0)
        path.write_bytes(head + wave + raw + bytes(16) + note)
    else:
        shape = (*data.shape, 0, 0, 0, 0)[:4]
        wave = struct.pack(
            f"{order}IIIihh6sh32siI4i4d4d4s16shhdd",
            *(0, 0, 0, data.size, kind, 0, b"", 1, name[:31], 0, 0, *shape, dt_s, 1.0, 1.0, 1.0),
            *(0.0, 0.0, 0.0, 0.0, unit.encode(), time_unit.encode(), 0, 0, 0.0, 0.0),
        )
        wave = wave.ljust(320, b"\0")
        head = struct.pack(f"{order}hhii", 5, 0, len(wave) + len(raw), 0) + struct.pack(f"{order}i", len(note))
        path.write_bytes(head.ljust(64, b"\0") + wave + raw + note)
    return path


def write_pair(
    directory: Path,
    number: int,
    voltage_mv: ArrayLike,
    current_pa: ArrayLike,
    *,
    protocol: str = "IDrest",
    prefix: str = "X",
    voltage_channel: int = 1,
    **options: object,
) -> tuple[Path, Path]:
    """A sweep's two files, named as neurofit expects them; returns voltage and current."""
    stem = f"{prefix}_{protocol}_ch{{}}_{number}.ibw"
    voltage = directory / stem.format(voltage_channel)
    current = directory / stem.format(1 - voltage_channel)
    write_wave(voltage, np.asarray(voltage_mv) * 1e-3, "V", **options)  # type: ignore[arg-type]
    write_wave(current, np.asarray(current_pa) * 1e-12, "A", **options)  # type: ignore[arg-type]
    return voltage, current
