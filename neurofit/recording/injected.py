"""Which current went into the cell: a recorded channel, the protocol, or what the user says, and how far they agree."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from neurofit.errors import RecordingError
from neurofit.recording.choices import HEADER, Choices
from neurofit.recording.formats.axon_channels import VOLTAGE_CLAMP, Channel, channel_named
from neurofit.recording.formats.axon_protocol import Command
from neurofit.recording.formats.command_file import read_command
from neurofit.recording.limits import LARGEST_PA
from neurofit.recording.recording import CurrentFrom, Finding
from neurofit.recording.robust import stretches
from neurofit.recording.steps import describe_steps, fit_steps, moves
from neurofit.recording.units import current_scale_pa


@dataclass
class Injected:
    """The injected current ``[sweep, time]`` in pA, where it is from, and what there is to say about it."""

    current_pa: NDArray[np.float64]
    current_from: CurrentFrom
    findings: list[Finding] = field(default_factory=list)


@dataclass(frozen=True)
class Signals:
    """The recorded channels of a file.

    Attributes
    ----------
    path
        The file.
    channels
        All of them.
    read
        ``[sweep, time]`` of a channel, in its own unit.
    membrane
        The one that is the membrane potential.
    shape, dt_ms
        ``(sweeps, samples)`` and the sampling interval.
    """

    path: Path
    channels: list[Channel]
    read: Callable[[Channel], NDArray[np.float64]]
    membrane: Channel
    shape: tuple[int, ...]
    dt_ms: float


BRIEF_MS = 5.0  # two currents may differ for so long: about an edge, or in an artefact


def ways_on(also: str = "") -> str:
    """What a user can say about a file whose current cannot be told; ``also`` is said with each."""
    return (
        "There are two ways on: rebuild the command from the epochs in the file's header, if these were used "
        f"({also}--command header), or name the current's channel, unit and scale by hand ({also}--current-channel "
        "NAME --current-scale PA, pA per stored unit; a current monitor in an old file often has the wrong unit). A "
        "file that holds the current will do as well (--command FILE)."
    )


def find_current(signals: Signals, command_of: Callable[[bool], Command], choices: Choices) -> Injected:
    """The current that was injected.

    Parameters
    ----------
    signals
        What was recorded.
    command_of
        The protocol's command, given whether the user says that its epochs were used.
    choices
        What the user says.

    Raises
    ------
    RecordingError
        If the current cannot be told, or what the user says does not suit the file.
    """
    if choices.command_file is not None:
        _, recorded, aside = _recorded(signals)
        is_used = recorded is not None and moves(recorded)
        against = recorded if is_used else command_of(False).current_pa
        name = "the recorded channel" if is_used else "the protocol's command"
        found = from_file(choices, signals.shape, signals.dt_ms, against, name)
        return Injected(found.current_pa, "file", [*aside, *found.findings])
    if choices.command == HEADER:
        return _by_header(signals, command_of(True))
    if choices.current_channel is not None:
        return _by_channel(signals, command_of, choices)
    return _by_itself(signals, command_of(False), choices)


def from_file(
    choices: Choices, shape: tuple[int, ...], dt_ms: float, other_pa: NDArray[np.float64] | None, other: str
) -> Injected:
    """The current in the file that the user names, compared with another one that is there.

    Raises
    ------
    RecordingError
        If the file cannot be read or does not suit the recording.
    """
    assert choices.command_file is not None
    current_pa = read_command(choices.command_file, shape, dt_ms, choices.current_scale_pa)
    said = f"The injected current is that of {choices.command_file.name}, by its user's word."
    disagreement = _compared(current_pa, other_pa, dt_ms, f"The current of {choices.command_file.name}", other)
    return Injected(current_pa, "file", [Finding("current-source", "note", said), *disagreement])


def cleaned(recorded: NDArray[np.float64], dt_ms: float, command_pa: NDArray[np.float64] | None, said: str) -> Injected:
    """A recorded current by its steps, where it is made of steps, compared with the protocol's if there is one."""
    fitted = fit_steps(recorded, dt_ms, command_pa)
    current_pa = recorded if fitted is None else fitted
    findings = [
        Finding("current-source", "note", said),
        describe_steps(recorded, fitted, dt_ms),
        *_compared(current_pa, command_pa, dt_ms, "The recorded current", "the protocol's command"),
    ]
    return Injected(current_pa, "recorded", findings)


def _by_header(signals: Signals, command: Command) -> Injected:
    """The epochs in the header, by the user's word."""
    if command.current_pa is None:
        raise RecordingError(
            "the command cannot be rebuilt from the header's epochs: " + "; ".join(command.doubts),
            where=signals.path,
            found=command.describe,
            advice="Name the current's channel and scale (--current-channel, --current-scale), or a file that holds it "
            "(--command FILE).",
        )
    said = f"The injected current is rebuilt from the header's epochs, by its user's word: {command.describe}."
    _, recorded, aside = _recorded(signals)
    findings = [Finding("current-source", "note", said), *aside, *command.caveats]
    if recorded is not None and moves(recorded):
        findings += _compared(
            command.current_pa, recorded, signals.dt_ms, "The header's command", "the recorded channel"
        )
    return Injected(command.current_pa, "header", findings)


def _by_channel(signals: Signals, command_of: Callable[[bool], Command], choices: Choices) -> Injected:
    """The channel that the user names."""
    assert choices.current_channel is not None
    channel = channel_named(signals.path, signals.channels, choices.current_channel, "--current-channel")
    if channel == signals.membrane:
        raise RecordingError(
            f"channel {channel} cannot be both the voltage and the current",
            where=signals.path,
            found="channels " + ", ".join(map(str, signals.channels)),
            advice="Name the voltage's channel with --voltage-channel.",
        )
    scale = choices.current_scale_pa or current_scale_pa(channel.unit)
    if scale is None:
        raise RecordingError(
            f"channel {channel} is not in a unit of current, so its scale must be given",
            where=signals.path,
            advice="Say how many pA one stored unit is: --current-scale PA.",
        )
    recorded = _finite(signals, channel, signals.read(channel) * scale)
    command = command_of(False)
    reference = command if command.current_pa is not None else command_of(True)
    by = f", at {choices.current_scale_pa:g} pA per stored unit" if choices.current_scale_pa else ""
    said = f"The injected current was recorded on channel {channel}{by}, by its user's word."
    return cleaned(recorded, signals.dt_ms, reference.current_pa, said)


def _by_itself(signals: Signals, command: Command, choices: Choices) -> Injected:
    """A recorded current channel if there is one that moves, else the protocol's command if it can be trusted."""
    channel, recorded, findings = _recorded(signals, choices.current_scale_pa, command)
    by_word = choices.current_scale_pa
    scaled = "" if by_word is None else f", at {by_word:g} pA per stored unit by its user's word"
    if by_word is not None and recorded is not None and command.current_pa is not None:
        raise RecordingError(
            "--current-scale does not say what it is the scale of: there are a recorded current and a protocol",
            where=signals.path,
            found=f"channel {channel} and {command.describe}",
            advice=f'Add --current-channel "{channel.name}" or --command header.' if channel else None,
        )
    if recorded is not None:
        fitted = fit_steps(recorded, signals.dt_ms, command.current_pa)
        if _is_stimulus(recorded, fitted, command.current_pa):
            doubts = f" The protocol is not used: {'; '.join(command.doubts)}." if command.doubts else ""
            said = f"The injected current was recorded on channel {channel}{scaled}.{doubts}"
            reference = command.current_pa if command.current_pa is not None else command.unverified_pa
            found = cleaned(recorded, signals.dt_ms, reference, said)
            known = [replace(caveat, severity="note") for caveat in command.caveats]
            return Injected(found.current_pa, "recorded", [*findings, *found.findings, *known])
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
            where=signals.path,
            expected="a protocol of current steps, or a recorded channel of the injected current in pA or nA",
            found=command.describe
            + (f"; channel {channel} holds no step" if channel else "")
            + f"; channels {', '.join(map(str, signals.channels))}",
            advice=ways_on(),
        )
    said = f"The injected current is the protocol's command: {command.describe}{scaled}."
    findings += [Finding("current-source", "note", said), *command.caveats]
    return Injected(command.current_pa, "protocol", findings)


def _finite(signals: Signals, channel: Channel, current_pa: NDArray[np.float64]) -> NDArray[np.float64]:
    if np.isfinite(current_pa).all() and np.abs(current_pa).max() <= LARGEST_PA:
        return current_pa
    raise RecordingError(
        f"channel {channel} reaches values that are no current into a neuron",
        where=signals.path,
        found=f"up to {np.abs(current_pa).max() / 1e3:.3g} nA",
        advice="Give its scale in pA per stored unit: --current-scale PA.",
    )


def _is_stimulus(
    recorded: NDArray[np.float64], fitted: NDArray[np.float64] | None, command_pa: NDArray[np.float64] | None
) -> bool:
    """Is a recorded channel what was injected, or an input with nothing plugged in?"""
    if fitted is not None:
        return moves(fitted)
    if command_pa is None or not moves(command_pa):
        return True
    a, b = recorded - recorded.mean(), command_pa - command_pa.mean()
    size = float(np.sqrt(np.sum(a**2) * np.sum(b**2)))
    return size > 0 and float(np.sum(a * b)) / size > 0.5


def _recorded(
    signals: Signals, scale_pa: float | None = None, command: Command | None = None
) -> tuple[Channel | None, NDArray[np.float64] | None, list[Finding]]:
    """The one recorded channel that can be an injected current, if there is one.

    Several are an error where ``command`` does not say what the current was instead.
    """
    findings, candidates = [], []
    for channel in signals.channels:
        unit = current_scale_pa(channel.unit)
        if unit is None or channel.mode == VOLTAGE_CLAMP or channel == signals.membrane:
            continue
        current_pa = signals.read(channel) * (unit if scale_pa is None else scale_pa)
        if np.isfinite(current_pa).all() and np.abs(current_pa).max() <= LARGEST_PA:
            candidates.append((channel, current_pa))
        else:
            said = f"Channel {channel} was set aside: it reaches values that are no current into a neuron."
            findings.append(Finding("set-aside", "note", said))
    if len(candidates) == 1:
        return *candidates[0], findings
    if candidates:
        names = ", ".join(str(channel) for channel, _ in candidates)
        if command is not None and command.current_pa is None:
            raise RecordingError(
                f"{len(candidates)} channels are in units of current, and nothing says which was injected "
                "into this cell",
                where=signals.path,
                found=f"{names}; {'; '.join(command.doubts)}",
                advice="Name it with --current-channel.",
            )
        said = f"Several channels are in units of current ({names}); none of them is used."
        findings.append(Finding("current-source", "warning", said))
    return None, None, findings


def _compared(
    current_pa: NDArray[np.float64], other_pa: NDArray[np.float64] | None, dt_ms: float, this: str, other: str
) -> list[Finding]:
    """What two currents do not agree on."""
    if other_pa is None:
        return []
    apart = current_pa - other_pa
    tolerance = max(5.0, 0.02 * float(np.ptp(other_pa)))
    # Not the largest: recorded edges lie a few samples behind the commanded ones.
    wrong = np.quantile(np.abs(apart), 0.95, axis=1) > tolerance
    longest = [max((b - a for a, b in stretches(row)), default=0) for row in np.abs(apart) > tolerance]
    wrong |= np.array(longest) * dt_ms > BRIEF_MS
    if not wrong.any():
        return []
    scale = float(np.sum((current_pa - current_pa.mean()) * other_pa))
    scale /= max(float(np.sum((other_pa - other_pa.mean()) * other_pa)), 1e-12)
    message = (
        f"{this} is not {other}: it is {scale:.2f} times as large with an offset of "
        f"{current_pa.mean() - scale * other_pa.mean():+.0f} pA. {this} is used; one of the two has a wrong scale, "
        "zero or protocol."
    )
    return [Finding("current-disagrees", "warning", message, tuple(np.flatnonzero(wrong).tolist()))]
