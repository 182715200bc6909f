"""Does the voltage follow the current? Where it does not, the current given here is not what the cell got.

A membrane moves within milliseconds of a current step, and in the step's direction. A command whose edges are at the
wrong times or in the wrong sweeps, from a damaged file or another protocol, has edges at which nothing happens, or
something happens before or after them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from neurofit.recording.recording import Finding, Recording
from neurofit.recording.robust import spread

BEFORE_MS = 5.0  # the voltage before an edge is its median over this much ...
AFTER_MS = (2.0, 10.0)  # ... and after it over this: an electrode has settled, a membrane has begun to charge
SMALLEST_PA = 20.0
MOST_EDGES = 40  # in a sweep; a current with more is not made of steps
FOLLOWS = 0.2  # of the usual response to a step; a change smaller than this is none
NOISES = 6.0  # the usual response must stand out of the voltage's own wandering by so much, or nothing is said
FEWEST_EDGES = 2
LEAST_GOHM = 0.01  # a membrane and an electrode of less than this together are not expected
# The voltage's fastest change about an edge must not lie further from it than this, in this reach, in this many sweeps.
LATE_MS, REACH_MS, FEWEST_SWEEPS, ASIDE = (-1.0, 3.0), 14.0, 4, 2.0


class Edges(NamedTuple):
    """One entry for each large step of each sweep, ``[edge]``: row, sample, change of current, and of voltage."""

    row: NDArray[np.int64]
    sample: NDArray[np.int64]
    step_pa: NDArray[np.float64]
    moved_mv: NDArray[np.float64]


def edge_findings(recording: Recording) -> Iterator[Finding]:
    """Findings on edges of the current at which the voltage stays, or moves at another time.

    Parameters
    ----------
    recording
        Sweeps of current steps; nothing is said about any other current.
    """
    edges = _edges(recording)
    if edges is None or len(edges.row) < FEWEST_EDGES:
        return
    gohm = edges.moved_mv / edges.step_pa
    wander_mv = _wander(recording, edges)
    due = LEAST_GOHM * np.abs(edges.step_pa) > NOISES * wander_mv
    if due.any() and np.median(gohm[due]) < FOLLOWS * LEAST_GOHM:
        yield _finding("nowhere", recording, edges.row[due])
        return
    usual = float(np.quantile(gohm, 0.75))
    told = usual * np.abs(edges.step_pa) > NOISES * wander_mv
    times, shared = np.unique(edges.sample, return_counts=True)
    # Edges that no other sweep shares are judged together; those of a single sweep, each by itself.
    alone = np.isin(edges.sample, times[shared == 1]) & (recording.n_sweeps > 1)
    for here in [told & ~alone & (edges.sample == time) for time in times] + [told & alone]:
        still = here & (gohm < FOLLOWS * usual)
        if np.count_nonzero(still) > 0.5 * np.count_nonzero(here):
            largest = np.flatnonzero(still)[np.argmax(np.abs(edges.step_pa[still]))]
            yield _finding(_where(recording, edges, largest, "not at"), recording, edges.row[still])
        elif np.count_nonzero(here) >= FEWEST_SWEEPS and (lag_ms := _lag(recording, edges, here)):
            words = f"{abs(lag_ms):.1f} ms {'after' if lag_ms > 0 else 'before'} it changes at"
            yield _finding(_where(recording, edges, int(np.flatnonzero(here)[0]), words), recording, edges.row[here])


def _where(recording: Recording, edges: Edges, edge: int, words: str) -> str:
    time_ms = recording.start_ms + edges.sample[edge] * recording.dt_ms
    return (
        f"{words} {time_ms:g} ms (by {edges.step_pa[edge]:+.0f} pA in sweep {recording.sweep_numbers[edges.row[edge]]})"
    )


def _finding(where: str, recording: Recording, rows: NDArray[np.int64]) -> Finding:
    return Finding(
        "current-not-followed",
        "warning",
        f"The voltage follows the current {where}: the current given here may not be what the cell got (a wrong "
        "protocol, or a damaged file).",
        tuple(recording.sweep_numbers[row] for row in np.unique(rows)),
    )


def _edges(recording: Recording) -> Edges | None:
    """The large steps that are held before and after; ``None`` where the current is not made of steps."""
    dt = recording.dt_ms
    rows, samples = np.nonzero(np.abs(np.diff(recording.current_pa, axis=1)) > 0.05)
    if len(rows) == 0 or np.bincount(rows).max() > MOST_EDGES:
        return None
    samples += 1
    n, same = recording.current_pa.shape[1], np.diff(rows) == 0
    previous = np.concatenate([[0], np.where(same, samples[:-1], 0)])
    following = np.concatenate([np.where(same, samples[1:], n), [n]])
    held = np.minimum(samples - previous, following - samples) > round(AFTER_MS[1] / dt)
    step_pa = recording.current_pa[rows, samples] - recording.current_pa[rows, samples - 1]
    use = held & (np.abs(step_pa) >= SMALLEST_PA)
    rows, samples, step_pa = rows[use], samples[use], step_pa[use]
    return Edges(rows, samples, step_pa, _moved(recording, rows, samples))


def _moved(recording: Recording, rows: NDArray[np.int64], samples: NDArray[np.int64]) -> NDArray[np.float64]:
    """How far the voltage goes about each of these samples, mV."""
    dt, voltage = recording.dt_ms, recording.voltage_mv
    early = np.arange(-round(BEFORE_MS / dt), 0)
    late = np.arange(round(AFTER_MS[0] / dt), round(AFTER_MS[1] / dt) + 1)
    before, after = (voltage[rows[:, None], samples[:, None] + part] for part in (early, late))
    return np.asarray(np.median(after, axis=1) - np.median(before, axis=1))


def _wander(recording: Recording, edges: Edges) -> float:
    """The same away from all edges: what the voltage does by itself, as a robust standard deviation in mV."""
    spacing = round((BEFORE_MS + AFTER_MS[1]) / recording.dt_ms)
    samples = np.arange(spacing, recording.voltage_mv.shape[1] - spacing, spacing)
    away = samples[np.abs(samples[:, None] - np.unique(edges.sample)).min(axis=1) > spacing]
    if len(away) == 0:
        return np.inf
    rows = np.repeat(np.arange(recording.n_sweeps), len(away))
    return spread(_moved(recording, rows, np.tile(away, recording.n_sweeps)))


def _lag(recording: Recording, edges: Edges, here: NDArray[np.bool_]) -> float:
    """By how many ms the voltage's fastest change lies from an edge, 0 where it lies at it or is not clear."""
    one, reach = max(1, round(1.0 / recording.dt_ms)), round(REACH_MS / recording.dt_ms)
    rows, samples, step = edges.row[here], edges.sample[here], edges.step_pa[here]
    span = np.arange(-reach - one, reach + one + 1)
    if samples.min() + span[0] < 0 or samples.max() + span[-1] >= recording.voltage_mv.shape[1]:
        return 0.0
    sums = np.cumsum(recording.voltage_mv[rows[:, None], samples[:, None] + span], axis=1)
    means = (sums[:, one:] - sums[:, :-one]) / one
    by_edge = (means[:, one:] - means[:, :-one]) / step[:, None]  # over 1 ms, mV per pA
    change = np.median(by_edge, axis=0)
    noise = spread(by_edge - change) / np.sqrt(len(by_edge))
    lags_ms = (np.arange(len(change)) + one + 1 + span[0]) * recording.dt_ms
    near = (lags_ms >= LATE_MS[0]) & (lags_ms <= LATE_MS[1])
    top = int(np.argmax(change))
    at_edge = float(change[near].max())
    is_clear = change[top] > max(ASIDE * at_edge, at_edge + NOISES * noise)
    if near[top] or not is_clear:
        return 0.0
    return float(lags_ms[top])
