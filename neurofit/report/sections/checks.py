"""The checks against the prior predictive and against the last round, in summary and in raw space."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from neurofit.check import CheckResult, Stretch
from neurofit.check.caveats import reading_said
from neurofit.report.embed import picture
from neurofit.report.figures import null_figure
from neurofit.report.material import Material
from neurofit.report.sections.outside import outside_pictures
from neurofit.report.words import interval, number, ohms, p_value, plural
from neurofit.stages.simulating import KEEP_MS

LEVEL = 0.05
STRETCHES = 12

TESTS = {
    "joint": "all features together",
    "marginal": "the strangest single feature",
    "envelope": "voltage at every time",
    "quantile_joint": "distribution of voltage and slope",
    "across_sweeps": "the same, across sweeps",
    "summary_joint": "all features together",
}

QUESTIONS = {
    "prior": (
        "Can this model and prior make this cell at all?",
        "Before any training: the cell against simulations of the prior predictive.",
    ),
    "fit": (
        "Does the fit?",
        "After training: the cell against the last round's simulations, drawn from the prior where the posterior has "
        "not been ruled out.",
    ),
}

# What a small and what a large p says, and does not say.
MEANS = {
    "prior-summary": (
        "no parameters under this prior come near the cell's features together: look at the model and at the prior's "
        "ranges first.",
        "the prior reaches the cell. That does not mean that the model fits: a prior this wide makes most cells.",
    ),
    "prior-raw": (
        "the voltage itself goes where simulations of the prior do not go. It does not count in the verdict.",
        "says little: simulations of the prior range widely at every time.",
    ),
    "fit-summary": (
        "even allowing for the tolerances, the cell differs from the simulations that it was fitted with.",
        "these features together do not tell the cell from the simulations. That does not mean that the model is "
        "right: single misses and conflicts are judged by their size, above.",
    ),
    "fit-raw": (
        "the voltage differs in size or shape; the stretches say where. That alone does not reject a model, and does "
        "not count in the verdict: no tolerance is included, and a simulator is quieter than a rig.",
        "neither the voltage at any time nor its distribution tells the cell from the simulations. That does not mean "
        "that the model is right.",
    ),
}


def checks_section(material: Material) -> dict[str, Any]:
    """The two questions, each asked of the features and of the voltage."""
    questions = []
    for when, (question, against) in QUESTIONS.items():
        if f"{when}-summary" not in material.fit.checks:
            continue
        results = [_result(material, f"{when}-{space}") for space in ("summary", "raw")]
        said = [ohms(sentence) for sentence in material.fit.nearness.sentences()] if when == "prior" else []
        outside = list(outside_pictures(material.fit.checks[f"{when}-raw"], material, when))
        questions.append(
            {"question": question, "against": against, "results": results, "said": said, "outside": outside}
        )
    return {"questions": questions, "level": LEVEL}


def _result(material: Material, name: str) -> dict[str, Any]:
    result = material.fit.checks[name]
    raw = result.space == "raw"
    small, large = MEANS[name]
    tolerances = (
        f"none; voltage is compared as it is, one sample in {KEEP_MS} ms"
        if raw
        else f"as declared for {plural(len(material.fit.summaries), 'feature')}, added to the simulations as noise"
    )
    tests = ", ".join(f"{TESTS.get(test, test)} {p:.2g}" for test, p in result.p_values.items())
    return {
        "title": "Raw voltage" if raw else "Features",
        "p": p_value(result.p_value),
        "passed": result.p_value > LEVEL,
        "n": f"{result.n_reference:,}",
        "tolerances": tolerances,
        "small": small,
        "large": large,
        "reading": ohms(reading_said(result)),
        "sentences": [ohms(sentence) for sentence in _sentences(result)],
        "warnings": [ohms(warning) for warning in result.warnings],
        "stretches": list(_stretches(result, material))[:STRETCHES],
        "more_stretches": max(0, len(result.stretches) - STRETCHES),
        "picture": picture(
            null_figure(result, TESTS),
            f"Scores of the simulations and of the cell. p-values: {tests}; together {p_value(result.p_value)}.",
        ),
    }


def _sentences(result: CheckResult) -> list[str]:
    """The check's own, but for the stretches, which are drawn and stand in a table."""
    return [s for s in result.sentences if not re.match(r"Sweep \d|\d+ more stretch|\d[\d.]* to .* ms: ", s)]


def _stretches(result: CheckResult, material: Material) -> Iterator[dict[str, str]]:
    fitted = material.fit.split.fitted
    levels = fitted.stimulus.test_step.level_pa
    stretch: Stretch
    for stretch in result.stretches:
        start, stop = fitted.start_ms + stretch.start_ms, fitted.start_ms + stretch.stop_ms
        yield {
            "sweep": str(fitted.sweep_numbers[stretch.sweep]),
            "level": f"{levels[stretch.sweep]:+.0f}",
            "time": f"{start:.0f} to {stop:.0f}",
            "voltage": number(stretch.voltage_mv),
            "range": interval(stretch.low_mv, stretch.high_mv),
            "side": "above" if stretch.score > 0 else "below",
        }
