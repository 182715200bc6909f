"""Which channel of a recording is the membrane potential, and which may be the injected current."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from neurofit.errors import RecordingError
from neurofit.recording.choices import Choices
from neurofit.recording.formats.axon_header import Output
from neurofit.recording.units import InUnit, current_scale_pa, printable, voltage_scale_mv

MULTICLAMP = 24  # a MultiClamp 700's telegraph: the one whose mode can be relied on
VOLTAGE_CLAMP, CURRENT_CLAMP, CURRENT_ZERO = 0, 1, 2
ONE_CELL = (
    "Of two cells, save the channels of one cell as a file of their own (in Clampfit: Save As, selected signals)."
)


@dataclass(frozen=True)
class Channel(InUnit):
    """One recorded channel.

    Attributes
    ----------
    index
        Its place in the file.
    name, unit
        As the file has them.
    mode
        What a telegraphing MultiClamp said: 0 voltage clamp, 1 current clamp, 2 I = 0; ``None`` without one.
    """

    index: int
    name: str
    unit: str
    mode: int | None

    def __str__(self) -> str:
        return f"'{self.name}' ({self.unit or 'no unit'})"


def channels_of(reader: Any) -> list[Channel]:
    """The recorded channels of a file that Neo's ``AxonIO`` has open."""
    signals, infos = reader.header["signal_channels"], reader._axon_info["listADCInfo"]
    channels = []
    for index, (signal, info) in enumerate(zip(signals, infos, strict=True)):
        telegraphs = info["nTelegraphEnable"] and info["nTelegraphInstrument"] == MULTICLAMP
        mode = int(info["nTelegraphMode"]) if telegraphs else None
        channels.append(Channel(index, printable(str(signal["name"])), printable(str(signal["units"])), mode))
    return channels


def channel_named(path: Path, channels: list[Channel], wanted: str, option: str) -> Channel:
    """The channel that is called so, or has this number.

    Raises
    ------
    RecordingError
        If there is none, or several.
    """
    named = [channel for channel in channels if channel.name == wanted]
    named = named or [channel for channel in channels if str(channel.index) == wanted]
    if len(named) == 1:
        return named[0]
    raise RecordingError(
        f"{len(named) or 'no'} channel{'s' if named else ''} '{printable(wanted)}'",
        where=path,
        expected=f"{option} with a channel's name, or its number from 0",
        found="channels " + ", ".join(f"{channel.index}: {channel}" for channel in channels),
    )


def voltage_channel(path: Path, channels: list[Channel], outputs: tuple[Output, ...], choices: Choices) -> Channel:
    """The one channel that is a membrane potential in current clamp.

    Parameters
    ----------
    path
        For the error.
    channels
        All recorded channels.
    outputs
        The header's output channels.
    choices
        What the user says.

    Raises
    ------
    RecordingError
        If the recording is voltage clamp or I = 0, if no channel is a membrane potential, or if more than one
        may be.
    """
    found = "channels " + ", ".join(map(str, channels))
    wanted = choices.voltage_channel
    named = None if wanted is None else channel_named(path, channels, wanted, "--voltage-channel")
    # Units may be left over from another experiment, so a user who names both signals is believed; an amplifier that
    # reports voltage clamp is believed before any user.
    both_named = named is not None and (choices.current_channel is not None or choices.command is not None)
    if not both_named or any(channel.mode == VOLTAGE_CLAMP for channel in channels):
        _refuse_voltage_clamp(path, channels, outputs, found)
    if named is not None and named.mode == VOLTAGE_CLAMP:
        raise RecordingError(f"channel {named} was in voltage clamp: the amplifier reports it", where=path, found=found)
    if named is None:
        named = _only_voltage(path, _not_the_current(path, channels, choices), found)
    if choices.voltage_scale_mv is None and not named.is_voltage:
        raise RecordingError(
            f"channel {named} is not in a unit of voltage, so its scale must be given",
            where=path,
            advice="Say how many mV one stored unit is: --voltage-scale MV.",
        )
    if named.mode == CURRENT_ZERO:
        raise RecordingError(
            "the amplifier was in I = 0 mode, in which no current is injected: there is no stimulus to fit",
            where=path,
            found=found,
        )
    return named


def _not_the_current(path: Path, channels: list[Channel], choices: Choices) -> list[Channel]:
    """All but the channel that the user calls the current."""
    if choices.current_channel is None:
        return channels
    current = channel_named(path, channels, choices.current_channel, "--current-channel")
    return [channel for channel in channels if channel != current]


def _only_voltage(path: Path, channels: list[Channel], found: str) -> Channel:
    """The one that is in units of voltage, by the amplifier's word if there are several."""
    voltages = [c for c in channels if c.is_voltage and c.mode != VOLTAGE_CLAMP]
    told = [c for c in voltages if c.mode is not None]
    if len(told) == 1:
        voltages = told
    if not voltages:
        advice = "Choose a recording with the membrane potential in mV or V."
        if any(c.is_current and c.mode == CURRENT_CLAMP for c in channels):
            advice = (
                "The amplifier reports current clamp, so the channel's unit and scale were probably left over from "
                "voltage clamp: name it with --voltage-channel, and give --voltage-scale, mV per stored unit."
            )
        raise RecordingError(
            "no channel holds a membrane potential",
            where=path,
            expected="one channel in mV or V",
            found=found,
            advice=advice,
        )
    if len(voltages) > 1:
        raise RecordingError(
            f"{len(voltages)} channels are in units of voltage, and nothing says which is the membrane "
            "potential that the injected current belongs to",
            where=path,
            expected="one channel in mV or V",
            found=found,
            advice=f'Name it: --voltage-channel "{likely_voltage(voltages).name}". {ONE_CELL}',
        )
    return voltages[0]


def likely_voltage(channels: list[Channel]) -> Channel:
    """The one to name in an example: a membrane potential is mostly in mV, a stimulator or a light in V."""
    return min(channels, key=lambda channel: channel.unit != "mV")


def _refuse_voltage_clamp(path: Path, channels: list[Channel], outputs: tuple[Output, ...], found: str) -> None:
    """The amplifier tells it, or a current recorded under a command in units of voltage."""
    commands = [output.unit for output in outputs if output.enabled]
    if any(c.is_voltage and c.mode in (CURRENT_CLAMP, CURRENT_ZERO) for c in channels):
        return
    if any(c.mode == VOLTAGE_CLAMP for c in channels) and not any(c.is_voltage and c.mode is None for c in channels):
        why = "the amplifier reports it"
    elif (
        any(c.is_current and c.mode != CURRENT_CLAMP for c in channels)
        and any(voltage_scale_mv(unit) is not None for unit in commands)
        and not any(current_scale_pa(unit) is not None for unit in commands)
    ):
        why = f"the command is in {next(u for u in commands if voltage_scale_mv(u) is not None)}"
    else:
        return
    raise RecordingError(
        f"this is a voltage clamp recording: {why}",
        where=path,
        expected="a membrane potential recorded in current clamp",
        found=found,
        advice="neurofit fits current-clamp recordings.",
    )
