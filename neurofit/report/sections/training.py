"""Is the posterior calibrated, and did its networks learn?"""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import numpy as np

from neurofit.report.embed import picture
from neurofit.report.figures import coverage_figure, loss_figure, marginal_coverage_figure, nearest_figure
from neurofit.report.material import Material
from neurofit.report.words import number, percent, plural, reasons


def calibration_section(material: Material) -> dict[str, Any]:
    """Expected coverage, importance efficiency, leakage and invalid simulations, each counted and said."""
    fit = material.fit
    found = fit.findings_of_fit
    coverage = found["coverage"]
    levels = ", ".join(
        f"{percent(held)} in {percent(level)} regions"
        for level, held in zip(coverage["levels"], coverage["covered"], strict=True)
    )
    marginal = np.asarray(coverage["marginal"], dtype=np.float64)
    names = list(fit.model.free)
    worst = int(np.abs(marginal - 0.9).argmax())
    drawn = int(material.parts[0].predicted.valid.sum())
    return {
        "sentence": coverage["sentence"],
        "pictures": [
            picture(
                coverage_figure(coverage["levels"], coverage["covered"], coverage["n"]),
                f"Expected coverage of {plural(coverage['n'], 'held-out simulation')}: {levels}.",
            ),
            picture(
                marginal_coverage_figure(names, marginal, coverage["n"]),
                f"Coverage of each parameter's 90 % interval; furthest off: {names[worst]}, "
                f"{percent(marginal[worst])}.",
            ),
        ],
        "efficiency": percent(found["efficiency"], 1),
        "effective": number(found["efficiency"] * drawn, 2),
        "drawn": drawn,
        "low": found["efficiency"] < 0.01,
        "invalid": f"{found['invalid']:,}",
        "reasons": reasons(found["invalid_reasons"]),
        "simulations": f"{found['simulations']:,}",
        "leakage": percent(fit.rounds[-1].leakage, 1),
    }


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
