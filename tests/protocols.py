"""Recordings of a known integrate-and-fire cell under ramps and under frozen noise."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

import neurofit as nf
from neurofit.recording import Recording

Array = NDArray[np.float64]

DT_MS, N = 0.1, 13000
START, STOP = 1500, 11500  # samples between which the current moves
TRUTH = {
    "C": 336.0, "g_leak": 12.9, "E_leak": -61.3, "V_th": -55.6, "V_reset": -67.0, "t_ref": 2.5, "b": 4.0,
    "tau_w": 200.0, "sigma": 11.0, "R_s": 20.0,
}  # fmt: skip


def frozen_noise(sd_pa: float, seed: int, tau_ms: float = 3.0, n: int = STOP - START, dt_ms: float = DT_MS) -> Array:
    """``[time]``: Ornstein-Uhlenbeck noise."""
    kept = np.exp(-dt_ms / tau_ms)
    kicks = np.random.default_rng(seed).normal(0.0, sd_pa * np.sqrt(1 - kept**2), n)
    value, wave = 0.0, np.empty(n)
    for i, kick in enumerate(kicks):
        value = kept * value + kick
        wave[i] = value
    return wave


def noise_current() -> Array:
    """``[6, time]``: three means, the first with one noise in both of its sweeps."""
    current = np.zeros((6, N))
    for sweep in range(6):
        current[sweep, START:STOP] = 60.0 + 30.0 * (sweep // 2) + frozen_noise(80.0, max(1, sweep))
    return current


def ramp_current() -> Array:
    """``[6, time]``: six slopes."""
    current = np.zeros((6, N))
    current[:, START:STOP] = np.arange(STOP - START) * DT_MS * np.linspace(0.1, 0.4, 6)[:, None]
    return current


def recorded(current_pa: Array, name: str) -> Recording:
    """The known cell under a current, with the noise of an amplifier."""
    model = nf.load_model("lif")
    theta = np.array([[TRUTH[parameter] for parameter in model.free]])
    traces = nf.simulate(model, nf.Stimulus(current_pa, DT_MS), theta, seed=1)
    noise = np.random.default_rng(2).normal(0.0, 0.1, current_pa.shape)
    return nf.recording_from_arrays(traces.voltage_mv[0] + noise, current_pa, DT_MS, name=name)
