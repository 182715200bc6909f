"""The page of a recording before any fit: what is in it, what is wrong with it, and what it says of its cell."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from neurofit.disk import replacing
from neurofit.features import FEATURES, cell_properties
from neurofit.recording import Recording
from neurofit.report.page import render
from neurofit.report.sections.recording import recording_content
from neurofit.report.words import number, plural, unit
from neurofit.threads import one_thread

_FIRING = {
    "stretch": "stretch",
    "level_pa": "current (pA)",
    "sweeps": "sweeps",
    "spikes": "spikes",
    "rate_hz": "rate (Hz)",
    "steady_mv": "steady state (mV)",
    "sag_mv": "sag (mV)",
}


def write_inspection(recording: Recording, target: str | Path) -> Path:
    """Write one HTML file that opens offline: findings, picture, resistance, time constant, f-I table.

    Parameters
    ----------
    recording
        From :func:`neurofit.load_recording`.
    target
        The page; written whole or not at all.
    """
    properties = cell_properties(recording)
    warnings = sum(finding.severity == "warning" for finding in recording.findings)
    aside = f", {plural(len(recording.set_aside), 'sweep')} set aside" if recording.set_aside else ""
    with one_thread():
        page = {
            "recording": recording_content(recording, recording.findings),
            "lead": f"{plural(recording.n_sweeps, 'sweep')}{aside}, {plural(warnings, 'warning')}.",
            "cell": _cell(properties.cell),
            "firing": _firing(properties.firing),
            "sha256": recording.source.sha256,
        }
    path = Path(target)
    with replacing(path.absolute()) as temporary:
        temporary.write_bytes(render("recording.html.jinja", page).encode())
    return path


def _cell(table: pd.DataFrame) -> dict[str, Any]:
    rows = [
        (FEATURES[str(name)].label, unit(row["unit"]), *(_shown(value) for value in row.iloc[1:]))
        for name, row in table.iterrows()
        if row.iloc[1:].notna().any()
    ]
    return {"heads": ["", "unit", *table.columns[1:]], "rows": rows}


def _firing(table: pd.DataFrame) -> dict[str, Any]:
    """Repeats of a level as their mean."""
    grouped = table.assign(level_pa=table["level_pa"].round()).groupby(["stretch", "level_pa"], sort=True)
    means = grouped.mean(numeric_only=True).assign(sweeps=grouped.size()).reset_index()
    rows = [(row["stretch"], *(_shown(row[name]) for name in list(_FIRING)[1:])) for _, row in means.iterrows()]
    return {"heads": list(_FIRING.values()), "rows": rows}


def _shown(value: float) -> str:
    return "–" if np.isnan(value) else number(value)
