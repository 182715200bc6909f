"""A vectorised Hodgkin-Huxley cell in NumPy, cheap enough to measure checks on: thousands of simulations in
seconds.

The equations are those of Pospischil et al. 2008 as the sbi tutorial uses them: sodium, delayed rectifier, M
current and leak per square centimetre, 120 ms with a step of current from 10 to 110 ms. Two conductances are
free.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d
from scipy.special import exprel
from scipy.stats import kurtosis, skew

from neurofit.check import Nuisances

Array = NDArray[np.float64]

DT_MS, KEEP_MS, STOP_MS, STEP_MS = 0.025, 0.1, 120.0, (10.0, 110.0)
PRIOR_LOW, PRIOR_HIGH = np.array([0.5, 1e-4]), np.array([80.0, 15.0])


@dataclass(frozen=True)
class Cell:
    """What the model fixes; the kinds of misspecification change one of these."""

    current: float = 3.25  # uA/cm2
    capacitance: float = 1.0
    g_leak: float = 0.1
    e_leak: float = -70.0
    e_na: float = 53.0
    e_k: float = -107.0
    g_m: float = 0.07
    tau_max: float = 600.0
    v_t: float = -60.0
    m_shift: float = 0.0
    h_slow: float = 1.0
    noise: float = 0.1
    measured_sd: float = 0.0
    offset: float = 0.0
    drift: float = 0.0
    hum: float = 0.0


KINDS: dict[str, Cell] = {
    "no M current": Cell(g_m=0.0),
    "V_T + 5 mV": Cell(v_t=-55.0),
    "m gate + 4 mV": Cell(m_shift=4.0),
    "h time constant x 1.5": Cell(h_slow=1.5),
    "E_L + 5 mV": Cell(e_leak=-65.0),
    "E_Na - 15 mV": Cell(e_na=38.0),
    "current x 1.2": Cell(current=3.25 * 1.2),
    "capacitance x 1.3": Cell(capacitance=1.3),
    "intrinsic noise x 3": Cell(noise=0.3),
    "observation noise 0.5 mV": Cell(measured_sd=0.5),
    "offset + 10 mV": Cell(offset=10.0),
    "drift 8 mV": Cell(drift=8.0),
    "mains hum 1 mV": Cell(hum=1.0),
}


def prior(n: int, rng: np.random.Generator) -> Array:
    """``[n, 2]``: g_Na and g_K in mS/cm2."""
    return rng.uniform(PRIOR_LOW, PRIOR_HIGH, (n, 2))


def simulate(theta: Array, rng: np.random.Generator, cell: Cell | None = None) -> Array:
    """Voltage ``[n, time]`` in mV at 0.1 ms; gates by exponential Euler from the new voltage (staggered)."""
    c = cell or Cell()
    g_na, g_k = theta.T
    steps, every, n = round(STOP_MS / DT_MS), round(KEEP_MS / DT_MS), len(theta)
    v = np.full(n, c.e_leak)
    rates = _rates(v, c)
    m, h, k = (a / (a + b) for a, b in rates[:3])
    p = rates[3][0]
    kept = np.empty((steps // every, n))
    for step in range(steps):
        if step % every == 0:
            kept[step // every] = v
        t = step * DT_MS
        drive = c.current if STEP_MS[0] <= t < STEP_MS[1] else 0.0
        conductances = (g_na * m**3 * h, g_k * k**4, c.g_m * p, c.g_leak)
        total = sum(conductances)
        pull = conductances[0] * c.e_na + (conductances[1] + conductances[2]) * c.e_k + c.g_leak * c.e_leak
        settled = (pull + drive + c.noise / np.sqrt(DT_MS) * rng.standard_normal(n)) / total
        v = settled + (v - settled) * np.exp(-DT_MS * total / c.capacitance)
        (am, bm), (ah, bh), (an, bn), (p_inf, tau_p) = _rates(v, c)
        m = am / (am + bm) + (m - am / (am + bm)) * np.exp(-DT_MS * (am + bm))
        h = ah / (ah + bh) + (h - ah / (ah + bh)) * np.exp(-DT_MS * (ah + bh) / c.h_slow)
        k = an / (an + bn) + (k - an / (an + bn)) * np.exp(-DT_MS * (an + bn))
        p = p_inf + (p - p_inf) * np.exp(-DT_MS / tau_p)
    return _measured(kept.T.copy(), c, rng)


def _rates(v: Array, c: Cell) -> tuple[tuple[Array, Array], ...]:
    u = v - c.v_t
    um = u - c.m_shift
    return (
        (1.28 / exprel(-(um - 13.0) / 4.0), 1.4 / exprel((um - 40.0) / 5.0)),
        (0.128 * np.exp(-(u - 17.0) / 18.0), 4.0 / (1.0 + np.exp(-(u - 40.0) / 5.0))),
        (0.16 / exprel(-(u - 15.0) / 5.0), 0.5 * np.exp(-(u - 10.0) / 40.0)),
        (
            1.0 / (1.0 + np.exp(-(v + 35.0) / 10.0)),
            c.tau_max / (3.3 * np.exp((v + 35.0) / 20.0) + np.exp(-(v + 35.0) / 20.0)),
        ),
    )


def _measured(v: Array, c: Cell, rng: np.random.Generator) -> Array:
    time = np.arange(v.shape[1]) * KEEP_MS
    v = v + c.offset + c.drift * time / STOP_MS
    if c.hum:
        v += c.hum * np.sin(2 * np.pi * (0.05 * time + rng.uniform(0, 1, (len(v), 1))))
    return v + c.measured_sd * rng.standard_normal(v.shape) if c.measured_sd else v


# A nuisance as real rigs have it.
RIG = Nuisances(
    noise_sd_mv={"family": "uniform", "low": 0.1, "high": 0.5}, offset_mv={"family": "normal", "mean": 0, "sd": 2}
)


def rig(v: Array, rng: np.random.Generator) -> Array:
    """The voltage as :data:`RIG` records it."""
    return RIG.applied_to(v, dt_ms=KEEP_MS, seed=int(rng.integers(2**32)))


def tutorial_statistics(v: Array) -> Array:
    """The sbi tutorial's seven: spike count, rest mean and sd, four moments during the step."""
    rest, step = v[:, :100], v[:, 100:1100]
    count = spike_starts(v).sum(1)
    moments = [step.mean(1), step.var(1), skew(step, axis=1), kurtosis(step, axis=1)]
    return np.column_stack([count, rest.mean(1), rest.std(1), *moments])


def spike_starts(v: Array) -> NDArray[np.bool_]:
    """``[n, time - 1]``: upward crossings of -10 mV."""
    return (v[:, :-1] < -10.0) & (v[:, 1:] >= -10.0)


STATISTICS = {
    "spike count": "", "resting potential": "mV", "resting sd": "mV", "mean voltage": "mV",
    "voltage at end of step": "mV", "voltage after step": "mV", "voltage sd": "mV", "skewness": "",
    "charging slope": "mV/ms", "last minimum": "mV", "latency": "ms", "first peak": "mV", "first width": "ms",
    "first trough": "mV", "rise rate": "mV/ms", "fall rate": "mV/ms", "second latency": "ms",
    "first interval": "ms", "second peak": "mV", "interval ratio": "", "mean interval": "ms",
}  # fmt: skip
NAMES, UNITS = tuple(STATISTICS), tuple(STATISTICS.values())


def features(v: Array) -> tuple[Array, NDArray[np.bool_]]:
    """Values ``[n, 21]`` and where they are defined: what needs one, two or three spikes is undefined
    without."""
    n = len(v)
    values = np.full((n, len(NAMES)), np.nan)
    rest, step = v[:, :100], v[:, 100:1100]
    starts = spike_starts(v)
    count = starts.sum(1)
    values[:, :10] = np.column_stack(
        [
            count, rest.mean(1), rest.std(1), step.mean(1), v[:, 1050:1100].mean(1), v[:, 1150:].mean(1),
            step.std(1), skew(step, axis=1), (v[:, 110] - v[:, 100]), v[:, 900:1100].min(1),
        ]
    )  # fmt: skip
    slope = np.diff(v, axis=1) / KEEP_MS
    for row in np.flatnonzero(count):
        at = np.flatnonzero(starts[row])
        window = slice(max(at[0] - 10, 0), at[0] + 40)
        piece, rise = v[row, window], slope[row, window]
        width, trough = KEEP_MS * (piece > -20.0).sum(), piece[piece.argmax() :].min()
        values[row, 10:16] = [at[0] * KEEP_MS - 10.0, piece.max(), width, trough, rise.max(), rise.min()]
        if len(at) > 1:
            interval = np.diff(at) * KEEP_MS
            values[row, 16:19] = [at[1] * KEEP_MS - 10.0, interval[0], v[row, at[1] : at[1] + 30].max()]
            if len(at) > 2:
                values[row, 19:] = [interval[-1] / interval[0], interval.mean()]
    return values, np.isfinite(values)


def more_features(v: Array) -> tuple[Array, NDArray[np.bool_]]:
    """:func:`features` and seven more, those that hang on single samples read from a trace smoothed over 0.5 ms."""
    values, _ = features(v)
    smooth = uniform_filter1d(v, 5, axis=1)
    step = smooth[:, 110:1100]
    starts = spike_starts(v)
    values[:, 8] = (smooth[:, 120:140].mean(1) - smooth[:, 103:110].mean(1)) / 2.0
    values[:, 9] = smooth[:, 900:1100].min(1)
    low, middle = np.quantile(step, [0.1, 0.5], axis=1)
    more = np.full((len(v), 7), np.nan)
    more[:, :4] = np.column_stack([low, middle, kurtosis(step, axis=1), smooth[:, 1110:1150].mean(1)])
    slope = np.diff(smooth, axis=1) / KEEP_MS
    for row in np.flatnonzero(starts.any(1)):
        at = np.flatnonzero(starts[row])
        window = slice(max(at[0] - 10, 0), at[0] + 40)
        values[row, 13:16] = [smooth[row, window].min(), slope[row, window].max(), slope[row, window].min()]
        more[row, 4] = smooth[row, max(at[0] - 20, 0)]
        if len(at) > 1:
            more[row, 5] = smooth[row, at[0] + 5 : max(at[1], at[0] + 6)].min()
            if len(at) > 2:
                more[row, 6] = smooth[row, at[-1] : at[-1] + 30].max()
    values = np.concatenate([values, more], axis=1)
    return values, np.isfinite(values)


def family(theta: Array, rng: np.random.Generator, currents: tuple[float, ...], cell: Cell | None = None) -> Array:
    """``[n, sweep, time]``: every parameter draw at several currents, as one cell is recorded."""
    c = cell or Cell()
    return np.stack([simulate(theta, rng, replace(c, current=i * c.current / 3.25)) for i in currents], axis=1)
