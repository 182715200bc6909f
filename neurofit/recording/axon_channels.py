"""Which channel of an ABF2 file is the membrane potential, and which may be the injected current."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from neurofit.errors import RecordingError
from neurofit.recording.units import current_scale_pa, voltage_scale_mv

MULTICLAMP = 24  # a MultiClamp 700's telegraph: the one whose mode can be relied on
VOLTAGE_CLAMP, CURRENT_CLAMP, CURRENT_ZERO = 0, 1, 2
ONE_CELL = "Save the channels of one cell as a file of their own (in Clampfit: Save As, selected signals)."


@dataclass(frozen=True)
class Channel:
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

    @property
    def is_voltage(self) -> bool:
        return voltage_scale_mv(self.unit) is not None

    @property
    def is_current(self) -> bool:
        return current_scale_pa(self.unit) is not None


def text(raw: Any) -> str:
    """A name or unit from the header."""
    return bytes(raw).decode("latin1").strip("\0 ")


def channels_of(reader: Any) -> list[Channel]:
    """The recorded channels of a file that Neo's ``AxonIO`` has open."""
    signals, infos = reader.header["signal_channels"], reader._axon_info["listADCInfo"]
    channels = []
    for index, (signal, info) in enumerate(zip(signals, infos, strict=True)):
        telegraphs = info["nTelegraphEnable"] and info["nTelegraphInstrument"] == MULTICLAMP
        mode = int(info["nTelegraphMode"]) if telegraphs else None
        channels.append(Channel(index, str(signal["name"]), str(signal["units"]), mode))
    return channels


def voltage_channel(path: Path, channels: list[Channel], outputs: list[dict[str, Any]]) -> Channel:
    """The one channel that is a membrane potential in current clamp.

    Parameters
    ----------
    path
        For the error.
    channels
        All recorded channels.
    outputs
        The header's output channels (``listDACInfo``).

    Raises
    ------
    RecordingError
        If the recording is voltage clamp or I = 0, if no channel is a membrane potential, or if more than one
        may be.
    """
    found = "channels " + ", ".join(map(str, channels))
    _refuse_voltage_clamp(path, channels, outputs, found)
    voltages = [c for c in channels if c.is_voltage and c.mode != VOLTAGE_CLAMP]
    told = [c for c in voltages if c.mode is not None]
    if len(told) == 1:
        voltages = told
    if not voltages:
        advice = "Choose a recording with the membrane potential in mV or V."
        if any(c.is_current and c.mode == CURRENT_CLAMP for c in channels):
            advice = (
                "The amplifier reports current clamp, so the channel's unit and scale were probably left "
                "over from voltage clamp; this version cannot be told the right ones by hand. Correct "
                "them in Clampfit and save the file."
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
            advice=ONE_CELL,
        )
    if voltages[0].mode == CURRENT_ZERO:
        raise RecordingError(
            "the amplifier was in I = 0 mode, in which no current is injected: there is no stimulus to fit",
            where=path,
            found=found,
        )
    return voltages[0]


def _refuse_voltage_clamp(path: Path, channels: list[Channel], outputs: list[dict[str, Any]], found: str) -> None:
    """The amplifier tells it, or a current recorded under a command in units of voltage."""
    commands = [text(output["DACChUnits"]) for output in outputs if output["nWaveformEnable"]]
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
