"""Many cells of few protocols: a shared posterior for each protocol, every cell judged by it, and a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from neurofit import stages
from neurofit.cells import Cell, named_cells
from neurofit.errors import NeurofitError
from neurofit.infer.valid import SEED, require_one
from neurofit.progress import Progress, Silent
from neurofit.recording import Recording, load_recording
from neurofit.report.cells import write_shared
from neurofit.shared.cell import SharedCell
from neurofit.shared.learn import Shared, learn_shared
from neurofit.shared.protocol import different_protocol, protocol_id
from neurofit.store import Run
from neurofit.template import Model

# Draws in posterior.csv.
IN_TABLE = 2000


@dataclass(frozen=True)
class SharedCells:
    """Many cells under shared posteriors.

    Attributes
    ----------
    cells
        ``{name: SharedCell}``.
    shared
        ``{name: the posterior that it shares}``.
    failed
        ``{name: why it could not be loaded or used}``.
    pages
        One for each protocol.
    """

    cells: dict[str, SharedCell]
    shared: dict[str, Shared]
    failed: dict[str, str]
    pages: tuple[Path, ...]


def fit_shared(
    cells: Mapping[str, Cell] | Sequence[str | Path],
    model: Model,
    out: str | Path,
    *,
    sweeps: str | Sequence[int] = "even",
    step: int = 1,
    seed: int = 1,
    loading: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
    **decided: Any,
) -> SharedCells:
    """Learn one posterior for the cells of each protocol, then ask it about each cell, in a second or two.

    Every cell is also judged: where the shared posterior is not good enough for it, that is said, with the reason.

    Parameters
    ----------
    cells, loading, progress
        As for :func:`neurofit.fit_cells`.
    model
        From :func:`neurofit.load_model`.
    out
        The folder: ``shared/PROTOCOL/`` holds what was learned, in it ``cells/NAME/`` each cell's ``posterior.csv``,
        ``parameters.csv`` and ``cell.json``; ``shared.html`` shows them all. Cells that are added later find what was
        learned.
    sweeps, step, seed
        As for :func:`neurofit.fit`.
    **decided
        ``simulations``, ``features``, ``tolerance``, ``schedule``, ``members``, ``workers``, ``scheduler``, as for
        :func:`neurofit.learn_shared`.

    Raises
    ------
    BadInput
        If there is no cell, or two have one name. What is wrong with one cell is told in ``failed``.
    RunFailed
        If a posterior cannot be learned.
    """
    require_one("seed", seed, SEED, "fit_shared")
    folder, progress = Path(out), progress or Silent()
    loaded, failed = dict[str, Recording](), dict[str, str]()
    cut = dict[str, Recording]()
    for name, cell in named_cells(cells).items():
        try:
            loaded[name] = cell if isinstance(cell, Recording) else load_recording(cell, **(loading or {}))
            cut[name] = stages.chosen_inputs(loaded[name], model, sweeps, step)[2].fitted
        except NeurofitError as error:
            failed[name] = str(error)
            progress.say(f"{name}: failed. {error}")
    groups = _by_protocol(cut)
    found, shared, pages = dict[str, SharedCell](), dict[str, Shared](), list[Path]()
    for number, names in enumerate(groups, 1):
        place = folder / "shared" / protocol_id(cut[names[0]])[:12]
        learned = learn_shared(
            loaded[names[0]], model, place, sweeps=sweeps, step=step, seed=seed, progress=progress, **decided
        )
        with progress.bar(f"{len(names)} cells of protocol {number}", len(names)) as advance:
            for count, name in enumerate(names, 1):
                found[name], shared[name] = learned.cell(loaded[name]), learned
                _keep(Run(place / "cells" / name), found[name], seed)
                advance(count, f"{name}: {'good enough' if found[name].good_enough else 'needs a fit of its own'}")
        pages.append(folder / ("shared.html" if len(groups) == 1 else f"shared-{number}.html"))
        write_shared({name: found[name] for name in names}, learned, failed, pages[-1])
    return SharedCells(found, shared, failed, tuple(pages))


def _by_protocol(cut: Mapping[str, Recording]) -> list[list[str]]:
    """Names of the cells that got one protocol, in their order."""
    groups: list[list[str]] = []
    for name, recording in cut.items():
        own = next((g for g in groups if not different_protocol(cut[g[0]], recording)), None)
        if own is None:
            groups.append([name])
        else:
            own.append(name)
    return groups


def _keep(place: Run, cell: SharedCell, seed: int) -> None:
    model = cell.posterior.model
    draws = cell.posterior.sample(IN_TABLE, seed)
    draws.columns = [f"{name} [{model.units[name]}]" for name in model.free]
    place.write(place / "posterior.csv", draws.to_csv(index=False, float_format="%.6g").encode())
    place.write(place / "parameters.csv", cell.parameters.to_csv(float_format="%.6g").encode())
    place.write_json("cell.json", cell.to_dict())
