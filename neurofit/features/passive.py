"""Voltage statistics around a current step, in NumPy, for many traces at once.

Medians rather than means, since real cells have synaptic potentials, and the same for simulated ones.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d

from neurofit.features.spikes import SPIKE_THRESHOLD_MV
from neurofit.features.windows import Windows
from neurofit.recording.electrode import COARSEST_DT_MS

PEAK_SMOOTH_MS = 5.0  # for the peak of a deflection
CHARGE_SMOOTH_MS = 1.0  # for the way there
BEFORE_EDGE_MS = 2.0
SOON = 5  # the part of the step, one in so many, by which most membranes are charged
# After an edge: past the filter's rise, before the membrane has moved much; a little later, to tell how fast it moves.
JUMP_MS, CREEP_MS = (0.1, 0.3), (0.5, 1.5)
OUTLYING = 5 * 1.4826  # a jump so many median deviations (5 standard deviations) from the line stands apart
SMALLEST_STEP_PA = 5.0
LEAST_NOISE_MV = 1e-3

Array = NDArray[np.float64]
Voltage = NDArray[np.floating]


def sweep_features(voltage_mv: Voltage, windows: Windows, dt_ms: float) -> dict[str, Array]:
    """The catalogue's passive features of each sweep.

    Parameters
    ----------
    voltage_mv
        ``[row, sweep, time]``, finite.

    Returns
    -------
    dict
        ``{feature: [row, sweep]}``, NaN where undefined.
    """
    resting = at_rest(voltage_mv, windows)
    rest = resting["rest"]
    steady = _median(voltage_mv[..., windows.steady])
    after = voltage_mv[..., windows.after]
    down = hyperpolarising(windows)
    peak = np.full(rest.shape, np.nan)
    if down.any():
        smooth = _smoothed(voltage_mv[:, down, windows.step], dt_ms, PEAK_SMOOTH_MS)
        peak[:, down] = smooth.min(axis=-1) - rest[:, down]
    return {
        **resting,
        "steady_state_voltage": steady,
        "peak_deflection": peak,
        "sag": steady - rest - peak,
        "after_step": after.mean(axis=-1, dtype=np.float64) - rest if after.shape[-1] else np.full(rest.shape, np.nan),
    }


def at_rest(voltage_mv: Voltage, windows: Windows) -> dict[str, Array]:
    """``rest`` and ``rest_sd`` of each sweep, ``[row, sweep]``; NaN where the current moves from the start."""
    resting = voltage_mv[..., windows.rest]
    rest = _median(resting)
    spread = 1.4826 * _median(np.abs(resting - rest[..., None].astype(resting.dtype)))
    return {"rest": rest, "rest_sd": np.maximum(spread, LEAST_NOISE_MV)}


def hyperpolarising(windows: Windows) -> NDArray[np.bool_]:
    """``[sweep]``: does the step go below the holding current?"""
    return np.asarray(windows.delta_pa < -SMALLEST_STEP_PA)


def spontaneous_spikes(voltage_mv: Voltage, windows: Windows) -> Array:
    """``[row, sweep]``: upward crossings of the spike threshold under the holding current, outside the step.

    NaN where the stimulus has no such stretch.
    """
    if not windows.holding:
        return np.full(voltage_mv.shape[:2], np.nan)
    total = np.zeros(voltage_mv.shape[:2])
    for stretch in windows.holding:
        above = voltage_mv[..., stretch] > SPIKE_THRESHOLD_MV
        total += (above[..., 1:] & ~above[..., :-1]).sum(axis=-1)
    return total


def electrode_resistance(voltage_mv: Voltage, windows: Windows, dt_ms: float) -> Array:
    """``[row]`` in MOhm: the voltage's jump at every change of current over that change, least squares.

    The jump is read from :data:`JUMP_MS` after the edge and carried back to it at the rate at which the voltage creeps
    on from there, or the membrane's own charging (0.2 ms over the capacitance) would count as electrode. Jumps that
    stand apart from the others, where the cell happened to fire, are left out. NaN where the sampling is too slow for
    the jump to be told from the charging, and from what the amplifier's compensation does at the edges.
    """
    change = windows.jump_pa.ravel()
    too_slow = dt_ms > COARSEST_DT_MS * (1 + 1e-9)
    if too_slow or np.abs(change).max(initial=0.0) < SMALLEST_STEP_PA:
        return np.full(len(voltage_mv), np.nan)
    jump = np.stack([_jump(voltage_mv, edge, dt_ms) for edge in windows.edges], axis=1).reshape(len(voltage_mv), -1)
    used = np.abs(change) > 0
    jump, change = jump[:, used], change[used]
    rough = _weighted_median(jump / change, np.abs(change))
    away = np.abs(jump - rough[:, None] * change)
    alike = away <= OUTLYING * np.median(away, axis=1, keepdims=True)
    power = np.where(alike, change**2, 0.0).sum(axis=1)
    return np.asarray(np.where(alike, jump * change, 0.0).sum(axis=1) / power * 1e3)


def _jump(voltage_mv: Voltage, edge: int, dt_ms: float) -> Array:
    """``[row, sweep]`` in mV: the voltage that comes at once when the current changes at sample ``edge``."""

    def mean(from_ms: float, to_ms: float) -> tuple[Array, float]:
        """Mean voltage between these times after the edge, and the mean time of its samples, in samples."""
        first, last = (max(1, round(t / dt_ms)) for t in (from_ms, to_ms))
        return voltage_mv[..., edge + first : edge + last + 1].mean(axis=-1, dtype=np.float64), (first + last) / 2

    before = voltage_mv[..., edge - max(1, round(BEFORE_EDGE_MS / dt_ms)) : edge].mean(axis=-1, dtype=np.float64)
    (early, when), (late, later) = mean(*JUMP_MS), mean(*CREEP_MS)
    return early - (late - early) * when / max(later - when, 1.0) - before


def peak_resistance(peak_mv: Array, used: NDArray[np.bool_], delta_pa: Array) -> Array:
    """``[row]`` in MOhm, with the electrode's: peak deflection over current, least squares through the origin.

    Parameters
    ----------
    peak_mv, used
        ``[row, sweep]``: the sweeps that hyperpolarise and do not fire.
    delta_pa
        ``[sweep]``.
    """
    power = np.where(used, delta_pa**2, 0.0).sum(axis=1)
    product = np.where(used, peak_mv * delta_pa, 0.0).sum(axis=1)
    return np.where(power > 0, product / np.where(power > 0, power, 1.0), np.nan) * 1e3


def membrane_time_constant(
    voltage_mv: Voltage,
    rest: Array,
    peak_mohm: Array,
    electrode_mohm: Array,
    used: NDArray[np.bool_],
    windows: Windows,
    dt_ms: float,
) -> Array:
    """``[row]`` in ms: when the mean of the hyperpolarising sweeps has covered 1 - 1/e of its way to the peak.

    Each sweep counts by its current, as in :func:`peak_resistance`; the electrode's share, which is there at once, is
    taken off. Undefined where the voltage starts beyond that (a pre-pulse) or never gets there.

    Parameters
    ----------
    rest, used
        ``[row, sweep]``.
    peak_mohm, electrode_mohm
        ``[row]``; the peak with the electrode's share.
    """
    result = np.full(len(voltage_mv), np.nan)
    down = np.flatnonzero(hyperpolarising(windows))
    todo = np.flatnonzero(peak_mohm > electrode_mohm)
    if not len(down):
        return result
    weight = np.where(used[:, down], windows.delta_pa[down], 0.0)
    goal = 1 - np.exp(-1)
    start, stop = windows.step.start, windows.step.stop
    held = round(CHARGE_SMOOTH_MS / dt_ms)
    # most get there soon, and need not be looked at to the end of the step
    for until in (start + (stop - start) // SOON, stop):
        if not len(todo):
            break
        # smoothing holds the window's end, so that only the step's may be one
        seen = voltage_mv[np.ix_(todo, down, np.arange(start, min(until + held, stop)))]
        smooth = _smoothed(seen, dt_ms, CHARGE_SMOOTH_MS)[..., : until - start]
        share = weight[todo] / (weight[todo] ** 2).sum(axis=1, keepdims=True) * 1e3
        mohm = np.einsum("rst,rs->rt", smooth - rest[todo][:, down, None], share)
        way = (mohm - electrode_mohm[todo, None]) / (peak_mohm - electrode_mohm)[todo, None]
        there = way >= goal
        first = there.argmax(axis=1)
        found = np.flatnonzero(first > 0)
        after, before = way[found, first[found]], way[found, first[found] - 1]
        result[todo[found]] = (first[found] - (after - goal) / (after - before)) * dt_ms
        todo = todo[~there.any(axis=1)]
    return result


def slope(x: Array, y: Array, used: NDArray[np.bool_]) -> Array:
    """``[row]``: slope of ``y`` over ``x`` with an intercept, over the used sweeps of each row; NaN below two levels.

    Parameters
    ----------
    x
        ``[sweep]``.
    y, used
        ``[row, sweep]``.
    """
    count = np.maximum(used.sum(axis=1, keepdims=True), 1)
    dx = np.where(used, x - np.where(used, x, 0.0).sum(axis=1, keepdims=True) / count, 0.0)
    dy = np.where(used, y - np.where(used, y, 0.0).sum(axis=1, keepdims=True) / count, 0.0)
    power = (dx**2).sum(axis=1)
    enough = power >= SMALLEST_STEP_PA**2 / 2
    return np.where(enough, (dx * dy).sum(axis=1) / np.where(enough, power, 1.0), np.nan)


def _median(voltage_mv: Voltage) -> Array:
    """Over time, in double precision; NaN of no samples."""
    n = voltage_mv.shape[-1]
    if not n:
        return np.full(voltage_mv.shape[:-1], np.nan)
    # np.median of finite values, without its search for others and in one partition: an eighth of the time
    halves = np.partition(voltage_mv, n // 2, axis=-1)
    middle = halves[..., n // 2]
    if n % 2 == 0:
        middle = (halves[..., : n // 2].max(axis=-1) + middle) / 2
    return middle.astype(np.float64)


def _weighted_median(values: Array, weights: Array) -> Array:
    """``[row]``: of ``values`` ``[row, n]``, the value that half of ``weights`` ``[n]`` lie on either side of."""
    order = np.argsort(values, axis=1, kind="stable")
    total = np.cumsum(weights[order], axis=1)
    middle = (total >= total[:, -1:] / 2).argmax(axis=1)
    return np.asarray(np.take_along_axis(values, order, axis=1)[np.arange(len(values)), middle])


def _smoothed(voltage_mv: Voltage, dt_ms: float, ms: float) -> Voltage:
    """Running mean over an odd number of samples, so that it shifts nothing; the window's ends are held."""
    size = 2 * round(ms / dt_ms / 2) + 1
    return np.asarray(uniform_filter1d(voltage_mv, size, axis=-1, mode="nearest"))
