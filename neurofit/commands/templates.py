"""Commands about model templates."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from neurofit.commands.command import app, command, say

models = typer.Typer(help="List, show, copy and check model templates.", no_args_is_help=False, rich_markup_mode=None)
app.add_typer(models, name="models")


@models.callback(invoke_without_command=True)
def list_them(context: typer.Context) -> None:
    """List the templates that come with neurofit."""
    if context.invoked_subcommand is None:
        from neurofit.template import list_models, load_model

        for name in list_models():
            model = load_model(name)
            say(f"{name:<20} {model.title} ({len(model.free)} free parameters)")


@command(models)
def show(name: Annotated[str, typer.Argument(help="A template's name or file.")]) -> None:
    """Print a template as it stands in its file."""
    from neurofit.template import find_model

    say(find_model(name).read_text(encoding="utf-8"))


@command(models)
def copy(
    name: Annotated[str, typer.Argument(help="The template to start from.")],
    to: Annotated[Path, typer.Argument(help="The new file, yours to edit.")],
) -> None:
    """Copy a template to a file of your own."""
    from neurofit.template import copy_model

    say(f"{copy_model(name, to)}: edit it, then 'neurofit models check {to}'.")


@command(models, "check")
def check_model(name: Annotated[str, typer.Argument(help="A template's name or file.")]) -> None:
    """Read a template and say what is wrong with it, or what it holds."""
    from rich.table import Table

    from neurofit.template import load_model

    model = load_model(name)
    table = Table("parameter", "unit", "value", "prior", "description", title=f"{model.name}: {model.title}")
    for p in model.parameters:
        table.add_row(p.name, p.unit, f"{p.value:g}", str(p.prior) if p.prior else "fixed", p.description)
    say(table)
    steps = f"{model.method}, {model.dt_ms:g} ms, {model.precision} precision"
    say(f"{model.path} is sound: {len(model.free)} free parameters, {steps}.")
