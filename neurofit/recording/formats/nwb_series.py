"""The intracellular series of an NWB file, read with h5py; no link that leads out of the file is followed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurofit.errors import RecordingError
from neurofit.recording.units import printable

VOLTAGE, CURRENT, CLAMPED = "CurrentClampSeries", "CurrentClampStimulusSeries", "VoltageClampSeries"
ICEPHYS = "general/intracellular_ephys"
# The words that the format's schema has for the units; older files write them out.
_UNITS = {"volts": "V", "volt": "V", "amperes": "A", "ampere": "A"}
MOST_LINKS = 8  # one after another
RESPONSES, STIMULI = ("acquisition",), ("stimulus/presentation",)


@dataclass(frozen=True)
class Series:
    """One sweep of one channel.

    Attributes
    ----------
    name, kind
        Its own, and its neurodata type.
    data
        The dataset, read when it is used.
    unit, conversion, offset
        From stored numbers to the unit.
    dt_ms, start_s
        Sampling interval, and time of the first sample.
    sweep
        ``sweep_number``, if it has one.
    electrode
        Name of its electrode; empty if it has none.
    """

    name: str
    kind: str
    data: Any
    unit: str
    conversion: float
    offset: float
    dt_ms: float
    start_s: float
    sweep: int | None
    electrode: str

    def values(self, scale: float) -> NDArray[np.float64]:
        return (np.asarray(self.data[()], dtype=np.float64) * self.conversion + self.offset) * scale


def series_in(path: Path, file: Any, places: tuple[str, ...]) -> Iterator[Series]:
    """Every intracellular series in these groups, in the order of their names."""
    for place in places:
        group = inside(path, file, place)
        for name in sorted(group or ()):
            child = inside(path, group, name)
            kind = "" if child is None else shown(child.attrs.get("neurodata_type", ""))
            if kind in (VOLTAGE, CURRENT, CLAMPED) or (kind.startswith("IZero") and place in RESPONSES):
                yield _one(path, child, kind)


def inside(path: Path, group: Any, name: str, depth: int = 0) -> Any:
    """What a group holds by a name, ``None`` for nothing; a link that leads out of the file is refused.

    Links within the file are followed step by step, so that none leads out of it on the way.
    """
    import h5py

    for part in name.split("/"):
        link = None if group is None or not isinstance(group, h5py.Group) else group.get(part, getlink=True)
        if link is None:
            return None
        if isinstance(link, h5py.ExternalLink):
            raise RecordingError(
                f"'{printable(part)}' is a link to another file, which is not followed",
                where=path,
                advice="Export a file that holds its own data.",
            )
        if isinstance(link, h5py.SoftLink):
            if depth == MOST_LINKS:
                raise RecordingError("the file's links go round in a circle", where=path, found=f"'{printable(part)}'")
            start = group.file if link.path.startswith("/") else group
            group = inside(path, start, link.path.strip("/"), depth + 1)
        else:
            group = group.get(part)
    return group


def _one(path: Path, group: Any, kind: str) -> Series:
    name = printable(group.name.rsplit("/", 1)[-1])
    data = inside(path, group, "data")
    if data is None or data.ndim != 1 or data.dtype.kind not in "fiu" or data.external or data.is_virtual:
        found = "no data" if data is None else f"{data.dtype} of shape {data.shape}"
        raise RecordingError(
            f"the series '{name}' does not hold one channel of numbers of its own", where=path, found=found
        )
    starting, stamps = inside(path, group, "starting_time"), inside(path, group, "timestamps")
    if starting is not None:
        rate = float(starting.attrs.get("rate", np.nan))
        dt_ms, start_s = (1e3 / rate if rate > 0 else np.nan), float(starting[()])
        if shown(starting.attrs.get("unit", "seconds")) not in ("seconds", "Seconds", "s"):
            raise RecordingError(f"the series '{name}' is not timed in seconds", where=path)
    elif stamps is not None and stamps.shape == data.shape and len(stamps) > 1:
        times = np.asarray(stamps[()], dtype=np.float64)
        start_s, step = float(times[0]), float(times[-1] - times[0]) / (len(times) - 1)
        if not (np.abs(times - start_s - np.arange(len(times)) * step) < 0.5 * abs(step)).all() or step <= 0:
            raise RecordingError(f"the samples of '{name}' are not evenly spaced in time", where=path)
        dt_ms = 1e3 * step
    else:
        raise RecordingError(f"the series '{name}' does not say how fast it was sampled", where=path)
    sweep = group.attrs.get("sweep_number", inside(path, group, "sweep_number"))
    unit = shown(data.attrs.get("unit", ""))
    return Series(
        name,
        kind,
        data,
        _UNITS.get(unit.lower(), unit),
        float(data.attrs.get("conversion", 1.0)),
        float(data.attrs.get("offset", 0.0)),
        round(dt_ms, 9),
        start_s,
        None if sweep is None else int(np.asarray(sweep[()] if hasattr(sweep, "shape") else sweep)),
        _electrode(path, group),
    )


def _electrode(path: Path, group: Any) -> str:
    """The name of a series' electrode; the series itself holds a link to it."""
    mine, described = inside(path, group, "electrode"), inside(path, group.file, ICEPHYS)
    if mine is None or described is None:
        return ""
    names = [name for name in described if inside(path, described, name) == mine]
    return printable(names[0] if names else mine.name)


def shown(raw: Any) -> str:
    """A name or unit from the file."""
    return printable(raw.decode("utf-8", "replace") if isinstance(raw, bytes) else str(raw))
