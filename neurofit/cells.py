"""Many cells, one model or several: a fit of each, side by side. One that fails is told, and the others go on."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from neurofit.errors import BadInput, NeurofitError
from neurofit.fitting import fit
from neurofit.progress import Advance, Progress, Silent
from neurofit.recording import Recording, load_recording
from neurofit.result import Fit, load_fit
from neurofit.template import Model, parse_model
from neurofit.workers import Report, side_by_side

if TYPE_CHECKING:
    import pandas as pd

# A file, the waves of one cell, or a recording that is at hand.
Cell = str | Path | Sequence[str | Path] | Recording
State = Literal["done", "stopped", "failed"]


@dataclass(frozen=True)
class Outcome:
    """What became of one cell under one model.

    Attributes
    ----------
    cell, model
        Their names.
    run
        The run directory.
    state
        ``"done"``, ``"stopped"`` (before training: the model cannot make this cell) or ``"failed"``.
    said
        Why it failed; the verdict's word otherwise.
    """

    cell: str
    model: str
    run: Path
    state: State
    said: str

    def __str__(self) -> str:
        name = f"{self.cell}, {self.model}"
        return f"{name}: failed. {self.said}" if self.state == "failed" else f"{name}: {self.said}"


@dataclass(frozen=True)
class Cells:
    """What became of many cells.

    Attributes
    ----------
    out
        The folder, with a run directory for each cell (and in it one for each model, where there are several),
        ``cells.html``, ``cells.csv`` and ``parameters.csv``.
    outcomes
        Cell by cell, model by model.
    """

    out: Path
    outcomes: tuple[Outcome, ...]

    @property
    def failed(self) -> tuple[Outcome, ...]:
        """Those that have neither a verdict nor a posterior."""
        return tuple(o for o in self.outcomes if o.state == "failed")

    def fits(self) -> Iterator[tuple[Outcome, Fit]]:
        """Those that have a verdict, one after the other."""
        return iter(self._fits)

    @cached_property
    def _fits(self) -> tuple[tuple[Outcome, Fit], ...]:
        # read once: a fit keeps what it has worked out, such as its most probable parameters
        return tuple((o, load_fit(o.run)) for o in self.outcomes if o.state != "failed")

    @property
    def table(self) -> pd.DataFrame:
        """A row a cell and model: state, verdict, what it does not explain, errors of the counts, warnings."""
        from neurofit.report.cells import cells_table

        return cells_table(self)

    @property
    def parameters(self) -> pd.DataFrame:
        """A row a cell, model and parameter: unit, median and 90 % interval, as in each run's ``parameters.csv``."""
        from neurofit.report.cells import parameters_table

        return parameters_table(self)

    def report(self) -> Path:
        """Write ``cells.html`` (and, for several models, ``comparison.html`` of each cell) and the tables again."""
        from neurofit.report.cells import write_cells

        return write_cells(self)


def fit_cells(
    cells: Mapping[str, Cell] | Sequence[str | Path],
    models: Model | Sequence[Model],
    out: str | Path,
    *,
    loading: Mapping[str, Any] | None = None,
    workers: int | None = None,
    scheduler: str | None = None,
    progress: Progress | None = None,
    **decided: Any,
) -> Cells:
    """Fit every cell with every model, several at a time, and compare them on one page.

    The same call goes on where it was stopped: what is finished is not done again, and what failed is tried again.

    Parameters
    ----------
    cells
        Files, or ``{name: file or recording}``; a file's name without its ending is its cell's.
    models
        One, or several to be compared.
    out
        The folder.
    loading
        Arguments of :func:`neurofit.load_recording` for every file.
    workers
        Processes. Cells are fitted side by side, as many as there are processes.
    scheduler
        The address of a Dask scheduler whose workers simulate; the cells are then fitted one after the other.
    progress
        Told as each ends.
    **decided
        ``seed``, ``sweeps``, ``step``, ``method``, ``features``, ``tolerance``, ``rig``, ``anyway``, as for
        :func:`neurofit.fit`.

    Raises
    ------
    BadInput
        If there is no cell or model, or two have one name. What is wrong with one cell is its outcome.
    RunFailed
        If a worker process is lost.
    """
    named = named_cells(cells)
    chosen = [models] if isinstance(models, Model) else list(models)
    _require_distinct("model", [model.name for model in chosen])
    folder, progress, n_processes = Path(out), progress or Silent(), workers or os.cpu_count() or 1
    jobs = [(name, cell, model) for name, cell in named.items() for model in chosen]
    at_once = 1 if scheduler is not None else min(n_processes, len(jobs))
    calls = [
        (
            name, cell, (model.text, model.path), folder / name / (model.name if len(chosen) > 1 else ""),
            dict(loading or {}), {**decided, "workers": max(1, n_processes // at_once), "scheduler": scheduler},
        )
        for name, cell, model in jobs
    ]  # fmt: skip
    with progress.bar(f"Fitting {len(jobs)} cells" if len(chosen) == 1 else f"{len(jobs)} fits", 1.0) as advance:

        def ended(done: Outcome) -> None:
            progress.say(str(done))

        outcomes = side_by_side(_one, calls, at_once, advance, ended)
    found = Cells(folder, tuple(outcomes))
    found.report()
    return found


def named_cells(cells: Mapping[str, Cell] | Sequence[str | Path]) -> dict[str, Cell]:
    """Every cell's name: that of its file, with its folder's where two files are called alike.

    Raises
    ------
    BadInput
        If there is none, or two have one name even so.
    """
    if isinstance(cells, Mapping):
        named = [(str(name), cell) for name, cell in cells.items()]
    else:
        paths = [Path(path) for path in cells]
        often = Counter(path.stem for path in paths)
        named = [
            (path.stem if often[path.stem] == 1 else f"{path.absolute().parent.name}-{path.stem}", path)
            for path in paths
        ]
    _require_distinct("cell", [name for name, _ in named])
    for name, _ in named:
        # a name is a folder in the output, and nowhere else
        if name in ("", ".", "..") or Path(name).name != name or "\\" in name:
            raise BadInput(f"a cell cannot be called {name!r}", expected="a name that can be a folder's")
    return dict(named)


def _require_distinct(what: str, names: Sequence[str]) -> None:
    again = [name for name, count in Counter(names).items() if count > 1]
    if again or not names:
        raise BadInput(
            f"two {what}s are called {again[0]}" if again else f"there is no {what} to fit",
            expected=f"{what}s with names of their own" if again else f"at least one {what}",
        )


def _one(
    name: str,
    cell: Cell,
    template: tuple[str, str],
    run: Path,
    loading: dict[str, Any],
    decided: dict[str, Any],
    report: Report,
) -> Outcome:
    """Fit one cell in a process of its own; whatever is wrong with it is its outcome."""
    model = parse_model(*template)
    try:
        recording = cell if isinstance(cell, Recording) else load_recording(cell, **loading)
        done = fit(recording, model, run, progress=_Share(report, name), **decided)
        report(1.0, name)
        return Outcome(name, model.name, run, "stopped" if done.stopped else "done", done.verdict.word)
    except NeurofitError as error:
        return Outcome(name, model.name, run, "failed", str(error))
    except Exception as error:  # one cell's surprise is not the end of the others
        return Outcome(name, model.name, run, "failed", f"{type(error).__name__}: {error}")


class _Share:
    """A fit's progress as the share of its stages that are over, for the bar of all cells."""

    # of a fit of five rounds; only the bar's pace depends on it
    STAGES = 22

    def __init__(self, report: Report, name: str) -> None:
        self.report, self.name, self.over = report, name, 0

    def say(self, text: str) -> None:
        pass

    @contextmanager
    def bar(self, text: str, total: float, begun: int = 0) -> Iterator[Advance]:
        def advance(done: float, note: str) -> None:
            share = (self.over + done / max(total, 1e-9)) / self.STAGES
            self.report(min(share, 0.99), f"{self.name}: {text.lower()}")

        advance(begun, "")
        yield advance
        self.over += 1
