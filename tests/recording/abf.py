"""Writes ABF2 files with any header a test needs, in the layout that Neo documents field by field."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from neo.rawio import axonrawio as layout
from numpy.typing import NDArray

BLOCK = 512
STEP, RAMP, PULSES, OFF = 1, 2, 3, 0


@dataclass
class Epoch:
    """An epoch of an output: level + sweep * increment for duration + sweep * lengthening samples."""

    level: float
    increment: float = 0.0
    duration: int = 1000
    lengthening: int = 0
    kind: int = STEP
    period: int = 0
    width: int = 0


@dataclass
class Output:
    """A DAC channel."""

    name: str = "Cmd 0"
    unit: str = "pA"
    holding: float = 0.0
    epochs: list[Epoch] = field(default_factory=list)
    fields: dict[str, Any] = field(default_factory=dict)


@dataclass
class Input:
    """An ADC channel with its samples ``[sweep, time]``; ``mode`` is what a MultiClamp telegraphs."""

    values: NDArray[np.float64]
    name: str = "IN 0"
    unit: str = "mV"
    mode: int | None = 1


def write_abf2(
    path: Path,
    inputs: list[Input],
    outputs: list[Output],
    *,
    dt_us: float = 100.0,
    starts_s: tuple[float, float] = (0.0, 2.0),
    user_list: bool | tuple[int, str] = False,
    digital: bool = False,
    comments: tuple[str, ...] = (),
    integers: bool = False,
    header: dict[str, Any] | None = None,
    protocol: dict[str, Any] | None = None,
) -> Path:
    """Write a file.

    Parameters
    ----------
    path
        Where.
    inputs, outputs
        The channels.
    dt_us
        Sampling interval of each channel.
    starts_s
        Start of the first sweep, and from sweep to sweep.
    user_list, digital
        Add a user list (of nothing that is known, or of this parameter with these values); let a digital output switch.
    comments
        Tags.
    integers
        Store 16 bit integers (1/32 of the unit) instead of floats.
    header, protocol
        Fields of the header and of the protocol section to set, by Neo's names.
    """
    sweeps, samples = inputs[0].values.shape
    interleaved = np.stack([channel.values for channel in inputs], axis=2)  # [sweep, time, channel]
    strings = ["", "test"]  # no later one may be empty: Neo takes two zeros for the beginning

    def string(text: str) -> int:
        strings.append(text)
        return len(strings) - 1

    sections: dict[str, tuple[bytes, int, int]] = {}

    def add(name: str, entries: list[bytes]) -> None:
        if entries:
            sections[name] = (b"".join(entries), len(entries[0]), len(entries))

    add(
        "ADCSection",
        [
            _pack(
                layout.ADCInfoDescription,
                128,
                nADCNum=index,
                nTelegraphEnable=int(channel.mode is not None),
                nTelegraphInstrument=24 if channel.mode is not None else 0,
                fTelegraphAdditGain=1.0,
                nTelegraphMode=channel.mode or 0,
                fADCProgrammableGain=1.0,
                fInstrumentScaleFactor=1.0,
                fSignalGain=1.0,
                nPostProcessLowpassFilterType=b"\0",
                lADCChannelNameIndex=string(channel.name),
                lADCUnitsIndex=string(channel.unit),
            )
            for index, channel in enumerate(inputs)
        ],
    )
    add(
        "DACSection",
        [
            _pack(
                layout.DACInfoDescription,
                256,
                **{
                    "nDACNum": index,
                    "fDACHoldingLevel": output.holding,
                    "lDACChannelNameIndex": string(output.name),
                    "lDACChannelUnitsIndex": string(output.unit),
                    "nWaveformEnable": 1,
                    "nWaveformSource": 1,
                    **output.fields,
                },
            )
            for index, output in enumerate(outputs)
        ],
    )
    add(
        "EpochPerDACSection",
        [
            _pack(
                layout.EpochInfoPerDACDescription,
                48,
                nEpochNum=number,
                nDACNum=index,
                nEpochType=epoch.kind,
                fEpochInitLevel=epoch.level,
                fEpochLevelInc=epoch.increment,
                lEpochInitDuration=epoch.duration,
                lEpochDurationInc=epoch.lengthening,
                lEpochPulsePeriod=epoch.period,
                lEpochPulseWidth=epoch.width,
            )
            for index, output in enumerate(outputs)
            for number, epoch in enumerate(output.epochs)
        ],
    )
    if digital:
        add("EpochSection", [_pack(layout.EpochInfoDescription, 32, nEpochNum=0, nDigitalValue=1)])
    if user_list:
        parameter, values = (0, "") if user_list is True else user_list
        index = string(values) if values else 0
        add("UserListSection", [struct.pack("<hhhhi52x", 0, 0, parameter, 0, index)])
    add("TagSection", [_pack(layout.TagInfoDescription, 64, sComment=text.encode()) for text in comments])
    add(
        "ProtocolSection",
        [
            _pack(
                layout.protocolInfoDescription,
                512,
                **{
                    "nOperationMode": 5,
                    "fADCSequenceInterval": dt_us,
                    "lNumSamplesPerEpisode": samples * len(inputs),
                    "lEpisodesPerRun": sweeps,
                    "lRunsPerTrial": 1,
                    "lNumberOfTrials": 1,
                    "fADCRange": 1024.0,
                    "lADCResolution": 32768,
                    "nDigitalEnable": int(digital),
                    **(protocol or {}),
                },
            )
        ],
    )
    first, interval = (round(start * 1e6 / dt_us) for start in starts_s)
    lengths = samples * len(inputs)
    add("SynchArraySection", [struct.pack("<ii", first + k * interval, lengths) for k in range(sweeps)])
    data = np.round(interleaved * 32).astype("<i2").tobytes() if integers else interleaved.astype("<f4").tobytes()
    sections["DataSection"] = (data, 2 if integers else 4, interleaved.size)
    text = b"SSCH" + bytes(40) + b"\0\0" + b"\0".join(s.encode("latin1") for s in strings[1:]) + b"\0"
    sections["StringsSection"] = (text, len(text), 1)

    start = 512
    body = b""
    table = b""
    places: dict[str, int] = {}
    order = [name for name in layout.sectionNames if name != "SynchArraySection"] + ["SynchArraySection"]
    for name in order:  # the real ones keep the table of sweeps at the end
        if name in sections:
            places[name] = start // BLOCK
            padded = sections[name][0] + bytes(-len(sections[name][0]) % BLOCK)
            body += padded
            start += len(padded)
    for name in layout.sectionNames:
        _, size, entries = sections.get(name, (b"", 0, 0))
        table += struct.pack("<IIq", places.get(name, 0), size, entries)
    head = bytearray(512)
    for name, offset, fmt in layout.headerDescriptionV2:
        value = {
            "fFileSignature": (b"ABF2",),
            "fFileVersionNumber": (0, 0, 0, 2),
            "lActualEpisodes": (sweeps,),
            "nDataFormat": (0 if integers else 1,),
            **{key: (given,) for key, given in (header or {}).items()},
        }.get(name)
        if value is not None:
            struct.pack_into("<" + fmt, head, offset, *value)
    head[76 : 76 + len(table)] = table
    path.write_bytes(bytes(head) + body)
    return path


def _pack(description: list[tuple[str, str]], size: int, **fields: Any) -> bytes:
    """A section's entry; fields that are not given are 0."""
    packed = b""
    for name, fmt in description:
        value = fields.pop(name, None)
        if value is None:
            packed += bytes(struct.calcsize("<" + fmt))
        else:
            packed += struct.pack("<" + fmt, value)
    assert not fields, f"no such fields: {sorted(fields)}"
    return packed[:size].ljust(size, b"\0")
