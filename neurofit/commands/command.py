"""What every command has: its errors in one paragraph with an exit code, and lines that are printed."""

from __future__ import annotations

import functools
import logging
import os
import sys
import warnings
from collections.abc import Callable
from typing import Any

import typer

from neurofit.errors import BadInput, NeurofitError, SlowSimulation

app = typer.Typer(
    name="neurofit",
    help="From a current-clamp recording to a calibrated posterior over a neuron model's parameters, with a verdict.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def command(on: typer.Typer, name: str | None = None) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Register a command whose errors become one paragraph and an exit code."""

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(function)
        def run(*args: Any, **kwargs: Any) -> None:
            quiet()
            try:
                function(*args, **kwargs)
            except NeurofitError as error:
                stop(f"neurofit: {error}", 2 if isinstance(error, BadInput) else 1)
            except KeyboardInterrupt:
                stop("\nneurofit: stopped. What was finished is kept: the same command goes on from there.", 1)
            except BrokenPipeError:
                # whoever read our output has gone; there is nothing left to say
                os._exit(1)
            except OSError as error:
                stop(f"neurofit: the system refused something: {error}. What was finished is kept.", 1)
            except MemoryError:
                stop("neurofit: there is not enough memory. What was finished is kept; try fewer --workers.", 1)

        return on.command(name or function.__name__.replace("_", "-"))(run)

    return decorate


def say(what: Any) -> None:
    from rich.console import Console

    Console(highlight=False, soft_wrap=isinstance(what, str)).print(what, markup=False)


def stop(text: str, code: int) -> None:
    sys.stderr.write(text + "\n")
    raise typer.Exit(code)


def quiet() -> None:
    """Other packages' remarks to their own developers are no news to a user of the command line; our warning is."""
    warnings.filterwarnings("ignore", module=r"(nflows|sbi|torch|neo|efel|brian2|joblib|distributed)\b")
    logging.getLogger("brian2").setLevel(logging.ERROR)
    warnings.filterwarnings("always", category=SlowSimulation)
    show = warnings.showwarning

    def say(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> None:
        if issubclass(category, SlowSimulation):
            sys.stderr.write(f"neurofit: {message}\n")
        else:
            show(message, category, *where, **more)

    warnings.showwarning = say
