"""The current that an output's epochs describe, sample by sample.

The rules are those of pCLAMP: a sweep begins at the holding level for 1/64 of its length, the epochs follow one
another, a ramp and a train start from the level of the epoch before, and after the last one the output returns to
holding, or keeps the last level until the next sweep's first epoch.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from neurofit.recording.formats.axon_header import PULSES, RAMP, STEP, Epoch, Output

HOLDING_SHARE = 64  # the first 1/64 of a sweep is at the holding level, before the first epoch
DRAWN = (STEP, RAMP, PULSES)


def levels_of(output: Output, sweeps: int, listed: tuple[int, list[float]] | None) -> dict[int, NDArray[np.float64]]:
    """The level of each active epoch in each sweep, ``[sweep]``, by the epoch's number.

    Parameters
    ----------
    output, sweeps
        Whose epochs, and how many sweeps.
    listed
        Number of the epoch whose levels a user list gives, and the levels.
    """
    count = np.arange(sweeps)
    levels = {epoch.number: np.asarray(epoch.level + count * epoch.increment) for epoch in output.active}
    if listed is not None:
        levels[listed[0]] = np.array(listed[1])
    return levels


def fits(output: Output, shape: tuple[int, ...]) -> bool:
    """Do the epochs of every sweep take no less than nothing and end before the sweep does?"""
    sweeps, samples = shape
    lasting = np.array([[epoch.duration, epoch.lengthening] for epoch in output.active], dtype=float).reshape(-1, 2)
    total = [lasting @ (1.0, float(sweep)) for sweep in (0, sweeps - 1)]
    return all(bool((t >= 0).all()) and t.sum() + _before(samples) <= samples for t in total)


def draw(output: Output, shape: tuple[int, ...], listed: tuple[int, list[float]] | None = None) -> NDArray[np.float64]:
    """``[sweep, time]`` of an output whose epochs are steps, ramps and trains of pulses, in its own unit.

    Parameters
    ----------
    output
        Its epochs must fit (:func:`fits`).
    shape
        ``(sweeps, samples)``.
    listed
        As for :func:`levels_of`.
    """
    sweeps, samples = shape
    current = np.full(shape, output.holding)
    levels = levels_of(output, sweeps, listed)
    rest = output.holding
    for sweep in range(sweeps):
        start, last = _before(samples), rest
        current[sweep, :start] = rest
        for epoch in output.active:
            length = epoch.duration + sweep * epoch.lengthening
            if length:
                level = float(levels[epoch.number][sweep])
                current[sweep, start : start + length] = _epoch(epoch, length, last, level)
                start, last = start + length, level
        if output.keeps_last:
            current[sweep, start:] = last
            rest = float(levels[output.active[-1].number][sweep]) if output.active else rest
    return current


def _before(samples: int) -> int:
    return max(1, samples // HOLDING_SHARE)


def _epoch(epoch: Epoch, length: int, last: float, level: float) -> NDArray[np.float64] | float:
    """One epoch's samples, coming from the level ``last``."""
    count = np.arange(length)
    if epoch.kind == RAMP:
        return last + (level - last) * (count + 1) / length
    if epoch.kind == PULSES:
        part = length % epoch.period
        whole = length - part if part < epoch.width else length  # a pulse that does not fit is left out
        return np.where((count % epoch.period < epoch.width) & (count < whole), level, last)
    return level
