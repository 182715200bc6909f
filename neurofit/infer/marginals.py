"""What stands out about one parameter's posterior, from its draws."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

Array = NDArray[np.float64]

# A parameter whose posterior puts this much into this outer share of its prior is said to pile up at its bound, ...
BOUND_SHARE = 0.05
BOUND_MASS = 0.25
# ... unless it is resolved there: its mean this many of its standard deviations inside, in the prior's own probability.
BOUND_DISTANCE = 2.0
# A posterior as wide as this share of the prior's width says that the data hardly bear on the parameter.
UNCONSTRAINED = 0.85


def central_interval(level: float) -> tuple[float, float]:
    """The two probabilities that a central interval lies between: ``0.05, 0.95`` for a level of 0.9."""
    return (1 - level) / 2, (1 + level) / 2


def percentile_name(probability: float) -> str:
    """A quantile as the head of a column: ``"5 %"``."""
    return f"{100 * probability:.6g} %"


def highest_density_interval(draws: Array, level: float) -> tuple[float, float]:
    """The shortest interval that holds a share ``level`` of the draws ``[draw]``: where the density is highest, for a
    density with one peak. Unlike a central interval it depends on the scale of the draws."""
    ordered = np.sort(draws)
    n = len(ordered)
    held = min(max(int(np.ceil(level * n)), 1), n)
    first = int(np.argmin(ordered[held - 1 :] - ordered[: n - held + 1]))
    return float(ordered[first]), float(ordered[first + held - 1])


def remark(z: Array, prior: Any) -> str:
    """What stands out about one parameter's draws ``[draw]`` of ``z``; nothing, mostly.

    ``prior`` is its distribution, one for all draws or one for each.
    """
    with np.errstate(divide="ignore"):
        # a log-normal's 0 is no bound to pile up at; most, as rounding puts the bounds of some draws just outside
        hard = [np.mean(np.isfinite(end) & (prior.pdf(end) > 0)) > 0.5 for end in prior.support()]
    # the prior's mass beyond a draw, seen from either end: uniform if the data say nothing
    for side, is_hard, mass in zip(("lower", "upper"), hard, (ndtr(z), ndtr(-z)), strict=True):
        in_edge = (mass < BOUND_SHARE).mean() > BOUND_MASS
        if is_hard and in_edge and mass.mean() < BOUND_DISTANCE * mass.std():
            return f"piles up at its {side} bound"
    return "hardly constrained by the data" if z.std() > UNCONSTRAINED else ""
