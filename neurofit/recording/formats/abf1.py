"""ABF1 files (pCLAMP 9 and older): episodic current-clamp sweeps, read by the offsets of their fixed header.

The header of version 1.6 and later is 6144 bytes long; an older one ends after 2048, and has one waveform, whose fields
later versions keep filled in. Data are 16 bit integers or 32 bit floats, channel by channel within each sample.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurofit.errors import RecordingError
from neurofit.recording.choices import Choices
from neurofit.recording.formats.abf_file import BLOCK, COPY_AGAIN, cut_short, refuse_mode, text
from neurofit.recording.formats.axon import ABF_CHOICES, assemble, starts_late
from neurofit.recording.formats.axon_channels import MULTICLAMP, Channel, likely_voltage, voltage_channel
from neurofit.recording.formats.axon_header import Epoch, Output, Protocol, UserList, decimal
from neurofit.recording.injected import Signals, ways_on
from neurofit.recording.limits import check_interval
from neurofit.recording.recording import Finding, Recording, Source

SHORT, LONG = 2048, 6144  # bytes of a header until version 1.5, and since 1.6
LONG_SINCE = 1.6
CHANNELS, WAVEFORMS, EPOCHS = 16, 2, 10
COPIES_DIFFER = Finding(
    "header-copies",
    "warning",
    "The header holds its epochs twice, and the two copies differ: one of them may be damaged, and the current wrong.",
)
UNVERIFIED = "the epochs in an ABF1 header do not say whether they were used"


@dataclass(frozen=True)
class Header:
    """The bytes of a header, by offset."""

    path: Path
    raw: bytes

    @property
    def is_long(self) -> bool:
        return self.number("f", 4) > LONG_SINCE - 0.05

    def numbers(self, form: str, offset: int) -> tuple[Any, ...]:
        return struct.unpack_from("<" + form, self.raw, offset)

    def number(self, form: str, offset: int) -> Any:
        return self.numbers(form, offset)[0]

    def text(self, offset: int, length: int) -> str:
        return text(self.raw[offset : offset + length])


def read_abf1(path: Path, sha256: str, choices: Choices) -> Recording:
    """Voltage and injected current of an ABF1 file.

    The injected current is a recorded channel in units of current, or what the user says: the header's epochs are
    drawn only by the user's word.

    Parameters
    ----------
    path
        A file that begins with ``ABF`` and a space.
    sha256
        Of the file, for :class:`Source`.
    choices
        What the user says.

    Raises
    ------
    RecordingError
        If the file is cut short or damaged, is not current clamp in sweeps, or its injected current cannot be told.
    """
    choices.only(path, "an ABF file", *ABF_CHOICES)
    header = _header(path)
    refuse_mode(path, header.number("h", 8))
    channels, gains = _channels(header)
    shape, interleaved = _data(header, len(channels))
    interval_us, later_us = header.numbers("2f", 122)
    if later_us not in (0.0, interval_us):
        raise RecordingError(
            "the sweeps were sampled at two rates", where=path, found=f"{interval_us:g}, {later_us:g} us"
        )
    dt_ms = round(interval_us * len(channels) / 1e3, 9)
    check_interval(path, dt_ms)
    protocol = _protocol(header, len(channels), shape)

    def read(channel: Channel) -> NDArray[np.float64]:
        gain, offset = gains[channel.index]
        values = np.asarray(interleaved[:, :, channel.index], dtype=np.float64)
        return values if header.number("h", 100) else values * gain + offset

    membrane = _membrane(header, channels, protocol, choices)
    signals = Signals(path, channels, read, membrane, shape, dt_ms)
    return assemble(signals, protocol, choices, _about(header, dt_ms), Source(str(path), sha256, "ABF1", "protocol"))


def _header(path: Path) -> Header:
    size = path.stat().st_size
    with path.open("rb") as file:
        header = Header(path, file.read(LONG))
    needed = SHORT if len(header.raw) >= SHORT and not header.is_long else LONG
    if len(header.raw) < needed:
        raise cut_short(path, f"at least {needed} bytes, the length of an ABF1 header", size)
    version = header.number("f", 4)
    if not 1.0 <= version < 2.0:
        raise _damaged(path, f"version {version:g}")
    return header


def _damaged(path: Path, found: str) -> RecordingError:
    return RecordingError("the header is damaged", where=path, found=found, advice=COPY_AGAIN)


def _channels(header: Header) -> tuple[list[Channel], list[tuple[float, float]]]:
    """The recorded channels, and gain and offset of each: from stored integers to its unit."""
    count = header.number("h", 120)
    sequence = header.numbers("16h", 410)[: max(count, 0)]
    if not 1 <= count <= CHANNELS or not all(0 <= number < CHANNELS for number in sequence):
        raise _damaged(header.path, f"{count} channels, numbered {', '.join(map(str, sequence)) or 'nothing'}")
    channels, gains = [], []
    for index, number in enumerate(sequence):
        telegraphs = header.is_long and header.number("h", 4512 + 2 * number) == 1
        instrument = header.number("h", 4544 + 2 * number) if telegraphs else 0
        mode = header.number("h", 4768 + 2 * number) if instrument == MULTICLAMP else None
        name, unit = header.text(442 + 10 * number, 10), header.text(602 + 8 * number, 8)
        channels.append(Channel(index, name, unit, mode))
        factors = [header.number("f", offset + 4 * number) for offset in (730, 922, 1050)]
        factors.append(header.number("f", 4576 + 4 * number) if telegraphs else 1.0)
        range_v, resolution = header.number("f", 244), header.number("i", 252)
        gain = range_v / resolution / float(np.prod(factors)) if resolution > 0 and all(factors) else np.nan
        offset = header.number("f", 986 + 4 * number) - header.number("f", 1114 + 4 * number)
        gains.append((gain, offset))
    if not header.number("h", 100) and not np.isfinite(gains).all():
        raise _damaged(header.path, "a channel without a gain")
    return channels, gains


def _data(header: Header, channels: int) -> tuple[tuple[int, int], NDArray[Any]]:
    """``(sweeps, samples)`` and the data ``[sweep, time, channel]``, as stored and read only when used."""
    path, size = header.path, header.path.stat().st_size
    count, sweeps, length = header.number("i", 10), header.number("i", 16), header.number("i", 138)
    dtype = np.dtype("<f4") if header.number("h", 100) else np.dtype("<i2")
    first = header.number("i", 40) * BLOCK + header.number("h", 14) * dtype.itemsize
    if min(count, sweeps, length) <= 0 or first < SHORT or header.number("h", 14) < 0:
        raise _damaged(path, f"{sweeps} sweeps of {length} values from byte {first}")
    if first + count * dtype.itemsize > size:
        raise cut_short(path, f"{first + count * dtype.itemsize} bytes, as the header says", size)
    if sweeps * length != count or length % channels:
        raise RecordingError(
            "the header's sweeps are not those of the data",
            where=path,
            expected=f"{count} values",
            found=f"{sweeps} sweeps of {length} values in {channels} channels",
            advice=COPY_AGAIN,
        )
    shape = (sweeps, length // channels)
    data = np.memmap(path, dtype=dtype, mode="r", offset=first, shape=(*shape, channels))
    return shape, data


def _protocol(header: Header, channels: int, shape: tuple[int, int]) -> Protocol:
    """The outputs: two with a waveform since version 1.6, one of four before."""
    active = header.number("h", 1440)
    if header.is_long:
        outputs = [_output(header, number, _epochs(header, number)) for number in range(WAVEFORMS)]
        lists = tuple(
            UserList(number, header.number("h", 3368 + 2 * number), _values(header.text(3376 + 256 * number, 256)))
            for number in range(WAVEFORMS)
            if header.number("h", 3360 + 2 * number)
        )
    else:
        outputs = [_output(header, number, ()) for number in range(4)]
        if 0 <= active < len(outputs):
            outputs[active] = _output(header, active, _old_epochs(header))
        lists = ()
    caveats = () if not header.is_long or _copies_agree(header, active) else (COPIES_DIFFER,)
    return Protocol(
        outputs=tuple(outputs),
        user_lists=lists,
        shape=(shape[0], header.number("i", 138) // channels),
        planned=header.number("i", 146),
        alternates=False,
        digital=bool(header.number("h", 1436)) and any(header.numbers("10h", 1588)),
        doubts=(UNVERIFIED,),
        caveats=caveats,
    )


def _values(listed: str) -> tuple[str, ...]:
    return tuple(value.strip() for value in listed.strip(" ,").split(","))


def _output(header: Header, number: int, epochs: tuple[Epoch, ...]) -> Output:
    long = header.is_long
    return Output(
        number=number,
        name=header.text(1306 + 10 * number, 10),
        unit=header.text(1346 + 8 * number, 8),
        holding=decimal(header.number("f", 1394 + 4 * number)),
        enabled=bool(header.number("h", 2296 + 2 * number)) if long else bool(epochs),
        source=header.number("h", 2300 + 2 * number) if long else header.number("h", 1438),
        keeps_last=bool(header.number("h", 2304 + 2 * number) if long else header.number("h", 1442)),
        conditioned=long and bool(header.number("h", 3260 + 2 * number)),
        epochs=epochs,
    )


def _epochs(header: Header, number: int) -> tuple[Epoch, ...]:
    """The ten epochs of one of the two waveforms."""
    at = number * EPOCHS
    columns = [
        header.numbers(form, offset + at * struct.calcsize(form[-1]))
        for form, offset in (("10h", 2308), ("10f", 2348), ("10f", 2428), ("10i", 2508), ("10i", 2588))
    ]
    return _as_epochs(columns)


def _old_epochs(header: Header) -> tuple[Epoch, ...]:
    """The ten epochs where a header before version 1.6 has them."""
    places = (("10h", 1444), ("10f", 1464), ("10f", 1504), ("10h", 1544), ("10h", 1564))
    return _as_epochs([header.numbers(form, offset) for form, offset in places])


def _as_epochs(columns: list[tuple[Any, ...]]) -> tuple[Epoch, ...]:
    return tuple(
        Epoch(number, kind, decimal(level), decimal(increment), duration, lengthening)
        for number, (kind, level, increment, duration, lengthening) in enumerate(zip(*columns, strict=True))
    )


def _copies_agree(header: Header, active: int) -> bool:
    """Do the old fields say the same as the new ones, where they were filled in?"""
    if not 0 <= active < WAVEFORMS:
        return True
    old, new = _old_epochs(header), _epochs(header, active)
    if not any(epoch.kind for epoch in old):
        return True
    return all((a.kind, a.level, a.increment) == (b.kind, b.level, b.increment) for a, b in zip(old, new, strict=True))


def _membrane(header: Header, channels: list[Channel], protocol: Protocol, choices: Choices) -> Channel:
    """The membrane potential; where neither it nor the current can be told, both are asked for at once."""
    try:
        return voltage_channel(header.path, channels, protocol.outputs, choices)
    except RecordingError as error:
        is_open = choices.command is None and choices.current_channel is None
        if "channels are in units of voltage" not in error.message or not is_open:
            raise
        raise _two_ways(header.path, channels, protocol) from error


def _two_ways(path: Path, channels: list[Channel], protocol: Protocol) -> RecordingError:
    """Why an ABF1 file without a recorded current is not loaded, and what to say so that it is."""
    voltages = [channel for channel in channels if channel.is_voltage]
    outputs = [f"output {output}, {output.in_words()}" for output in protocol.outputs if output.active]
    return RecordingError(
        "this is an ABF1 file (pCLAMP 9 or older), from which the injected current cannot be told",
        where=path,
        expected="a recorded channel of the injected current in pA or nA",
        found=f"ABF1, channels {', '.join(map(str, channels))}; {'; '.join(outputs) or 'no epochs'}",
        advice=ways_on(f'--voltage-channel "{likely_voltage(voltages).name}" '),
    )


def _about(header: Header, dt_ms: float) -> list[Finding]:
    """Findings that only the header can give."""
    at, count = header.number("i", 92) * BLOCK, header.number("i", 96)
    unit_us = header.number("f", 130) or header.number("f", 122)
    if not 0 < at <= header.path.stat().st_size - 16 or count < 2:
        return []
    with header.path.open("rb") as file:
        file.seek(at)
        first, _, second, _ = struct.unpack("<4i", file.read(16))
    return starts_late([first * unit_us / 1e6, second * unit_us / 1e6])
