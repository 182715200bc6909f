"""ABF2 files (pCLAMP 10 and later), read with Neo: episodic current-clamp sweeps and the current they got."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from neurofit.errors import RecordingError
from neurofit.recording.abf_file import COPY_AGAIN, EPISODIC, MODES, abf2_mode, abf2_sections
from neurofit.recording.axon_channels import (
    ONE_CELL,
    VOLTAGE_CLAMP,
    Channel,
    channels_of,
    text,
    voltage_channel,
)
from neurofit.recording.axon_protocol import Command, protocol_command
from neurofit.recording.limits import LARGEST_PA, check_interval
from neurofit.recording.recording import Finding, Recording, Source
from neurofit.recording.steps import describe_steps, fit_steps, moves
from neurofit.recording.units import current_scale_pa, voltage_scale_mv


def read_abf2(path: Path, sha256: str) -> Recording:
    """Voltage and injected current of an ABF2 file.

    The injected current is taken from a recorded current channel if there is one that moves, else from the
    command in the file's header, if nothing there says that it is not what the cell got.

    Parameters
    ----------
    path
        A file that begins with ``ABF2``.
    sha256
        Of the file, for :class:`Source`.

    Raises
    ------
    RecordingError
        If the file is cut short or damaged, is not current clamp in sweeps, or its injected current cannot be
        told.
    """
    sections = abf2_sections(path)
    mode = abf2_mode(path, sections)
    if mode != EPISODIC:
        kind = MODES.get(mode, f"of an unknown kind ({mode})")
        raise RecordingError(
            f"the recording is {kind}: it holds no stimulus to fit",
            where=path,
            expected="sweeps with current steps (episodic stimulation)",
            found=f"{kind} acquisition",
            advice="Choose a recording of current steps from the same cell.",
        )
    reader = _open(path)
    header: dict[str, Any] = reader._axon_info
    channels = channels_of(reader)
    membrane = voltage_channel(path, channels, header["listDACInfo"])
    lengths = {int(reader.get_signal_size(0, sweep, 0)) for sweep in range(reader.segment_count(0))}
    if len(lengths) != 1 or lengths == {0}:
        found = f"sweeps of {', '.join(map(str, sorted(lengths)))} samples"
        raise RecordingError("the sweeps differ in length", where=path, found=found, advice=COPY_AGAIN)
    dt_ms = round(1e3 / float(reader.get_signal_sampling_rate(0)), 9)
    check_interval(path, dt_ms)
    voltage_mv = _read(path, reader, membrane, voltage_scale_mv(membrane.unit))
    command = protocol_command(reader, sections["userList"].entries > 0, voltage_mv.shape)
    current_pa, current_from, findings = _injected(path, reader, channels, command, dt_ms)
    return Recording(
        voltage_mv=voltage_mv,
        current_pa=current_pa,
        dt_ms=dt_ms,
        sweep_numbers=tuple(range(len(voltage_mv))),
        start_ms=0.0,
        findings=(*findings, *command.findings, *_about_the_file(reader, header)),
        source=Source(str(path), sha256, "ABF2", current_from),
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


def _read(path: Path, reader: Any, channel: Channel, scale: float | None) -> NDArray[np.float64]:
    """``[sweep, time]`` of a channel, times ``scale``."""
    assert scale is not None, "the channel was chosen by its unit"
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
    return np.asarray(values * scale, dtype=np.float64)


def _injected(
    path: Path, reader: Any, channels: list[Channel], command: Command, dt_ms: float
) -> tuple[NDArray[np.float64], Literal["recorded", "protocol"], list[Finding]]:
    """Injected current ``[sweep, time]`` in pA, where it is from, and what there is to say about it."""
    recorded, channel, findings = _recorded_current(path, reader, channels, command)
    if recorded is not None:
        fitted = fit_steps(recorded, dt_ms, command.current_pa)
        if _is_stimulus(recorded, fitted, command):
            current_pa = recorded if fitted is None else fitted
            doubts = f" The protocol is not used: {'; '.join(command.doubts)}." if command.doubts else ""
            source = f"The injected current was recorded on channel {channel}.{doubts}"
            findings += [
                Finding("current-source", "note", source),
                describe_steps(recorded, fitted, dt_ms),
                *_compared(current_pa, command),
            ]
            return current_pa, "recorded", findings
        if command.current_pa is not None and moves(command.current_pa):
            findings.append(
                Finding(
                    "current-disagrees",
                    "warning",
                    f"The recorded channel {channel} does not follow the steps of the protocol; it is "
                    "taken as not connected and the protocol's command is used.",
                )
            )
    if command.current_pa is None:
        raise RecordingError(
            "the injected current cannot be told from this file: " + "; ".join(command.doubts),
            where=path,
            expected="a protocol of current steps, or a recorded channel of the injected current in pA or nA",
            found=command.describe + (f"; channel {channel} holds no step" if channel else ""),
            advice="Use a protocol of plain current steps, or record the injected current on a channel.",
        )
    findings.append(
        Finding("current-source", "note", (f"The injected current is the protocol's command: {command.describe}."))
    )
    return command.current_pa, "protocol", findings


def _is_stimulus(recorded: NDArray[np.float64], fitted: NDArray[np.float64] | None, command: Command) -> bool:
    """Is a recorded channel what was injected, or an input with nothing plugged in?"""
    if fitted is not None:
        return moves(fitted)
    if command.current_pa is None or not moves(command.current_pa):
        return True
    return _likeness(recorded, command.current_pa) > 0.5


def _likeness(recorded: NDArray[np.float64], command: NDArray[np.float64]) -> float:
    """Correlation of the two currents over all sweeps."""
    a, b = recorded - recorded.mean(), command - command.mean()
    size = float(np.sqrt(np.sum(a**2) * np.sum(b**2)))
    return float(np.sum(a * b)) / size if size > 0 else 0.0


def _recorded_current(
    path: Path, reader: Any, channels: list[Channel], command: Command
) -> tuple[NDArray[np.float64] | None, Channel | None, list[Finding]]:
    """The one recorded channel that can be an injected current, if there is one."""
    findings, candidates = [], []
    for channel in channels:
        if not channel.is_current or channel.mode == VOLTAGE_CLAMP:
            continue
        current_pa = _read(path, reader, channel, current_scale_pa(channel.unit))
        if np.isfinite(current_pa).all() and np.abs(current_pa).max() <= LARGEST_PA:
            candidates.append((current_pa, channel))
        else:
            findings.append(
                Finding(
                    "set-aside",
                    "note",
                    f"Channel {channel} was set aside: it reaches values that are no current into a neuron.",
                )
            )
    if len(candidates) == 1:
        return *candidates[0], findings
    if candidates:
        names = ", ".join(str(channel) for _, channel in candidates)
        if command.current_pa is None:
            raise RecordingError(
                f"{len(candidates)} channels are in units of current, and nothing says which was injected "
                "into this cell",
                where=path,
                found=f"{names}; {'; '.join(command.doubts)}",
                advice=ONE_CELL,
            )
        findings.append(
            Finding(
                "current-source",
                "warning",
                f"Several channels are in units of current ({names}); none of them is used.",
            )
        )
    return None, None, findings


def _compared(current_pa: NDArray[np.float64], command: Command) -> list[Finding]:
    """What the recorded current and the protocol's command do not agree on."""
    command_pa = command.current_pa
    if command_pa is None:
        return []
    apart = current_pa - command_pa
    tolerance = max(5.0, 0.02 * float(np.ptp(command_pa)))
    # Not the largest: recorded edges lie a few samples behind the commanded ones.
    wrong = np.quantile(np.abs(apart), 0.95, axis=1) > tolerance
    if not wrong.any():
        return []
    scale = float(np.sum((current_pa - current_pa.mean()) * command_pa))
    scale /= max(float(np.sum((command_pa - command_pa.mean()) * command_pa)), 1e-12)
    return [
        Finding(
            "current-disagrees",
            "warning",
            f"The recorded current is not the protocol's command: it is {scale:.2f} times as large with an "
            f"offset of {current_pa.mean() - scale * command_pa.mean():+.0f} pA. The recorded current is "
            "used; one of the two has a wrong scale or zero.",
            tuple(np.flatnonzero(wrong).tolist()),
        )
    ]


def _about_the_file(reader: Any, header: dict[str, Any]) -> list[Finding]:
    """Findings that only the header can give."""
    findings = []
    starts = [float(reader.segment_t_start(0, sweep)) for sweep in range(min(2, reader.segment_count(0)))]
    interval = starts[1] - starts[0] if len(starts) > 1 else 0.0
    if starts[0] > max(0.5, 0.5 * interval):
        findings.append(
            Finding(
                "starts-late",
                "warning",
                f"The file's first sweep starts at {starts[0]:g} s, not at 0: it was saved again with only "
                "some of its sweeps, and the levels in its header may be those of other sweeps.",
            )
        )
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
