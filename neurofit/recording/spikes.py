"""Action potentials, told well enough to describe a recording (a fit's features are measured elsewhere)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from neurofit.recording.recording import Recording
from neurofit.recording.stimulus import Step

THRESHOLD_MV = -20.0  # an action potential rises through this ...
REARM_MV = 5.0  # ... having been this far below it, so that noise at the threshold does not count ...
LONGEST_MS = 10.0  # ... and is back within this: a passive charging curve is not an action potential


def spike_times_ms(recording: Recording) -> list[NDArray[np.float64]]:
    """When each sweep's voltage rises through -20 mV and falls back within 10 ms.

    Returns
    -------
    list
        For each sweep, ``[spike]``: the time of the first sample at or above the threshold, in ms from the
        recording's first sample.
    """
    return [_times(sweep, recording.dt_ms) for sweep in recording.voltage_mv]


def count_spikes(times_ms: list[NDArray[np.float64]], step: Step | None = None) -> NDArray[np.int64]:
    """``[sweep]``: how many action potentials there are, or how many begin within a step.

    Parameters
    ----------
    times_ms
        From :func:`spike_times_ms`.
    step
        A stretch of the sweep; ``None`` counts all of it.
    """
    start, stop = (-np.inf, np.inf) if step is None else (step.start_ms, step.stop_ms)
    return np.array([np.count_nonzero((t >= start) & (t < stop)) for t in times_ms], dtype=np.int64)


def _times(voltage_mv: NDArray[np.float64], dt_ms: float) -> NDArray[np.float64]:
    """The action potentials of one sweep: a switch with two thresholds, and a limit on how long it is on."""
    above = voltage_mv >= THRESHOLD_MV
    settled = np.flatnonzero(above | (voltage_mv < THRESHOLD_MV - REARM_MV))
    changes = np.flatnonzero(np.diff(above[settled])) + 1
    samples = settled[changes]
    rises = np.flatnonzero(above[samples])
    falls = np.append(samples, len(voltage_mv))[rises + 1]  # the fall that follows each rise
    brief = (falls - samples[rises]) * dt_ms <= LONGEST_MS
    return samples[rises][brief].astype(np.float64) * dt_ms
