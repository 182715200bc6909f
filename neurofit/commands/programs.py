"""The command about compiled programs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from neurofit.commands.command import app, command, say

if TYPE_CHECKING:
    from neurofit.simulation.entries import Entry


@command(app)
def cache(clear: Annotated[bool, typer.Option("--clear", help="Remove the programs.")] = False) -> None:
    """Show the compiled programs that are kept, or remove them: they are compiled again when they are needed."""
    from rich.table import Table

    from neurofit.simulation import entries
    from neurofit.simulation.cache import cache_dir

    if clear:
        removed, left = entries.clear()
        say(f"{cache_dir()}: {_programs(removed)} removed.")
        for entry in left:
            say(f"Left as it is: {entry.path.name} ({entry.state}).")
        return
    found = entries.entries()
    table = Table("template", "protocol, most sweeps", "size (MB)", "last used", "state")
    for entry in found:
        used = datetime.fromtimestamp(entry.used).isoformat(" ", "minutes")
        table.add_row(entry.template, entry.protocol, f"{entry.size_bytes / 1e6:.1f}", used, entry.state)
    if found:
        say(table)
    say(f"{cache_dir()}: {_programs(found)}.")


def _programs(found: Sequence[Entry]) -> str:
    size_mb = sum(entry.size_bytes for entry in found) / 1e6
    return f"{len(found)} compiled program{'' if len(found) == 1 else 's'}, {size_mb:.1f} MB"
