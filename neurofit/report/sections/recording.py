"""What was notable about the recording, and its picture."""

from __future__ import annotations

from pathlib import PurePath
from typing import Any

from neurofit.recording.describe import CURRENT_FROM, said_by_hand
from neurofit.recording.draw import draw_recording
from neurofit.recording.recording import ranges
from neurofit.report.embed import picture
from neurofit.report.material import Material
from neurofit.report.words import plural


def recording_section(material: Material) -> dict[str, Any]:
    """Findings, warnings first, and the fitted part drawn."""
    fit = material.fit
    fitted = fit.split.fitted
    findings = sorted(fit.findings, key=lambda finding: finding.severity != "warning")
    source = fitted.source
    return {
        "findings": [
            {
                "kind": finding.kind,
                "warning": finding.severity == "warning",
                "message": finding.message,
                "sweeps": f"Sweeps {ranges(finding.sweeps)}." if finding.sweeps else "",
            }
            for finding in findings
        ],
        "warnings": sum(finding.severity == "warning" for finding in findings),
        "path": source.path,
        "name": PurePath(source.path).name,
        "format": source.format,
        "current": CURRENT_FROM[source.current_from] + (f" ({said_by_hand(source)})" if source.said else ""),
        "sweeps": f"{plural(fitted.n_sweeps, 'sweep')} of {fitted.duration_ms:g} ms",
        "sampling": f"{1 / fitted.dt_ms:g} kHz (one sample in {fitted.dt_ms:g} ms)",
        "picture": picture(
            draw_recording(fitted),
            f"The fitted part of {PurePath(source.path).name}: voltage (mV) and current (pA) of "
            f"{plural(fitted.n_sweeps, 'sweep')} over time (ms), spikes against current, and rest over the sweeps.",
            "png",
        ),
    }
