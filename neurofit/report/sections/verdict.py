"""The verdict, what was fitted to what, and spike counts beside the interpolation that they have to beat."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from neurofit.check.verdict import Verdict
from neurofit.report.material import SIDES, Material, Part
from neurofit.report.words import UNDEFINED, levels_of, listed, number, ohms, percent, plural

# A symbol and a word go with every colour.
SYMBOLS = {"supported": "✓", "doubtful": "?", "rejected": "✗"}
MEANING = {
    "supported": "The model explains this cell up to the stated tolerances.",
    "doubtful": "The model explains part of this cell; what it says about the rest cannot be relied on.",
    "outside": "No single feature is out of reach, but the cell as a whole lies outside the model's simulations.",
    "rejected": "The model cannot explain this cell; do not interpret its parameters.",
}


def verdict_section(material: Material) -> dict[str, Any]:
    """The head of the page."""
    fit = material.fit
    verdict = fit.verdict
    return {
        "word": verdict.word,
        "symbol": SYMBOLS[verdict.word],
        "meaning": meaning(verdict),
        "reasons": [ohms(reason) for reason in verdict.reasons],
        "sides": sides(material),
        "fitted_to": fitted_to(material),
        "counts": [counts_row(part) for part in material.parts],
    }


def meaning(verdict: Verdict) -> str:
    """The verdict's word in a sentence."""
    outside = verdict.word == "doubtful" and not any(verdict.sides.values())
    return MEANING["outside" if outside else verdict.word]


def sides(material: Material) -> list[dict[str, str]]:
    """One row a side of the cell: explained or not, and what is wrong on it."""
    wrong = material.fit.verdict.sides
    rows = []
    for side, title in SIDES.items():
        features = material.side(side)
        text = wrong.get(side, "") or ", ".join(row.label for row in features if row.missed)
        if text:
            rows.append(
                {"title": title, "state": "missed", "symbol": "✗", "said": "missed or in conflict", "text": text}
            )
        elif features:
            text = f"within reach in {plural(len(features), 'feature')}"
            rows.append({"title": title, "state": "fine", "symbol": "✓", "said": "explained", "text": text})
        else:
            rows.append({"title": title, "state": "none", "symbol": "–", "said": "not fitted", "text": ""})
    return rows


def fitted_to(material: Material) -> str:
    """What was fitted to what, in a line."""
    fit = material.fit
    fitted = material.parts[0]
    text = (
        f"{fit.model.title} ({plural(len(fit.model.free), 'free parameter')}), fitted to {fitted.sweeps} of "
        f"{fitted.stretch} ({levels_of(fitted.recording.stimulus)})."
    )
    held = [f"{part.sweeps} of {part.stretch}" for part in material.parts[1:]]
    return f"{text} Held out: {listed(held)}." if held else f"{text} Nothing was held out."


def counts_row(part: Part) -> dict[str, str | bool]:
    """Errors of the predicted spike counts of one part, and of interpolating the fitted counts over current."""
    numbers: Mapping[str, Any] = part.counts["numbers"]
    n = int(numbers["spiking_sweeps"])
    row: dict[str, str | bool] = {
        "label": part.label,
        "sweeps": part.sweeps,
        "held_out": part.held_out,
        "spiking": str(n),
        "hits": percent(numbers["hits"]),
    }
    if not n:
        return row | dict.fromkeys(("median", "mean", "covered", "other_median", "other_mean"), UNDEFINED)
    return row | {
        "median": number(numbers["median_error"], 2),
        "mean": number(numbers["mean_error"], 2),
        "covered": f"{numbers['covered']} of {n}",
        # the interpolation goes through the fitted counts, so there it has nothing to predict
        "other_median": number(numbers["interpolation_median_error"], 2) if part.held_out else "",
        "other_mean": number(numbers["interpolation_mean_error"], 2) if part.held_out else "",
    }
