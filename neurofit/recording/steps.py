"""A recorded current made of steps, turned into the clean command that the amplifier was given.

A recorded current carries the amplifier's noise and, at every action potential, an artefact of 0.5 to 1 nA
which the cell never felt. A simulation that was given it would be stimulated by the cell's own spikes. Where
the current is made of steps, the level of each epoch is known far better than any of its samples.
"""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

from neurofit.recording.recording import Finding
from neurofit.recording.robust import spread, stretches
from neurofit.recording.stimulus import LEVEL_TOLERANCE_PA

BLOCK_MS = 1.0  # edges are first looked for on medians of blocks this long
REACH_BLOCKS = 5  # and each side of an edge is judged by this many blocks: artefacts are shorter than half
EDGE_SCORE = 8.0  # an edge stands this many noise widths above what the medians do by themselves ...
EDGE_SHARE = 0.25  # ... in most sweeps; in fewer sweeps, it must be this large beside the largest edge
BRIEF_BLOCKS = 20  # what comes and goes within this, in few sweeps, is no edge (or fails the test of charge)
# Over any such stretch (ms), command and recorded current must carry the same charge to within a share of the
# steps: the artefact of an action potential is biphasic and brief, a pulse that the steps leave out is
# neither.
CHARGE = ((20.0, 0.10), (100.0, 0.02))
SETTLE_MS = 2.0  # on either side of an edge
MIN_CHANGE_PA = 2.0  # smaller changes than this are not told from drift


def fit_steps(
    current_pa: NDArray[np.float64], dt_ms: float, command_pa: NDArray[np.float64] | None = None
) -> NDArray[np.float64] | None:
    """The step command behind a recorded current.

    Parameters
    ----------
    current_pa
        ``[sweep, time]``, as recorded.
    dt_ms
        Sampling interval.
    command_pa
        ``[sweep, time]``, what the protocol commanded, if that is known. Its edges are tried first: with
        them, even a pulse of a few samples is told from an artefact.

    Returns
    -------
    array or None
        ``[sweep, time]``, constant within each epoch; an epoch's level is the median of its samples in each
        sweep, or one value for all sweeps where they agree within noise. ``None`` if the current is not made
        of steps (ramps, noise, pulses too short to tell from artefacts): then it is best left as recorded.
    """
    block = max(1, round(BLOCK_MS / dt_ms))
    if current_pa.shape[1] < 4 * REACH_BLOCKS * block:
        return None
    coarse = _block_medians(current_pa, block)
    noise = _noise(current_pa, coarse, block)
    if command_pa is not None:
        fitted = _with_edges(current_pa, edges_of(command_pa), block, noise)
        if _explains(current_pa, fitted, dt_ms):
            return fitted
    edges = _edges(current_pa, coarse, block)
    if min(np.diff([0, *edges, current_pa.shape[1]])) < 2 * block:
        return None
    fitted = _with_edges(current_pa, edges, block, noise)
    return fitted if _explains(current_pa, fitted, dt_ms) else None


def edges_of(command_pa: NDArray[np.float64]) -> list[int]:
    """The samples at which any sweep of a command without noise changes."""
    changes = (np.abs(np.diff(command_pa, axis=1)) > LEVEL_TOLERANCE_PA).any(axis=0)
    return list((np.flatnonzero(changes) + 1).tolist())


def moves(current_pa: NDArray[np.float64]) -> bool:
    """Does any sweep's current change in the course of the sweep?"""
    return bool((np.ptp(current_pa, axis=1) > LEVEL_TOLERANCE_PA).any())


def _block_medians(current_pa: NDArray[np.float64], block: int) -> NDArray[np.float64]:
    """``[sweep, block]``: the median of each stretch of ``block`` samples."""
    n = current_pa.shape[1] // block
    return np.median(current_pa[:, : n * block].reshape(len(current_pa), n, block), axis=2)


def _noise(current_pa: NDArray[np.float64], coarse: NDArray[np.float64], block: int) -> float:
    """Robust standard deviation of the samples about their block's median, in pA."""
    around = current_pa[:, : coarse.shape[1] * block] - np.repeat(coarse, block, axis=1)
    return spread(around)


def _edges(current_pa: NDArray[np.float64], coarse: NDArray[np.float64], block: int) -> list[int]:
    """Samples at which any sweep steps to another level, in order; the sweeps share them."""
    reach = REACH_BLOCKS
    running = np.median(np.lib.stride_tricks.sliding_window_view(coarse, reach, axis=1), axis=2)
    change = running[:, reach:] - running[:, :-reach]  # [sweep, k]: at the border before block k + reach
    usual = 1.4826 * np.median(np.abs(change), axis=1, keepdims=True)
    size = np.abs(change) * (np.abs(change) > np.maximum(EDGE_SCORE * usual, MIN_CHANGE_PA))
    # Artefacts come at another moment in every sweep, an edge at the same in most of those that step.
    in_most = np.median(size, axis=0) > 0 if len(size) > 3 else np.zeros(size.shape[1], dtype=bool)
    is_edge = in_most | (size.max(axis=0) > EDGE_SHARE * size.max())
    total = size.sum(axis=0)
    found: list[tuple[int, bool]] = []
    for start, stop in stretches(is_edge & (total > 0)):
        top = np.flatnonzero(total[start:stop] >= 0.99 * total[start:stop].max())
        edge = _refine(current_pa, (start + int(top[0] + top[-1]) // 2 + reach) * block, block)
        firm = bool(in_most[start:stop].any())
        if found and not firm and not found[-1][1] and edge - found[-1][0] < BRIEF_BLOCKS * block:
            found.pop()  # there and back within a moment, in few sweeps: two action potentials close together
        else:
            found.append((edge, firm))
    return sorted({edge for edge, _ in found})


def _refine(current_pa: NDArray[np.float64], near: int, block: int) -> int:
    """The first sample past half of the way, all sweeps together, so that no sweep's artefact matters."""
    reach = REACH_BLOCKS * block
    low, high = max(0, near - reach), min(current_pa.shape[1], near + reach)
    third = max(1, (high - low) // 3)
    before = np.median(current_pa[:, low : low + third], axis=1, keepdims=True)
    after = np.median(current_pa[:, high - third : high], axis=1, keepdims=True)
    size = np.abs(after - before)
    way = (np.sign(after - before) * (current_pa[:, low:high] - before)).sum(axis=0) / max(size.sum(), 1e-12)
    return low + int(np.argmax(way > 0.5))


def _with_edges(current_pa: NDArray[np.float64], edges: list[int], block: int, noise_pa: float) -> NDArray[np.float64]:
    """``[sweep, time]``: each sweep at its median level between edges."""
    bounds = [0, *edges, current_pa.shape[1]]
    levels = [_level(current_pa[:, a:b], block) for a, b in itertools.pairwise(bounds)]
    return np.repeat(_agree(np.stack(levels, axis=1), bounds, noise_pa), np.diff(bounds), axis=1)


def _level(epoch_pa: NDArray[np.float64], margin: int) -> NDArray[np.float64]:
    """``[sweep]``: median of an epoch without its margins, where the amplifier settles."""
    inner = epoch_pa[:, margin:-margin] if epoch_pa.shape[1] > 4 * margin else epoch_pa
    return np.median(inner, axis=1)


def _agree(levels: NDArray[np.float64], bounds: list[int], noise_pa: float) -> NDArray[np.float64]:
    """One value for what differs by noise alone: an epoch's level across sweeps, a return to holding."""
    tolerance = [
        max(1.0, 0.01 * float(np.ptp(levels)), 8 * noise_pa / np.sqrt(b - a)) for a, b in itertools.pairwise(bounds)
    ]
    levels = levels.copy()
    for k, limit in enumerate(tolerance):
        if np.ptp(levels[:, k]) <= limit:
            levels[:, k] = np.median(levels[:, k])
        if k and (np.abs(levels[:, k] - levels[:, 0]) <= max(limit, tolerance[0])).all():
            levels[:, k] = levels[:, 0]
    return levels


def _explains(current_pa: NDArray[np.float64], fitted: NDArray[np.float64], dt_ms: float) -> bool:
    """Do the steps leave nothing over but noise, and artefacts that are brief and come at any time?"""
    rest = _away_from_edges(current_pa - fitted, fitted, dt_ms)
    span = float(np.ptp(fitted))
    noise = spread(rest)
    for length_ms, share in CHARGE:
        window = min(rest.shape[1], max(1, round(length_ms / dt_ms)))
        n = rest.shape[1] // window
        charge = rest[:, : n * window].reshape(len(rest), n, window).mean(axis=2)
        if np.abs(charge).max() > max(MIN_CHANGE_PA, share * span, 6 * noise / np.sqrt(window)):
            return False
    # What comes at the same moment in most of the sweeps was commanded, however brief.
    together = np.abs(np.median(rest, axis=0)).max() if len(rest) > 2 else 0.0
    return bool(together <= max(MIN_CHANGE_PA, CHARGE[0][1] * span, 6 * noise / np.sqrt(len(rest))))


def _away_from_edges(rest: NDArray[np.float64], fitted: NDArray[np.float64], dt_ms: float) -> NDArray[np.float64]:
    """What the steps leave over, with 0 where the amplifier is settling."""
    rest = rest.copy()
    settle = max(1, round(SETTLE_MS / dt_ms))
    for edge in edges_of(fitted):
        rest[:, max(0, edge - settle) : edge + settle] = 0.0
    return rest


def describe_steps(current_pa: NDArray[np.float64], fitted: NDArray[np.float64] | None, dt_ms: float) -> Finding:
    """The finding that says what became of a recorded current."""
    if fitted is None:
        return Finding(
            "current-not-steps",
            "warning",
            "The recorded current is not made of steps; it is used as recorded, with the amplifier's "
            "noise and with the artefacts that action potentials leave in it.",
        )
    rest = _away_from_edges(current_pa - fitted, fitted, dt_ms)
    return Finding(
        "current-cleaned",
        "note",
        "The recorded current was replaced by its steps, each at its median level: this leaves out noise "
        f"of {spread(rest):.1f} pA (sd) and deviations of up to {np.abs(rest).max():.0f} pA.",
    )
