"""Voltage statistics around a current step, in NumPy, for many traces at once.

Medians rather than means, since real cells have synaptic potentials, and the same for simulated ones.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d

from neurofit.recording import Stimulus

REST_MS = 100.0  # how much of the holding current before the first change counts as rest
STEADY_FRACTION = 0.2  # the last part of the step that counts as steady
SMOOTH_MS = 5.0  # for the peak of a deflection
JUMP_MS = (0.1, 0.3)  # after an edge: past the filter's rise, before the membrane has moved
AFTER_MS = (50.0, 150.0)  # after the step's end
SMALLEST_STEP_PA = 5.0

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Windows:
    """Sample ranges of a stimulus that the features look at, and its test step."""

    rest: slice
    step: slice
    steady: slice
    after: slice
    jump_before: NDArray[np.intp]
    jump_after: NDArray[np.intp]
    jump_pa: Array  # [edge, sweep]
    delta_pa: Array  # [sweep]: the step's level minus the holding level
    onset_pa: Array  # [sweep]: the change at the step's start
    start_ms: float
    stop_ms: float

    @staticmethod
    def of(stimulus: Stimulus) -> Windows:
        """Of a stimulus's test step.

        Raises
        ------
        StimulusError
            If it holds no step.
        """
        step, dt = stimulus.test_step, stimulus.dt_ms
        start, stop = round(step.start_ms / dt), round(step.stop_ms / dt)
        first_change = round(stimulus.epochs[0].stop_ms / dt) if len(stimulus.epochs) > 1 else start
        edges = np.array([round(epoch.start_ms / dt) for epoch in stimulus.epochs[1:]], dtype=np.intp)
        edges = edges[(edges >= 5) & (edges + round(JUMP_MS[1] / dt) + 1 < stimulus.n_samples)]
        current = stimulus.current_pa
        after = min(stop + round(AFTER_MS[1] / dt), _next_change(stimulus, stop))
        after_from = min(stop + round(AFTER_MS[0] / dt), max(after - 1, stop))
        return Windows(
            rest=slice(max(0, first_change - round(REST_MS / dt)), max(first_change, 1)),
            step=slice(start, stop),
            steady=slice(stop - max(1, round(STEADY_FRACTION * (stop - start))), stop),
            after=slice(min(after_from, stimulus.n_samples - 1), max(after, after_from + 1)),
            jump_before=edges,
            jump_after=edges,
            jump_pa=np.stack([current[:, e] - current[:, e - 1] for e in edges]) if len(edges) else np.zeros((0, 1)),
            delta_pa=step.level_pa - stimulus.holding_pa,
            onset_pa=current[:, start] - current[:, max(start - 1, 0)],
            start_ms=step.start_ms,
            stop_ms=step.stop_ms,
        )


def _next_change(stimulus: Stimulus, sample: int) -> int:
    """The first sample after ``sample`` at which any sweep's current changes, or the end."""
    starts = [round(epoch.start_ms / stimulus.dt_ms) for epoch in stimulus.epochs]
    return min((s for s in starts if s > sample), default=stimulus.n_samples)


def sweep_features(voltage_mv: NDArray[np.floating], windows: Windows, dt_ms: float) -> dict[str, Array]:
    """The catalogue's passive features of each sweep.

    Parameters
    ----------
    voltage_mv
        ``[row, sweep, time]``.

    Returns
    -------
    dict
        ``{feature: [row, sweep]}``, NaN where undefined.
    """
    resting = voltage_mv[..., windows.rest]
    rest = np.median(resting, axis=-1).astype(np.float64)
    spread = 1.4826 * np.median(np.abs(resting - rest[..., None].astype(resting.dtype)), axis=-1)
    steady = np.median(voltage_mv[..., windows.steady], axis=-1).astype(np.float64)
    after = voltage_mv[..., windows.after].mean(axis=-1, dtype=np.float64) - rest
    down = windows.delta_pa < -SMALLEST_STEP_PA
    peak = np.full(rest.shape, np.nan)
    if down.any():
        smooth = _smoothed(voltage_mv[:, down, windows.step], dt_ms)
        peak[:, down] = smooth.min(axis=-1) - rest[:, down]
    return {
        "rest": rest,
        "rest_sd": np.maximum(spread, 1e-3).astype(np.float64),
        "steady_state_voltage": steady,
        "peak_deflection": peak,
        "sag": steady - rest - peak,
        "after_step": after,
    }


def electrode_resistance(voltage_mv: NDArray[np.floating], windows: Windows, dt_ms: float) -> Array:
    """``[row]`` in MOhm: the voltage's jump at every change of current, least squares through the origin."""
    jump, _ = _jumps(voltage_mv, windows, dt_ms)
    power = float((windows.jump_pa**2).sum())
    if power < SMALLEST_STEP_PA**2:
        return np.full(len(voltage_mv), np.nan)
    return np.asarray((jump * windows.jump_pa).sum(axis=(1, 2)) / power * 1e3)


def _jumps(voltage_mv: NDArray[np.floating], windows: Windows, dt_ms: float) -> tuple[Array, Array]:
    """``[row, edge, sweep]``: the voltage just after each edge minus just before it."""
    first, last = (max(1, round(t / dt_ms)) for t in JUMP_MS)
    before = np.stack([voltage_mv[..., e - 5 : e].mean(axis=-1, dtype=np.float64) for e in windows.jump_before], axis=1)
    after = np.stack(
        [voltage_mv[..., e + first : e + last + 1].mean(axis=-1, dtype=np.float64) for e in windows.jump_after],
        axis=1,
    )
    return after - before, before


def membrane_time_constant(
    voltage_mv: NDArray[np.floating],
    rest: Array,
    peak: Array,
    electrode: Array,
    windows: Windows,
    dt_ms: float,
) -> Array:
    """``[row]`` in ms: when the mean of the hyperpolarising sweeps has covered 1 - 1/e of its way to the peak.

    Each sweep's deflection is divided by its current, so that the sweeps can be averaged; the electrode's share, which
    is there at once, is taken off. Undefined where the peak is not reached downward.
    """
    down = windows.delta_pa < -SMALLEST_STEP_PA
    if not down.any():
        return np.full(len(voltage_mv), np.nan)
    weight = np.abs(windows.delta_pa[down])
    smooth = _smoothed(voltage_mv[:, down, windows.step], dt_ms, ms=1.0)
    mean = ((smooth - rest[:, down, None]) * weight[None, :, None]).sum(axis=1) / (weight**2).sum() * 1e3
    height = (peak[:, down] * weight).sum(axis=1) / (weight**2).sum() * 1e3
    way = (-mean - electrode[:, None]) / np.where(-height > electrode, -height - electrode, np.nan)[:, None]
    reached = way >= 1 - np.exp(-1)
    first = reached.argmax(axis=1)
    return np.where(reached.any(axis=1) & (first > 0), (first + 1) * dt_ms, np.nan)


def resistance(deflection_mv: Array, delta_pa: Array, usable: NDArray[np.bool_]) -> Array:
    """``[row]`` in MOhm: slope of deflection over current, over the usable sweeps of each row, with an intercept.

    Parameters
    ----------
    deflection_mv, usable
        ``[row, sweep]``.
    delta_pa
        ``[sweep]``.
    """
    count = usable.sum(axis=1)
    current = np.where(usable, delta_pa, 0.0)
    voltage = np.where(usable, deflection_mv, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean_i, mean_v = current.sum(axis=1) / count, voltage.sum(axis=1) / count
        spread = np.where(usable, delta_pa - mean_i[:, None], 0.0)
        slope = (spread * (voltage - mean_v[:, None])).sum(axis=1) / (spread**2).sum(axis=1)
    return np.where((count >= 2) & np.isfinite(slope), slope * 1e3, np.nan)


def _smoothed(voltage_mv: NDArray[np.floating], dt_ms: float, ms: float = SMOOTH_MS) -> NDArray[np.floating]:
    return np.asarray(uniform_filter1d(voltage_mv, max(1, round(ms / dt_ms)), axis=-1, mode="nearest"))
