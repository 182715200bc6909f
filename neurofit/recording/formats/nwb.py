"""NWB files with intracellular recordings: current-clamp series paired with the stimulus that went with them.

Read with h5py alone: nothing in the file is executed, and no link that leads out of the file is followed.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from neurofit.errors import RecordingError
from neurofit.recording.choices import Choices
from neurofit.recording.formats.nwb_series import (
    CLAMPED,
    CURRENT,
    ICEPHYS,
    RESPONSES,
    STIMULI,
    VOLTAGE,
    Series,
    inside,
    series_in,
    shown,
)
from neurofit.recording.formats.tables import LARGEST_BYTES
from neurofit.recording.injected import cleaned, from_file
from neurofit.recording.limits import check_interval
from neurofit.recording.recording import Finding, Recording, Source
from neurofit.recording.units import current_scale_pa, printable, voltage_scale_mv

COPY_AGAIN = "Copy the file again, or export it once more."


@dataclass(frozen=True)
class Pair:
    """A voltage with the current that was injected."""

    number: int
    voltage: Series
    current: Series | None


def is_nwb(path: Path) -> bool:
    """Does an HDF5 file say that it is NWB? Without h5py every one may be."""
    try:
        import h5py
    except ImportError:
        return True
    try:
        with h5py.File(path, "r") as file:
            return "nwb_version" in file.attrs
    except Exception:  # h5py raises whatever its library stumbles over
        return False


def read_nwb(path: Path, sha256: str, choices: Choices) -> Recording:
    """Voltage and injected current of an NWB file's current-clamp series.

    Parameters
    ----------
    path
        An HDF5 file with an ``nwb_version``.
    sha256
        Of the file, for :class:`Source`.
    choices
        What the user says.

    Raises
    ------
    RecordingError
        If h5py is not installed, the file is damaged or holds voltage clamp only, or a series lacks its stimulus, its
        unit or its sampling.
    """
    words = ("voltage_channel", "voltage_scale_mv", "current_channel", "current_scale_pa", "command")
    choices.only(path, "an NWB file", *words)
    if choices.command is not None and choices.command_file is None:
        raise RecordingError("an NWB file has no header to rebuild a command from", where=path)
    try:
        import h5py
    except ImportError as error:
        raise RecordingError(
            "this is an HDF5 file, for which h5py is not installed",
            where=path,
            advice="For NWB files: pip install 'neurofit[nwb]'.",
        ) from error
    try:
        with h5py.File(path, "r") as file:
            return _recording(path, sha256, choices, file)
    except RecordingError:
        raise
    except Exception as error:  # h5py raises whatever its library stumbles over
        raise RecordingError(
            "the file is damaged and cannot be read",
            where=path,
            found=printable(f"{type(error).__name__} ({' '.join(str(error).split())})")[:200],
            advice=COPY_AGAIN,
        ) from error


def _recording(path: Path, sha256: str, choices: Choices, file: Any) -> Recording:
    responses, stimuli = list(series_in(path, file, RESPONSES)), list(series_in(path, file, STIMULI))
    pairs, findings = _paired(path, file, responses, stimuli, choices)
    pairs, aside = _alike(path, pairs)
    first = pairs[0].voltage
    check_interval(path, first.dt_ms)
    if sum(pair.voltage.data.size for pair in pairs) * 8 > LARGEST_BYTES:
        raise RecordingError("the file asks for more memory than a recording needs", where=path)
    voltage_mv = np.stack(
        [p.voltage.values(_scale(path, p.voltage, choices.voltage_scale_mv, "voltage")) for p in pairs]
    )
    if choices.command_file is not None:
        injected = from_file(choices, voltage_mv.shape, first.dt_ms, None, "")
    else:
        currents = [p.current for p in pairs if p.current is not None]
        recorded = np.stack([c.values(_scale(path, c, choices.current_scale_pa, "current")) for c in currents])
        said = "The injected current is that of the file's stimulus series."
        injected = cleaned(recorded, first.dt_ms, None, said)
    return Recording(
        voltage_mv=voltage_mv,
        current_pa=injected.current_pa,
        dt_ms=first.dt_ms,
        sweep_numbers=tuple(pair.number for pair in pairs),
        start_ms=0.0,
        findings=(*injected.findings, *findings, *aside),
        source=Source(str(path), sha256, "NWB", injected.current_from),
    )


def _paired(
    path: Path, file: Any, responses: list[Series], stimuli: list[Series], choices: Choices
) -> tuple[list[Pair], list[Finding]]:
    """Every current-clamp series with its stimulus: by the file's table of recordings, else by sweep number."""
    voltages = [series for series in responses if series.kind == VOLTAGE]
    others = [series for series in responses if series.kind != VOLTAGE]
    if choices.voltage_channel is not None:
        voltages = [s for s in voltages if choices.voltage_channel in (s.name, s.electrode)]
    if not voltages:
        clamped = any(series.kind == CLAMPED for series in others)
        raise RecordingError(
            "this is a voltage clamp recording" if clamped else "the file holds no current-clamp series",
            where=path,
            expected="series of type CurrentClampSeries with their CurrentClampStimulusSeries",
            found=", ".join(f"{s.name} ({s.kind})" for s in [*responses, *stimuli][:6]) or "no intracellular series",
        )
    electrodes = sorted({series.electrode for series in voltages})
    if len(electrodes) > 1:
        raise RecordingError(
            f"the file holds series of {len(electrodes)} electrodes: one recording is one cell",
            where=path,
            found=", ".join(electrodes),
            advice=f"Choose with --voltage-channel, for example {electrodes[0]}.",
        )
    currents = [series for series in stimuli if series.kind == CURRENT]
    if choices.current_channel is not None:
        currents = [series for series in currents if series.name == choices.current_channel]
    table = _table(path, file)
    pairs, alone = [], []
    for index, voltage in enumerate(voltages):
        current = _partner(path, voltage, voltages, currents, table)
        if current is not None or choices.command_file is not None:
            pairs.append(Pair(index if voltage.sweep is None else voltage.sweep, voltage, current))
        else:
            alone.append(voltage.name)
    if not pairs:
        raise RecordingError(
            "no current-clamp series has a stimulus that says what was injected",
            where=path,
            expected="for each CurrentClampSeries a CurrentClampStimulusSeries of the same sweep",
            found=f"series {', '.join(alone[:4])}; stimuli {', '.join(s.name for s in stimuli[:4]) or 'none'}",
            advice="Give a file that holds the injected current (--command FILE).",
        )
    if len({pair.number for pair in pairs}) < len(pairs):
        pairs = [Pair(index, pair.voltage, pair.current) for index, pair in enumerate(pairs)]
    pairs.sort(key=lambda pair: pair.number)
    findings = []
    if alone:
        said = f"{len(alone)} series have no stimulus and were set aside: {', '.join(alone[:3])}."
        findings.append(Finding("set-aside", "warning", said))
    if others:
        said = f"{len(others)} series in voltage clamp or without current were left out: {others[0].name} ..."
        findings.append(Finding("set-aside", "note", said))
    return pairs, findings


def _partner(
    path: Path, voltage: Series, voltages: list[Series], currents: list[Series], table: dict[str, str] | None
) -> Series | None:
    """The one stimulus of a response; more than one is an error, and none is guessed by order."""
    if table is not None and voltage.name in table:
        found = [current for current in currents if current.name == table[voltage.name]]
    elif voltage.sweep is not None:
        same = [v for v in voltages if v.sweep == voltage.sweep]
        found = [c for c in currents if c.sweep == voltage.sweep and voltage.electrode in (c.electrode, "")]
        if len(same) > 1:
            raise RecordingError(
                f"several current-clamp series have the sweep number {voltage.sweep}",
                where=path,
                found=", ".join(series.name for series in same),
            )
    else:
        found = currents if len(currents) == len(voltages) == 1 else []
    if len(found) > 1:
        raise RecordingError(
            f"several stimuli belong to the series '{voltage.name}'",
            where=path,
            found=", ".join(series.name for series in found),
            advice="Name one with --current-channel.",
        )
    return found[0] if found else None


def _table(path: Path, file: Any) -> dict[str, str] | None:
    """Response to stimulus, from the file's table of intracellular recordings, if it has one."""
    rows = inside(path, file, f"{ICEPHYS}/intracellular_recordings")
    if rows is None:
        return None
    names: dict[str, list[str]] = {}
    for kind in ("responses", "stimuli"):
        column = inside(path, rows, f"{kind}/{'response' if kind == 'responses' else 'stimulus'}")
        if column is None:
            return None
        names[kind] = [_referred(path, file, row) for row in column[()]]
    return dict(zip(names["responses"], names["stimuli"], strict=True))


def _referred(path: Path, file: Any, row: Any) -> str:
    """The series that a row of the table refers to, whole; empty for none."""
    first, count, reference = row
    if not reference or (first < 0 and count < 0):
        return ""
    group = file[reference]
    data = inside(path, group, "data")
    if first != 0 or data is None or count != data.shape[0]:
        raise RecordingError(
            "the file's table of recordings refers to parts of series, which are not taken apart",
            where=path,
            found=f"{count} samples from {first} of '{shown(group.name)}'",
        )
    return shown(group.name).rsplit("/", 1)[-1]


def _alike(path: Path, pairs: list[Pair]) -> tuple[list[Pair], list[Finding]]:
    """The sweeps that most agree with in length and sampling; the others are set aside, and said."""
    for pair in pairs:
        if pair.current is not None and (pair.current.data.shape, pair.current.dt_ms) != (
            pair.voltage.data.shape,
            pair.voltage.dt_ms,
        ):
            raise RecordingError(
                f"voltage and current of sweep {pair.number} were not sampled alike",
                where=path,
                found=" and ".join(
                    f"{s.data.shape[0]} samples of {s.dt_ms:g} ms in {s.name}" for s in (pair.voltage, pair.current)
                ),
            )
    kinds = Counter((pair.voltage.data.shape, pair.voltage.dt_ms) for pair in pairs).most_common()
    others = [pair for pair in pairs if (pair.voltage.data.shape, pair.voltage.dt_ms) != kinds[0][0]]
    if not others:
        return pairs, []
    if len(others) >= kinds[0][1]:
        found = ", ".join(f"{n} of {shape[0]} samples of {dt:g} ms" for (shape, dt), n in kinds)
        raise RecordingError("the sweeps differ in length or sampling", where=path, found=found)
    listed = ", ".join(f"{pair.number} ({pair.voltage.data.shape[0]} samples)" for pair in others)
    said = f"Sweeps that differ in length or sampling from the other {kinds[0][1]} were set aside: {listed}."
    return [pair for pair in pairs if pair not in others], [Finding("set-aside", "warning", said)]


def _scale(path: Path, series: Series, by_hand: float | None, kind: str) -> float:
    """mV or pA per unit of a series."""
    known = voltage_scale_mv(series.unit) if kind == "voltage" else current_scale_pa(series.unit)
    scale = by_hand if by_hand is not None else known
    if scale is None:
        raise RecordingError(
            f"the series '{series.name}' is not in a unit of {kind}",
            where=path,
            expected="volts or amperes",
            found=f"'{series.unit}'",
            advice=f"Give --{kind}-scale, {'mV' if kind == 'voltage' else 'pA'} per unit.",
        )
    return scale
