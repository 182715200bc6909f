"""What an ABF file's first bytes say, read before anything else trusts it.

A file that was cut short, by a full disk or a broken copy, may still hold a whole header and some of its
sweeps. Here the header is asked how long the file must be; a shorter file is refused, whole or not at all.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from neurofit.errors import RecordingError
from neurofit.recording.units import printable

BLOCK = 512
MODES = {
    1: "event-driven",
    2: "event-driven (fixed length)",
    3: "gap-free",
    4: "oscilloscope",
    5: "episodic",
}
EPISODIC = 5
LONGEST_TEXTS, MOST_LISTS = 1 << 20, 8  # a damaged header may ask for more
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
        raise cut_short(path, f"at least {BLOCK} bytes, the length of an ABF2 header", size)
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
        raise cut_short(path, f"{needed} bytes, as the header says", size, late)
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


def refuse_mode(path: Path, mode: int) -> None:
    """Raise unless the recording is in sweeps.

    Raises
    ------
    RecordingError
        For gap-free and event-driven recordings.
    """
    if mode == EPISODIC:
        return
    kind = MODES.get(mode, f"of an unknown kind ({mode})")
    raise RecordingError(
        f"the recording is {kind}: it holds no stimulus to fit",
        where=path,
        expected="sweeps with current steps (episodic stimulation)",
        found=f"{kind} acquisition",
        advice="Choose a recording of current steps from the same cell.",
    )


def abf2_user_lists(path: Path, sections: dict[str, Section]) -> list[tuple[int, int, str]]:
    """Output, parameter and values (as one text; empty where they cannot be found) of each user list."""
    section, texts = sections["userList"], sections["strings"]
    lists = []
    with path.open("rb") as file:
        file.seek(texts.start)
        raw = file.read(min(texts.entry_bytes, LONGEST_TEXTS))
        strings = raw[raw.find(b"SSCH") + 44 :].lstrip(b"\0").split(b"\0")
        for number in range(min(section.entries, MOST_LISTS)):
            file.seek(section.start + number * section.entry_bytes)
            entry = file.read(12).ljust(12, b"\0")
            output, _, parameter, _, index = struct.unpack("<hhhhi", entry)
            # The flag between them is 0 in lists that were used: that there is an entry says that it was.
            lists.append((output, parameter, text(strings[index - 1]) if 0 < index <= len(strings) else ""))
    return lists


def text(raw: Any) -> str:
    """A name or unit from a header."""
    return printable(bytes(raw).decode("latin1").strip("\0 "))


def cut_short(path: Path, expected: str, size: int, late: list[str] | None = None) -> RecordingError:
    """The error for a file that ends too early."""
    reach = f" (missing or incomplete: {', '.join(late)})" if late else ""
    return RecordingError(
        "the file is cut short",
        where=path,
        expected=expected,
        found=f"{size} bytes{reach}",
        advice=COPY_AGAIN,
    )
