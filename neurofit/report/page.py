"""The page of one fit: a single HTML file that opens offline."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from neurofit.progress import Progress
from neurofit.report.material import Material
from neurofit.report.sections.checks import checks_section
from neurofit.report.sections.features import conflicts_section, features_section
from neurofit.report.sections.firing import firing_section
from neurofit.report.sections.parameters import parameters_section
from neurofit.report.sections.provenance import provenance_section, settings_section
from neurofit.report.sections.recording import recording_section
from neurofit.report.sections.robust import robust_section
from neurofit.report.sections.seen import seen_section
from neurofit.report.sections.stopped import reach_section, stopped_section
from neurofit.report.sections.traces import traces_section
from neurofit.report.sections.training import calibration_section, training_section
from neurofit.report.sections.verdict import verdict_section
from neurofit.threads import one_thread

if TYPE_CHECKING:
    from neurofit.result import Fit


def write_report(fit: Fit, target: Path, progress: Progress) -> None:
    """Write the report of a finished fit: one HTML file with everything in it.

    Parameters
    ----------
    fit
        A run whose checks are done.
    target
        The page; written whole or not at all.
    progress
        Told section by section.
    """
    material = Material(fit)
    target = Path(target).absolute()
    page: dict[str, Any] = {"run": str(fit.run.path), "model": fit.model.name}
    makers = {
        "verdict": lambda: verdict_section(material),
        "traces": lambda: traces_section(material, lambda note: advance(len(page) - 2, note)),
        "firing": lambda: firing_section(material),
        "features": lambda: features_section(material),
        "conflicts": lambda: conflicts_section(material),
        "parameters": lambda: parameters_section(material),
        "robust": lambda: robust_section(material),
        "checks": lambda: checks_section(material),
        "seen": lambda: seen_section(material),
        "calibration": lambda: calibration_section(material),
        "training": lambda: training_section(material),
        "recording": lambda: recording_section(material),
        "provenance": lambda: provenance_section(material, target),
    }
    with one_thread(), progress.bar("Writing the report", len(makers)) as advance:
        for done, (name, make) in enumerate(makers.items()):
            advance(done, name)
            page[name] = make()
        advance(len(makers), f"{target.name}")
    fit.run.write(target, render("page.html.jinja", page).encode())


def write_stopped_report(fit: Fit, target: Path, progress: Progress) -> None:
    """Write the page of a fit that stopped before training; arguments as of :func:`write_report`."""
    material = Material(fit)
    target = Path(target).absolute()
    with one_thread(), progress.bar("Writing the report", 1) as advance:
        page = {
            "run": str(fit.run.path),
            "model": fit.model.name,
            "verdict": stopped_section(material),
            "reach": reach_section(material),
            "checks": checks_section(material),
            "recording": recording_section(material),
            "provenance": settings_section(material),
        }
        fit.run.write(target, render("stopped.html.jinja", page).encode())
        advance(1, f"{target.name}")


def render(template: str, page: dict[str, Any]) -> str:
    """A template of this folder, filled; every text is escaped."""
    return environment().get_template(template).render(page)


@cache
def environment() -> Environment:
    """Where templates come from: this folder. A name that is not there is an error, not an empty place."""
    return Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
