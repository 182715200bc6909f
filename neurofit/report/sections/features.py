"""Features, recorded and predicted, and the conflicts between them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from neurofit.check.conflict import CALLED, TOLD
from neurofit.features.catalogue import feature_of
from neurofit.report.embed import Picture, picture
from neurofit.report.figures import Interval, intervals_figure
from neurofit.report.material import SIDES, FeatureRow, Material
from neurofit.report.words import UNDEFINED, interval, number, ohms, percent, plural, signed, unit, with_unit

# A tolerance widened by less than this is as declared, for the eye.
WIDENED = 1.05
# More of the predictions without the feature than this is marked beside its interval.
OFTEN_UNDEFINED = 0.05


def features_section(material: Material) -> dict[str, Any]:
    """A figure and tables for each side of the cell."""
    sides = []
    for side, title in SIDES.items():
        rows = material.side(side)
        extra = [row for row in material.not_fitted if row.side == side]
        if rows or extra:
            sides.append(
                {
                    "title": title,
                    "picture": _picture(title, rows) if rows else None,
                    "of_cell": [_cells(row) for row in [*(r for r in rows if r.of_cell), *extra]],
                    "of_sweeps": [_cells(row) for row in rows if not row.of_cell],
                    "missed": sum(row.missed for row in rows),
                    "of": len(rows),
                }
            )
    return {"sides": sides, "widened": [_widened(row) for row in _widest(material)]}


def _picture(title: str, rows: list[FeatureRow]) -> Picture:
    missed = [row.label for row in rows if row.missed]
    alt = (
        f"{title} features, predicted minus recorded in tolerances: a dot at the median and a bar over 90 % of the "
        f"predictions for each of {plural(len(rows), 'feature')}. "
        + (f"Missed: {', '.join(missed)}." if missed else "None is missed.")
    )
    ordered = sorted(rows, key=lambda row: not row.of_cell)
    caption = ""
    if any(_often_undefined(row) for row in rows):
        caption = (
            f"†: undefined in more than {percent(OFTEN_UNDEFINED)} of the predictions; the tables say in how many."
        )
    return picture(intervals_figure([_interval(row) for row in ordered]), alt, caption=caption)


def _interval(row: FeatureRow) -> Interval:
    return Interval(
        f"{row.label} †" if _often_undefined(row) else row.label,
        row.in_tolerances(row.low),
        row.in_tolerances(row.median),
        row.in_tolerances(row.high),
        row.missed,
    )


def _often_undefined(row: FeatureRow) -> bool:
    return row.median is not None and row.undefined > OFTEN_UNDEFINED


def _cells(row: FeatureRow) -> dict[str, Any]:
    """A row of the table, as text."""
    pretty = unit(row.unit)
    feature = feature_of(row.name)
    scale = f"{100 * row.tolerance:.3g} %" if row.log else f"{number(row.tolerance)} {pretty}".strip()
    origin, _, found = row.source.partition(": ")
    widened = ""
    if row.widened is not None and row.widened >= WIDENED:
        widened = f"× {number(row.widened, 2)}"
    return {
        "label": with_unit(row.label, row.unit),
        "meaning": feature.meaning,
        "recorded": number(row.recorded),
        "median": number(row.median),
        "band": interval(row.low, row.high),
        "undefined": percent(row.undefined) if row.undefined > 0 else "",
        "tolerance": scale,
        "origin": origin,
        "origin_found": ohms(found),
        "widened": widened,
        "distance": _distance(row),
        "missed": row.missed,
        "fitted": row.fitted,
    }


def _distance(row: FeatureRow) -> str:
    if row.distance is None:
        return UNDEFINED
    if abs(row.distance) >= 99:
        return "out of reach"
    return signed(row.distance, 2)


def _widest(material: Material) -> list[FeatureRow]:
    widened = [row for row in material.features if row.widened is not None and row.widened >= 1.5]
    return sorted(widened, key=lambda row: -(row.widened or 0.0))


def _widened(row: FeatureRow) -> str:
    return f"{row.label} × {number(row.widened, 2)}"


def conflicts_section(material: Material) -> dict[str, Any]:
    """Sentences with sizes, and a picture of those that they name."""
    return {"sides": list(_conflicts(material))}


def _conflicts(material: Material) -> Iterator[dict[str, Any]]:
    by_name = {row.name: row for row in material.features}
    for given, conflicts in material.fit.findings_of_fit["conflicts"].items():
        said = CALLED[given]
        found = conflicts["found"]
        told = ([c for c in found if "@" not in c["name"]] or found)[:TOLD]
        intervals = [_conflict(c, by_name[c["name"]]) for c in told if c["name"] in by_name]
        image = None
        if intervals:
            figure = intervals_figure(
                intervals,
                missed="those simulations: median and 90 %",
                of="simulations",
            )
            alt = f"Simulations with the cell's {said}, minus the recorded value, in tolerances: " + "; ".join(
                f"{c['feature']} {c['median']:.3g} {unit(c['unit'])}".strip() for c in told
            )
            image = picture(figure, alt)
        yield {
            "given": said,
            "sentence": ohms(conflicts["sentence"]),
            "picture": image,
            "alike": conflicts["alike"],
            "of": conflicts["of"],
            "distance": number(conflicts["distance"], 2),
            "rows": [_conflict_cells(c) for c in found],
        }


def _conflict(c: Mapping[str, Any], row: FeatureRow) -> Interval:
    pretty = unit(c["unit"])
    label = f"{c['feature']}\ncell {number(c['recorded'])}, simulations {interval(c['low'], c['high'])} {pretty}"
    return Interval(
        label.strip(), row.in_tolerances(c["low"]), row.in_tolerances(c["median"]), row.in_tolerances(c["high"]), True
    )


def _conflict_cells(c: Mapping[str, Any]) -> dict[str, str]:
    return {
        "feature": c["feature"],
        "unit": unit(c["unit"]),
        "recorded": number(c["recorded"]),
        "median": number(c["median"]),
        "band": interval(c["low"], c["high"]),
        "tolerances": signed(c["tolerances"], 2),
    }
