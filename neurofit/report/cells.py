"""Many cells on one page, and as tables."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import numpy as np
import pandas as pd

from neurofit.disk import replacing
from neurofit.report.compare import labels, write_comparison
from neurofit.report.embed import Picture, picture
from neurofit.report.figures.cells import (
    FiringOfCell,
    ParameterOfCells,
    firing_of_cells_figure,
    parameters_of_cells_figure,
)
from neurofit.report.held_out import Choice
from neurofit.report.page import render
from neurofit.report.sections.verdict import SYMBOLS
from neurofit.report.words import listed, number, p_value, plural, with_unit
from neurofit.threads import one_thread

if TYPE_CHECKING:
    from neurofit.cells import Cells, Outcome
    from neurofit.result import Fit
    from neurofit.shared import Shared, SharedCell
    from neurofit.template import Model

# Fewer characters than a reason has; the reports have all of them.
_SHORT = 160
_NOTES = (
    "Mean error of predicted spike counts, over held-out sweeps that spike; in brackets that of interpolating the "
    "fitted counts over current.",
    "Held-out score: distance of the predictions from the held-out sweeps, in tolerances a feature (0 to 10, less is "
    "better), of the features with a value a sweep.",
)
# In the folder of each cell with several models.
_COMPARISON = "comparison.html"
_SHARED = (
    "Three checks of each cell, together wrong about one that is well served in 5 % of cells: its features among the "
    "simulations, tolerances included; its predictions ranked among those of simulated cells that fire like it; "
    "calibration for simulated cells near it.",
    "No verdict on the model: that is what a fit of the cell's own is for.",
)


def cells_table(cells: Cells) -> pd.DataFrame:
    """As :attr:`neurofit.Cells.table` says."""
    told = {outcome: _told(fit) for outcome, fit in cells.fits()}
    rows = [
        {"cell": o.cell, "model": o.model, "state": o.state, **told.get(o, {"why": o.said}), "run": str(o.run)}
        for o in cells.outcomes
    ]
    columns = ["state", "verdict", "not explained", "held-out count error", "interpolation's", "held-out score",
               "warnings", "why", "run"]  # fmt: skip
    return pd.DataFrame(rows).set_index(["cell", "model"]).reindex(columns=columns)


def parameters_table(cells: Cells) -> pd.DataFrame:
    """As :attr:`neurofit.Cells.parameters` says."""
    tables = []
    for outcome, fit in cells.fits():
        if not fit.stopped:
            table = fit.parameters.rename_axis("parameter").reset_index()
            tables.append(table.assign(cell=outcome.cell, model=outcome.model))
    if not tables:
        return pd.DataFrame(columns=["cell", "model", "parameter"]).set_index(["cell", "model", "parameter"])
    return pd.concat(tables).set_index(["cell", "model", "parameter"])


def write_cells(cells: Cells) -> Path:
    """The page of all cells, its tables, and a comparison of each cell's models; every file whole or not at all."""
    page = cells.out / "cells.html"
    with one_thread():
        table, parameters = cells_table(cells), parameters_table(cells)
        _write(cells.out / "cells.csv", table.to_csv(float_format="%.6g"))
        _write(cells.out / "parameters.csv", parameters.to_csv(float_format="%.6g"))
        models = list(dict.fromkeys(o.model for o in cells.outcomes))
        compared = dict(_comparisons(cells)) if len(models) > 1 else {}
        fits = {(o.cell, o.model): f for o, f in cells.fits() if not f.stopped}
        names, with_fit = list(dict.fromkeys(cell for cell, _ in fits)), list(dict.fromkeys(m for _, m in fits))
        told: list[Any] = table.to_dict("records")
        rows = [_row(o, its, page, len(models) > 1) for o, its in zip(cells.outcomes, told, strict=True)]
        heads = ["verdict", "not explained, or what failed", "held-out counts", "held-out score", "warnings", "page"]
        content = {
            "title": f"{plural(len({o.cell for o in cells.outcomes}), 'cell')}, {listed(models)}",
            "lead": [_lead(cells)],
            "compared": [
                {"name": cell, "said": " ".join(said), "link": _relative(cells.out / cell / _COMPARISON, page)}
                for cell, said in compared.items()
            ],
            "sections": _sections(bool(fits)),
            "heads": ["cell", *(["model"] if len(models) > 1 else []), *heads],
            "rows": rows,
            "notes": _NOTES,
            "parameters": _parameters_picture(names, with_fit, _of_fits(names, with_fit, fits)),
            "firing": _firing_picture([_firing(*of, fit, len(models) > 1) for of, fit in fits.items()]),
        }
        _write(page, render("cells.html.jinja", content))
    return page


def write_shared(shared: Mapping[str, SharedCell], of: Shared, failed: Mapping[str, str], page: Path) -> None:
    """The page of cells under one shared posterior."""
    with one_thread():
        good = sum(cell.good_enough for cell in shared.values())
        model = of.posterior.model
        rows = [_shared_row(name, cell, page, of.run.path) for name, cell in shared.items()]
        rows += [_failed_row(name, why) for name, why in failed.items()]
        content = {
            "title": f"{plural(len(shared), 'cell')} under one shared posterior of {model.name}",
            "lead": [
                f"The shared posterior is good enough for {good} of {plural(len(shared), 'cell')}; the others need a "
                "fit of their own, which also says whether the model can explain them at all.",
                f"Over the whole prior: {of.calibration['sentence']}",
            ],
            "compared": [],
            "sections": _sections(bool(shared)),
            "heads": [
                "cell",
                "shared posterior",
                "why not",
                "p: features, predictions, calibration near it",
                "distance of predictions (tolerances)",
                "warnings",
                "draws",
            ],
            "rows": rows,
            "notes": _SHARED,
            "parameters": _parameters_picture(list(shared), [model.name], _of_shared(shared, model)),
            "firing": _firing_picture([_shared_firing(*item) for item in shared.items()]),
        }
        _write(page, render("cells.html.jinja", content))


def _told(fit: Fit) -> dict[str, Any]:
    """What a fit says of its cell, in a line of a table."""
    wrong = [f"{side}: {text}" for side, text in fit.verdict.sides.items() if text]
    if not wrong and fit.verdict.word != "supported":
        wrong = [fit.verdict.reasons[0]]
    row: dict[str, Any] = {
        "verdict": fit.verdict.word,
        "not explained": "; ".join(wrong),
        "warnings": sum(finding.severity == "warning" for finding in fit.findings),
    }
    if fit.stopped:
        return row
    held = [part["numbers"] for name, part in fit.findings_of_fit["counts"].items() if name != "fitted"]
    spiking = [numbers for numbers in held if numbers["spiking_sweeps"]]
    if spiking:
        weights = [numbers["spiking_sweeps"] for numbers in spiking]
        for column, key in (("held-out count error", "mean_error"), ("interpolation's", "interpolation_mean_error")):
            row[column] = float(np.average([numbers[key] for numbers in spiking], weights=weights))
    scores = fit.held_out_scores["score"]
    return row | {"held-out score": float(scores.mean()) if len(scores) else np.nan}


def _comparisons(cells: Cells) -> Iterator[tuple[str, list[str]]]:
    """A page for each cell with more than one finished fit, and what it says of the choice."""
    for cell in dict.fromkeys(o.cell for o in cells.outcomes):
        fits = [f for o, f in cells.fits() if o.cell == cell and not f.stopped]
        if len(fits) > 1:
            write_comparison(fits, cells.out / cell / _COMPARISON)
            choice = Choice.of(labels(fits), fits)
            yield cell, choice.sentences() if choice is not None else []


def _lead(cells: Cells) -> str:
    words = Counter(o.said if o.state != "failed" else "failed" for o in cells.outcomes)
    order = [word for word in (*SYMBOLS, "failed") if words[word]]
    return f"{listed([f'{words[word]} {word}' for word in order]).capitalize()}."


def _sections(drawn: bool) -> list[tuple[str, str]]:
    return [("cells", "Cells"), *([("parameters", "Parameters"), ("firing", "Firing")] if drawn else [])]


def _row(outcome: Outcome, told: Mapping[str, Any], page: Path, named: bool) -> dict[str, Any]:
    name = {"cell": outcome.cell, "model": outcome.model if named else ""}
    if outcome.state == "failed":
        return _failed_row(outcome.cell, outcome.said) | name
    error, other = told["held-out count error"], told["interpolation's"]
    word = str(told["verdict"])
    report = outcome.run / "report.html"
    return name | {
        "tone": word,
        "symbol": SYMBOLS[word],
        "word": word + (" before training" if outcome.state == "stopped" else ""),
        "texts": [
            _shortened(str(told["not explained"]) or "–"),
            f"{number(error, 2)} ({number(other, 2)})" if np.isfinite(error) else "–",
            number(told["held-out score"], 2) if np.isfinite(told["held-out score"]) else "–",
            f"{told['warnings']:.0f}",
        ],
        "link": _relative(report, page) if report.is_file() else "",
        "link_text": "report",
    }


def _failed_row(cell: str, why: str) -> dict[str, Any]:
    return {
        "cell": cell, "model": "", "tone": "rejected", "symbol": "!", "word": "failed",
        "texts": [why, "–", "–", "–"], "link": "", "link_text": "",
    }  # fmt: skip


def _shared_row(name: str, cell: SharedCell, page: Path, run: Path) -> dict[str, Any]:
    draws = run / "cells" / name / "posterior.csv"
    return {
        "cell": name,
        "model": "",
        "tone": "supported" if cell.good_enough else "doubtful",
        "symbol": "✓" if cell.good_enough else "?",
        "word": "good enough" if cell.good_enough else "fit it on its own",
        "texts": [
            " ".join(cell.alarms) or "–",
            ", ".join(p_value(p) for p in (cell.features.p_value, cell.p_prediction, cell.p_local)),
            number(cell.score, 2),
            f"{sum(finding.severity == 'warning' for finding in cell.recording.findings)}",
        ],
        "link": _relative(draws, page) if draws.is_file() else "",
        "link_text": "posterior.csv",
    }


def _of_fits(
    names: Sequence[str], models: Sequence[str], fits: Mapping[tuple[str, str], Fit]
) -> Iterator[ParameterOfCells]:
    found: dict[str, Model] = {}
    for fit in fits.values():
        for parameter in fit.model.free:
            found.setdefault(parameter, fit.model)
    for parameter, model in found.items():
        rows = np.full((3, len(models), len(names)), np.nan)
        for (cell, of), fit in fits.items():
            if parameter in fit.model.free:
                row = fit.parameters.loc[parameter]
                rows[:, models.index(of), names.index(cell)] = row[["5 %", "median", "95 %"]].astype(float)
        yield _parameter(parameter, model, rows)


def _of_shared(shared: Mapping[str, SharedCell], model: Model) -> Iterator[ParameterOfCells]:
    for parameter in model.free:
        rows = [cell.parameters.loc[parameter, ["5 %", "median", "95 %"]].astype(float) for cell in shared.values()]
        yield _parameter(parameter, model, np.array(rows).T[:, None])


def _parameter(name: str, model: Model, rows: np.ndarray) -> ParameterOfCells:
    j = model.free.index(name)
    low, high = model.prior.quantiles([0.01, 0.99])[:, j].tolist()
    title = with_unit(name, model.units[name])
    return ParameterOfCells(title, rows[0], rows[1], rows[2], (low, high), bool(model.prior.logarithmic[j]))


def _parameters_picture(
    cells: Sequence[str], models: Sequence[str], parameters: Iterator[ParameterOfCells]
) -> Picture | None:
    if not cells:
        return None
    alt = f"Median and 90 % interval of every parameter in {plural(len(cells), 'cell')}, over the range of its prior."
    return picture(parameters_of_cells_figure(cells, models, list(parameters)), alt, caption=alt)


def _firing(cell: str, model: str, fit: Fit, named: bool) -> FiringOfCell:
    # of the fitted step, whose curve it is
    parts = [part for name, part in fit.findings_of_fit["counts"].items() if not re.match(r"step \d+$", name)]
    columns = [
        np.concatenate([part[key] for part in parts]) for key in ("levels_pa", "recorded", "low", "median", "high")
    ]
    return FiringOfCell(f"{cell}, {model}" if named else cell, *columns)


def _shared_firing(name: str, cell: SharedCell) -> FiringOfCell:
    columns = [cell.counts[key].to_numpy() for key in ("level_pa", "recorded", "5 %", "median", "95 %")]
    return FiringOfCell(name, *columns)


def _firing_picture(cells: Sequence[FiringOfCell]) -> Picture | None:
    if not cells:
        return None
    alt = (
        f"Spikes against current in {plural(len(cells), 'cell')}: recorded (dots) and predicted (median and 90 % band)."
    )
    return picture(firing_of_cells_figure(cells), alt, caption=alt)


def _shortened(text: str) -> str:
    return text if len(text) <= _SHORT else f"{text[: _SHORT - 2].rsplit(' ', 1)[0]} …"


def _relative(file: Path, page: Path) -> str:
    return quote(Path(os.path.relpath(file, page.parent)).as_posix())


def _write(file: Path, content: str) -> None:
    with replacing(file) as temporary:
        temporary.write_bytes(content.encode())
