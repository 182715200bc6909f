"""Spikes and their times in many traces at once, by eFEL's definitions.

eFEL measures one trace at a time, and costs more than simulating it. What is here and in
:mod:`neurofit.features.spike_shapes` follows the C++ source of eFEL 5.7, with the settings of
:mod:`neurofit.features.spikes`:

- *Peak* (``peak_indices``): the first highest sample from an upward to the next downward crossing of the threshold,
  if it lies in the step.
- *Trough* (``min_between_peaks_values``): the lowest voltage from one peak to the next.

eFEL interpolates onto a time axis of its own, which rounding moves by less than 1e-7 ms. Where that could decide which
sample is meant, a trace is not ``sure`` and has to be sent to eFEL.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# What is nearer than this may be decided by rounding: float32 tells apart 4e-6 mV at -60 mV.
MARGIN_MV = 1e-5

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
Index = NDArray[np.intp]
Voltage = NDArray[np.floating]


@dataclass(frozen=True, eq=False)
class Spikes:
    """The spikes of a step in many traces.

    Attributes
    ----------
    voltage_mv
        ``[trace, time]``.
    start, stop
        The step, in samples.
    trace, peak
        ``[spike]``: its trace and its peak's sample, in order.
    count
        ``[trace]``.
    cut
        ``[trace]``: where the trace ends for eFEL: with the step, or with a spike in flight at its end.
    tied
        ``[trace]``: some peak has several samples.
    sure
        ``[trace]``: count and peaks are eFEL's.
    """

    voltage_mv: Voltage
    dt_ms: float
    start: int
    stop: int
    trace: Index
    peak: Index
    count: Index
    cut: Index
    tied: Flags
    sure: Flags

    @property
    def firing(self) -> Index:
        """The traces with spikes."""
        return np.flatnonzero(self.count)

    @property
    def first(self) -> Index:
        """``[firing trace]``: its first spike."""
        count = self.count[self.firing]
        return np.cumsum(count) - count


def find_spikes(
    voltage_mv: Voltage, dt_ms: float, start: int, stop: int, threshold_mv: float, axis_from: int
) -> Spikes:
    """The spikes between two samples of ``[trace, time]``; eFEL's time axis begins at sample ``axis_from``."""
    n, n_samples = voltage_mv.shape
    above = voltage_mv[:, start:] > threshold_mv - MARGIN_MV
    trace, before = np.divmod(np.flatnonzero(above[:, 1:] != above[:, :-1]), above.shape[1] - 1)
    at, rises = start + 1 + before, ~above[trace, before]
    sure, tied = np.ones(n, dtype=bool), np.zeros(n, dtype=bool)

    # above the threshold as the step begins: no spike of eFEL's where it never was below
    falls_first = trace[~rises & (np.diff(trace, prepend=-1) != 0)]
    ever_below = (voltage_mv[falls_first, axis_from : start + 1] <= threshold_mv + MARGIN_MV).any(axis=1)
    sure[falls_first[ever_below]] = False
    # above it as the step ends: a spike of the step if it is past its peak by then, and comes down at all
    past_peak = voltage_mv[:, stop] < voltage_mv[:, stop - 1] if stop < n_samples else np.zeros(n, dtype=bool)
    rise = np.flatnonzero(rises & (np.diff(trace, append=n) == 0))
    trace, up, down = trace[rise], at[rise], at[rise + 1]
    kept = (down < stop) | ((up < stop) & past_peak[trace])
    trace, up, down = trace[kept], up[kept], down[kept]
    in_flight = down >= stop
    cut = np.full(n, stop)
    cut[trace[in_flight]] = down[in_flight] + 2
    # of a trace's last samples eFEL may lose one
    sure[trace[np.where(in_flight, down >= n_samples - 2, down >= stop - 2)]] = False

    peak = up
    if len(up):
        length = down - up
        begins = np.cumsum(length) - length
        sample = np.repeat(up - begins, length) + np.arange(length.sum())
        value = voltage_mv.reshape(-1)[np.repeat(trace * n_samples, length) + sample]
        sure[trace[np.minimum.reduceat(value, begins) <= threshold_mv + MARGIN_MV]] = False
        top = np.maximum.reduceat(value, begins)
        highest = np.flatnonzero(value >= np.repeat(top - MARGIN_MV, length))
        owner = np.searchsorted(begins, highest, side="right") - 1
        if len(highest) > len(up):
            tied[trace[owner[1:][np.diff(owner) == 0]]] = True
            seen = _as_efel_sees(voltage_mv, trace[owner], sample[highest], dt_ms, axis_from)
            best = seen == np.maximum.reduceat(seen, np.searchsorted(owner, np.arange(len(up))))[owner]
            highest, owner = highest[best], owner[best]
        peak = sample[highest[np.searchsorted(owner, np.arange(len(up)))]]
    sure[trace[peak <= start + 1]] = False
    inside = peak < stop
    trace, peak = trace[inside], peak[inside]
    return Spikes(voltage_mv, dt_ms, start, stop, trace, peak, np.bincount(trace, minlength=n), cut, tied, sure)


def timing_of(spikes: Spikes) -> dict[str, Array]:
    """``{feature: [trace]}``: the catalogue's features that need no shape; NaN where undefined."""
    firing, count, first = spikes.firing, spikes.count[spikes.firing], spikes.first
    result = {
        name: np.full(len(spikes.count), np.nan) for name in ("latency", "first_isi", "last_isi", "isi_cv", "trough")
    }
    time = spikes.peak * spikes.dt_ms
    result["latency"][firing] = time[first] - spikes.start * spikes.dt_ms
    two, three, four = count >= 2, count >= 3, count >= 4
    result["first_isi"][firing[two]] = time[first[two] + 1] - time[first[two]]
    last = first + count - 1
    result["last_isi"][firing[three]] = time[last[three]] - time[last[three] - 1]
    if not two.any():
        return result
    pair = np.flatnonzero(np.diff(spikes.trace) == 0)
    owner, isi = spikes.trace[pair], time[pair + 1] - time[pair]
    n = len(spikes.count)
    intervals = np.maximum(spikes.count - 1, 1)
    mean = np.bincount(owner, isi, n) / intervals
    spread = np.sqrt(np.bincount(owner, (isi - mean[owner]) ** 2, n) / intervals)
    result["isi_cv"][firing[four]] = (spread / np.where(mean > 0, mean, 1.0))[firing[four]]
    flat_peak = spikes.trace * spikes.voltage_mv.shape[1] + spikes.peak
    # from a trace's last spike to the next one's first there is a value too, which nobody asks for
    lowest = np.minimum.reduceat(spikes.voltage_mv.reshape(-1), flat_peak)[pair].astype(np.float64)
    result["trough"][firing[two]] = _medians(lowest, owner)
    return result


def _as_efel_sees(voltage_mv: Voltage, trace: Index, sample: Index, dt_ms: float, axis_from: int) -> Array:
    """The voltage after eFEL has interpolated it, which it does twice before it looks for peaks, to the last bit."""
    given = np.arange(voltage_mv.shape[1]) * dt_ms
    axis = given.copy()
    axis[axis_from:] = np.cumsum(np.append(given[axis_from], np.full(len(given) - axis_from - 1, dt_ms)))
    below = np.clip(np.searchsorted(given, axis) - 1, 0, len(given) - 2)

    def once(sample: Index) -> Array:
        low = below[sample]
        y, x = voltage_mv[trace, low].astype(np.float64), given[low]
        return np.asarray(y + (voltage_mv[trace, low + 1] - y) / (given[low + 1] - x) * (axis[sample] - x))

    before, here = once(sample - 1), once(sample)
    step = axis[sample] - axis[sample - 1]
    return before + (here - before) / step * step


def _medians(values: Array, owner: Index) -> Array:
    """The median of each owner's values, in the owners' order; ``owner`` is sorted."""
    ordered = values[np.lexsort((values, owner))]
    count = np.bincount(owner)
    count = count[count > 0]
    begins = np.cumsum(count) - count
    return (ordered[begins + (count - 1) // 2] + ordered[begins + count // 2]) / 2
