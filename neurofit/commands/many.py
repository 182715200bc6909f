"""What ``neurofit fit`` does with several cells or several models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from neurofit.commands.command import say, stop
from neurofit.errors import BadInput


def run_many(
    recordings: Sequence[Path], models: Sequence[str], out: Path, loading: dict[str, Any], settings: dict[str, Any]
) -> None:
    """A fit of each cell with each model, and a page of them all; exit code 1 where any failed."""
    from neurofit.cells import fit_cells
    from neurofit.progress import Terminal
    from neurofit.template import load_model

    done = fit_cells(
        recordings, [load_model(name) for name in models], out, loading=loading, progress=Terminal(), **settings
    )
    say(f"All of them: {done.out / 'cells.html'}, cells.csv, parameters.csv")
    if done.failed:
        stop(f"neurofit: {len(done.failed)} of {len(done.outcomes)} failed; the others are done.", 1)


def run_shared(
    recordings: Sequence[Path], model: str, out: Path, loading: dict[str, Any], settings: dict[str, Any]
) -> None:
    """One posterior for the cells of each protocol, and a page; exit code 1 where a cell failed."""
    from neurofit.progress import Terminal
    from neurofit.shared import SCHEDULE, fit_shared
    from neurofit.template import load_model

    density, simulations = settings.pop("density"), settings.pop("simulations")
    if simulations is not None:
        settings["simulations"] = simulations
    if density is not None:
        settings["schedule"] = replace(SCHEDULE, density=density)
    done = fit_shared(recordings, load_model(model), out, loading=loading, progress=Terminal(), **settings)
    for page in done.pages:
        say(f"Page: {page}")
    if done.failed:
        stop(f"neurofit: {len(done.failed)} of {len(done.cells) + len(done.failed)} cells failed.", 1)


def require_shared_options(
    models: Sequence[str], method: str, rounds: int | None, rig: list[str] | None, anyway: bool, keep_all: bool
) -> None:
    """Refuse what a shared posterior does not have."""
    given = {
        "several --model": len(models) > 1,
        f"--method {method}": method not in ("tsnpe", "npe"),
        "--rounds": rounds is not None,
        "--rig": bool(rig),
        "--anyway": anyway,
        "--keep-all": keep_all,
    }
    if found := [name for name, is_given in given.items() if is_given]:
        raise BadInput(
            f"--shared does not go with {found[0]}",
            expected="one model, whose posterior is learned in one round from the prior, without verdicts",
        )
