"""The envelope test: does the voltage leave, at any time, what the reference does at that time?

A sweep is cut into bins of equal length, and the lowest and the highest voltage of every bin are its points,
so that a spike between two samples kept is not lost. Each point has its quantile score; a row's score is the
largest over all points of all its sweeps, and the null of that maximum allows for how many there are (a
global envelope test: Myllymäki et al. 2017, J. R. Stat. Soc. B 79, 381).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from neurofit.check.conformal import HeldOut
from neurofit.check.result import Stretch

Array = NDArray[np.float64]

BINS = 120
MOST_BINS = 480


def bin_edges(samples: int, sweeps: int) -> NDArray[np.intp]:
    """First sample of every bin and, last, the number of samples: 120 bins, fewer where many sweeps share
    480."""
    bins = min(samples, BINS, max(MOST_BINS // sweeps, 20))
    return np.linspace(0, samples, bins + 1).round().astype(np.intp)


def points(voltage: Array, edges: NDArray[np.intp]) -> Array:
    """Lowest and highest voltage of each bin: ``[rows, sweep, time]`` -> ``[rows, sweep, 2, bin]``."""
    starts = edges[:-1]
    lowest = np.minimum.reduceat(voltage, starts, axis=2)
    return np.stack([lowest, np.maximum.reduceat(voltage, starts, axis=2)], axis=2)


def stretches(
    scores: HeldOut, voltage: Array, edges: NDArray[np.intp], dt_ms: float, level: float
) -> tuple[Stretch, ...]:
    """Where the observations lie outside, the most extreme first.

    A bin is outside if its score exceeds what a share ``level`` of the references reaches anywhere at all,
    divided among the observations; neighbouring bins make one stretch.

    Parameters
    ----------
    scores
        Signed, of the flattened points, ``[rows, sweep * 2 * bin]``.
    voltage
        The points of references and observations, ``[rows, sweep, 2, bin]``.
    """
    n = len(scores.reference)
    observed = scores.observed.mean(0).reshape(-1, *voltage.shape[1:])
    limit = np.quantile(np.abs(scores.reference).max(1), 1 - level / len(observed), method="higher")
    found = []
    for observation, sweep in np.ndindex(observed.shape[:2]):
        both = observed[observation, sweep]
        outside = np.concatenate([[False], (np.abs(both) > limit).any(0), [False]])
        for start, stop in np.flatnonzero(np.diff(outside)).reshape(-1, 2):
            end, at = np.unravel_index(np.abs(both[:, start:stop]).argmax(), (2, stop - start))
            point = voltage[:, sweep, end, start + at]
            low, high = np.quantile(point[:n], [0.005, 0.995])
            found.append(
                Stretch(
                    sweep=sweep,
                    start_ms=float(edges[start] * dt_ms),
                    stop_ms=float(edges[stop] * dt_ms),
                    score=float(both[end, start + at]),
                    voltage_mv=float(point[n + observation]),
                    low_mv=float(low),
                    high_mv=float(high),
                    observation=observation,
                )
            )
    return tuple(sorted(found, key=lambda stretch: -abs(stretch.score)))
