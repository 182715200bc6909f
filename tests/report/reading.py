"""A page as a program reads it."""

from __future__ import annotations

import re
from html.parser import HTMLParser


class Reading(HTMLParser):
    """Tags with their attributes, identifiers, tables as texts, and the text itself."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.tables: list[list[list[str]]] = []
        self.words: list[str] = []
        self._hidden = 0
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {key: value or "" for key, value in attributes}))
        if tag in ("style", "script"):
            self._hidden += 1
        if tag == "table":
            self.tables.append([])
        if tag == "tr":
            self.tables[-1].append([])
        if tag in ("td", "th"):
            self.tables[-1][-1].append("")

    def handle_endtag(self, tag: str) -> None:
        if tag in ("style", "script"):
            self._hidden -= 1

    def handle_data(self, data: str) -> None:
        if self._hidden:
            return
        self.words.append(data)
        if self.tables and self.tables[-1] and self.tables[-1][-1]:
            self.tables[-1][-1][-1] += data

    @property
    def text(self) -> str:
        """Everything a reader sees, with single spaces."""
        return re.sub(r"\s+", " ", " ".join(self.words))

    @property
    def ids(self) -> set[str]:
        return {attributes["id"] for _, attributes in self.tags if "id" in attributes}

    def of(self, tag: str) -> list[dict[str, str]]:
        """Attributes of every such tag."""
        return [attributes for name, attributes in self.tags if name == tag]

    def table(self, *header: str) -> list[list[str]]:
        """The rows of the first table whose header holds these texts."""
        for table in self.tables:
            first = [re.sub(r"\s+", " ", cell).strip() for cell in table[0]]
            if all(any(text in cell for cell in first) for text in header):
                return [[re.sub(r"\s+", " ", cell).strip() for cell in row] for row in table[1:]]
        raise AssertionError(f"no table with {header}")
