"""eFEL's definitions of spikes and their shapes in NumPy, for all spikes of many traces at once.

eFEL measures one trace at a time and costs more than simulating it. What is here follows eFEL 5.7's C++ source, with
its default settings and those of :mod:`neurofit.features.spikes`:

- *Peak* (``peak_indices``): the first highest sample from an upward to the next downward crossing of the threshold.
- *Trough* (``min_between_peaks_values``): the lowest voltage from one peak to the next.
- *Begin* (``AP_begin_indices``): going back from the peak, the first stretch of three samples that rise at 10 mV/ms or
  more with one before it that does not. It lies after the voltage has turned (``min_AHP_indices``: the first sample
  that neither of the next two is below) since the spike before.
- *End* (``AP_end_indices``): where, after the steepest fall before the next peak, it falls by 12 mV/ms or less.
- *Half-width*: from the sample nearest to half of the height between begin and peak, to the one between peak and end.
- *Upstroke* from begin to peak, *downstroke* from the peak to where the voltage turns.

Slopes are central differences. eFEL interpolates onto a time axis of its own, which rounding moves by less than
1e-9 ms: where that could decide which sample is meant, and where eFEL itself goes off these definitions (a spike
without a begin shifts those of the others), a trace is not ``sure`` and has to be sent to eFEL.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BEGIN_MV_PER_MS, END_MV_PER_MS = 10.0, -12.0
BEGIN_SAMPLES = 3
# So far before its peak a spike's begin is looked for, first near by.
BEGIN_WITHIN_MS = (2.0, 20.0)
# What is nearer than this may be decided by rounding: float32 tells apart 4e-6 mV at -60 mV.
MARGIN_MV = 1e-5

_OF_THE_FIRST = ("half_width", "upstroke", "downstroke")

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
    sure = np.ones(n, dtype=bool)

    # above the threshold as the step begins: no spike of eFEL's where it never was below
    falls_first = trace[~rises & (np.diff(trace, prepend=-1) != 0)]
    ever_below = (voltage_mv[falls_first, axis_from : start + 1] <= threshold_mv + MARGIN_MV).any(axis=1)
    sure[falls_first[ever_below]] = False
    # above it as the step ends: a spike of the step if it is past its peak by then and comes down at all
    falling = voltage_mv[:, stop] < voltage_mv[:, stop - 1] if stop < n_samples else np.zeros(n, dtype=bool)
    comes_down = rises & (np.diff(trace, append=n) == 0)
    rise = np.flatnonzero(comes_down)
    trace, up, down = trace[rise], at[rise], at[rise + 1]
    sure[trace[((down >= stop - 2) & (down < stop)) | (down >= n_samples - 2)]] = False
    kept = (down < stop) | ((up < stop) & falling[trace])
    trace, up, down = trace[kept], up[kept], down[kept]
    cut = np.full(n, stop)
    cut[trace[down >= stop]] = np.minimum(down[down >= stop] + 2, n_samples)

    tied = np.zeros(n, dtype=bool)
    peak = up
    if len(up):
        begins = np.cumsum(down - up) - (down - up)
        sample = np.repeat(up - begins, down - up) + np.arange(begins[-1] + down[-1] - up[-1])
        above_mv = voltage_mv.reshape(-1)[np.repeat(trace * n_samples, down - up) + sample]
        sure[trace[np.minimum.reduceat(above_mv, begins) <= threshold_mv + MARGIN_MV]] = False
        top = np.maximum.reduceat(above_mv, begins)
        highest = np.flatnonzero(above_mv >= np.repeat(top - MARGIN_MV, down - up))
        owner = np.searchsorted(begins, highest, side="right") - 1
        if len(highest) > len(up):
            tied[trace[owner[1:][np.diff(owner) == 0]]] = True
            seen = _as_efel_sees(voltage_mv, trace[owner], sample[highest], dt_ms, axis_from)
            best = np.maximum.reduceat(seen, np.searchsorted(owner, np.arange(len(up))))
            first = seen == best[owner]
            highest, owner = highest[first], owner[first]
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


def shapes_of(spikes: Spikes) -> tuple[dict[str, Array], Flags]:
    """The catalogue's features of the spikes' shape, ``{feature: [trace]}``, and ``[trace]`` whether they are sure."""
    n = len(spikes.count)
    result = {name: np.full(n, np.nan) for name in ("threshold", "spike_height", "height_decline", *_OF_THE_FIRST)}
    sure = spikes.sure & ~spikes.tied
    firing, first = spikes.firing, spikes.first
    if not len(firing):
        return result, sure
    begin, begins, certain = _begins(spikes)
    # a spike without a begin leaves all heights undefined, and shifts the begins of those after it
    shifts = ~begins & np.append(begins[1:] & (np.diff(spikes.trace) == 0), False)
    shifts[first] |= ~begins[first]
    sure[spikes.trace[~certain | shifts]] = False
    onset = spikes.voltage_mv[spikes.trace, begin].astype(np.float64)
    height = np.where(begins, spikes.voltage_mv[spikes.trace, spikes.peak] - onset, np.nan)
    total, several = np.add.reduceat(height, first), spikes.count[firing] >= 2
    rest = (total - height[first])[several] / (spikes.count[firing[several]] - 1)
    result["threshold"][firing] = onset[first]
    result["spike_height"][firing] = np.where(np.isfinite(total), height[first], np.nan)
    result["height_decline"][firing[several]] = height[first[several]] - rest
    # what follows: the next spike; or the end of the trace, of whose last samples eFEL is of two minds
    following = np.append(spikes.peak, 0)[first + 1]
    end = np.where(several, following, spikes.cut[firing] - 1)
    last_end = np.where(several, following, end - 3)
    last_turn = np.where(several, following, spikes.stop) - 3
    for i, *where in zip(firing, begin[first], spikes.peak[first], end, last_end, last_turn, strict=True):
        if sure[i]:
            shape = _shape(spikes.voltage_mv[i], spikes.dt_ms, *map(int, where))
            sure[i] = shape is not None
            for name, value in zip(_OF_THE_FIRST, shape or (), strict=False):
                result[name][i] = value
    return result, sure


def _begins(spikes: Spikes) -> tuple[Index, Flags, Flags]:
    """``[spike]``: where each begins, whether it does, and whether that is certain."""
    follows = np.diff(spikes.trace, prepend=-1) == 0
    # the first spike of a step may begin anywhere in it
    earliest = np.where(follows, np.roll(spikes.peak, 1), spikes.start)
    begin, begins, certain = spikes.peak.copy(), np.zeros(len(follows), dtype=bool), np.zeros(len(follows), dtype=bool)
    margin = MARGIN_MV / spikes.dt_ms
    for within_ms in BEGIN_WITHIN_MS:
        todo = np.flatnonzero(~certain)
        reach = round(within_ms / spikes.dt_ms)
        # columns: ``reach`` + 1 samples before the peak to three after it; of the slopes, one less at either end
        column = spikes.peak[todo, None] + np.arange(-reach - 1, BEGIN_SAMPLES + 1)
        column = np.clip(column, 0, spikes.voltage_mv.shape[1] - 1)
        around = spikes.voltage_mv[spikes.trace[todo, None], column].astype(np.float64)
        slope = (around[:, 2:] - around[:, :-2]) / (2 * spikes.dt_ms)
        steep = slope >= BEGIN_MV_PER_MS - margin
        foot = slope[:, :reach] <= BEGIN_MV_PER_MS + margin
        for ahead in range(1, BEGIN_SAMPLES + 1):
            foot &= steep[:, ahead : ahead + reach]
        foot &= column[:, 1 : reach + 1] >= earliest[todo, None]
        last = reach - 1 - foot[:, ::-1].argmax(axis=1)
        row = np.arange(len(todo))
        turned = np.minimum(around[row, last + 2], around[row, last + 3]) > around[row, last + 1] + MARGIN_MV
        doubtful = np.abs(slope - BEGIN_MV_PER_MS) < margin
        doubtful &= np.arange(slope.shape[1]) >= last[:, None]
        begins[todo] = foot.any(axis=1)
        begin[todo] = spikes.peak[todo] - reach + last + 1
        here = ~doubtful.any(axis=1) & (~follows[todo] | (turned & (begin[todo] + 1 < spikes.peak[todo])))
        nowhere = earliest[todo] > spikes.peak[todo] - reach
        certain[todo] = np.where(begins[todo], here, nowhere)
    return begin, begins, certain


def _shape(
    voltage_mv: Voltage, dt_ms: float, begin: int, peak: int, end: int, last_end: int, last_turn: int
) -> tuple[float, float, float] | None:
    """Half-width, upstroke and downstroke of a spike that ``end`` follows; ``None`` where rounding could decide."""
    v = voltage_mv[begin - 1 : end + 1].astype(np.float64)
    # from here on, sample 0 is the spike's begin
    slope, v, top = (v[2:] - v[:-2]) / (2 * dt_ms), v[1:], peak - begin
    fall = slope[top + 1 :]
    steepest = np.flatnonzero(fall <= fall.min() + MARGIN_MV / dt_ms)
    slow = fall[steepest[0] :] >= END_MV_PER_MS - MARGIN_MV / dt_ms
    over = int(slow.argmax()) + int(steepest[0]) + top + 1
    rises = np.minimum(v[top + 1 : -1], v[top + 2 :]) - v[top:-2]
    turn = int((rises >= -MARGIN_MV).argmax()) + top
    away = np.abs(v - (v[0] + v[top]) / 2)
    up, down = away[:top], away[top:over]
    sure = (
        slow.any()
        and top + 1 + steepest[-1] <= over <= last_end - begin
        and abs(slope[over] - END_MV_PER_MS) >= MARGIN_MV / dt_ms
        and top < turn < last_turn - begin
        and rises[turn - top] > MARGIN_MV
        and np.count_nonzero(up <= up.min() + MARGIN_MV) == 1
        and np.count_nonzero(down <= down.min() + MARGIN_MV) == 1
    )
    if not sure:
        return None
    half_width = (top + down.argmin() - up.argmin()) * dt_ms
    return half_width, slope[:top].max(), -slope[top:turn].min()


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
