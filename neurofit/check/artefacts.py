"""What a rig does to a voltage, one number for each imperfection.

Each is as little moved by the other imperfections, and by the cell's conductances, as it can be: a filter delays the
step and so lowers the jump, but nothing else lowers the bandwidth of the noise.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neurofit.check.inputs import all_finite, array
from neurofit.errors import CheckError

Array = NDArray[np.float64]

# Fewer samples are no step and, before it, no baseline.
FEWEST_SAMPLES = 20
FEWEST_BASELINE = 5
# The voltage before the step, and the line along which it then charges: after a filter's delay, before any spike.
BEFORE_MS, LINE_MS = 2.0, (0.5, 4.0)

RIG_FEATURES = {
    "baseline": "mV",
    "baseline noise": "mV",
    "voltage jump at step onset": "mV",
    "charging rate at step onset": "mV/ms",
    "bandwidth of baseline noise": "kHz",
}

# In halves of the central 80 %; of Gaussian noise one value in 10,000 lies farther out.
FAR = 3.0
# At a longer sampling interval a rig's filter cannot be seen, and the bandwidth, the last of them, says nothing of it.
FILTER_DT_MS = 0.25

# By name and whether it is high.
_OFFSET = "an offset of the recording, or a resting potential this model does not reach"
_CHARGING = "a membrane capacitance, or an injected current, other than the simulated"
CONSISTENT_WITH = {
    ("baseline", True): _OFFSET,
    ("baseline", False): _OFFSET,
    ("baseline noise", True): "noise of the recording that the simulations lack",
    ("baseline noise", False): "simulations noisier than the recording, or a recording that was low-pass filtered",
    ("voltage jump at step onset", True): "an electrode or series resistance that was not balanced",
    ("voltage jump at step onset", False): "a bridge that was balanced too far, or a low-pass filter, which delays",
    ("charging rate at step onset", True): _CHARGING,
    ("charging rate at step onset", False): _CHARGING,
    ("bandwidth of baseline noise", True): "noise of the recording that is whiter than the simulations'",
    ("bandwidth of baseline noise", False): "a low-pass filter that the simulations did not pass",
}


def rig_features(voltage_mv: ArrayLike, *, dt_ms: float, step_ms: tuple[float, float]) -> Array:
    """Baseline, its noise, jump and charging rate at the step's onset, and bandwidth of the noise.

    Beside other summary statistics in :func:`neurofit.check.summary` they name an artefact of the rig; the raw check
    has them of itself.

    Parameters
    ----------
    voltage_mv
        ``[row, time]`` or ``[row, sweep, time]``.
    dt_ms
        Sampling interval.
    step_ms
        ``(start, stop)`` of the current step from the first sample, with at least 5 samples before it.

    Returns
    -------
    ``[row, 5]``, names and units as in :data:`RIG_FEATURES`.

    Raises
    ------
    CheckError
        If the voltage is not finite or the step does not lie inside it.
    """
    where = "check.rig_features"
    voltage = cells_of(voltage_mv, dt_ms, where).astype(np.float64)
    step = step_samples(voltage.shape[-1], dt_ms, step_ms, where)
    if step.start < FEWEST_BASELINE:
        raise CheckError(
            "there is no baseline",
            where=where,
            expected=f"step_ms starting at {FEWEST_BASELINE * dt_ms:g} ms or later",
            found=f"step_ms = {step_ms}",
        )
    return measured(voltage.reshape(len(voltage), -1, voltage.shape[-1]), dt_ms, step)


def cells_of(voltage_mv: ArrayLike, dt_ms: float, where: str) -> NDArray[Any]:
    """Finite voltage of a cell a row, as float64 or, where it was, float32."""
    voltage = np.asarray(voltage_mv)
    if voltage.dtype != np.float32:
        voltage = array(voltage, "voltage_mv", where)
    if voltage.ndim not in (2, 3):
        raise CheckError(
            "voltage_mv is not one cell a row",
            where=where,
            expected="[row, time] or [row, sweep, time]",
            found=f"shape {voltage.shape}",
            advice="Give a single cell as voltage_mv[None].",
        )
    axes = ("row", "sample") if voltage.ndim == 2 else ("row", "sweep", "sample")
    all_finite(voltage, "voltage_mv", where, axes, "Leave out the simulations that failed, with all their sweeps.")
    _sampling(dt_ms, where)
    return voltage


def _sampling(dt_ms: float, where: str) -> None:
    if not (np.isfinite(dt_ms) and dt_ms > 0):
        raise CheckError("the sampling interval must be positive", where=where, found=f"dt_ms = {dt_ms}")


def step_samples(samples: int, dt_ms: float, step_ms: tuple[float, float], where: str) -> slice:
    """The samples of a step."""
    _sampling(dt_ms, where)
    start, stop = (round(t / dt_ms) if np.isfinite(t) else -1 for t in step_ms)
    if not 0 <= start < stop <= samples or stop - start < FEWEST_SAMPLES:
        raise CheckError(
            "the step does not lie inside the sweeps",
            where=where,
            expected=f"(start, stop) in ms within 0 to {samples * dt_ms:g}, "
            f"at least {FEWEST_SAMPLES * dt_ms:g} ms long",
            found=f"step_ms = {step_ms}",
        )
    return slice(start, stop)


def measured(voltage: Array, dt_ms: float, step: slice) -> Array:
    """``[row, sweep, time]`` -> ``[row, feature]``, in the order of :data:`RIG_FEATURES`."""
    rest = voltage[..., : step.start]
    first, second, third = (_spread(np.diff(rest, order, axis=-1)) for order in (1, 2, 3))
    # root mean square frequency of the second differences, which leave out the membrane's slow noise
    bandwidth = third / np.where(second > 0, second, np.inf) / (2 * np.pi * dt_ms)
    jump, rate = _onset(voltage, dt_ms, step)
    means = [x.mean(1) for x in (rest.mean(-1), first / np.sqrt(2), bandwidth)]
    return np.stack([means[0], means[1], jump, rate, means[2]], axis=-1)


def _spread(x: Array) -> Array:
    """Standard deviation along the last axis without what lies far out: spikes at rest are no noise."""
    low, high = np.quantile(x, (0.1, 0.9), axis=-1, keepdims=True)
    middle, far = (low + high) / 2, FAR * (high - low) / 2
    return np.clip(x, middle - far, middle + far).std(-1)


def _onset(voltage: Array, dt_ms: float, step: slice) -> tuple[Array, Array]:
    """Where the line of charging meets the onset, above the voltage before it, and the line's slope, both ``[row]``.

    Both are proportional to the sweep's current, whose sign goes out of their ratio: medians over the sweeps of the
    ratio and of the slope's size, which a spike soon after the onset of some sweeps does not move.
    """
    last = min(max(round(LINE_MS[1] / dt_ms), 3), step.stop - step.start - 1)
    start = min(max(round(LINE_MS[0] / dt_ms), 1), last - 2)
    before = voltage[..., max(0, step.start - max(1, round(BEFORE_MS / dt_ms))) : step.start].mean(-1)
    line = voltage[..., step.start + start : step.start + last + 1] - before[..., None]
    time = np.arange(start, last + 1) * dt_ms
    centred = time - time.mean()
    slope = line @ centred / (centred @ centred)
    jump = line.mean(-1) - slope * time.mean()
    rate = np.median(np.abs(slope), axis=1)
    return np.median(jump / np.where(slope == 0, np.inf, slope), axis=1) * rate, rate
