"""What a voltage tells under a current that moves: ramps, frozen noise, any waveform; for many traces at once.

Spikes are upward crossings of the spike threshold. Between them the voltage is what the membrane makes of the current:
its spread, its own correlation and its correlation with the current at a few lags say how much and how fast.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d

from neurofit.features.catalogue import AUTOCORRELATION_MS, TRANSFER_MS
from neurofit.features.passive import SMALLEST_STEP_PA
from neurofit.features.spikes import SPIKE_THRESHOLD_MV
from neurofit.features.windows import Windows
from neurofit.recording import Stimulus
from neurofit.recording.moving import block_means

QUARTERS = 4
AROUND_SPIKE_MS = (3.0, 15.0)  # what a spike takes before and after the time above its threshold
BEFORE_SPIKE_MS = 5.0  # a ramp's voltage leaves its line so long before the first spike
EVERY_MS = 0.5  # the voltage between spikes is slow
FEWEST = 100  # samples between spikes that a statistic is made of
LEAST_SD_MV = 1e-3

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
Voltage = NDArray[np.floating]


def sweep_features(voltage_mv: Voltage, windows: Windows, current_pa: Array) -> dict[str, Array]:
    """Spikes along the stretch, and the current at the first and the last, ``{feature: [row, sweep]}``."""
    rises, first, last, n = _spikes(voltage_mv[..., windows.step])
    edges = np.linspace(0, rises.shape[-1], QUARTERS + 1).round().astype(int)
    current = current_pa[:, windows.step]
    return {
        **{f"spikes_in_quarter_{q + 1}": rises[..., edges[q] : edges[q + 1]].sum(axis=-1) for q in range(QUARTERS)},
        "threshold_current": np.where(n > 0, current[np.arange(len(current)), first], np.nan),
        "last_spike_current": np.where(n > 1, current[np.arange(len(current)), last], np.nan),
    }


def cell_features(
    voltage_mv: Voltage, sweeps: dict[str, Array], windows: Windows, stimulus: Stimulus
) -> dict[str, Array]:
    """What is averaged over the sweeps, ``{feature: [row]}``."""
    stretch, current = voltage_mv[..., windows.step], stimulus.current_pa[:, windows.step]
    _, first, last, n = _spikes(stretch)
    several = np.where(n > 1, (last - first) * stimulus.dt_ms / np.maximum(n - 1, 1), np.nan)
    found = {"mean_isi": several, "mean_isi_cv": sweeps["isi_cv"]}
    if stimulus.kind == "ramps":
        found["ramp_resistance"] = _slope(stretch, current, np.where(n > 0, first, stretch.shape[-1]), stimulus.dt_ms)
    else:
        found |= _between_spikes(stretch, current, stimulus.dt_ms)
    return {name: mean_of_sweeps(values) for name, values in found.items()}


def mean_of_sweeps(values: Array) -> Array:
    """``[row]``: mean over the sweeps in which it is defined; NaN where it is in none."""
    defined = np.isfinite(values)
    total = np.where(defined, values, 0.0).sum(axis=1)
    return np.where(defined.any(axis=1), total / np.maximum(defined.sum(axis=1), 1), np.nan)


def _spikes(stretch_mv: Voltage) -> tuple[Flags, NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """``[row, sweep, time]``: a rise through the threshold; ``[row, sweep]``: the first, the last, how many."""
    above = stretch_mv > SPIKE_THRESHOLD_MV
    rises = np.zeros(above.shape, dtype=bool)
    rises[..., 1:] = above[..., 1:] & ~above[..., :-1]
    last = above.shape[-1] - 1 - np.flip(rises, axis=-1).argmax(axis=-1)
    return rises, rises.argmax(axis=-1), last, rises.sum(axis=-1)


def _slope(stretch_mv: Voltage, current_pa: Array, first: NDArray[np.intp], dt_ms: float) -> Array:
    """``[row, sweep]`` in MOhm: slope of voltage over current before the first spike and before the current turns."""
    turn = np.abs(current_pa - current_pa[:, :1]).argmax(axis=1)
    until = np.minimum(first - round(BEFORE_SPIKE_MS / dt_ms), turn + 1)
    used = np.arange(stretch_mv.shape[-1]) < until[..., None]
    dv, di = _deviations(stretch_mv, used), _deviations(current_pa, used)
    power = (di**2).sum(axis=-1)
    enough = (used.sum(axis=-1) >= FEWEST) & (np.ptp(di, axis=-1) >= SMALLEST_STEP_PA)
    return np.where(enough, 1e3 * (dv * di).sum(axis=-1) / np.where(enough, power, 1.0), np.nan)


def _between_spikes(stretch_mv: Voltage, current_pa: Array, dt_ms: float) -> dict[str, Array]:
    """Statistics of the voltage away from spikes, ``{feature: [row, sweep]}``."""
    every = max(1, round(EVERY_MS / dt_ms))
    away = ~_near_spikes(stretch_mv, dt_ms)[..., ::every]
    voltage = stretch_mv[..., ::every].astype(np.float64)
    current, step_ms = block_means(current_pa, every), every * dt_ms
    n = away.sum(axis=-1)
    enough = n >= FEWEST
    count = np.maximum(n, 1)
    dv = _deviations(voltage, away)
    sd = np.maximum(np.sqrt((dv**2).sum(axis=-1) / count), LEAST_SD_MV)
    ordered = np.sort(np.where(away, voltage, np.inf), axis=-1)
    quantiles = {
        f"subthreshold_q{q:02d}": np.take_along_axis(ordered, (q * (count - 1) // 100)[..., None], axis=-1)[..., 0]
        for q in (10, 50, 90)
    }
    found = {
        "subthreshold_mean": np.where(away, voltage, 0.0).sum(axis=-1) / count,
        "subthreshold_sd": sd,
        "subthreshold_skewness": (dv**3).sum(axis=-1) / count / sd**3,
        **quantiles,
        **{
            f"autocorrelation_{ms}ms": _correlation(dv, away, dv, away, round(ms / step_ms))
            for ms in AUTOCORRELATION_MS
        },
        **{
            f"transfer_{ms}ms": _correlation(current, np.ones(current.shape, dtype=bool), dv, away, round(ms / step_ms))
            for ms in TRANSFER_MS
        },
    }
    return {name: np.where(enough, values, np.nan) for name, values in found.items()}


def _near_spikes(stretch_mv: Voltage, dt_ms: float) -> Flags:
    """``[row, sweep, time]``: so near to a time above the threshold that the spike itself is seen."""
    before, after = (round(ms / dt_ms) for ms in AROUND_SPIKE_MS)
    above = (stretch_mv > SPIKE_THRESHOLD_MV).astype(np.uint8)
    # the window of sample i reaches from i - after to i + before
    size = before + after + 1
    return np.asarray(maximum_filter1d(above, size, axis=-1, mode="constant", origin=(after - before) // 2) > 0)


def _correlation(x: Array, x_used: Flags, y: Array, y_used: Flags, lag: int) -> Array:
    """``[row, sweep]``: of ``x`` with ``y`` so many samples later, where both are used; 0 where one does not move."""
    n = x.shape[-1]
    x, x_used, y, y_used = x[..., : n - lag], x_used[..., : n - lag], y[..., lag:], y_used[..., lag:]
    used = x_used & y_used
    dx, dy = _deviations(x, used), _deviations(y, used)
    power = (dx**2).sum(axis=-1) * (dy**2).sum(axis=-1)
    return np.where(power > 0, (dx * dy).sum(axis=-1) / np.sqrt(np.where(power > 0, power, 1.0)), 0.0)


def _deviations(values: Voltage, used: Flags) -> Array:
    """``values`` less the mean over time of those that are used; 0 where they are not."""
    count = np.maximum(used.sum(axis=-1, keepdims=True), 1)
    mean = np.where(used, values, 0.0).sum(axis=-1, keepdims=True) / count
    return np.where(used, values - mean, 0.0)
