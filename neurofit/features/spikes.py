"""Spikes and their shapes, measured by eFEL. The only module that imports it.

eFEL's settings are process-wide and it accepts any name for one in silence, so they are all set here, in one place,
and put back afterwards. They are the same for recorded and simulated voltage.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import efel
import numpy as np
from numpy.typing import NDArray

# A spike is an upward crossing of this, as recorded.
SPIKE_THRESHOLD_MV = -20.0

_NAMES = [
    "Spikecount_stimint",
    "time_to_first_spike",
    "peak_time",
    "AP_begin_voltage",
    "AP_amplitude",
    "AP_duration_half_width",
    "min_between_peaks_values",
    "AP_peak_upstroke",
    "AP_peak_downstroke",
]
# What still means something where a model's spikes are drawn.
_TIMING = [*_NAMES[:3], "min_between_peaks_values"]


def efel_settings(dt_ms: float) -> dict[str, Any]:
    """The settings every call uses; ``interp_step`` is the trace's own sampling, so nothing is interpolated."""
    return {
        "Threshold": SPIKE_THRESHOLD_MV,
        "strict_stiminterval": True,  # spikes outside the step are not the step's
        "interp_step": dt_ms,
    }


@contextmanager
def _settings(dt_ms: float) -> Iterator[None]:
    before = vars(efel.get_settings()).copy()
    try:
        for name, value in efel_settings(dt_ms).items():
            efel.set_setting(name, value)
        yield
    finally:
        for name, value in before.items():
            efel.set_setting(name, value)


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
        ``[trace, time]``.
    start_ms, stop_ms
        The step.
    shapes
        ``False`` for models whose spikes are drawn: their shape means nothing and stays undefined.

    Returns
    -------
    dict
        ``{feature: [trace]}``, NaN where undefined; the names are those of the catalogue.
    """
    n = len(voltage_mv)
    result = {
        name: np.full(n, np.nan)
        for name in (
            "latency", "first_isi", "last_isi", "isi_cv", "threshold", "spike_height", "half_width",
            "upstroke", "downstroke", "trough", "height_decline",
        )
    }  # fmt: skip
    result["spike_count"] = np.zeros(n)
    # a trace that never crosses the threshold has no spikes, and need not be sent to eFEL to hear so
    spiking = np.flatnonzero((voltage_mv.max(axis=1) > SPIKE_THRESHOLD_MV) & np.isfinite(voltage_mv).all(axis=1))
    if not len(spiking):
        return result
    time = (np.arange(voltage_mv.shape[1]) * dt_ms).tolist()
    traces = (
        {"T": time, "V": voltage_mv[i].tolist(), "stim_start": [start_ms], "stim_end": [stop_ms]} for i in spiking
    )
    with _settings(dt_ms):
        for i, trace in zip(spiking, traces, strict=True):
            values = efel.get_feature_values([trace], _NAMES if shapes else _TIMING, raise_warnings=False)[0]
            _fill(result, int(i), values)
    return result


def _fill(result: dict[str, NDArray[np.float64]], i: int, values: dict[str, NDArray[np.float64] | None]) -> None:
    count = values["Spikecount_stimint"]
    result["spike_count"][i] = 0 if count is None else count[0]
    if count is None or count[0] == 0:
        return
    if (latency := values["time_to_first_spike"]) is not None and len(latency):
        result["latency"][i] = latency[0]
    if (peaks := values["peak_time"]) is not None and len(peaks) >= 2:
        isi = np.diff(peaks)
        result["first_isi"][i] = isi[0]
        if len(isi) >= 2:
            result["last_isi"][i] = isi[-1]
        if len(isi) >= 3:
            result["isi_cv"][i] = isi.std() / isi.mean()
    first = {
        "threshold": "AP_begin_voltage",
        "spike_height": "AP_amplitude",
        "half_width": "AP_duration_half_width",
        "upstroke": "AP_peak_upstroke",
        "downstroke": "AP_peak_downstroke",
    }
    for name, efel_name in first.items():
        if (found := values.get(efel_name)) is not None and len(found):
            result[name][i] = abs(found[0]) if name == "downstroke" else found[0]
    if (heights := values.get("AP_amplitude")) is not None and len(heights) >= 2:
        result["height_decline"][i] = heights[0] - heights[1:].mean()
    if (troughs := values.get("min_between_peaks_values")) is not None and len(troughs) and count[0] >= 2:
        # the last one reaches to the end of the step, not to a spike
        result["trough"][i] = np.median(troughs[: int(count[0]) - 1])
