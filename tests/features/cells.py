"""Voltage whose every feature can be worked out by hand: closed forms, sampled."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from neurofit.recording import Stimulus

Array = NDArray[np.float64]

START_MS, STOP_MS, END_MS = 100.0, 600.0, 750.0


def steps(levels_pa: list[float], dt_ms: float, holding_pa: float = 0.0) -> Stimulus:
    """One step from 100 to 600 ms of 750 ms, one sweep a level (above the holding current)."""
    current = np.full((len(levels_pa), round(END_MS / dt_ms)), holding_pa)
    current[:, round(START_MS / dt_ms) : round(STOP_MS / dt_ms)] += np.array(levels_pa)[:, None]
    return Stimulus(current, dt_ms)


def membrane(
    stimulus: Stimulus,
    *,
    rest_mv: float = -65.0,
    resistance_mohm: float = 100.0,
    tau_ms: float = 20.0,
    electrode_mohm: float = 0.0,
    sag_mohm: float = 0.0,
    sag_tau_ms: float = 60.0,
) -> Array:
    """``[sweep, time]``: a resistance and a capacitance behind an electrode, exactly.

    With ``sag_mohm`` that much of the resistance is taken back with a time constant of its own.
    """
    time, step = stimulus.time_ms, stimulus.test_step

    def charged(tau: float) -> Array:
        on = 1 - np.exp(-np.clip(time - step.start_ms, 0, None) / tau)
        off = 1 - np.exp(-np.clip(time - step.stop_ms, 0, None) / tau)
        return on - off

    delta = (step.level_pa - stimulus.holding_pa)[:, None] / 1e3
    held = stimulus.holding_pa[:, None] / 1e3
    moved = delta * (resistance_mohm * charged(tau_ms) - sag_mohm * charged(sag_tau_ms))
    return rest_mv + electrode_mohm * (stimulus.current_pa / 1e3 - held) + moved


def spike(time_ms: Array, at_ms: float, height_mv: float = 90.0, width_ms: float = 1.0) -> Array:
    """``[time]``: a Gaussian bump of that height and half-width, then an after-hyperpolarisation of 8 mV."""
    since = time_ms - at_ms
    bump = height_mv * np.exp(-4 * np.log(2) * (since / width_ms) ** 2)
    return bump - np.where(since > 3 * width_ms, 8 * np.exp(-(since - 3 * width_ms) / 10), 0.0)


def firing(stimulus: Stimulus, times_ms: list[list[float]], plateau_mv: float = -50.0, rest_mv: float = -65.0) -> Array:
    """``[sweep, time]``: spikes at those times of each sweep, on a plateau during the step."""
    time, step = stimulus.time_ms, stimulus.test_step
    during = (time >= step.start_ms) & (time < step.stop_ms)
    base = np.where(during, plateau_mv, rest_mv)
    return np.stack([base + sum((spike(time, t) for t in times), np.zeros(len(time))) for times in times_ms])
