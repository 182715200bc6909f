"""Seven statistics of a voltage trace, those of the sbi package's tutorial on the Hodgkin-Huxley model.

The tutorial (https://sbi.readthedocs.io, "Inferring parameters of a Hodgkin-Huxley model", after Gonçalves et al. 2020,
eLife 9:e56261) describes a current step by its spike count, the mean and standard deviation of the resting potential,
and the first four moments of the voltage during the step. They are here for comparison with other simulators and
papers; a fit uses the features of :func:`neurofit.extract_features`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neurofit.features.catalogue import STATISTICS, columns_for
from neurofit.features.extract import rows_of
from neurofit.features.table import FeatureTable
from neurofit.features.windows import Windows
from neurofit.recording import Stimulus

PEAK_ABOVE_MV = -10.0
APART_MS = 0.5
# The part of the time before the step over which the standard deviation at rest is taken: its last tenth.
LATE_REST = 0.9

Array = NDArray[np.float64]


def seven_statistics(
    voltage_mv: ArrayLike, stimulus: Stimulus, *, sweep_numbers: Sequence[int] | None = None
) -> FeatureTable:
    """Seven statistics of each sweep.

    Parameters
    ----------
    voltage_mv
        ``[row, sweep, time]``; ``[sweep, time]`` is one row.
    stimulus
        The current of those sweeps, sampled like the voltage.
    sweep_numbers
        For the columns' names; 0, 1, 2... by default.

    Returns
    -------
    FeatureTable
        :data:`~neurofit.features.STATISTICS` in their order, each of every sweep: ``values`` is ``[row, 7]`` for one
        sweep. Undefined where the voltage is not finite, and the shape moments where it does not move.

    Raises
    ------
    StimulusError
        If voltage and current differ in sweeps or samples, or the current holds no step.
    """
    voltage = rows_of(voltage_mv, stimulus)
    numbers = list(range(stimulus.n_sweeps)) if sweep_numbers is None else [int(s) for s in sweep_numbers]
    windows = Windows.of(stimulus)
    usable = np.isfinite(voltage).all(axis=2)
    values = np.full((*voltage.shape[:2], len(STATISTICS)), np.nan)
    if usable.any():
        values[usable] = _of_traces(voltage[usable].astype(np.float64), windows, stimulus.dt_ms)
    flat = values.transpose(0, 2, 1).reshape(len(voltage), -1)
    levels = dict(zip(numbers, stimulus.test_step.level_pa.tolist(), strict=True))
    return FeatureTable(flat, np.isfinite(flat), tuple(columns_for(STATISTICS, numbers)), levels)


def _of_traces(voltage: Array, windows: Windows, dt_ms: float) -> Array:
    """``[trace, 7]`` of ``[trace, time]``."""
    start, stop = windows.step.start, windows.step.stop
    # the step's first sample still belongs to the rest: it is the voltage at the moment at which the current changes
    during, before = voltage[:, start + 1 : stop], voltage[:, windows.before]
    late = before[:, int(LATE_REST * before.shape[1]) :]
    mean = during.mean(axis=1)
    away = during - mean[:, None]
    variance, third, fourth = ((away**k).mean(axis=1) for k in (2, 3, 4))
    moves = variance > 0
    scale = np.where(moves, variance, 1.0)
    none = np.full(len(voltage), np.nan)
    return np.column_stack([
        _peaks(voltage, start, stop, dt_ms),
        before.mean(axis=1) if before.shape[1] else none,
        late.std(axis=1) if late.shape[1] else none,
        mean,
        variance,
        np.where(moves, third / scale**1.5, np.nan),
        np.where(moves, fourth / scale**2, np.nan),
    ])  # fmt: skip


def _peaks(voltage: Array, start: int, stop: int, dt_ms: float) -> Array:
    """``[trace]``: how often the voltage rises above -10 mV and turns during the step.

    A peak's time is that of the sample before it, which must be above -10 mV itself; of peaks that follow one another
    within 0.5 ms only the first counts.
    """
    before, top, beyond = voltage[:, :-2], voltage[:, 1:-1], voltage[:, 2:]
    turns = (before > PEAK_ABOVE_MV) & (top >= before) & (beyond < top)
    turns[:, : start + 1] = turns[:, stop:] = False
    trace, sample = np.nonzero(turns)
    again = (np.diff(trace, prepend=-1) == 0) & (np.diff(sample, prepend=-1) * dt_ms <= APART_MS * (1 + 1e-9))
    return np.bincount(trace[~again], minlength=len(voltage)).astype(np.float64)
