"""Writes one current-clamp recording of current steps as an ABF2 file, as pCLAMP 10 would have written it.

The tests have a writer of their own (``tests/recording/abf.py``), which makes headers of every kind, damaged ones
too. They stay apart on purpose: what a test needs must never change the bytes of the published file.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from neo.rawio import axonrawio as layout  # names every field of the format, in order and with its type
from numpy.typing import NDArray

BLOCK = 512  # sections begin at multiples of this
# Before its first epoch the output stays at the holding level for this share of a sweep.
HOLDING_SHARE = 64
# As with a MultiClamp at a gain of 1: 10 mV at the converter for each mV of the membrane, +-10 V in 16 bits.
RANGE_V, RESOLUTION, V_PER_MV = 10.0, 32768, 0.01
STEP_MV = RANGE_V / RESOLUTION / V_PER_MV
COMMAND_PA_PER_V = 400.0
MULTICLAMP, CURRENT_CLAMP = 24, 1
EPISODIC, INT16, STEP, FROM_EPOCHS = 5, 0, 1, 1


@dataclass(frozen=True)
class Epoch:
    """A step of the command: ``level_pa`` + sweep * ``increment_pa``, for ``samples`` samples."""

    samples: int
    level_pa: float = 0.0
    increment_pa: float = 0.0


def command(epochs: list[Epoch], sweeps: int, samples: int) -> NDArray[np.float64]:
    """The command that a header with these epochs means: ``[sweep, time]`` in pA, 0 where there is no epoch."""
    current_pa = np.zeros((sweeps, samples))
    start = samples // HOLDING_SHARE
    for epoch in epochs:
        levels = epoch.level_pa + epoch.increment_pa * np.arange(sweeps)
        current_pa[:, start : start + epoch.samples] = levels[:, None]
        start += epoch.samples
    return current_pa


def write_abf2(
    path: Path,
    voltage_mv: NDArray[np.float64],
    epochs: list[Epoch],
    *,
    dt_us: float,
    interval_s: float,
    filter_hz: float,
    date: int,
    protocol: str,
    comment: str,
) -> None:
    """Write the file.

    Parameters
    ----------
    path
        Where.
    voltage_mv
        ``[sweep, time]``, stored as 16 bit integers of ``STEP_MV``.
    epochs
        The command in pA; the holding level is 0.
    dt_us
        Sampling interval in us.
    interval_s
        From the start of a sweep to the start of the next.
    filter_hz
        The amplifier's low-pass filter, for the header.
    date
        As ``yyyymmdd``.
    protocol
        Its name.
    comment
        A tag at the start of the recording, at most 56 characters.
    """
    sweeps, samples = voltage_mv.shape
    strings = ["neurofit", protocol, comment, "IN 0", "mV", "Cmd 0", "pA"]
    index = {text: number for number, text in enumerate(strings, 1)}  # 0 is no string
    stored = np.round(voltage_mv / STEP_MV)
    assert np.abs(stored).max() < RESOLUTION, "the voltage is beyond the converter's range"
    every = round(interval_s * 1e6 / dt_us)
    joined = b"".join(string.encode("latin1") + b"\0" for string in strings)
    text = b"SSCH" + struct.pack("<IIII", 1, len(strings), max(map(len, strings)), len(joined)) + bytes(24) + joined
    sections = {  # name: bytes of an entry, entries; in the order in which they are written
        "ProtocolSection": (
            512,
            [
                _entry(
                    layout.protocolInfoDescription,
                    nOperationMode=EPISODIC,
                    fADCSequenceInterval=dt_us,
                    uFileCompressionRatio=1,
                    fSynchTimeUnit=dt_us,
                    lNumSamplesPerEpisode=samples,
                    lEpisodesPerRun=sweeps,
                    lRunsPerTrial=1,
                    lNumberOfTrials=1,
                    fEpisodeStartToStart=interval_s,
                    lAverageCount=1,
                    fADCRange=RANGE_V,
                    fDACRange=RANGE_V,
                    lADCResolution=RESOLUTION,
                    lDACResolution=RESOLUTION,
                    lFileCommentIndex=index[comment],
                )
            ],
        ),
        "ADCSection": (
            128,
            [
                _entry(
                    layout.ADCInfoDescription,
                    nTelegraphEnable=1,
                    nTelegraphInstrument=MULTICLAMP,
                    fTelegraphAdditGain=1.0,
                    fTelegraphFilter=filter_hz,
                    nTelegraphMode=CURRENT_CLAMP,
                    fADCProgrammableGain=1.0,
                    fInstrumentScaleFactor=V_PER_MV,
                    fSignalGain=1.0,
                    fSignalLowpassFilter=filter_hz,
                    nPostProcessLowpassFilterType=b"\0",
                    lADCChannelNameIndex=index["IN 0"],
                    lADCUnitsIndex=index["mV"],
                )
            ],
        ),
        "DACSection": (
            256,
            [
                _entry(
                    layout.DACInfoDescription,
                    fDACScaleFactor=COMMAND_PA_PER_V,
                    fDACCalibrationFactor=1.0,
                    lDACChannelNameIndex=index["Cmd 0"],
                    lDACChannelUnitsIndex=index["pA"],
                    nWaveformEnable=1,
                    nWaveformSource=FROM_EPOCHS,
                )
            ],
        ),
        "EpochPerDACSection": (
            48,
            [
                _entry(
                    layout.EpochInfoPerDACDescription,
                    nEpochNum=number,
                    nEpochType=STEP,
                    fEpochInitLevel=epoch.level_pa,
                    fEpochLevelInc=epoch.increment_pa,
                    lEpochInitDuration=epoch.samples,
                )
                for number, epoch in enumerate(epochs)
            ],
        ),
        "EpochSection": (32, [_entry(layout.EpochInfoDescription, nEpochNum=k) for k in range(len(epochs))]),
        "StringsSection": (len(text), [text]),
        "TagSection": (64, [_entry(layout.TagInfoDescription, sComment=comment.encode("latin1").ljust(56))]),
        "DataSection": (2, [stored.astype("<i2").tobytes()]),
        "SynchArraySection": (8, [struct.pack("<ii", sweep * every, samples) for sweep in range(sweeps)]),
    }
    body, table = b"", {}
    for name, (size, entries) in sections.items():
        content = b"".join(entry.ljust(size, b"\0") for entry in entries)
        number = len(strings) if name == "StringsSection" else len(content) // size
        table[name] = (1 + len(body) // BLOCK, size, number)
        body += content + bytes(-len(content) % BLOCK)

    head = bytearray(BLOCK)
    fields = {
        "fFileSignature": (b"ABF2",),
        "fFileVersionNumber": (0, 0, 0, 2),
        "uFileInfoSize": (BLOCK,),
        "lActualEpisodes": (sweeps,),
        "uFileStartDate": (date,),
        "nFileType": (1,),
        "nDataFormat": (INT16,),
        "nSimultaneousScan": (1,),
        "uCreatorNameIndex": (index["neurofit"],),
        "uProtocolPathIndex": (index[protocol],),
    }
    for name, offset, kind in layout.headerDescriptionV2:
        if name in fields:
            struct.pack_into("<" + kind, head, offset, *fields[name])
    for place, name in enumerate(layout.sectionNames):
        struct.pack_into("<IIq", head, 76 + 16 * place, *table.get(name, (0, 0, 0)))
    path.write_bytes(bytes(head) + body)


def _entry(description: list[tuple[str, str]], **fields: Any) -> bytes:
    """A section's entry; fields that are not given are 0."""
    assert set(fields) <= {name for name, _ in description}, "no such field"
    return b"".join(
        struct.pack("<" + kind, fields[name]) if name in fields else bytes(struct.calcsize("<" + kind))
        for name, kind in description
    )
