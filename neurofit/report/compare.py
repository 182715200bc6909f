"""Several fits of one recording side by side: which of them explains which side of the cell."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import numpy as np
import pandas as pd

from neurofit.check.predictive import mean_by_level
from neurofit.errors import BadInput
from neurofit.report.embed import Picture, picture
from neurofit.report.figures import (
    CountsDrawn,
    Interval,
    features_comparison_figure,
    firing_comparison_figure,
    held_out_figure,
)
from neurofit.report.held_out import Choice
from neurofit.report.material import FeatureRow, Material
from neurofit.report.page import render
from neurofit.report.sections.verdict import SYMBOLS, counts_row, meaning, sides
from neurofit.report.words import interval, number, ohms, p_value, percent, plural, unit, with_unit
from neurofit.threads import one_thread

if TYPE_CHECKING:
    from neurofit.result import Fit

CHECKS = {
    "prior-summary": "features, tolerances included, against the prior",
    "prior-raw": "raw voltage, against the prior",
    "fit-summary": "features, tolerances included, against the last round",
    "fit-raw": "raw voltage, against the last round",
}


def comparison_table(fits: Sequence[Fit]) -> pd.DataFrame:
    """Every fitted feature, recorded and predicted by each fit.

    Parameters
    ----------
    fits
        Of the same recording.

    Returns
    -------
    pandas.DataFrame
        A row a feature: ``side``, ``unit``, ``recorded``, and for each fit ``NAME median``, ``NAME 5 %``,
        ``NAME 95 %`` (NaN where undefined) and ``NAME missed``.

    Raises
    ------
    BadInput
        For fewer than two fits, or fits of different recordings.
    """
    names, rows = labels(fits), _rows([Material(fit) for fit in fits])
    records = []
    for name, of_fits in rows.items():
        first = next(row for row in of_fits if row is not None)
        record: dict[str, Any] = {"feature": name, "side": first.side, "unit": first.unit, "recorded": first.recorded}
        for fit_name, row in zip(names, of_fits, strict=True):
            for column, value in (
                ("median", row and row.median), ("5 %", row and row.low), ("95 %", row and row.high),
            ):  # fmt: skip
                record[f"{fit_name} {column}"] = np.nan if value is None else value
            record[f"{fit_name} missed"] = row.missed if row is not None else None
        records.append(record)
    return pd.DataFrame(records).set_index("feature")


def write_comparison(fits: Sequence[Fit], target: str | Path) -> None:
    """Write one HTML page that holds several fits of the same recording side by side.

    Parameters
    ----------
    fits
        Finished runs.
    target
        The page; written whole or not at all.

    Raises
    ------
    BadInput
        For fewer than two fits, or fits of different recordings.
    """
    target = Path(target).absolute()
    names = labels(fits)
    materials = [Material(fit) for fit in fits]
    with one_thread():
        page = {
            "recording": PurePath(fits[0].split.fitted.source.path).name,
            "names": names,
            "note": _note(fits),
            "cards": [_card(name, m, target) for name, m in zip(names, materials, strict=True)],
            "choice": _choice(names, fits),
            "sides": _sides(materials),
            "counts": _counts(materials),
            "firing": list(_firing(names, materials)),
            "figure": _figure(names, materials),
            "features": _features(materials),
            "parameters": _parameters(materials),
            "checks": [
                {"title": title, "p": [p_value(fit.checks[name].p_value) for fit in fits]}
                for name, title in CHECKS.items()
            ],
        }
    fits[0].run.write(target, render("compare.html.jinja", page).encode())


def labels(fits: Sequence[Fit]) -> list[str]:
    """A name for each fit: its model's, with the run directory's where models repeat.

    Raises
    ------
    BadInput
        For fewer than two fits, or fits of different recordings.
    """
    if len(fits) < 2:
        raise BadInput("there is nothing to compare", expected="two fits or more", found=plural(len(fits), "fit"))
    digests = [fit.decisions["recording"]["sha256"] for fit in fits]
    if len(set(digests)) > 1:
        other = next(i for i, digest in enumerate(digests) if digest != digests[0])
        raise BadInput(
            "the fits are of different recordings",
            where=fits[other].run.path,
            expected=f"a fit of {fits[0].decisions['recording']['path']} (sha256 {digests[0][:12]})",
            found=f"{fits[other].decisions['recording']['path']} (sha256 {digests[other][:12]})",
        )
    names = [fit.model.name for fit in fits]
    if len(set(names)) < len(names):
        names = [f"{name} ({fit.run.path.name})" for name, fit in zip(names, fits, strict=True)]
    seen: Counter[str] = Counter()
    for i, name in enumerate(names):
        seen[name] += 1
        names[i] = f"{name} {seen[name]}" if seen[name] > 1 else name
    return names


def _rows(materials: Sequence[Material]) -> dict[str, list[FeatureRow | None]]:
    """``{feature: [row of each fit, or None]}``; features of the whole cell first, in the catalogue's order."""
    tables = [{row.name: row for row in m.features} for m in materials]
    order = list(dict.fromkeys(name for table in tables for name in table))
    order.sort(key=lambda name: "@" in name)
    return {name: [table.get(name) for table in tables] for name in order}


def _note(fits: Sequence[Fit]) -> str:
    """What the fits do not share, in a sentence."""
    first = fits[0].decisions
    different = []
    if any(fit.decisions["recording"] | {"path": ""} != first["recording"] | {"path": ""} for fit in fits):
        different.append("sweeps or step")
    if any(fit.decisions["summaries"] != first["summaries"] for fit in fits):
        different.append("features or tolerances")
    if any(fit.decisions["method"] != first["method"] for fit in fits):
        different.append("rounds, simulations or networks")
    if not different:
        return "They were fitted to the same sweeps with the same features, tolerances and settings."
    return f"They differ in more than the model: {', '.join(different)}. Compare with care."


def _card(name: str, material: Material, target: Path) -> dict[str, Any]:
    fit = material.fit
    report = fit.run / "report.html"
    found = fit.findings_of_fit
    return {
        "name": name,
        "title": f"{fit.model.title}, {plural(len(fit.model.free), 'free parameter')}",
        "word": fit.verdict.word,
        "symbol": SYMBOLS[fit.verdict.word],
        "meaning": meaning(fit.verdict),
        "reasons": [ohms(reason) for reason in fit.verdict.reasons],
        "link": quote(Path(os.path.relpath(report, target.parent)).as_posix()) if report.is_file() else "",
        "run": str(fit.run.path),
        "settings": f"{fit.method.rounds} rounds of {fit.method.simulations:,} simulations, seed {fit.seed}",
        "calibration": found["calibration"]["sentence"],
        "efficiency": percent(found["efficiency"], 1),
    }


def _choice(names: Sequence[str], fits: Sequence[Fit]) -> dict[str, Any] | None:
    """The fits by the sweeps that they were not fitted to; ``None`` where they share none."""
    choice = Choice.of(names, fits)
    if choice is None:
        return None
    rows = [
        {
            "name": name,
            "word": word,
            "symbol": SYMBOLS[word],
            "score": number(behind.score, 2),
            "behind": "–" if i == choice.best else f"{number(behind.difference, 2)} ± {number(behind.error, 2)}",
            "worse": "–" if i == choice.best else f"{behind.worse} of {behind.sweeps}",
            "said": "best" if i == choice.best else "behind" if behind.told_apart else "not told from the best",
            "p": [p_value(fit.checks[check].p_value) for check in ("fit-summary", "fit-raw")],
        }
        for i, (name, word, behind, fit) in enumerate(zip(names, choice.words, choice.behind, fits, strict=True))
    ]
    drawn = held_out_figure(names, choice.scores["level_pa"].to_numpy(), choice.scores[list(names)].to_numpy().T)
    alt = f"Distance of the predictions from each held-out sweep against its current, for {', '.join(names)}."
    return {"rows": rows, "sentences": choice.sentences(), "figure": picture(drawn, alt)}


def _sides(materials: Sequence[Material]) -> list[dict[str, Any]]:
    of_fits = [{row["title"]: row for row in sides(m)} for m in materials]
    titles = list(dict.fromkeys(title for rows in of_fits for title in rows))
    return [{"title": title, "fits": [rows.get(title) for rows in of_fits]} for title in titles]


def _counts(materials: Sequence[Material]) -> list[dict[str, Any]]:
    """One row for each part that every fit has."""
    tables = [{part.name: part for part in m.parts} for m in materials]
    shared = [name for name in tables[0] if all(name in table for table in tables)]
    return [
        {"label": tables[0][name].label, "sweeps": tables[0][name].sweeps, "held_out": tables[0][name].held_out,
         "fits": [counts_row(table[name]) for table in tables]}
        for name in shared
    ]  # fmt: skip


def _firing(names: Sequence[str], materials: Sequence[Material]) -> list[Picture]:
    fitted = materials[0].parts[0]
    levels, mean = mean_by_level(fitted.counts["levels_pa"], fitted.counts["recorded"])
    pictures = []
    for step in dict.fromkeys(part.step for part in materials[0].parts):
        recorded = [
            CountsDrawn.of(p.counts, p.held_out, "held out" if p.held_out else "fitted")
            for p in materials[0].parts
            if p.step == step
        ]
        predicted = [
            (name, _joined([CountsDrawn.of(p.counts, p.held_out, "") for p in m.parts if p.step == step]))
            for name, m in zip(names, materials, strict=True)
            if any(p.step == step for p in m.parts)
        ]
        stretch = next(part.stretch for part in materials[0].parts if part.step == step)
        title = stretch.removeprefix("the ").capitalize() + (
            " (all held out)" if all(p.held_out for p in recorded) else ""
        )
        alt = f"Spikes in {stretch} against current in pA: recorded, and predicted by {', '.join(names)}."
        interpolation = (levels, mean) if len(levels) > 1 else None
        pictures.append(picture(firing_comparison_figure(title, recorded, predicted, interpolation), alt))
    return pictures


def _joined(parts: Sequence[CountsDrawn]) -> CountsDrawn:
    """All sweeps of a step, fitted or not."""
    names = ("levels_pa", "recorded", "low", "median", "high")
    columns = {name: np.concatenate([getattr(p, name) for p in parts]) for name in names}
    return CountsDrawn(**columns, held_out=False, label="")


def _figure(names: Sequence[str], materials: Sequence[Material]) -> Picture:
    """Features of the whole cell; single sweeps are in the table."""
    rows = [row for name, row in _rows(materials).items() if "@" not in name] or list(_rows(materials).values())
    drawn = [[_interval(r) if r is not None else None for r in row] for row in rows]
    return picture(
        features_comparison_figure(names, drawn),
        f"Features of the whole cell, predicted minus recorded in tolerances, for {', '.join(names)}.",
    )


def _interval(row: FeatureRow) -> Interval:
    return Interval(
        row.label, row.in_tolerances(row.low), row.in_tolerances(row.median), row.in_tolerances(row.high), row.missed
    )


def _features(materials: Sequence[Material]) -> list[dict[str, Any]]:
    cells = []
    for name, of_fits in _rows(materials).items():
        first = next(row for row in of_fits if row is not None)
        cells.append(
            {
                "label": with_unit(first.label, first.unit),
                "of_cell": "@" not in name,
                "recorded": number(first.recorded),
                "fits": [
                    None
                    if row is None
                    else {"median": number(row.median), "band": interval(row.low, row.high), "missed": row.missed}
                    for row in of_fits
                ],
            }
        )
    return cells


def _parameters(materials: Sequence[Material]) -> list[dict[str, Any]]:
    names = list(dict.fromkeys(name for m in materials for name in m.fit.model.free))
    rows = []
    for name in names:
        owner = next(m for m in materials if name in m.fit.model.free)
        fits = []
        for m in materials:
            row: dict[Any, Any] | None = None
            if name in m.fit.model.free:
                row = m.fit.parameters.to_dict("records")[m.fit.model.free.index(name)]
            fits.append(
                None
                if row is None
                else {
                    "median": number(row["median"], 3),
                    "band": interval(row["5 %"], row["95 %"], 3),
                    "remark": row["remark"] if isinstance(row["remark"], str) else "",
                }
            )
        rows.append({"name": name, "unit": unit(owner.fit.model.units[name]), "fits": fits})
    return rows
