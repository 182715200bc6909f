"""Which sweeps, as a user writes it: ``even``, ``0,2,4-8``, ``0:17:2``."""

from __future__ import annotations

import re
from collections.abc import Sequence

from neurofit.errors import RecordingError
from neurofit.recording.recording import Recording, ranges

WORDS = {"all": slice(None), "even": slice(0, None, 2), "odd": slice(1, None, 2)}
FORMS = 'all, even, odd, numbers and ranges such as "0,2,4-8", or start:stop:step such as "0:17:2"'


def chosen_sweeps(
    recording: Recording, sweeps: str | Sequence[int], keep_all: bool = False
) -> tuple[Recording, list[int]]:
    """The sweeps that a user asks for, and the recording with what is set aside after that.

    ``even``, ``odd``, ``all`` and ranges go over the usable sweeps. A sweep that was set aside but is asked for by its
    own number is taken, and so are all with ``keep_all``; a finding of the recording then says so.

    Raises
    ------
    RecordingError
        As :func:`parse_sweeps`, or if a sweep that is asked for holds values that are not numbers.
    """
    if keep_all:
        recording = recording.with_taken(recording.set_aside)
    named = _named(sweeps) if isinstance(sweeps, str) else {int(number) for number in sweeps}
    recording = recording.with_taken(named)
    if not isinstance(sweeps, str):
        return recording, [int(number) for number in sweeps]
    if sweeps.strip().lower() in WORDS:
        return recording, parse_sweeps(sweeps, recording.usable)
    return recording, [n for n in parse_sweeps(sweeps, recording.sweep_numbers) if n in recording.usable]


def parse_sweeps(text: str, numbers: Sequence[int]) -> list[int]:
    """The sweep numbers that ``text`` selects, in the order of the file and each once.

    ``even`` and ``odd`` go by position (``even`` is the 1st, 3rd, 5th sweep of the file, whatever their
    numbers), everything else by the sweeps' own numbers. In ``start:stop:step`` the stop is left out, each
    part may be left out, and numbers that the file does not have are passed over; elsewhere they are an
    error.

    Parameters
    ----------
    text
        For example ``"even"``, ``"0,2,4-8"``, ``"0:17:2"``.
    numbers
        The sweep numbers of the recording (``recording.sweep_numbers``).

    Raises
    ------
    RecordingError
        If ``text`` is none of these, names a sweep that is not there, or selects none.

    Examples
    --------
    >>> parse_sweeps("even", [325, 326, 327, 328])
    [325, 327]
    >>> parse_sweeps("0,2,4-6", range(17))
    [0, 2, 4, 5, 6]
    >>> parse_sweeps("1:17:4", range(17))
    [1, 5, 9, 13]
    """
    numbers = list(numbers)
    key = text.strip().lower()
    if key in WORDS:
        chosen = set(numbers[WORDS[key]])
    else:
        chosen = set().union(*(_part(part.strip(), text, numbers) for part in text.split(",")))
    missing = sorted(chosen - set(numbers))
    if missing:
        raise RecordingError(
            f'"{text}" asks for sweeps that are not there: {ranges(missing)}',
            expected=f"sweeps among {ranges(numbers)}",
        )
    if not chosen:
        raise RecordingError(f'"{text}" selects no sweep', expected=f"sweeps among {ranges(numbers)}")
    return [number for number in numbers if number in chosen]


def _named(text: str) -> set[int]:
    """The sweeps that are asked for one by one."""
    return {int(part) for part in text.split(",") if re.fullmatch(r"\s*\d+\s*", part)}


def _part(part: str, text: str, numbers: list[int]) -> set[int]:
    """The numbers of one entry between commas."""
    if re.fullmatch(r"\d+", part):
        return {int(part)}
    if match := re.fullmatch(r"(\d+)\s*-\s*(\d+)", part):
        first, last = map(int, match.groups())
        if first <= last <= first + 10**6:
            return set(range(first, last + 1))
    if match := re.fullmatch(r"(\d*):(\d*)(?::(\d*))?", part):
        start, stop, step = (int(piece) if piece else None for piece in match.groups())
        if step != 0:
            span = range(start or 0, max(numbers) + 1 if stop is None else stop, step or 1)
            return {number for number in numbers if number in span}
    raise RecordingError(f'cannot tell which sweeps "{text}" means', expected=FORMS, found=f'"{part}"')
