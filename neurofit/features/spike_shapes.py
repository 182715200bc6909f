"""The shape of spikes in many traces at once, by eFEL's definitions, as in :mod:`neurofit.features.spike_times`.

- *Begin* (``AP_begin_indices``): going back from the peak, the first stretch of three samples that rise at 10 mV/ms or
  more with one before it that does not. It lies after the voltage has turned (``min_AHP_indices``: the first sample
  that neither of the next two is below) since the spike before.
- *End* (``AP_end_indices``): where, after the steepest fall before the next peak, it falls by 12 mV/ms or less.
- *Half-width*: from the sample nearest to half of the height between begin and peak, to the one between peak and end.
- *Upstroke* from begin to peak, *downstroke* from the peak to where the voltage turns.

Slopes are central differences. A trace is not ``sure`` where rounding could decide a sample, or where eFEL goes off
these definitions: a spike without a begin shifts those of the spikes after it.
"""

from __future__ import annotations

import numpy as np

from neurofit.features.spike_times import MARGIN_MV, Array, Flags, Index, Spikes, Voltage

BEGIN_MV_PER_MS, END_MV_PER_MS = 10.0, -12.0
BEGIN_SAMPLES = 3
# So far before its peak a spike's begin is looked for, first near by.
BEGIN_WITHIN_MS = (2.0, 20.0)
_OF_THE_FIRST = ("half_width", "upstroke", "downstroke")


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
        since = column[:, 1 : reach + 1] >= earliest[todo, None]
        foot &= since
        last = reach - 1 - foot[:, ::-1].argmax(axis=1)
        turns = np.minimum(around[:, 2 : reach + 2], around[:, 3 : reach + 3]) > around[:, 1 : reach + 1] + MARGIN_MV
        turned = (turns & since & (np.arange(reach) <= last[:, None])).any(axis=1)
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
