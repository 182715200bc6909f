"""What the checks of the run would have seen of an artefact, or of a feature that is off."""

from __future__ import annotations

from typing import Any

from neurofit.check.sensitivity import CALLED, Artefact, Sensitivity, Shift
from neurofit.report.embed import picture
from neurofit.report.figures import Power, power_figure
from neurofit.report.material import Material
from neurofit.report.words import UNDEFINED, number, ohms, percent, unit

NOT_SEEN = "–"


def seen_section(material: Material) -> dict[str, Any]:
    """Of the last round, beside that of the prior."""
    prior, last = material.fit.sensitivity["prior"], material.fit.sensitivity["fit"]
    before = {artefact.kind: artefact for artefact in prior.artefacts}
    shifts = {shift.name: shift for shift in prior.shifts}
    return {
        "altered": last.altered,
        "target": percent(last.target),
        "sentences": [ohms(sentence) for sentence in last.sentences()],
        "artefacts": [_row(artefact, before.get(artefact.kind)) for artefact in last.artefacts],
        "shifts": [_shift(shift, shifts.get(shift.name)) for shift in last.shifts],
        "picture": _picture(last) if last.artefacts else None,
    }


def _row(last: Artefact, prior: Artefact | None) -> dict[str, Any]:
    name, its_unit, falls = CALLED[last.kind]
    # seen at the mildest that was tried: perhaps at milder ones too
    mark, mildest = "≥ " if falls else "≤ ", last.sizes[0]
    found = [last.summary_least, last.raw_least, *((prior.summary_least, prior.raw_least) if prior else (None, None))]
    return {
        "name": name,
        "tried": f"{last.sizes[0]:g} to {last.sizes[-1]:g} {ohms(its_unit)}",
        "least": [
            NOT_SEEN if x is None else f"{mark if x == mildest else ''}{number(x, 2)} {ohms(its_unit)}" for x in found
        ],
    }


def _shift(last: Shift, prior: Shift | None) -> dict[str, str]:
    def said(size: float | None) -> str:
        return NOT_SEEN if size is None else f"{number(size, 2)} {unit(last.unit)}".strip()

    return {
        "label": last.label,
        "tolerance": said(last.tolerance),
        "last": said(last.shift),
        "prior": UNDEFINED if prior is None else said(prior.shift),
    }


def _picture(last: Sensitivity) -> Any:
    panels = []
    for artefact in last.artefacts:
        name, its_unit, falls = CALLED[artefact.kind]
        panels.append(
            Power(f"{name[0].upper()}{name[1:]}", ohms(its_unit), artefact.sizes, artefact.summary, artefact.raw, falls)
        )
    told = "; ".join(
        f"{a.called(a.kind)}: features {max(a.summary):.0%}, voltage {max(a.raw):.0%}" for a in last.artefacts
    )
    alt = f"Share of altered simulations that either check rejects, over the size of the artefact; at most: {told}."
    return picture(power_figure(panels, last.target, last.level), alt)
