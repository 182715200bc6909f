"""Is the posterior calibrated, and did its networks learn?"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from neurofit.report.embed import picture
from neurofit.report.figures import Curves, calibration_figure, loss_figure, marginal_coverage_figure, nearest_figure
from neurofit.report.material import Material
from neurofit.report.words import number, p_value, percent, plural, reasons

if TYPE_CHECKING:
    from neurofit.result import Fit

# The checks that are drawn, with their titles.
DRAWN = {
    "ranks": "Ranks, parameter by parameter",
    "coverage": "Regions of highest density",
    "random_regions": "Regions around random points",
}


def calibration_section(material: Material) -> dict[str, Any]:
    """The checks of calibration, importance efficiency, leakage and invalid simulations, each counted and said."""
    fit = material.fit
    found = fit.findings_of_fit
    calibration = found["calibration"]
    checks = calibration["checks"]
    marginal = np.asarray(calibration["marginal"], dtype=np.float64)
    names = list(fit.model.free)
    panels = [
        Curves(title, names if name == "ranks" else (), np.array(checks[name]["curves"]), checks[name]["band"])
        for name, title in DRAWN.items()
    ]
    tests = "; ".join(f"{title}, p = {p_value(checks[name]['p_value'])}" for name, title in DRAWN.items())
    worst = int(np.abs(marginal - 0.9).argmax())
    drawn = int(material.parts[0].predicted.valid.sum())
    return {
        "sentence": calibration["sentence"],
        "mended": _mended(fit, calibration["base"]),
        "sentences": [check["sentence"] for check in checks.values()],
        "left_out": plural(calibration["left_out"], "simulation") if calibration["left_out"] else "",
        "alarm": percent(calibration["level"] * len(checks)),
        "level": number(calibration["level"], 3),
        "curves": picture(
            calibration_figure(calibration["levels"], panels),
            f"Calibration on {plural(calibration['n'], 'simulation')}, with the bands that a right posterior "
            f"stays in: {tests}.",
        ),
        "marginal": picture(
            marginal_coverage_figure(names, marginal, calibration["n"]),
            f"Coverage of each parameter's 90 % interval; furthest off: {names[worst]}, {percent(marginal[worst])}.",
        ),
        "efficiency": percent(found["efficiency"], 1),
        "effective": number(found["efficiency"] * drawn, 2),
        "drawn": drawn,
        "low": found["efficiency"] < 0.01,
        "invalid": f"{found['invalid']:,}",
        "reasons": reasons(found["invalid_reasons"]),
        "simulations": f"{found['simulations']:,}",
        "leakage": percent(found["leakage"], 1),
        "leaked_before": percent(fit.rounds[-1].leakage, 1),
        "at_bounds": "; ".join(f"{name} {said}" for name, said in found["at_bounds"].items()),
    }


def _mended(fit: Fit, base: dict[str, Any]) -> str:
    """What the simulations around the cell changed in the trained networks."""
    if not base["shift"]:
        return "Nothing in the networks was changed after training."
    moved = np.sqrt(np.square(base["shift"]).sum(axis=1)).mean()
    return (
        f"Before these checks, {fit.method.cases_fitted:,} other simulations around the cell moved the base of the "
        f"flows by {moved:.2f} of its standard deviations (over {len(fit.model.free)} parameters together) and widened "
        f"it by {100 * (base['width'] - 1):.0f} %."
    )


def training_section(material: Material) -> dict[str, Any]:
    """Losses in curves and words, round by round, and how near the simulations came."""
    rounds = material.fit.rounds
    distances = [r.nearest for r in rounds]
    return {
        "pictures": [
            picture(
                loss_figure(f"Round {r.number}", r.losses),
                f"Training and held-out loss in nats over epochs, round {r.number}: {_reading(r.readings)}.",
            )
            for r in rounds
        ],
        "nearest": picture(
            nearest_figure(distances),
            "Distance of the nearest simulations to the cell, in tolerances, round by round: "
            + ", ".join(number(d, 2) for d in distances) + ".",
        ),
        "rows": [
            {
                "number": r.number,
                "trained_on": f"{r.trained_on:,}",
                "held_out": f"{len(r.held_out):,}",
                "nearest": number(r.nearest, 2),
                "leakage": percent(r.leakage, 1),
                "seconds": number(r.seconds, 3),
                "reading": _reading(r.readings),
            }
            for r in rounds
        ],
        "members": plural(material.fit.method.members, "network"),
    }  # fmt: skip


def _reading(readings: tuple[str, ...]) -> str:
    """What the networks' loss curves say, each once, with how many say it."""
    # "1.4 nats" and "1.5 nats" are one reading
    counted = Counter(re.sub(r"[\d.]+ nats", "{} nats", text) for text in readings)
    sizes = sorted(float(size) for text in readings for size in re.findall(r"([\d.]+) nats", text))
    span = "" if not sizes else f"{sizes[0]:g}" if sizes[0] == sizes[-1] else f"{sizes[0]:g} to {sizes[-1]:g}"
    said = {text.replace("{}", span): n for text, n in counted.items()}
    if len(said) == 1:
        return next(iter(said))
    return "; ".join(f"{text} ({n} of {len(readings)})" for text, n in said.items())
