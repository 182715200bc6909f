"""Spikes and their shapes, as eFEL measures them. The only module that imports it.

:mod:`neurofit.features.spike_times` and :mod:`neurofit.features.spike_shapes` work eFEL's definitions out for all
traces at once; the few traces that they are not sure of are sent to eFEL itself. Recorded and simulated voltage go the
same way.

eFEL's settings are process-wide and it accepts any name for one in silence, so they are all set here, in one place,
and put back afterwards.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import efel
import numpy as np
from numpy.typing import NDArray

from neurofit.features.spike_shapes import shapes_of
from neurofit.features.spike_times import find_spikes, timing_of

# A spike is an upward crossing of this, as recorded.
SPIKE_THRESHOLD_MV = -20.0
# eFEL is given the step and this much before it.
BEFORE_MS = 10.0

# What still means something where a model's spikes are drawn.
_TIMING = ("spike_count_stimint", "time_to_first_spike", "peak_time", "min_between_peaks_values")
_SHAPE = ("AP_begin_voltage", "AP_amplitude", "AP_duration_half_width", "AP_peak_upstroke", "AP_peak_downstroke")
# Features of the first spike, and eFEL's names for them.
_FIRST = {
    "threshold": "AP_begin_voltage",
    "spike_height": "AP_amplitude",
    "half_width": "AP_duration_half_width",
    "upstroke": "AP_peak_upstroke",
    "downstroke": "AP_peak_downstroke",
}
_UNDEFINED_WITHOUT_SPIKES = ("latency", "first_isi", "last_isi", "isi_cv", "trough", *_FIRST, "height_decline")

Found = dict[str, NDArray[np.float64] | None]


def efel_settings(dt_ms: float) -> dict[str, Any]:
    """The settings every call uses; ``interp_step`` is the trace's own sampling, so nothing is interpolated."""
    return {
        "Threshold": SPIKE_THRESHOLD_MV,
        "strict_stiminterval": True,  # spikes outside the step are not the step's
        "interp_step": dt_ms,
    }


@contextmanager
def _settings(dt_ms: float) -> Iterator[None]:
    """eFEL's own defaults and :func:`efel_settings`, whatever else the process has set; afterwards as before."""
    settings = vars(efel.get_settings())
    before = settings.copy()
    try:
        for name, value in {**vars(efel.Settings()), **efel_settings(dt_ms)}.items():
            efel.set_setting(name, value)
        yield
    finally:
        settings.clear()
        settings.update(before)


def spike_features(
    voltage_mv: NDArray[np.floating],
    dt_ms: float,
    start_ms: float,
    stop_ms: float,
    *,
    shapes: bool = True,
) -> dict[str, NDArray[np.float64]]:
    """Spike count, timing and shape during the step.

    Parameters
    ----------
    voltage_mv
        ``[trace, time]``, finite.
    start_ms, stop_ms
        The step.
    shapes
        ``False`` for models whose spikes are drawn: their shape means nothing and stays undefined.

    Returns
    -------
    dict
        ``{feature: [trace]}``, NaN where undefined; the names are those of the catalogue.
    """
    voltage_mv = np.ascontiguousarray(voltage_mv)
    start, stop = round(start_ms / dt_ms), round(stop_ms / dt_ms)
    first = max(0, start - round(BEFORE_MS / dt_ms))
    spikes = find_spikes(voltage_mv, dt_ms, start, stop, SPIKE_THRESHOLD_MV, first)
    result = {"spike_count": spikes.count.astype(np.float64), **timing_of(spikes)}
    sure = spikes.sure
    if shapes:
        of_shape, sure_shape = shapes_of(spikes)
        result |= of_shape
        sure = sure & sure_shape
    result |= {name: np.full(len(voltage_mv), np.nan) for name in _UNDEFINED_WITHOUT_SPIKES if name not in result}
    time = np.arange(voltage_mv.shape[1]) * dt_ms
    names = [*_TIMING, *_SHAPE] if shapes else [*_TIMING]
    with _settings(dt_ms):
        for i in np.flatnonzero(~sure).tolist():
            last = _end_of_step(voltage_mv[i], stop)
            trace = {
                "T": time[first:last].tolist(),
                "V": voltage_mv[i, first:last].tolist(),
                "stim_start": [start_ms],
                "stim_end": [stop_ms],
            }
            found = dict(_named(efel.get_feature_values([trace], names, raise_warnings=False)[0]))
            for name, column in result.items():
                column[i] = found.get(name, 0.0 if name == "spike_count" else np.nan)
    return result


def _end_of_step(voltage_mv: NDArray[np.floating], stop: int) -> int:
    """Where the trace is cut: at the step's end, or where a spike that has peaked by then is over.

    eFEL pairs the rise of the last spike inside the step with the fall of the last spike of all, so that a spike after
    the step would make a half-width of hundreds of milliseconds.
    """
    if stop >= len(voltage_mv) or not max(SPIKE_THRESHOLD_MV, voltage_mv[stop]) < voltage_mv[stop - 1]:
        return stop
    below = voltage_mv[stop:] <= SPIKE_THRESHOLD_MV
    # one sample more than the first below, since interpolation loses the last
    return stop + 2 + int(below.argmax()) if below.any() else stop


def _named(found: Found) -> Iterator[tuple[str, float]]:
    """``(feature, value)`` of what is defined in one trace."""

    def values(name: str) -> NDArray[np.float64]:
        array = found.get(name)
        return np.zeros(0) if array is None else np.asarray(array, dtype=np.float64)

    count = int(values("spike_count_stimint").sum())
    if count == 0:
        return
    yield "spike_count", count
    yield from (("latency", value) for value in values("time_to_first_spike")[:1])
    isi = np.diff(values("peak_time"))
    if len(isi) >= 1:
        yield "first_isi", isi[0]
    if len(isi) >= 2:
        yield "last_isi", isi[-1]
    if len(isi) >= 3:
        yield "isi_cv", isi.std() / isi.mean()
    # the last of these reaches to the end of the step, not to a spike
    troughs = values("min_between_peaks_values")[: count - 1]
    if len(troughs):
        yield "trough", float(np.median(troughs))
    for name, efel_name in _FIRST.items():
        yield from ((name, -value if name == "downstroke" else value) for value in values(efel_name)[:1])
    heights = values("AP_amplitude")
    if len(heights) >= 2:
        yield "height_decline", heights[0] - heights[1:].mean()
