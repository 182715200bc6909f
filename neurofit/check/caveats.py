"""What limits a check: few simulations, simulations that range too widely, observations that are no draws."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from neurofit.check.conformal import Contest, subsets
from neurofit.check.ranking import usual_one_by_one
from neurofit.check.result import CheckResult, Effect
from neurofit.check.words import number, percent
from neurofit.scores import QuantileScores

Array = NDArray[np.float64]

FEW_REFERENCES = 200
TOO_CENTRAL = 0.01
TOO_ALIKE = 0.005
# Variances of scores count down to this: what only noise makes differ differs less than it could.
LEAST_VARIANCE = 1e-3
TOO_WIDE = 100.0
LEVEL = 0.05
# What a warning about simulations that range too widely begins with.
OVER_DISPERSED = "over-dispersed: "
# What a warning about observations that are no independent draws says.
ALIKE = "more alike than independent simulations"

Reading = Literal["outside", "narrower", "over-dispersed", "inside"]


def size(n: int, level: float, draws: int) -> tuple[str, ...]:
    """What the number of simulations cannot do."""
    warnings = []
    if n < FEW_REFERENCES:
        warnings.append(f"only {n} simulations: a check of fewer than {FEW_REFERENCES} misses much, 500 are better")
    if 1 / (draws + 1) > level:
        needed = math.ceil(1 / level - 1e-9) - 1
        warnings.append(f"p cannot fall below {1 / (draws + 1):.2g}: level {level:g} needs {needed:,} simulations")
    return tuple(warnings)


def dispersion(central: Contest, of: str, label: str) -> tuple[str, ...]:
    """Is the observation nearer the middle of every statistic (or time) than simulations are?

    Then the simulations spread more widely than cells like it, and would reject hardly anything.
    """
    p = float((1 + (central.null <= central.observed).sum()) / (len(central.null) + 1))
    if p > TOO_CENTRAL:
        return ()
    return (
        f"{OVER_DISPERSED}only {percent(100 * p, len(central.null))} of simulations lie as near the middle "
        f"of every {of}; the reference ({label}) may be so wide that a pass says little",
    )


def reading(result: CheckResult, level: float = LEVEL) -> Reading:
    """How a check is to be read: one of four, and never two of them.

    * ``"outside"``: the observation is unlike the simulations (p at or below the level), however widely they range.
    * ``"narrower"``: of several observations no more are unlike the simulations than chance makes, but together they
      do not range as these do: they keep to one side (p at or below the level), or are too alike.
    * ``"over-dispersed"``: not unlike, but a warning says that the simulations range so widely that this says little:
      it lies too near the middle of everything, or most statistics span a hundred tolerances.
    * ``"inside"``: none of these.
    """
    alike = any(ALIKE in warning for warning in result.warnings)
    if result.p_value <= level:
        return "narrower" if not alike and usual_one_by_one(result.p_observations, level) else "outside"
    if any(warning.startswith(OVER_DISPERSED) for warning in result.warnings):
        return "over-dispersed"
    return "narrower" if alike else "inside"


def reading_said(result: CheckResult, level: float = LEVEL) -> str:
    """The same in a sentence."""
    found = reading(result, level)
    if found == "outside":
        return f"Outside: the cell is unlike the simulations ({result.reference}), however widely they range."
    if found == "narrower":
        return (
            f"Narrower: one by one the cells lie among the simulations ({result.reference}), but together they do not "
            "range as these do."
        )
    if found == "inside":
        return f"Inside: the cell lies among the simulations ({result.reference})."
    why = next(w for w in result.warnings if w.startswith(OVER_DISPERSED)).removeprefix(OVER_DISPERSED)
    return f"Over-dispersed: the cell lies among the simulations, but that says little: {why}."


def width(found: Iterable[Effect], tolerances: Mapping[str, float]) -> tuple[str, ...]:
    """Do most statistics range over a hundred times what the caller calls a difference?"""
    ratios = {
        effect.name: (effect.quantiles[5] - effect.quantiles[1]) / tolerances[effect.name]
        for effect in found
        if effect.quantiles is not None and effect.name in tolerances
    }
    wide = [name for name, ratio in ratios.items() if ratio > TOO_WIDE]
    if len(wide) * 2 <= len(ratios):
        return ()
    worst = max(wide, key=lambda name: ratios[name])
    return (
        f"{OVER_DISPERSED}in {len(wide)} of {len(ratios)} statistics 95 % of the simulations span more than "
        f"{TOO_WIDE:g} times the tolerance ({worst}: {ratios[worst]:,.0f} times); alone they reject hardly "
        "anything",
    )


def resemblance(columns: Array, n: int, seed: int) -> float:
    """p of several observations being as alike as they are, had they been independent simulations; 1 for one.

    By the logarithm of each statistic's variance among them: repeats of one cell agree closely in what its parameters
    decide, and differ like any two cells in what noise does.
    """
    observations = len(columns) - n
    if observations < 2:
        return 1.0
    scores = np.clip(QuantileScores(columns[:n])(columns), -5, 5)
    members = subsets(n, observations, seed, draws=999)

    def spread(group: Array) -> float:
        return float(np.log(group.var(0) + LEAST_VARIANCE).mean())

    usual = np.array([spread(scores[rows]) for rows in members])
    return float((1 + (usual <= spread(scores[n:])).sum()) / (len(members) + 1))


def dependence(p: float, observations: int) -> tuple[str, ...]:
    """What was done about observations that are too alike, from :func:`resemblance`."""
    if p > TOO_ALIKE:
        return ()
    return (
        f"the {observations} observations are {ALIKE} (p = {number(p)}), as sweeps of "
        "one cell or cells of one kind are. They were taken as one cell's, and their mean was ranked among single "
        "simulations. Sweeps of one cell belong together, in one observation with a reference of the same design",
    )
