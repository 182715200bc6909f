"""What was notable about the recording, and its picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath
from typing import Any

from neurofit.recording.describe import CURRENT_FROM, said_by_hand
from neurofit.recording.draw import draw_recording
from neurofit.recording.recording import Finding, Recording, ranges
from neurofit.report.embed import picture
from neurofit.report.material import Material
from neurofit.report.words import plural


def recording_section(material: Material) -> dict[str, Any]:
    """Findings, warnings first, and the fitted part drawn."""
    return recording_content(material.fit.split.fitted, material.fit.findings, "The fitted part of ")


def recording_content(recording: Recording, findings: Sequence[Finding], what: str = "") -> dict[str, Any]:
    """A recording, what was found about it, warnings first, and its picture."""
    source, name = recording.source, PurePath(recording.source.path).name
    return {
        "findings": [
            {
                "kind": finding.kind,
                "warning": finding.severity == "warning",
                "message": finding.message,
                "sweeps": f"Sweeps {ranges(finding.sweeps)}." if finding.sweeps else "",
            }
            for finding in sorted(findings, key=lambda finding: finding.severity != "warning")
        ],
        "warnings": sum(finding.severity == "warning" for finding in findings),
        "path": source.path,
        "name": name,
        "format": source.format,
        "current": CURRENT_FROM[source.current_from] + (f" ({said_by_hand(source)})" if source.said else ""),
        "sweeps": f"{plural(recording.n_sweeps, 'sweep')} of {recording.duration_ms:g} ms",
        "sampling": f"{1 / recording.dt_ms:g} kHz (one sample in {recording.dt_ms:g} ms)",
        "picture": picture(
            draw_recording(recording),
            f"{what}{name}: voltage (mV) and current (pA) of {plural(recording.n_sweeps, 'sweep')} over time (ms), "
            "spikes against current, and rest over the sweeps.",
            "png",
        ),
    }
