"""The injected current from a file of its own: a text table, an Axon text file, ``.npy`` or ``.npz``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from neurofit.errors import RecordingError
from neurofit.recording.formats.tables import Column, is_npz, is_table, read_columns
from neurofit.recording.units import current_scale_pa, time_scale_ms


def read_command(path: Path, shape: tuple[int, ...], dt_ms: float, scale_pa: float | None) -> NDArray[np.float64]:
    """The current of every sweep, sampled as the recording.

    Parameters
    ----------
    path
        The file: currents ``[time]``, the same in every sweep, or ``[sweep, time]``, with their unit in their names.
        With a column of times each value holds until the next; without, they must be sampled as the recording.
    shape
        ``(sweeps, samples)`` of the recording.
    dt_ms
        Its sampling interval.
    scale_pa
        pA per stored unit, if the user says it; otherwise by the unit in the file.

    Returns
    -------
    array
        ``[sweep, time]`` in pA.

    Raises
    ------
    RecordingError
        If the file is of another kind, states no unit, or does not cover the recording.
    """
    if not path.is_file():
        raise RecordingError("no such file for the injected current", where=path)
    with path.open("rb") as file:
        head = file.read(512)
    if not (is_table(head) or (head.startswith(b"PK\x03\x04") and is_npz(path))):
        raise RecordingError(
            "this file does not hold an injected current",
            where=path,
            expected="a table of numbers (.csv, .tsv, .txt, .atf) or a NumPy file (.npy, .npz)",
        )
    columns = read_columns(path)
    times = [column for column in columns if column.is_time and column.values.size > 1]
    current_pa = _currents(path, [column for column in columns if not column.is_time], scale_pa)
    if times:
        current_pa = _held(path, current_pa, times[0], shape[1], dt_ms)
    if current_pa.shape[1] != shape[1] or len(current_pa) not in (1, shape[0]):
        raise RecordingError(
            "the injected current does not suit the recording",
            where=path,
            expected=f"{shape[1]} samples, in one sweep or {shape[0]}, or a column of times",
            found=f"{current_pa.shape[1]} samples in {current_pa.shape[0]}",
        )
    if not np.isfinite(current_pa).all():
        raise RecordingError("the injected current holds values that are not numbers", where=path)
    return np.array(np.broadcast_to(current_pa, shape))


def _currents(path: Path, columns: list[Column], scale_pa: float | None) -> NDArray[np.float64]:
    """The columns in units of current; with a scale, the only columns there are, whatever their unit."""
    in_unit = [column for column in columns if current_scale_pa(column.unit) is not None]
    in_unit = in_unit or (columns if scale_pa is not None else [])
    if not in_unit or len({column.values.shape[1] for column in in_unit}) > 1:
        raise RecordingError(
            "nothing in the file says which unit the current is in" if not in_unit else "its sweeps differ in length",
            where=path,
            expected="a column named with its unit, such as current_pA",
            found=f"columns {', '.join(map(str, columns))}",
            advice="Give --current-scale, pA per stored unit (1 if it is in pA).",
        )
    scales = [scale_pa if scale_pa is not None else current_scale_pa(column.unit) for column in in_unit]
    return np.concatenate([c.values * (scale or np.nan) for c, scale in zip(in_unit, scales, strict=True)])


def _held(
    path: Path, current_pa: NDArray[np.float64], times: Column, samples: int, dt_ms: float
) -> NDArray[np.float64]:
    """The value that holds at each sample of the recording: the last one given before or at its time."""
    time_ms = times.values[0] * (time_scale_ms(times.unit) or np.nan)
    wanted = np.arange(samples) * dt_ms
    if len(time_ms) != current_pa.shape[1] or not (np.diff(time_ms) > 0).all():
        raise RecordingError("the times of the injected current do not grow from row to row", where=path)
    usual = float(np.median(np.diff(time_ms)))
    if time_ms[0] > 0.5 * dt_ms or time_ms[-1] + max(usual, dt_ms) < wanted[-1]:
        raise RecordingError(
            "the injected current does not cover the recording",
            where=path,
            expected=f"times from 0 to {wanted[-1]:g} ms",
            found=f"{time_ms[0]:g} to {time_ms[-1]:g} ms",
        )
    rows = np.searchsorted(time_ms, wanted + 1e-6 * dt_ms, side="right") - 1
    return current_pa[:, np.maximum(rows, 0)]
