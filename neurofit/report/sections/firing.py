"""How the cell and the model fire: the f-I curve and every count."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from neurofit.check.predictive import mean_by_level
from neurofit.report.embed import Picture, picture
from neurofit.report.figures import CountsDrawn, firing_figure
from neurofit.report.material import Material, Part
from neurofit.report.words import interval, number


def firing_section(material: Material) -> dict[str, Any]:
    """An f-I curve for each step, and the table behind them."""
    return {
        "pictures": list(_pictures(material)),
        "parts": [_table(part, material.fit.predictive_table) for part in material.parts],
        "error": number(material.parts[0].counts["error"], 2),
    }


def _pictures(material: Material) -> Iterator[Picture]:
    fitted = material.parts[0]
    levels, mean = mean_by_level(fitted.counts["levels_pa"], fitted.counts["recorded"])
    top = max(float(max(np.max(p.counts["high"]), np.max(p.counts["recorded"]))) for p in material.parts)
    for step in dict.fromkeys(part.step for part in material.parts):
        parts = [part for part in material.parts if part.step == step]
        drawn = [CountsDrawn.of(p.counts, p.held_out, "held out" if p.held_out else "fitted") for p in parts]
        test_step = parts[0].recording.stimulus.test_step
        figure = firing_figure(
            parts[0].stretch.removeprefix("the ").capitalize() + ("" if step == fitted.step else " (all held out)"),
            drawn,
            (levels, mean) if len(levels) > 1 else None,
            test_step.stop_ms - test_step.start_ms,
            top,
            parts[0].recording.stimulus.word,
        )
        alt = (
            f"Spikes in {parts[0].stretch} against current in pA: recorded counts, predicted medians with 90 % bands, "
            "and the fitted counts interpolated over current. The numbers are in the table below."
        )
        yield picture(figure, alt)


def _table(part: Part, sweeps: pd.DataFrame) -> dict[str, Any]:
    c = part.counts
    rows = []
    for i, sweep in enumerate(c["sweeps"]):
        inside = c["low"][i] <= c["recorded"][i] <= c["high"][i]
        rows.append(
            {
                "sweep": sweep,
                "level": f"{c['levels_pa'][i]:+.0f}",
                "recorded": number(c["recorded"][i]),
                "median": number(c["median"][i]),
                "low": number(c["low"][i]),
                "high": number(c["high"][i]),
                "own": interval(c["model_low"][i], c["model_high"][i]),
                "interpolated": number(c["interpolated"][i]) if part.held_out else "",
                "inside": inside,
                "percentile": number(sweeps.loc[(part.name, sweep), "count percentile"], 2),
                "covered": number(sweeps.loc[(part.name, sweep), "voltage covered (%)"], 2),
                "deviation": number(sweeps.loc[(part.name, sweep), "deviation_mv"], 2),
            }
        )
    return {"label": part.label, "step": part.step, "held_out": part.held_out, "rows": rows}
