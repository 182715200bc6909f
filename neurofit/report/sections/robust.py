"""The robust posteriors that were asked for."""

from __future__ import annotations

from typing import Any

from neurofit.report.embed import picture
from neurofit.report.material import Material
from neurofit.report.robust import drawn, rows, sentences


def robust_section(material: Material) -> list[dict[str, Any]]:
    """One part a method; empty where none was asked for."""
    model = material.fit.model
    return [
        {
            "method": found.method,
            "rows": rows(found),
            "sentences": sentences(found),
            "picture": picture(
                drawn(model, found),
                f"Plain and robust posterior ({found.method}) of {', '.join(model.free)}, with 90 % intervals.",
                "png",
            ),
        }
        for found in material.fit.robust_kept.values()
    ]
