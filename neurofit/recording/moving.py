"""Currents that never hold still: where in a sweep they move, and whether they are ramps."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from neurofit.recording.robust import spread

HELD_MS = 10.0  # what comes before and after a stretch that moves, and has to be this long to count as held
SMOOTH_MS = 5.0  # a recorded current is averaged over this much before it is said to have left its level ...
NOISES = 6.0  # ... which it has by so many standard errors of its noise
POINTS = 100  # a ramp is judged on so many means ...
STRAIGHT = 0.03  # ... none of which lies further from straight lines than this share of its range ...
SMOOTH = 0.1  # ... and its samples scatter about them by no more than this

Array = NDArray[np.float64]


def moving_stretch(current_pa: Array, dt_ms: float, tolerance_pa: float) -> tuple[int, int]:
    """Samples from which, and up to which, any sweep's current is away from where it began and where it ends.

    Parameters
    ----------
    current_pa
        ``[sweep, time]``.
    tolerance_pa
        Smaller changes than this are none.
    """
    n, held = current_pa.shape[1], round(HELD_MS / dt_ms)
    if n <= 2 * held:
        return 0, n
    start = _leaves(current_pa, held, dt_ms, tolerance_pa)
    stop = n - _leaves(current_pa[:, ::-1], held, dt_ms, tolerance_pa)
    start, stop = (0 if start < held else start), (n if n - stop < held else stop)
    return (start, stop) if start < stop else (0, n)


def _leaves(current_pa: Array, held: int, dt_ms: float, tolerance_pa: float) -> int:
    """The first sample at which any sweep has left the level of its first samples."""
    level = np.median(current_pa[:, :held], axis=1, keepdims=True)
    # from the differences, so that a current that moves from the start is not taken for noise
    noise = spread(np.diff(current_pa[:, :held], axis=1)) / np.sqrt(2)
    block = 1 if NOISES * noise <= tolerance_pa else max(1, round(SMOOTH_MS / dt_ms))
    means = block_means(np.abs(current_pa - level) if block == 1 else current_pa - level, block)
    away = (np.abs(means) > max(tolerance_pa, NOISES * noise / np.sqrt(block))).any(axis=0)
    return int(away.argmax()) * block if away.any() else current_pa.shape[1]


def are_ramps(current_pa: Array) -> bool:
    """Does every sweep of ``[sweep, time]`` go along one straight line, or up and down (down and up) along two?"""
    block = max(1, current_pa.shape[1] // POINTS)
    means = block_means(current_pa, block)
    time = np.arange(means.shape[1], dtype=np.float64)
    moved = np.ptp(means, axis=1)
    if (moved == 0).all():
        return False
    for sweep, fine, span in zip(means, current_pa, moved, strict=True):
        turns = np.maximum(time[None, :] - time[:, None], 0.0)  # [where it turns, time]; no turn for the last
        fitted = (_line(np.stack([np.ones_like(time), time, turn], axis=1), sweep) for turn in turns)
        best = min(fitted, key=lambda line: float(np.abs(sweep - line).max()))
        rest = fine - np.interp(np.arange(len(fine)), (time + 0.5) * block - 0.5, best)
        inner = slice(block, -block if len(fine) > 2 * block else None)
        if np.abs(sweep - best).max() > STRAIGHT * span or spread(rest[inner]) > SMOOTH * span:
            return False
    return True


def _line(design: Array, values: Array) -> Array:
    return np.asarray(design @ np.linalg.lstsq(design, values, rcond=None)[0])


def block_means(values: Array, block: int) -> Array:
    """``[..., ceil(time / block)]``: means of ``block`` samples each; of what is left in the last."""
    starts = np.arange(0, values.shape[-1], block)
    lengths = np.diff(np.append(starts, values.shape[-1]))
    return np.asarray(np.add.reduceat(values, starts, axis=-1) / lengths)
