"""Recorded values against the posterior's predictions: coverage, misses, spike counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neurofit.features.table import on_scale

Array = NDArray[np.float64]

# A feature is missed when the recording lies this many standard deviations (tolerance and prediction) from the median.
MISSED = 2.0
# With fewer predictions than this that have the feature at all, it is missed as far as can be.
FEWEST, FARTHEST = 5, 99.0
# Errors that are drawn for each prediction of a count.
_ERRORS = 20


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
        5 %, 50 % and 95 % of the predictions in which it is defined; ``None`` where hardly any defines it.
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
            undefined = f"undefined in {100 * self.undefined:.0f} % of predictions"
            return f"{self.label}: recorded {self.recorded:.3g}{unit}, {undefined}."
        return (
            f"{self.label}: recorded {self.recorded:.3g}{unit}, predicted {self.median:.3g}{unit} "
            f"(90 % {self.low:.3g} to {self.high:.3g}), {abs(self.distance):.1f} sd apart."
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
        low = median = high = None
        distance = FARTHEST
        if len(defined) >= FEWEST:
            low, median, high = np.quantile(defined, [0.05, 0.5, 0.95]).tolist()
            scaled, target = on_scale(defined, log[j]), on_scale(recorded[j], log[j])
            distance = (target - np.median(scaled)) / np.hypot(tolerance[j], scaled.std())
        result.append(
            Miss(
                **words,
                recorded=float(recorded[j]),
                low=low,
                median=median,
                high=high,
                undefined=float(1 - len(defined) / len(values)),
                tolerance=float(tolerance[j]),
                distance=float(np.clip(distance, -FARTHEST, FARTHEST)),
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
        ``[sweep]``: 5 %, 50 %, 95 % of the predictions, with the counts' error added to what the model says.
    model_low, model_high
        ``[sweep]``: 5 % and 95 % of the model's own counts.
    error
        Standard deviation, in spikes, of the error that was added.
    interpolated
        ``[sweep]``: the fitted sweeps' counts, interpolated over current; what a prediction has to beat.
    hits
        Share of posterior draws whose every count, as the model has it, lies within one spike.
    """

    sweeps: tuple[int, ...]
    levels_pa: Array
    recorded: Array
    low: Array
    median: Array
    high: Array
    model_low: Array
    model_high: Array
    error: float
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
        own = (self.model_low <= self.recorded) & (self.recorded <= self.model_high)
        return {
            "spiking_sweeps": int(s.sum()),
            "median_error": float(np.median(np.abs(self.median - self.recorded)[s])),
            "mean_error": float(np.mean(np.abs(self.median - self.recorded)[s])),
            "covered": int((self.inside & s).sum()),
            "covered_by_model": int((own & s).sum()),
            "interpolation_median_error": float(np.median(np.abs(self.interpolated - self.recorded)[s])),
            "interpolation_mean_error": float(np.mean(np.abs(self.interpolated - self.recorded)[s])),
            "hits": self.hits,
        }


def count_error(recorded: Array, predicted: Array, tolerance: float) -> float:
    """Standard deviation of a recorded count around the model's, in spikes, as the fitted sweeps show it.

    The tolerance that the posterior was asked for, and what the fit misses all the same: without these a band would be
    as narrow as if the model were the cell.

    Parameters
    ----------
    recorded, predicted
        ``[sweep]`` and ``[draw, sweep]`` of the fitted sweeps; those that spike are looked at.
    tolerance
        Of a spike count.
    """
    spiking = recorded > 0
    miss = (recorded - np.median(predicted, axis=0))[spiking]
    return float(np.sqrt(tolerance**2 + ((miss**2).mean() if spiking.any() else 0.0)))


def mean_by_level(levels_pa: ArrayLike, counts: ArrayLike) -> tuple[Array, Array]:
    """Levels ``[level]``, ascending, and the mean count of the sweeps of each: what an interpolation goes through."""
    levels, which = np.unique(np.asarray(levels_pa, dtype=np.float64), return_inverse=True)
    return levels, np.bincount(which, np.asarray(counts, dtype=np.float64)) / np.bincount(which)


def compare_counts(
    sweeps: tuple[int, ...],
    levels_pa: Array,
    recorded: Array,
    predicted: Array,
    error: float,
    fitted_pa: Array,
    fitted_count: Array,
    seed: int,
) -> Counts:
    """Spike counts of some sweeps against predictions ``[draw, sweep]``.

    Parameters
    ----------
    error
        Standard deviation of a recorded count around the model's: :func:`count_error` of the fitted sweeps.
    fitted_pa, fitted_count
        Levels and counts of the fitted sweeps, for the interpolation.
    seed
        Of the errors that are added to the predictions.
    """
    many = np.repeat(predicted, _ERRORS, axis=0)
    around = np.round(many + error * np.random.default_rng(seed).standard_normal(many.shape)).clip(min=0)
    low, median, high = np.quantile(around, [0.05, 0.5, 0.95], axis=0)
    model_low, model_high = np.quantile(predicted, [0.05, 0.95], axis=0)
    levels, mean = mean_by_level(fitted_pa, fitted_count)
    return Counts(
        sweeps,
        levels_pa,
        recorded,
        low,
        median,
        high,
        model_low,
        model_high,
        error,
        np.interp(levels_pa, levels, mean),
        float((np.abs(predicted - recorded) <= 1).all(axis=1).mean()),
    )
