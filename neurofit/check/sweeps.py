"""How well each sweep is predicted: its count of spikes, its voltage, and its voltage between spikes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

# Voltage from this on belongs to a spike, and so does what lies this long before and after it.
SPIKE_MV = -20.0
BEFORE_MS, AFTER_MS = 2.0, 5.0
BAND = (0.05, 0.95)


@dataclass(frozen=True, eq=False)
class VoltageFit:
    """Recorded voltage against predictions of it.

    Attributes
    ----------
    covered
        ``[sweep]``: share of the time in which 5 % to 95 % of the predictions hold the recorded voltage.
    deviation_mv
        ``[sweep]``: median over time of how far a prediction lies from the recording where neither of them spikes;
        the median of that over the predictions. NaN where they spike all the time.
    """

    covered: Array
    deviation_mv: Array


def compare_voltage(recorded_mv: ArrayLike, predicted_mv: ArrayLike, dt_ms: float) -> VoltageFit:
    """Hold the voltage of some sweeps against predictions.

    Parameters
    ----------
    recorded_mv
        ``[sweep, time]``.
    predicted_mv
        ``[draw, sweep, time]``, sampled alike; at least one draw.
    dt_ms
        Sampling interval.
    """
    recorded = np.asarray(recorded_mv, dtype=np.float64)
    covered, deviation = [], []
    # a sweep at a time: the predictions of all of them are large
    for sweep, row in enumerate(recorded):
        predicted = np.asarray(predicted_mv, dtype=np.float64)[:, sweep]
        low, high = np.quantile(predicted, BAND, axis=0)
        covered.append(((low <= row) & (row <= high)).mean())
        quiet = ~(in_spikes(row[None], dt_ms) | in_spikes(predicted, dt_ms))
        medians = [np.median(np.abs(draw - row)[q]) for draw, q in zip(predicted, quiet, strict=True) if q.any()]
        deviation.append(np.median(medians) if medians else np.nan)
    return VoltageFit(np.array(covered), np.array(deviation))


def in_spikes(voltage_mv: Array, dt_ms: float) -> NDArray[np.bool_]:
    """``[row, time]``: does a sample lie in a spike, or shortly before or after one?"""
    above = voltage_mv >= SPIKE_MV
    total = np.cumsum(np.pad(above, ((0, 0), (1, 0))), axis=1)
    n = voltage_mv.shape[1]
    # a sample counts if any other is above from so long before it to so long after it
    first = np.maximum(np.arange(n) - round(AFTER_MS / dt_ms), 0)
    last = np.minimum(np.arange(n) + round(BEFORE_MS / dt_ms), n - 1)
    return np.asarray(total[:, last + 1] > total[:, first])


def count_percentile(recorded: ArrayLike, predicted: ArrayLike) -> Array:
    """``[sweep]``: per cent of the predictions ``[draw, sweep]`` below the recorded count, those equal to it half.

    50 in the middle; near 0 or 100 the model fires too much or too little.
    """
    counts, draws = np.asarray(recorded, dtype=np.float64), np.asarray(predicted, dtype=np.float64)
    return np.asarray(100 * ((draws < counts).mean(axis=0) + 0.5 * (draws == counts).mean(axis=0)))
