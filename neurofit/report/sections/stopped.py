"""A fit that stopped before training: its verdict, and what of the cell lies out of the prior's reach."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from neurofit.check.reach import WITHIN, OutOfReach
from neurofit.features.catalogue import feature_of
from neurofit.report.embed import Picture, picture
from neurofit.report.figures import reach_figure
from neurofit.report.material import Material
from neurofit.report.sections.verdict import SYMBOLS
from neurofit.report.words import interval, levels_of, number, ohms, plural, stretch_of, sweep_numbers, unit, with_unit
from neurofit.stages import WHAT_NEXT

# Features that are drawn, the farthest first, and rows of the table.
DRAWN, ROWS = 6, 40


def stopped_section(material: Material) -> dict[str, Any]:
    """The head of the page."""
    fit = material.fit
    verdict, fitted = fit.verdict, fit.split.fitted
    sweep = "sweep" if fitted.n_sweeps == 1 else "sweeps"
    stretch = stretch_of(fitted.stimulus, fit.decisions["recording"]["step"])
    return {
        "word": verdict.word,
        "symbol": SYMBOLS[verdict.word],
        "meaning": "Stopped before training: this model and prior cannot make this cell.",
        "reasons": [ohms(reason) for reason in verdict.reasons],
        "next": WHAT_NEXT,
        "compared": (
            f"{fit.model.title} ({plural(len(fit.model.free), 'free parameter')}), compared with {sweep} "
            f"{sweep_numbers(fitted.sweep_numbers)} of {stretch} ({levels_of(fitted.stimulus)})."
        ),
    }


def reach_section(material: Material) -> dict[str, Any]:
    """Each feature out of reach among the simulations, drawn and as a table."""
    reach = material.fit.reach
    return {
        "shown": list(_pictures(material, reach.out)),
        "rows": [_cells(feature) for feature in reach.out[:ROWS]],
        "more": max(0, len(reach.out) - ROWS),
        "count": plural(len(reach.out), "feature"),
        "n": f"{reach.n:,}",
        "within": f"{WITHIN:g}",
    }


def _pictures(material: Material, out: tuple[OutOfReach, ...]) -> Iterator[Picture]:
    """One picture a feature, of the sweep in which it is farthest."""
    prior = material.fit.simulations("round 1")
    worst: dict[str, OutOfReach] = {}
    for found in out:
        if found.is_far:  # where only one of the two has it, there is nothing to draw
            worst.setdefault(feature_of(found.name).name, found)
    for name, found in list(worst.items())[:DRAWN]:
        assert found.recorded is not None
        values = prior.features.column(found.name)
        log = feature_of(name).scale == "log"
        near = _near(found.recorded, WITHIN * material.fit.summaries.tolerance_of(name), log)
        title = found.label[:1].upper() + found.label[1:]
        figure = reach_figure(
            title, with_unit("simulated", found.unit), values[np.isfinite(values)], found.recorded, near, log=log
        )
        said = ohms(found.sentence(material.fit.reach.n))
        yield picture(figure, f"Simulations and the cell. {said}", caption=said)


def _near(recorded: float, reach: float, log: bool) -> tuple[float, float]:
    return (recorded * np.exp(-reach), recorded * np.exp(reach)) if log else (recorded - reach, recorded + reach)


def _cells(found: OutOfReach) -> dict[str, str]:
    return {
        "label": found.label,
        "unit": unit(found.unit),
        "recorded": number(found.recorded),
        "nearest": number(found.nearest),
        "tolerances": f"{found.tolerances:.1f}",
        "near": str(found.near),
        "have": f"{found.have:,}",
        "range": interval(found.low, found.high),
    }
