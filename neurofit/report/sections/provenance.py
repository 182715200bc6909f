"""How the fit was made: settings, versions, and the command that repeats it."""

from __future__ import annotations

import hashlib
import os
import shlex
from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import Any
from urllib.parse import quote

from neurofit.features import SUMMARIES_UNDER
from neurofit.features.catalogue import feature_of
from neurofit.infer import Method, Schedule, Summaries
from neurofit.infer.tolerance import GIVEN
from neurofit.recording.recording import ranges
from neurofit.report.material import Material
from neurofit.report.sections.methods import cited, methods, network_name, reference
from neurofit.report.words import ohms, plural, stretch_of
from neurofit.stages import kept_ways, measurable

# Options whose names leave out the unit that the keyword has.
_SAID = {
    "voltage_scale_mv": "--voltage-scale",
    "current_scale_pa": "--current-scale",
    "sampling_rate_hz": "--sampling-rate",
}


def provenance_section(material: Material, target: Path) -> dict[str, Any]:
    """Everything to repeat the run and to write it up.

    Parameters
    ----------
    target
        Where the page will stand; links to the tables are relative to it.
    """
    fit = material.fit
    return {
        **settings_section(material),
        "script": script(material),
        "protocol": not fit.decisions["recording"]["format"].startswith("ABF"),
        "methods": methods(material),
        "references": [reference(text) for text in fit.model.references],
        "citations": [{"text": text, "link": link} for text, link in cited(fit.method)],
        "files": _files(material, target),
    }


def settings_section(material: Material) -> dict[str, Any]:
    """What decided the run, and the command that repeats it: all there is to say of one that stopped."""
    fit = material.fit
    decided = fit.decisions
    return {
        "settings": _settings(material),
        "versions": [f"{name} {version}" for name, version in fit.run.versions().items()],
        "sha256": [
            (PurePath(decided["recording"]["path"]).name, decided["recording"]["sha256"]),
            (PurePath(decided["model"]["path"]).name, decided["model"]["sha256"]),
        ],
        "command": command(material),
    }


def _settings(material: Material) -> list[tuple[str, str]]:
    fit = material.fit
    m, s, decided = fit.method, fit.method.schedule, fit.decisions["recording"]
    epochs = f"{s.epochs} epochs of {s.batches} batches, peak rate {s.peak_rate:g}, weight decay {s.weight_decay:g}"
    rows = [
        ("Model", f"{fit.model.name}, {fit.model.title}"),
        ("Integration", f"{fit.model.method}, {fit.model.dt_ms:g} ms, {fit.model.precision} precision"),
        ("Recording", decided["path"]),
        ("Fitted", f"sweeps {ranges(decided['sweeps'])}, {stretch_of(fit.split.fitted.stimulus, decided['step'])}"),
        *_quality(material),
        ("Features", plural(len(fit.summaries), "feature") + ", " + _sweepwise(material)),
        ("Tolerances", _tolerances(fit.summaries)),
        ("Rounds", f"{m.rounds} of {plural(m.simulations, 'simulation')}, {m.name.upper()}"),
        (
            "Networks",
            f"{m.members} {network_name(m)}, {s.hidden} hidden units, {s.transforms} transforms; {epochs}",
        ),
        ("Truncation", f"each round's region leaves out {100 * m.truncation:g} % of its posterior"),
        ("Seed", str(fit.seed)),
    ]
    return [row for row in rows if row[0] != "Truncation" or m.truncates]


def _sweepwise(material: Material) -> str:
    names = material.fit.summaries.names
    n = sum("@" not in name for name in names)
    return f"{n} of the whole cell, {len(names) - n} of single sweeps"


def _tolerances(declared: Summaries) -> str:
    own = declared.sources_said()
    return ohms(f"the catalogue's, but for {'; '.join(own)}") if own else "the catalogue's"


def _quality(material: Material) -> list[tuple[str, str]]:
    """Sweeps that were set aside or taken all the same, and thresholds that were changed."""
    decided = material.fit.decisions["recording"]
    rows = {
        "Set aside": "; ".join(f"sweep {number}: {why}" for number, why in decided.get("set_aside", {}).items()),
        "Taken all the same": ", ".join(f"sweep {number}" for number in decided.get("taken_anyway", [])),
        "Thresholds": ", ".join(f"{name} {value}" for name, value in decided.get("thresholds", {}).items()),
    }
    return [(name, text) for name, text in rows.items() if text]


def _keeps_all(recording: Mapping[str, Any]) -> bool:
    """Was a sweep taken that is set aside and not named?"""
    return bool(set(recording.get("taken_anyway", [])) - set(recording["sweeps"]))


def given_tolerances(material: Material) -> dict[str, float]:
    """``{feature: tolerance}`` of the user; those of the recording follow from it when the run is repeated."""
    declared = material.fit.summaries
    return {name: declared.tolerance_of(name) for name, source in declared.sources.items() if source == GIVEN}


def chosen_features(material: Material) -> tuple[str, ...] | None:
    """The features that the run was told to fit; ``None`` for neurofit's own choice."""
    fit = material.fit
    names = fit.summaries.names
    usual = SUMMARIES_UNDER[fit.split.fitted.stimulus.kind]
    if names == Summaries.of(fit.observed, measurable(fit.model, usual)).names:
        return None
    return tuple(dict.fromkeys(feature_of(name).name for name in names))


def command(material: Material) -> str | None:
    """The command line that repeats the run; ``None`` if it holds a setting that only Python offers."""
    fit = material.fit
    method = fit.method
    density = method.schedule.density
    plain = Method(method.name, method.rounds, method.simulations, schedule=Schedule(density=density))
    if method != plain or chosen_features(material) is not None:
        return None
    recording = fit.decisions["recording"]
    parts = [
        "neurofit", "fit", recording["path"], "--model", _model_argument(material), "--out", str(fit.run.path),
        "--sweeps", ",".join(str(s) for s in recording["sweeps"]), "--step", str(recording["step"]),
        "--method", method.name, "--density", density,
        "--rounds", str(method.rounds), "--simulations", str(method.simulations), "--seed", str(fit.seed),
    ]  # fmt: skip
    if recording["protocol"]:
        parts += ["--protocol", recording["protocol"]]
    for name, value in recording.get("said", {}).items():
        if value and name != "command_sha256":
            parts += [_SAID.get(name, f"--{name.replace('_', '-')}"), str(value)]
    for name, tolerance in given_tolerances(material).items():
        parts += ["--tolerance", f"{name}={tolerance!r}"]
    for name, value in recording.get("thresholds", {}).items():
        parts += ["--threshold", f"{name}={','.join(map(str, value)) if isinstance(value, list) else value}"]
    words = [shlex.quote(part) for part in parts]
    # an option with its value on each line
    lines = [" ".join(words[:3]), *(f"    {words[i]} {words[i + 1]}" for i in range(3, len(words), 2))]
    lines += ["    --keep-all"] * _keeps_all(recording) + ["    --anyway"] * fit.reach.hopeless
    return " \\\n".join(lines)


def _model_argument(material: Material) -> str:
    """The template that was fitted: by name or path where that still holds the same text, else the run's copy."""
    from neurofit.template import find_model, list_models

    model = material.fit.decisions["model"]
    candidates = {str(model["path"]): Path(model["path"])}
    if model["name"] in list_models():
        candidates = {str(model["name"]): find_model(model["name"])} | candidates
    for argument, path in candidates.items():
        if path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == model["sha256"]:
            return argument
    return str(material.fit.run / "model.toml")


def script(material: Material) -> str:
    """The same in Python, with every setting that is not the default."""
    fit = material.fit
    decided, method, plain = fit.decisions["recording"], fit.method, Method()
    schedule = ", ".join(f"{k}={v!r}" for k, v in vars(method.schedule).items() if v != getattr(plain.schedule, k))
    settings = [f"{k}={v!r}" for k, v in vars(method).items() if k != "schedule" and v != getattr(plain, k)]
    if schedule:
        settings.append(f"schedule=nf.Schedule({schedule})")
    arguments = [
        f"out={str(fit.run.path)!r}",
        f"seed={fit.seed}",
        f"sweeps={list(decided['sweeps'])!r}",
        f"step={decided['step']}",
    ]
    if _keeps_all(decided):
        arguments.append("keep_all=True")
    if settings:
        arguments.append(f"method=nf.Method({', '.join(settings)})")
    if features := chosen_features(material):
        arguments.append(f"features={list(features)!r}")
    if given := given_tolerances(material):
        arguments.append(f"tolerance={given!r}")
    if fit.reach.hopeless:
        arguments.append("anyway=True")
    lines = ",\n".join(f"    {argument}" for argument in arguments)
    said = {"protocol": decided["protocol"], **decided.get("said", {}), "command_sha256": None}
    reading = "".join(f", {name}={value!r}" for name, value in said.items() if value)
    if changed := decided.get("thresholds"):
        values = ", ".join(f"{k}={tuple(v) if isinstance(v, list) else v!r}" for k, v in changed.items())
        reading += f", thresholds=nf.QualityThresholds({values})"
    return (
        "import neurofit as nf\n\n"
        f"recording = nf.load_recording({decided['path']!r}{reading})\n"
        f"model = nf.load_model({_model_argument(material)!r})\n"
        f"fit = nf.fit(\n    recording,\n    model,\n{lines},\n)\n"
    )


def _files(material: Material, target: Path) -> list[dict[str, str]]:
    """Links to what else the run directory holds, relative to the page."""
    run = material.fit.run
    wanted = {
        "posterior.csv": "draws of the posterior (up to the tolerances), a column for each parameter with its unit",
        "posterior.nc": "posterior, prior, recorded features with their tolerances and predicted ones, for ArviZ",
        "parameters.csv": "the table of parameters, up to the tolerances",
        **{f"robust/{way}.csv": f"the robust posterior ({way}) beside the plain one" for way in kept_ways(run)},
        "model.toml": "the template as it was fitted",
        "run.toml": "every decision and version",
        "checks/fit.json": "misses, conflicts, counts, calibration and verdict as numbers",
    }
    files = []
    for name, what in wanted.items():
        if (run / name).is_file():
            relative = os.path.relpath(run / name, target.parent)
            files.append({"name": name, "link": quote(Path(relative).as_posix()), "what": what})
    return files
