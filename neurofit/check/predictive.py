"""Recorded values against the posterior's predictions: coverage, misses, spike counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# A feature is missed when the recording lies this many standard deviations (tolerance and prediction) from the median.
MISSED = 2.0
# Predictions that must define a feature before anything is said about its value.
FEWEST_DEFINED = 5


@dataclass(frozen=True)
class Miss:
    """One feature, recorded and predicted.

    Attributes
    ----------
    name, label, unit, aspect
        Which feature.
    recorded
        Its value in the cell.
    low, median, high
        5 %, 50 % and 95 % of the predictions in which it is defined; ``None`` where that is hardly ever.
    undefined
        Share of the predictions in which it is not.
    tolerance
        As declared, on the feature's scale.
    distance
        Recorded minus median, on that scale, in units of tolerance and prediction's spread together.
    """

    name: str
    label: str
    unit: str
    aspect: str
    recorded: float
    low: float | None
    median: float | None
    high: float | None
    undefined: float
    tolerance: float
    distance: float

    @property
    def missed(self) -> bool:
        return abs(self.distance) > MISSED

    def sentence(self) -> str:
        unit = "" if self.unit == "1" else f" {self.unit}"
        if self.median is None:
            return (
                f"{self.label}: recorded {self.recorded:.3g}{unit}, undefined in {self.undefined:.0%} of predictions."
            )
        return (
            f"{self.label}: recorded {self.recorded:.3g}{unit}, predicted {self.median:.3g}{unit} "
            f"(90 % {self.low:.3g} to {self.high:.3g}), {abs(self.distance):.1f} standard deviations apart."
        )


def compare(
    recorded: Array,
    predicted: Array,
    tolerance: Array,
    log: NDArray[np.bool_],
    about: list[dict[str, str]],
) -> tuple[Miss, ...]:
    """Hold each recorded feature against its predictions.

    Parameters
    ----------
    recorded
        ``[feature]``; all defined.
    predicted
        ``[draw, feature]``, NaN where undefined.
    tolerance, log
        ``[feature]``: standard deviation and whether it is meant on a logarithmic scale.
    about
        ``name``, ``label``, ``unit`` and ``aspect`` of each.
    """
    result = []
    for j, words in enumerate(about):
        values = predicted[:, j]
        defined = values[np.isfinite(values)]
        # None and not NaN, which strict JSON does not know
        band: list[float | None] = [None, None, None]
        distance = np.inf
        if len(defined) >= FEWEST_DEFINED:
            band = np.quantile(defined, [0.05, 0.5, 0.95]).tolist()
            scaled, target = (
                (np.log(np.maximum(defined, 1e-12)), np.log(max(recorded[j], 1e-12)))
                if log[j]
                else (defined, recorded[j])
            )
            spread = np.hypot(tolerance[j], scaled.std())
            distance = (target - np.median(scaled)) / spread
        result.append(
            Miss(
                **words,
                recorded=float(recorded[j]),
                low=band[0],
                median=band[1],
                high=band[2],
                undefined=float(1 - len(defined) / len(values)),
                tolerance=float(tolerance[j]),
                distance=float(np.clip(distance, -99, 99)),
            )
        )
    return tuple(result)


@dataclass(frozen=True, eq=False)
class Counts:
    """Spike counts of some sweeps, recorded and predicted.

    Attributes
    ----------
    sweeps, levels_pa, recorded
        ``[sweep]``.
    low, median, high
        ``[sweep]``: 5 %, 50 %, 95 % of the predictions.
    interpolated
        ``[sweep]``: the fitted sweeps' counts, interpolated over current; what a prediction has to beat.
    hits
        Share of posterior draws whose every count lies within one spike.
    """

    sweeps: tuple[int, ...]
    levels_pa: Array
    recorded: Array
    low: Array
    median: Array
    high: Array
    interpolated: Array
    hits: float

    @property
    def spiking(self) -> NDArray[np.bool_]:
        return self.recorded > 0

    @property
    def inside(self) -> NDArray[np.bool_]:
        """``[sweep]``: does the 90 % band hold the recorded count?"""
        return (self.low <= self.recorded) & (self.recorded <= self.high)

    def numbers(self) -> dict[str, Any]:
        """The figures the report and the closing lines print, over sweeps that spike."""
        s = self.spiking
        if not s.any():
            return {"spiking_sweeps": 0, "hits": self.hits}
        return {
            "spiking_sweeps": int(s.sum()),
            "median_error": float(np.median(np.abs(self.median - self.recorded)[s])),
            "mean_error": float(np.mean(np.abs(self.median - self.recorded)[s])),
            "covered": int((self.inside & s).sum()),
            "interpolation_median_error": float(np.median(np.abs(self.interpolated - self.recorded)[s])),
            "interpolation_mean_error": float(np.mean(np.abs(self.interpolated - self.recorded)[s])),
            "hits": self.hits,
        }


def compare_counts(
    sweeps: tuple[int, ...],
    levels_pa: Array,
    recorded: Array,
    predicted: Array,
    fitted_pa: Array,
    fitted_count: Array,
) -> Counts:
    """Spike counts of some sweeps against predictions ``[draw, sweep]``.

    Parameters
    ----------
    fitted_pa, fitted_count
        Levels and counts of the fitted sweeps, for the interpolation.
    """
    low, median, high = np.quantile(predicted, [0.05, 0.5, 0.95], axis=0)
    levels, which = np.unique(fitted_pa, return_inverse=True)
    mean = np.bincount(which, weights=fitted_count) / np.bincount(which)
    return Counts(
        sweeps,
        levels_pa,
        recorded,
        low,
        median,
        high,
        np.interp(levels_pa, levels, mean),
        float((np.abs(predicted - recorded) <= 1).all(axis=1).mean()),
    )
