"""A path becomes a :class:`Recording`. The file's first bytes choose the reader, never its name."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from neurofit.errors import RecordingError
from neurofit.recording.choices import Choices
from neurofit.recording.follows import edge_findings
from neurofit.recording.formats.abf1 import read_abf1
from neurofit.recording.formats.axon import read_abf2
from neurofit.recording.formats.columns import read_table
from neurofit.recording.formats.igor import read_igor
from neurofit.recording.formats.igor_wave import is_wave
from neurofit.recording.formats.nwb import is_nwb, read_nwb
from neurofit.recording.formats.tables import ZIP, is_npz, is_table
from neurofit.recording.limits import check_interval, check_values
from neurofit.recording.quality import examined, warnings_first
from neurofit.recording.recording import Finding, Recording, Source
from neurofit.recording.spikes import count_spikes, spike_times_ms
from neurofit.recording.steps import moves
from neurofit.recording.thresholds import QualityThresholds

READS = (
    "an ABF file (.abf), Igor binary waves (.ibw), a table (.csv, .tsv, .txt, .atf), NumPy (.npy, .npz) or NWB (.nwb)"
)
HDF5 = b"\x89HDF"
PACKED = (".pxp", ".pxt", ".uxp")
# Formats that are recognised only to say what the file is.
_OTHERS = (
    (HDF5, "an HDF5 file, and no NWB (MATLAB 7.3?)"),
    (b"MATLAB", "a MATLAB file"),
    (b"DATA", "a HEKA file"),
    (b"DAT1", "a HEKA file"),
    (b"DAT2", "a HEKA bundle"),
    (ZIP, "a zip archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"\x80", "a Python pickle"),
    (b"%PDF", "a PDF"),
)


def load_recording(
    path: str | Path | Sequence[str | Path],
    *,
    protocol: str | None = None,
    voltage_channel: str | int | None = None,
    voltage_scale_mv: float | None = None,
    current_channel: str | int | None = None,
    current_scale_pa: float | None = None,
    command: str | Path | None = None,
    sampling_rate_hz: float | None = None,
    thresholds: QualityThresholds | None = None,
) -> Recording:
    """A current-clamp recording of current steps, with findings about its quality.

    Parameters
    ----------
    path
        An ABF file, a table (CSV, TSV, ATF), a NumPy file or an NWB file; or Igor binary waves: one file (its partner
        is found beside it), a directory of pairs, or a list of files.
    protocol
        Which of the protocols that a directory of Igor waves holds, for example ``"IDrest"``.
    voltage_channel, current_channel
        Name of the channel, column or series that is the membrane potential or the injected current, or its number.
    voltage_scale_mv, current_scale_pa
        mV, and pA, per unit as stored, where the file's own unit or scale is wrong or missing.
    command
        ``"header"`` if the epochs in the file's header are what was injected; or a file that holds the current.
    sampling_rate_hz
        For a file that does not say it.
    thresholds
        Where a note about quality becomes a warning, and a sweep is set aside.

    Returns
    -------
    Recording
        Voltage in mV, injected current in pA, ``[sweep, time]``.

    Raises
    ------
    RecordingError
        If the file is missing, of another kind, cut short or damaged; if it is voltage clamp or holds no
        current step; or if the injected current cannot be told.

    Examples
    --------
    The simulated cell that comes with neurofit; a directory of Igor waves would be
    ``load_recording("waves/", protocol="IDrest")``.

    >>> from neurofit.recording import fetch_recording
    >>> load_recording(fetch_recording("simulated"))
    Recording(17 sweeps of 3000 ms at 0.05 ms, ABF2, 7 findings)
    """
    paths = Path(path) if isinstance(path, (str, Path)) else [Path(part) for part in path]
    choices = Choices(
        protocol,
        None if voltage_channel is None else str(voltage_channel),
        voltage_scale_mv,
        None if current_channel is None else str(current_channel),
        current_scale_pa,
        None if command is None else str(command),
        sampling_rate_hz,
    )
    try:
        recording = _read(paths, choices)
    except OSError as error:
        raise RecordingError("the file cannot be read", where=error.filename, found=error.strerror) from error
    check_values(recording)
    _refuse_without_current(recording)
    recording = examined(recording, thresholds)
    findings = _resaved((*recording.findings, *edge_findings(recording)))
    return replace(recording, findings=warnings_first(findings))


def recording_from_arrays(
    voltage_mv: ArrayLike,
    current_pa: ArrayLike,
    dt_ms: float,
    *,
    name: str = "arrays",
    thresholds: QualityThresholds | None = None,
) -> Recording:
    """A recording from voltage and injected current that are at hand as arrays, examined like one from a file.

    For a format that :func:`load_recording` does not read, or a simulated cell.

    Parameters
    ----------
    voltage_mv, current_pa
        ``[sweep, time]``; ``[time]`` is taken as one sweep.
    dt_ms
        Sampling interval.
    name
        What reports call it.
    thresholds
        As for :func:`load_recording`.

    Raises
    ------
    RecordingError
        If they differ in shape, hold values that no recording has, or there is no current step.

    Examples
    --------
    >>> current = np.zeros((2, 5000)); current[:, 1000:4000] = [[-50.0], [-100.0]]
    >>> recording_from_arrays(-70 + 0.1 * current, current, 0.1)
    Recording(2 sweeps of 500 ms at 0.1 ms, arrays, 5 findings)
    """
    voltage = np.atleast_2d(np.asarray(voltage_mv, dtype=np.float64))
    current = np.atleast_2d(np.asarray(current_pa, dtype=np.float64))
    if voltage.ndim != 2 or voltage.size == 0 or voltage.shape != current.shape:
        raise RecordingError(
            "voltage and current do not go together",
            where=name,
            expected="two arrays [sweep, time] of the same shape",
            found=f"{voltage.shape} and {current.shape}",
        )
    check_interval(Path(name), dt_ms)
    sha256 = hashlib.sha256(voltage.tobytes() + current.tobytes()).hexdigest()
    source = Source(name, sha256, "arrays", "recorded")
    recording = Recording(voltage, current, float(dt_ms), tuple(range(len(voltage))), 0.0, (), source)
    check_values(recording)
    _refuse_without_current(recording)
    return examined(recording, thresholds)


def _read(paths: Path | list[Path], choices: Choices) -> Recording:
    """The recording as its reader gives it."""
    kinds = {_kind(path) for path in ([paths] if isinstance(paths, Path) else paths)}
    if not kinds:
        raise RecordingError("no file was given", expected=READS)
    readers = {"abf2": read_abf2, "abf1": read_abf1, "table": read_table, "nwb": read_nwb}
    if isinstance(paths, Path) and kinds <= set(readers):
        recording = readers[kinds.pop()](paths, _sha256([paths]), choices)
        return replace(recording, source=replace(recording.source, said=_said(choices)))
    if kinds != {"igor"}:
        raise RecordingError(
            "several files make one recording only if they are Igor waves",
            where=paths[0] if isinstance(paths, list) else paths,
            advice="Load one file at a time: one recording is one cell.",
        )
    choices.only(paths if isinstance(paths, Path) else paths[0], "Igor waves", "protocol")
    recording, files = read_igor(paths, choices.protocol)
    source = replace(recording.source, sha256=_sha256(files), protocol=choices.protocol or "")
    return replace(recording, source=source)


def _said(choices: Choices) -> dict[str, str | float]:
    """What the user said, with the contents of a file that was named: it may change under its name."""
    said = choices.said
    if choices.command_file is not None:
        said["command_sha256"] = _sha256([choices.command_file])
    return said


def _kind(path: Path) -> str:
    """Which reader (``"abf2"``, ``"igor"``...); everything else is refused here, each with its own words."""
    if not path.exists():
        raise RecordingError("no such file", where=path, expected=READS)
    if path.is_dir():
        if not any(p.suffix.lower() == ".ibw" for p in path.iterdir()):
            abf = sorted(p.name for p in path.iterdir() if p.suffix.lower() == ".abf")
            raise RecordingError(
                "the directory holds no Igor binary wave (.ibw)",
                where=path,
                found=f"{len(abf)} ABF files" if abf else None,
                advice=f"Give one of them: {', '.join(abf[:5])}." if abf else None,
            )
        return "igor"
    if not path.is_file():  # a device never ends, and a pipe may never begin
        raise RecordingError("this is not a file but a device or a pipe", where=path, expected=READS)
    with path.open("rb") as file:
        head = file.read(512)
    if not head:
        raise RecordingError("the file is empty", where=path, expected=READS, found="0 bytes")
    if path.suffix.lower() in PACKED:  # its first bytes look like those of a wave
        raise RecordingError(
            "this is an Igor packed experiment, not a wave",
            where=path,
            expected=READS,
            advice="In Igor, save its waves as Igor binary (.ibw), one file each.",
        )
    if head.startswith(b"ABF2"):
        return "abf2"
    if head.startswith(b"ABF "):
        return "abf1"
    if is_wave(head):
        return "igor"
    if is_table(head) or (head.startswith(ZIP) and is_npz(path)):
        return "table"
    if head.startswith(HDF5) and is_nwb(path):
        return "nwb"
    raise RecordingError("this is not a recording that neurofit reads", where=path, expected=READS, found=_guess(head))


def _guess(head: bytes) -> str:
    """What a file of another kind is, as far as its first bytes tell."""
    for signature, name in _OTHERS:
        if head.startswith(signature):
            return name
    if b"IGOR" in head[:8].upper():
        return "an Igor text file"
    if not head.strip(b"\0"):
        return "nothing but zeros"
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError as error:
        # A multi-byte character may be cut by the end of what was read.
        text = head[: error.start].decode("utf-8") if error.start > len(head) - 4 else ""
    if text and all(character.isprintable() or character in "\t\r\n" for character in text):
        return "a text file"
    return f"bytes that begin with {head[:4].hex(' ')}"


def _sha256(files: Iterable[Path]) -> str:
    """Of the files one after another."""
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as stream:
            while chunk := stream.read(1 << 20):
                digest.update(chunk)
    return digest.hexdigest()


def _refuse_without_current(recording: Recording) -> None:
    """Without a current that changes there is nothing to explain, and spikes have another cause."""
    if moves(recording.current_pa):
        return
    level = float(np.median(recording.current_pa))
    counts = count_spikes(spike_times_ms(recording))
    other = [f.message for f in recording.findings if f.kind == "other-output"]
    if counts.any():
        number = f"{counts.max()}" if np.ptp(counts) == 0 else f"{counts.min()} to {counts.max()}"
        message = (
            f"the spikes are not caused by injected current: there are {number} in a sweep, while the "
            f"current stays at {level:g} pA"
        )
    else:
        message = f"no current step was injected: the current stays at {level:g} pA, so there is no stimulus to fit"
    raise RecordingError(
        message,
        where=recording.source.path,
        expected="current steps that differ from the holding current",
        found=" ".join(other).removesuffix(".") if other else None,
        advice="Choose a recording of current steps from the same cell.",
    )


def _resaved(findings: tuple[Finding, ...]) -> list[Finding]:
    """Two clues of one cause are told as one: a subset of sweeps saved with another sweep's levels."""
    clues = {f.kind: f for f in findings if f.kind in ("starts-late", "command-offset")}
    if len(clues) < 2:
        return list(findings)
    both = Finding(
        "resaved-subset",
        "warning",
        "This file is a subset of sweeps saved again, and the current in its header is probably not what "
        f"the cell got. Two clues: {clues['command-offset'].message} {clues['starts-late'].message} Use "
        "the original file.",
    )
    return [both, *(f for f in findings if f.kind not in clues)]
