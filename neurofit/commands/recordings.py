"""Commands about recordings and what is measured in them."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer

from neurofit.commands.command import app, command, say
from neurofit.commands.options import Reading, Recorded, reads
from neurofit.disk import writing


@command(app)
@reads
def inspect(
    recording: Recorded,
    reading: Reading,
    picture: Annotated[Path | None, typer.Option(help="Where to save the picture (.png, .pdf, .svg).")] = None,
    page: Annotated[Path | None, typer.Option(help="Where to write all of it as a page (.html).")] = None,
    no_picture: Annotated[bool, typer.Option("--no-picture", help="Print only.")] = False,
) -> None:
    """Say what is in a recording and what is wrong with it, and draw it."""
    from neurofit.features import cell_properties
    from neurofit.recording.describe import inspect as described

    target = None if no_picture else picture or Path(f"{recording.stem}.png")
    with writing(target) if target is not None else nullcontext():
        loaded, text = described(recording, target, **reading)
    say(text)
    for table in cell_properties(loaded).tables():
        say(table)
    if target is not None:
        say(f"Picture: {target}")
    if page is not None:
        from neurofit.report.inspected import write_inspection

        say(f"Page: {write_inspection(loaded, page)}")


@command(app)
def features(
    markdown: Annotated[bool, typer.Option("--markdown", help="As the page docs/features.md.")] = False,
) -> None:
    """List the features: unit, what they mean, how they are measured, tolerance."""
    from neurofit.features.listing import catalogue_table, features_page

    say(features_page() if markdown else catalogue_table())
