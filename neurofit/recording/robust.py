"""A few statistics that some wild values do not move."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def spread(values: NDArray[np.float64]) -> float:
    """Standard deviation about zero, from the median of the absolute values."""
    return float(1.4826 * np.median(np.abs(values)))


def through_origin(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[float, float]:
    """Slope of y = b x and its standard error: the median of the ratios, weighted by the size of x."""
    ratio, weight = y / x, np.abs(x)
    order = np.argsort(ratio)
    share = np.cumsum(weight[order]) / weight.sum()
    slope = float(ratio[order][np.searchsorted(share, 0.5)])
    # 1.25 is how much wider a median scatters than a mean.
    return slope, 1.25 * spread(y - slope * x) / float(np.sqrt(np.sum(x**2)))


def line(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[float, float, float, float]:
    """Theil-Sen line y = a + b x: slope b, intercept a, and their standard errors."""
    i, j = np.triu_indices(len(x), 1)
    apart = np.abs(x[i] - x[j]) >= 0.1 * np.ptp(x)
    slope = float(np.median((y[i] - y[j])[apart] / (x[i] - x[j])[apart]))
    intercept = float(np.median(y - slope * x))
    scatter = 1.25 * spread(y - intercept - slope * x) * np.sqrt(len(x) / max(1, len(x) - 2))
    about = float(np.sum((x - x.mean()) ** 2))
    slope_error = float(scatter / np.sqrt(about))
    return slope, intercept, slope_error, float(scatter * np.sqrt(1 / len(x) + x.mean() ** 2 / about))


def trend(values: NDArray[np.float64]) -> float:
    """Change from the first value to the last along the Theil-Sen line; 0 for fewer than four values."""
    if len(values) < 4:
        return 0.0
    i, j = np.triu_indices(len(values), 1)
    return float(np.median((values[j] - values[i]) / (j - i)) * (len(values) - 1))


def stretches(flags: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """``[(start, stop)]`` of each run of true values."""
    padded = np.concatenate(([False], flags, [False])).astype(np.int8)
    turns = np.flatnonzero(np.diff(padded))
    return list(zip(turns[::2].tolist(), turns[1::2].tolist(), strict=True))
