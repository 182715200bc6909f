"""One Igor binary wave (.ibw), read with igor2 and not trusted to be whole."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurofit.errors import RecordingError
from neurofit.recording.limits import check_interval
from neurofit.recording.units import InUnit, current_scale_pa, voltage_scale_mv

COPY_AGAIN = "Copy the file again, or export the wave from Igor once more."
# Of each version of the format: bytes before the wave header, and where in them the sizes of all parts stand.
SIZES = {1: (8, "2xi"), 2: (16, "2x3i"), 3: (20, "2x4i"), 5: (64, "4x15i")}
TIME_UNIT_MS = {"s": 1e3, "": 1e3, "ms": 1.0, "us": 1e-3}  # the second is Igor's own default


@dataclass(frozen=True)
class Wave(InUnit):
    """One channel of one sweep.

    Attributes
    ----------
    path
        The file.
    values
        ``[time]``, in ``unit``.
    unit
        As the wave has it.
    dt_ms
        Sampling interval.
    """

    path: Path
    values: NDArray[np.float64]
    unit: str
    dt_ms: float

    def __str__(self) -> str:
        return f"{self.path.name} ({self.unit or 'no unit'})"

    @property
    def voltage_mv(self) -> NDArray[np.float64]:
        return self.values * (voltage_scale_mv(self.unit) or np.nan)

    @property
    def current_pa(self) -> NDArray[np.float64]:
        return self.values * (current_scale_pa(self.unit) or np.nan)


def read_wave(path: Path) -> Wave:
    """One Igor binary wave, whole, real and one-dimensional; its floats may be big-endian, ours are native.

    Raises
    ------
    RecordingError
        If the file is cut short or damaged, or holds another kind of wave.
    """
    from igor2 import binarywave

    _check_length(path)
    try:
        wave: dict[str, Any] = binarywave.load(str(path))["wave"]
        header = wave["wave_header"]
        values = np.asarray(wave["wData"])
        unit = _text(header["dataUnits"]) or _text(wave.get("data_units", b""))
        if "hsA" in header:
            step, time_unit = float(header["hsA"]), _text(header["xUnits"])
        else:
            step, time_unit = float(header["sfA"][0]), _text(header["dimUnits"][0])
    except Exception as error:  # igor2 asserts, and lets struct, type and value errors through
        raise RecordingError(
            "this is not a whole Igor binary wave: it is cut short or damaged",
            where=path,
            found=f"a header that makes no sense ({type(error).__name__})",
            advice=COPY_AGAIN,
        ) from error
    if values.ndim != 1 or values.dtype.kind not in "fiu" or len(values) < 2:
        kind = "text" if values.dtype.kind == "S" else f"{values.dtype.name} values"
        raise RecordingError(
            "the wave is not one sweep of one channel",
            where=path,
            expected="one column of real numbers",
            found=f"{kind} of shape {values.shape}",
            advice="Export one wave for each sweep and channel.",
        )
    if time_unit not in TIME_UNIT_MS:
        raise RecordingError(
            "the wave is not sampled in time",
            where=path,
            expected="an x axis in s or ms",
            found=(f"'{time_unit}'"),
        )
    dt_ms = round(step * TIME_UNIT_MS[time_unit], 9)
    check_interval(path, dt_ms)
    return Wave(path, values.astype(np.float64), unit, dt_ms)


def is_wave(head: bytes) -> bool:
    """Can a file that begins like this be an Igor binary wave?"""
    return _order(head) is not None


def _order(head: bytes) -> tuple[str, int] | None:
    """Byte order and version, which are all that marks a wave."""
    for order in ("big", "little"):
        version = int.from_bytes(head[:2], order)
        if len(head) >= 2 and version in SIZES:
            return (">" if order == "big" else "<"), version
    return None


def _check_length(path: Path) -> None:
    """Refuse a file that is shorter than its own header says; igor2 would ask for the memory first."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(64)
    marks = _order(head)
    if marks is None:
        raise RecordingError(
            "this is not an Igor binary wave",
            where=path,
            expected="a file that begins with the version 1, 2, 3 or 5",
            found=f"bytes that begin with {head[:2].hex(' ')}" if head else "an empty file",
        )
    order, version = marks
    length, form = SIZES[version]
    parts = struct.unpack_from(order + form, head) if len(head) >= struct.calcsize(order + form) else (0,)
    needed = length + sum(parts)
    if min(parts) < 0 or needed > size or parts == (0,):
        raise RecordingError(
            "the file is cut short, or its header is damaged",
            where=path,
            expected=f"{needed} bytes, as the header says" if min(parts) >= 0 < sum(parts) else None,
            found=f"{size} bytes",
            advice=COPY_AGAIN,
        )


def _text(raw: Any) -> str:
    """A unit, which igor2 gives as bytes or as an array of single letters."""
    joined = raw if isinstance(raw, bytes) else b"".join(np.asarray(raw, dtype="S1").ravel().tolist())
    return joined.decode("latin1").strip("\0 ")
