"""ABF2 files (pCLAMP 10 and later), read with Neo: episodic current-clamp sweeps and the current they got."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurofit.errors import RecordingError
from neurofit.recording.choices import HEADER, Choices
from neurofit.recording.formats.abf_file import (
    COPY_AGAIN,
    abf2_mode,
    abf2_sections,
    abf2_user_lists,
    refuse_mode,
    text,
)
from neurofit.recording.formats.axon_channels import Channel, channels_of, voltage_channel
from neurofit.recording.formats.axon_header import Protocol, UserList, abf2_protocol
from neurofit.recording.formats.axon_protocol import Command, protocol_command
from neurofit.recording.injected import Signals, find_current
from neurofit.recording.limits import check_interval
from neurofit.recording.recording import Finding, Recording, Source
from neurofit.recording.units import voltage_scale_mv

ABF_CHOICES = ("voltage_channel", "voltage_scale_mv", "current_channel", "current_scale_pa", "command")


def read_abf2(path: Path, sha256: str, choices: Choices) -> Recording:
    """Voltage and injected current of an ABF2 file.

    The injected current is taken from a recorded current channel if there is one that moves, else from the
    command in the file's header, if nothing there says that it is not what the cell got; or as the user says.

    Parameters
    ----------
    path
        A file that begins with ``ABF2``.
    sha256
        Of the file, for :class:`Source`.
    choices
        What the user says.

    Raises
    ------
    RecordingError
        If the file is cut short or damaged, is not current clamp in sweeps, or its injected current cannot be
        told.
    """
    choices.only(path, "an ABF file", *ABF_CHOICES)
    sections = abf2_sections(path)
    refuse_mode(path, abf2_mode(path, sections))
    reader = _open(path)
    lists = tuple(
        UserList(output, parameter, tuple(value.strip() for value in values.strip(" ,").split(",")))
        for output, parameter, values in abf2_user_lists(path, sections)
    )
    protocol = abf2_protocol(reader, lists)
    channels = channels_of(reader)
    membrane = voltage_channel(path, channels, protocol.outputs, choices)
    lengths = {int(reader.get_signal_size(0, sweep, 0)) for sweep in range(reader.segment_count(0))}
    if len(lengths) != 1 or lengths == {0}:
        found = f"sweeps of {', '.join(map(str, sorted(lengths)))} samples"
        raise RecordingError("the sweeps differ in length", where=path, found=found, advice=COPY_AGAIN)
    dt_ms = round(1e3 / float(reader.get_signal_sampling_rate(0)), 9)
    check_interval(path, dt_ms)
    signals = Signals(
        path,
        channels,
        lambda channel: _read(path, reader, channel),
        membrane,
        (reader.segment_count(0), lengths.pop()),
        dt_ms,
    )
    return assemble(signals, protocol, choices, _about_the_file(reader), Source(str(path), sha256, "ABF2", "protocol"))


def assemble(signals: Signals, protocol: Protocol, choices: Choices, about: list[Finding], source: Source) -> Recording:
    """The recording of an ABF file of either generation, once its header is read."""
    scale = choices.voltage_scale_mv or voltage_scale_mv(signals.membrane.unit)
    assert scale is not None, "the channel was chosen by its unit or with its scale"

    def command_of(by_word: bool) -> Command:
        scale_pa = None if choices.current_channel or choices.command_file else choices.current_scale_pa
        return protocol_command(protocol, signals.shape, by_word=by_word, scale_pa=scale_pa)

    injected = find_current(signals, command_of, choices)
    return Recording(
        voltage_mv=signals.read(signals.membrane) * scale,
        current_pa=injected.current_pa,
        dt_ms=signals.dt_ms,
        sweep_numbers=tuple(range(signals.shape[0])),
        start_ms=0.0,
        findings=(*injected.findings, *command_of(choices.command == HEADER).findings, *about),
        source=replace(source, current_from=injected.current_from),
    )


def _open(path: Path) -> Any:
    """Neo's reader with the header parsed; whatever Neo raises becomes one error about the file."""
    from neo.io import AxonIO

    try:
        reader = AxonIO(str(path))
        reader.parse_header()
    except Exception as error:
        # On a damaged header Neo raises struct, index, value, decoding and its own errors.
        raise RecordingError(
            "the header is damaged and cannot be read",
            where=path,
            found=f"{type(error).__name__} ({' '.join(str(error).split())})",
            advice=COPY_AGAIN,
        ) from error
    return reader


def _read(path: Path, reader: Any, channel: Channel) -> NDArray[np.float64]:
    """``[sweep, time]`` of a channel, in its unit."""
    one = {"stream_index": 0, "channel_indexes": [channel.index]}
    try:
        raw = [reader.get_analogsignal_chunk(0, sweep, **one) for sweep in range(reader.segment_count(0))]
        values = np.stack([reader.rescale_signal_raw_to_float(part, "float64", **one)[:, 0] for part in raw])
    except Exception as error:
        raise RecordingError(
            f"channel {channel} cannot be read",
            where=path,
            found=f"{type(error).__name__} ({' '.join(str(error).split())})",
            advice=COPY_AGAIN,
        ) from error
    return np.asarray(values, dtype=np.float64)


def _about_the_file(reader: Any) -> list[Finding]:
    """Findings that only the header can give."""
    header: dict[str, Any] = reader._axon_info
    starts = [float(reader.segment_t_start(0, sweep)) for sweep in range(min(2, reader.segment_count(0)))]
    findings = starts_late(starts)
    runs = int(header["protocol"]["lRunsPerTrial"])
    if runs > 1:
        findings.append(
            Finding(
                "averaged",
                "warning",
                f"Each sweep is the average of {runs} runs: in an average, action potentials have no true "
                "shape or count.",
            )
        )
    comments = [text(tag["sComment"]) for tag in header["listTag"]]
    if comments:
        shown = "; ".join(comments[:5]) + ("; ..." if len(comments) > 5 else "")
        findings.append(Finding("tags", "note", f"Comments in the file: {shown}."))
    return findings


def starts_late(starts_s: list[float]) -> list[Finding]:
    """What the starts of the first two sweeps (s) say about where they come from."""
    interval = starts_s[1] - starts_s[0] if len(starts_s) > 1 else 0.0
    if not starts_s or starts_s[0] <= max(0.5, 0.5 * interval):
        return []
    message = (
        f"The file's first sweep starts at {starts_s[0]:g} s, not at 0: it was saved again with only "
        "some of its sweeps, and the levels in its header may be those of other sweeps."
    )
    return [Finding("starts-late", "warning", message)]
