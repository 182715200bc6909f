"""A template's text, and the line on which a place in it stands."""

from __future__ import annotations

import re
from functools import cached_property

from neurofit.errors import TemplateError

_HEADER = re.compile(r"\[\s*([^\[\]]+?)\s*\]\s*(#.*)?$")
_KEY = re.compile(r"([\w\"'-]+(?:\s*\.\s*[\w\"'-]+)*)\s*=\s*(.*)")


class Source:
    """Where a template came from, so that every mistake can be named where it stands.

    Parameters
    ----------
    text
        The TOML text.
    path
        Its file, as errors name it.
    """

    def __init__(self, text: str, path: str) -> None:
        self.text, self.path = text, path

    def fail(
        self,
        place: str,
        message: str,
        *,
        expected: str,
        found: str,
        advice: str | None = None,
        row: int | None = None,
    ) -> TemplateError:
        """The error to raise for a mistake.

        Parameters
        ----------
        place
            Dotted key, such as ``parameters.C.prior``.
        expected, found
            What should stand there, and what does.
        advice
            What to do now.
        row
            Row within a text of several lines, from 0.
        """
        # a rig's parameter stands in a table of the rig
        if (table := re.sub(r"^parameters\.rig_(?=\w)", "rig.", place)) != place and self.line(table):
            place = table
        line = self.line(place, row)
        where = f"{self.path}: {place}" + (f" (line {line})" if line else "")
        return TemplateError(message, where=where, expected=expected, found=brief(found), advice=advice)

    def line(self, place: str, row: int | None = None) -> int | None:
        """The line of a place, or of the nearest thing above it that has one."""
        keys = place.split(".")
        for depth in range(len(keys), 0, -1):
            found = self._lines.get(".".join(keys[:depth]))
            if found is not None:
                number, opens = found
                return number + row + opens if row is not None and opens is not None else number
        return None

    @cached_property
    def _lines(self) -> dict[str, tuple[int, int | None]]:
        """``{dotted key: (line, lines until a text of several lines begins)}``."""
        lines: dict[str, tuple[int, int | None]] = {}
        table, quote = "", ""
        for number, line in enumerate(self.text.splitlines(), 1):
            if quote:
                quote = "" if quote in line else quote
            elif header := _HEADER.match(line.strip()):
                table = _plain(header[1])
                lines.setdefault(table, (number, None))
            elif key := _KEY.match(line.strip()):
                name, value = _plain(key[1]), key[2]
                opener = value[:3] if value[:3] in ('"""', "'''") else ""
                quote = opener if opener not in value[3:] else ""
                opens = None if not opener else 1 if value == opener else 0
                lines.setdefault(f"{table}.{name}" if table else name, (number, opens))
        return lines


def brief(text: str, longest: int = 240) -> str:
    """A text on one line, cut where it gets long."""
    line = re.sub(r"\s+", " ", text).strip()
    return line if len(line) <= longest else line[: longest - 3] + "..."


def _plain(key: str) -> str:
    return re.sub(r"[\s\"']", "", key)
