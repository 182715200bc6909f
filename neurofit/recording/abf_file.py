"""What an ABF file's first bytes say, read before anything else trusts it.

A file that was cut short, by a full disk or a broken copy, may still hold a whole header and some of its
sweeps. Here the header is asked how long the file must be; a shorter file is refused, whole or not at all.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

from neurofit.errors import RecordingError
from neurofit.recording.units import current_scale_pa, voltage_scale_mv

BLOCK = 512
MODES = {
    1: "event-driven",
    2: "event-driven (fixed length)",
    3: "gap-free",
    4: "oscilloscope",
    5: "episodic",
}
EPISODIC = 5
COPY_AGAIN = "Copy the file again from the acquisition computer."

_SECTIONS = (
    *("protocol", "ADC", "DAC", "epoch", "ADCPerDAC", "epochPerDAC", "userList", "statsRegion", "math"),
    *("strings", "data", "tag", "scope", "delta", "voiceTag", "synchArray", "annotation", "stats"),
)
_SECTION_TABLE = 76  # byte at which the table of sections begins


@dataclass(frozen=True)
class Section:
    """Where a section of an ABF2 file lies: its first byte, and how many entries of how many bytes."""

    start: int
    entry_bytes: int
    entries: int

    @property
    def stop(self) -> int:
        return self.start + self.entry_bytes * self.entries


def abf2_sections(path: Path) -> dict[str, Section]:
    """The table of sections of an ABF2 file which is as long as the table says.

    Raises
    ------
    RecordingError
        If the file ends before its header, or before one of its sections.
    """
    size = path.stat().st_size
    length = _SECTION_TABLE + 16 * len(_SECTIONS)
    with path.open("rb") as file:
        head = file.read(length)
    if len(head) < length:
        raise _cut(path, f"at least {BLOCK} bytes, the length of an ABF2 header", size)
    sections = {}
    for index, name in enumerate(_SECTIONS):
        block, entry_bytes, entries = struct.unpack_from("<IIq", head, _SECTION_TABLE + 16 * index)
        if entries and (entries < 0 or entry_bytes == 0 or block == 0):
            raise RecordingError(
                f"the header is damaged: its {name} section has {entries} entries of {entry_bytes} bytes",
                where=path,
                advice=COPY_AGAIN,
            )
        sections[name] = Section(block * BLOCK, entry_bytes, entries)
    needed = max(section.stop for section in sections.values() if section.entries or section is sections["data"])
    if needed > size:
        late = [name for name, section in sections.items() if section.entries and section.stop > size]
        raise _cut(path, f"{needed} bytes, as the header says", size, late)
    if not sections["data"].entries:
        raise RecordingError("the file holds no data: the recording was never started or closed", where=path)
    missing = [name for name in ("protocol", "ADC", "strings") if not sections[name].entries]
    if missing:
        raise RecordingError(f"the header is damaged: it has no {missing[0]} section", where=path, advice=COPY_AGAIN)
    return sections


def abf2_mode(path: Path, sections: dict[str, Section]) -> int:
    """The acquisition mode (a key of :data:`MODES`) of a whole ABF2 file."""
    with path.open("rb") as file:
        file.seek(sections["protocol"].start)
        return int(struct.unpack("<h", file.read(2))[0])


def refuse_abf1(path: Path) -> RecordingError:
    """Why an ABF1 file is not loaded, with what its header says about it."""
    with path.open("rb") as file:
        head = file.read(4 * BLOCK)
    if len(head) < 4 * BLOCK:
        return _cut(path, f"at least {4 * BLOCK} bytes, the length of an ABF1 header", path.stat().st_size)
    (mode,) = struct.unpack_from("<h", head, 8)
    samples, data_block, float_data = (
        struct.unpack_from(f, head, at)[0] for f, at in (("<i", 10), ("<i", 40), ("<h", 100))
    )
    needed = data_block * BLOCK + samples * (4 if float_data else 2)
    if needed > path.stat().st_size:
        return _cut(path, f"{needed} bytes, as the header says", path.stat().st_size)
    channels = max(0, min(16, struct.unpack_from("<h", head, 120)[0]))
    sequence = [c for c in struct.unpack_from("<16h", head, 410)[:channels] if 0 <= c < 16]
    units = [_text(head[602 + 8 * c : 610 + 8 * c]) for c in sequence]
    output = struct.unpack_from("<h", head, 1440)[0] & 3
    command = _text(head[1346 + 8 * output : 1354 + 8 * output])
    is_clamped = units and all(current_scale_pa(unit) is not None for unit in units)
    if is_clamped and (voltage_scale_mv(command) is not None or not command):
        return RecordingError(
            "this is a voltage clamp recording",
            where=path,
            expected="a membrane potential recorded in current clamp",
            found=(f"an ABF1 file whose channels are in {', '.join(units)} and whose command is in {command or '?'}"),
            advice="neurofit fits current-clamp recordings.",
        )
    kind = MODES.get(mode, "unknown")
    if mode != EPISODIC:
        return RecordingError(
            f"the recording is {kind}: it holds no stimulus to fit",
            where=path,
            expected="sweeps with current steps (episodic stimulation), in an ABF2 file",
            found=f"ABF1, {kind} acquisition",
        )
    return RecordingError(
        "this is an ABF1 file (pCLAMP 9 or older), from which the injected current cannot be read yet",
        where=path,
        expected="an ABF2 file (pCLAMP 10 or later)",
        found=f"ABF1, {kind} acquisition, channels in {', '.join(units) or 'no unit'}",
        advice=(
            "There are two ways on: rebuild the command from the epochs in the file's header, or name the "
            "current's channel, unit and scale by hand (a current monitor in an old file often has the "
            "wrong unit). This version of neurofit offers neither yet."
        ),
    )


def _text(raw: bytes) -> str:
    return raw.decode("latin1").strip("\0 ")


def _cut(path: Path, expected: str, size: int, late: list[str] | None = None) -> RecordingError:
    reach = f" (missing or incomplete: {', '.join(late)})" if late else ""
    return RecordingError(
        "the file is cut short",
        where=path,
        expected=expected,
        found=f"{size} bytes{reach}",
        advice=COPY_AGAIN,
    )
