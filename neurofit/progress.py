"""What a user sees while a run works: stages, bars with rate and time left, and lines to keep."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

Advance = Callable[[float, str], None]


class Progress(Protocol):
    """Where a run reports to."""

    def say(self, text: str) -> None:
        """A line that stays."""

    @contextmanager
    def bar(self, text: str, total: float, begun: int = 0) -> Iterator[Advance]:
        """A bar; call what it gives with how much is done by now and a note. ``begun`` was done before."""
        yield lambda done, note: None


class Silent:
    """Reports nothing."""

    def say(self, text: str) -> None:
        pass

    @contextmanager
    def bar(self, text: str, total: float, begun: int = 0) -> Iterator[Advance]:
        yield lambda done, note: None


class Terminal:
    """Bars and lines on the terminal (or, where it is none, a line as each bar ends)."""

    def __init__(self) -> None:
        from rich.console import Console

        self.console = Console(stderr=True, highlight=False)

    def say(self, text: str) -> None:
        self.console.print(text, markup=False)

    @contextmanager
    def bar(self, text: str, total: float, begun: int = 0) -> Iterator[Advance]:
        from rich.progress import (
            BarColumn,
            Progress,
            TaskProgressColumn,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )
        from rich.table import Column

        # on a narrow terminal the note takes more lines, and nothing else gives way
        whole, folded = Column(no_wrap=True), Column(overflow="fold")
        columns = (
            TextColumn("{task.description}"), BarColumn(bar_width=16, table_column=whole), TaskProgressColumn(),
            TimeElapsedColumn(table_column=whole), TextColumn("left"), TimeRemainingColumn(table_column=whole),
            TextColumn("{task.fields[note]}", table_column=folded),
        )  # fmt: skip
        with Progress(*columns, console=self.console) as bars:
            task = bars.add_task(text, total=total, completed=begun, note="")

            def advance(done: float, note: str) -> None:
                bars.update(task, completed=done, note=note)

            yield advance
