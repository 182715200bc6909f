"""A table or a NumPy file becomes a recording: which columns are sweeps of voltage and current, sampled how fast."""

from __future__ import annotations

import re
from os import SEEK_END
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from neurofit.errors import RecordingError
from neurofit.recording.choices import Choices
from neurofit.recording.formats.tables import NPY, ZIP, Column, read_columns
from neurofit.recording.injected import cleaned, from_file
from neurofit.recording.limits import check_interval
from neurofit.recording.recording import Finding, Recording, Source
from neurofit.recording.units import current_scale_pa, time_scale_ms, voltage_scale_mv

UNEVEN = 0.5  # of an interval: times printed with few digits stray by less, missing samples by more
INTERVALS, RATES = ("dt", "interval", "sampling_interval"), ("sampling_rate_hz", "rate_hz", "fs_hz")
SCALES = {"voltage": voltage_scale_mv, "current": current_scale_pa}


def read_table(path: Path, sha256: str, choices: Choices) -> Recording:
    """Voltage and injected current from columns of text, or from arrays.

    Parameters
    ----------
    path
        A text table, ``.npy`` or ``.npz`` file.
    sha256
        Of the file, for :class:`Source`.
    choices
        What the user says.

    Raises
    ------
    RecordingError
        If the columns, their units or the sampling cannot be told.
    """
    words = [name for name in vars(choices) if name != "protocol"]
    choices.only(path, "a table", *words)
    if choices.command is not None and choices.command_file is None:
        raise RecordingError("a table has no header to rebuild a command from", where=path)
    columns = read_columns(path)
    dt_ms = interval_ms(path, columns, choices.sampling_rate_hz)
    check_interval(path, dt_ms)
    voltage_mv = signal(path, columns, "voltage", choices.voltage_channel, choices.voltage_scale_mv)
    if choices.command_file is not None:
        injected = from_file(choices, voltage_mv.shape, dt_ms, None, "")
    else:
        current_pa = signal(path, columns, "current", choices.current_channel, choices.current_scale_pa)
        recorded = matched(path, current_pa, voltage_mv.shape)
        injected = cleaned(recorded, dt_ms, None, "The injected current is a column of the file.")
    return Recording(
        voltage_mv=voltage_mv,
        current_pa=injected.current_pa,
        dt_ms=dt_ms,
        sweep_numbers=tuple(range(len(voltage_mv))),
        start_ms=0.0,
        findings=(*injected.findings, *_cut_short(path)),
        source=Source(
            str(path), sha256, "NumPy" if path.suffix in (".npy", ".npz") else "table", injected.current_from
        ),
    )


def _cut_short(path: Path) -> list[Finding]:
    """What it may mean that a text's last line does not end; that it does end does not say that the text is whole."""
    with path.open("rb") as file:
        head = file.read(6)
        file.seek(-1, SEEK_END)
        if head.startswith((NPY, ZIP)) or file.read(1) in (b"\n", b"\r"):
            return []
    said = "The file's last line does not end: it may have been cut short, and its last numbers with it."
    return [Finding("cut-short", "warning", said)]


def signal(
    path: Path, columns: list[Column], kind: str, wanted: str | None, scale: float | None
) -> NDArray[np.float64]:
    """``[sweep, time]`` of the voltage in mV, or of the current in pA.

    Parameters
    ----------
    path
        For the error.
    columns
        All columns.
    kind
        ``"voltage"`` or ``"current"``.
    wanted
        Name or number of the column; ``None`` takes the columns in units of this kind.
    scale
        mV or pA per stored unit; ``None`` takes the column's own unit.

    Raises
    ------
    RecordingError
        If there is no such column, its unit is not known, or several may be it.
    """
    option = f"--{kind}-channel"
    found = ", ".join(f"{number}: {column}" for number, column in enumerate(columns))
    in_unit = [column for column in columns if SCALES[kind](column.unit) is not None]
    if wanted is not None:
        in_unit = [c for c in columns if c.name == wanted] or [c for n, c in enumerate(columns) if str(n) == wanted]
    elif scale is not None and not in_unit and len(columns) == 1:
        in_unit = columns
    if not in_unit:
        raise RecordingError(
            f"no column '{wanted}'" if wanted is not None else f"no column is in a unit of {kind}",
            where=path,
            expected=f"a column named with its unit, such as {kind}_{'mV' if kind == 'voltage' else 'pA'}",
            found=f"columns {found}",
            advice=f"Name it with {option}, and give --{kind}-scale, {'mV' if kind == 'voltage' else 'pA'} per unit.",
        )
    if len({re.sub(r"\d+", "", column.name) for column in in_unit}) > 1:
        raise RecordingError(
            f"{len(in_unit)} columns are in units of {kind}, and they are not the numbered sweeps of one",
            where=path,
            expected=f"one column of {kind}, or names that differ in their number only, such as v1_mV, v2_mV",
            found=f"columns {found}",
            advice=f"Name it with {option}.",
        )
    told = [SCALES[kind](column.unit) if scale is None else scale for column in in_unit]
    factors = [factor for factor in told if factor is not None]
    if len(factors) < len(told):
        raise RecordingError(
            f"the column {in_unit[0]} does not state a unit of {kind}, and none is guessed",
            where=path,
            advice=f"Give --{kind}-scale, {'mV' if kind == 'voltage' else 'pA'} per unit (1 if it is in that unit).",
        )
    if len({column.values.shape[1] for column in in_unit}) > 1:
        raise RecordingError(f"the sweeps of {kind} differ in length", where=path, found=f"columns {found}")
    return np.concatenate([column.values * factor for column, factor in zip(in_unit, factors, strict=True)])


def matched(path: Path, current_pa: NDArray[np.float64], shape: tuple[int, ...]) -> NDArray[np.float64]:
    """The current of every sweep, where one row is that of all."""
    if current_pa.shape[1] != shape[1] or len(current_pa) not in (1, shape[0]):
        raise RecordingError(
            "voltage and current do not go together",
            where=path,
            expected=f"one current, or {shape[0]}, of {shape[1]} samples",
            found=f"{current_pa.shape[0]} of {current_pa.shape[1]} samples",
        )
    return np.array(np.broadcast_to(current_pa, shape))


def interval_ms(path: Path, columns: list[Column], rate_hz: float | None) -> float:
    """The sampling interval: from a column of times or a single number in the file, else from the user.

    Raises
    ------
    RecordingError
        If the file does not say it and the user neither, if the two differ, or if the samples are not evenly spaced.
    """
    told = [found for found in (_told_ms(path, column) for column in columns) if found is not None]
    if rate_hz is not None:
        told.append(1e3 / rate_hz)
    if not told:
        raise RecordingError(
            "the file does not say how fast it was sampled",
            where=path,
            expected="a column of times with its unit, such as time_ms, or a single number named dt_ms",
            found=f"columns {', '.join(map(str, columns))}",
            advice="Give --sampling-rate, in Hz.",
        )
    if max(told) > 1.001 * min(told):
        listed = " and ".join(f"{interval:g} ms" for interval in told)
        raise RecordingError("the sampling is stated twice, differently", where=path, found=listed)
    return round(float(f"{told[-1]:.6g}"), 9)


def _told_ms(path: Path, column: Column) -> float | None:
    """What a column says about the sampling, if it does."""
    scale = time_scale_ms(column.unit)
    if column.values.size == 1:
        value = float(column.values[0, 0])
        if column.name.lower() in RATES or (column.name.lower() in ("sampling_rate", "fs") and column.unit == "Hz"):
            return 1e3 / value if value > 0 else None
        return value * scale if scale is not None and column.name.lower() in INTERVALS else None
    if scale is None:
        return None
    time_ms = column.values[0] * scale
    step = (time_ms[-1] - time_ms[0]) / (len(time_ms) - 1)
    even = time_ms[0] + np.arange(len(time_ms)) * step
    if not np.isfinite(time_ms).all() or step <= 0 or (np.abs(time_ms - even) > UNEVEN * step).any():
        back = np.flatnonzero(~(np.diff(time_ms) > 0))
        raise RecordingError(
            "the samples are not evenly spaced in time",
            where=path,
            expected="times that grow by one sampling interval a row",
            found=f"the time {'goes back at row ' + str(back[0] + 2) if len(back) else 'leaps'} in column {column}",
            advice="Of several sweeps, give each its own columns (v1_mV, v2_mV, ...), or save arrays [sweep, time].",
        )
    return float(step)
