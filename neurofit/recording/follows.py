"""Does the voltage follow the current? Where it does not, the current given here is not what the cell got.

A membrane moves within milliseconds of a current step, and in the step's direction. A command whose edges are at the
wrong times or in the wrong sweeps, from a damaged file or another protocol, has edges at which nothing happens.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from neurofit.recording.recording import Finding, Recording
from neurofit.recording.robust import spread

BEFORE_MS = 5.0  # the voltage before an edge is its median over this much ...
AFTER_MS = (2.0, 10.0)  # ... and after it over this: an electrode has settled, a membrane has begun to charge
SMALLEST_PA = 20.0
FOLLOWS = 0.2  # of the usual response to a step; a change smaller than this is none
NOISES = 6.0  # the usual response must stand out of the voltage's own wandering by so much, or nothing is said
FEWEST_EDGES = 2
LEAST_GOHM = 0.01  # a membrane and an electrode of less than this together are not expected


def edge_findings(recording: Recording) -> Iterator[Finding]:
    """Findings on edges of the current at which the voltage stays.

    Parameters
    ----------
    recording
        Sweeps of current steps; nothing is said about any other current.
    """
    edges = [
        (left.stop_ms, right.level_pa - left.level_pa)
        for left, right in itertools.pairwise(recording.stimulus.epochs)
        if min(left.stop_ms - left.start_ms, right.stop_ms - right.start_ms) > AFTER_MS[1]
    ]
    if not edges:
        return
    step_pa = np.stack([change for _, change in edges], axis=1)  # [sweep, edge]
    moved_mv = np.stack([_moved(recording, time) for time, _ in edges], axis=1)
    large = np.abs(step_pa) >= SMALLEST_PA
    if np.count_nonzero(large) < FEWEST_EDGES:
        return
    gohm = np.full(step_pa.shape, np.nan)
    gohm[large] = moved_mv[large] / step_pa[large]
    usual = float(np.nanquantile(gohm, 0.75))
    wander_mv = _wander(recording, [time for time, _ in edges])
    telling = large & (usual * np.abs(step_pa) > NOISES * wander_mv)
    still = telling & (gohm < FOLLOWS * usual)
    due = large & (LEAST_GOHM * np.abs(step_pa) > NOISES * wander_mv)
    if due.any() and np.median(gohm[due]) < FOLLOWS * LEAST_GOHM:
        yield _finding("nowhere", recording, np.asarray(due.any(axis=1)))
        return
    for (time, change), here, told in zip(edges, still.T, telling.T, strict=True):
        if np.count_nonzero(here) > 0.5 * np.count_nonzero(told):
            largest = change[here][np.argmax(np.abs(change[here]))]
            where = f"not at {recording.start_ms + time:g} ms, where it changes by {largest:+.0f} pA"
            yield _finding(where, recording, here)


def _finding(where: str, recording: Recording, rows: NDArray[np.bool_]) -> Finding:
    return Finding(
        "current-not-followed",
        "warning",
        f"The voltage follows the current {where}: the current given here may not be what the cell got (a wrong "
        "protocol, or a damaged file).",
        tuple(recording.sweep_numbers[row] for row in np.flatnonzero(rows)),
    )


def _moved(recording: Recording, time_ms: float) -> NDArray[np.float64]:
    """``[sweep]``: how far the voltage goes about a time, mV."""
    at, dt = round(time_ms / recording.dt_ms), recording.dt_ms
    before = recording.voltage_mv[:, max(0, at - round(BEFORE_MS / dt)) : at]
    after = recording.voltage_mv[:, at + round(AFTER_MS[0] / dt) : at + round(AFTER_MS[1] / dt) + 1]
    return np.asarray(np.median(after, axis=1) - np.median(before, axis=1))


def _wander(recording: Recording, edges_ms: list[float]) -> float:
    """The same away from all edges: what the voltage does by itself, as a robust standard deviation in mV."""
    spacing = BEFORE_MS + AFTER_MS[1]
    times = np.arange(BEFORE_MS, recording.duration_ms - AFTER_MS[1] - recording.dt_ms, spacing)
    away = [t for t in times if all(abs(t - edge) > spacing for edge in edges_ms)]
    return spread(np.concatenate([_moved(recording, float(t)) for t in away])) if away else np.inf
