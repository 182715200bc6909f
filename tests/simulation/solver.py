"""The shipped cells written down once more, for solvers that are none of ours: mV, ms, pA, and rates in 1/ms."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping

import numpy as np
from scipy.integrate import solve_ivp
from scipy.optimize import brentq

Array = np.ndarray
Values = Mapping[str, float]


def whole_cell(p: Values) -> Values:
    """``hh_pospischil`` (pF, nS, and mS/uF, which is 1/ms); also with an h current."""
    with_h = {"V_M": -35.0, "g_h": 0.0, "V_h": -85.0, "tau_h": 80.0, "E_h": -43.0} | dict(p)
    return with_h | {"g_leak": p["g_leak"] / p["C"], "drive": 1 / p["C"]}


def per_area(p: Values) -> Values:
    """``hh_tutorial`` (uF/cm2, mS/cm2, uA/cm2)."""
    per_capacitance = {name: p[name] / p["C"] for name in ("g_leak", "g_Na", "g_K", "g_M")}
    density = 1e-6 / (np.pi * 70e-4**2)
    return whole_cell({**p, "rate": 1.0}) | per_capacitance | {"drive": density / p["C"], "start": -70.0}


def _linoid(x: float, k: float) -> float:
    return k if abs(x) < 1e-9 else x / (np.exp(x / k) - 1)


def _rates(v: float, p: Values) -> tuple[float, ...]:
    u = v - p["V_T"]
    return (
        0.32 * _linoid(-(u - 13), 4),
        0.28 * _linoid(u - 40, 5),
        0.128 * np.exp(-(u - 17) / 18),
        4 / (1 + np.exp(-(u - 40) / 5)),
        0.032 * _linoid(-(u - 15), 5),
        0.5 * np.exp(-(u - 10) / 40),
    )


def _m_gate(v: float, p: Values) -> tuple[float, float]:
    u = v - p["V_M"]
    return 1 / (1 + np.exp(-u / 10)), p["tau_max"] / (3.3 * np.exp(u / 20) + np.exp(-u / 20))


def _h_gate(v: float, p: Values) -> float:
    return 1 / (1 + np.exp((v - p["V_h"]) / 7))


def slope(_: float, y: Array, p: Values, current_pa: float) -> list[float]:
    v, m, h, n, s, r = y
    a_m, b_m, a_h, b_h, a_n, b_n = _rates(v, p)
    s_inf, tau_s = _m_gate(v, p)
    inward = p["g_leak"] * (p["E_leak"] - v) + p["drive"] * current_pa
    inward += p["g_Na"] * m**3 * h * (p["E_Na"] - v)
    inward += (p["g_K"] * n**4 + p["g_M"] * s) * (p["E_K"] - v)
    inward += p["g_h"] * r * (p["E_h"] - v)
    rate = p["rate"]
    return [
        inward,
        rate * (a_m * (1 - m) - b_m * m),
        rate * (a_h * (1 - h) - b_h * h),
        rate * (a_n * (1 - n) - b_n * n),
        (s_inf - s) / tau_s,
        (_h_gate(v, p) - r) / p["tau_h"],
    ]


def _settled(v: float, p: Values) -> list[float]:
    """Every gate in equilibrium with a voltage."""
    a_m, b_m, a_h, b_h, a_n, b_n = _rates(v, p)
    return [v, a_m / (a_m + b_m), a_h / (a_h + b_h), a_n / (a_n + b_n), _m_gate(v, p)[0], _h_gate(v, p)]


def at_rest(p: Values) -> list[float]:
    """The state without current: the lowest voltage at which nothing flows."""

    def net(v: float) -> float:
        return slope(0, np.array(_settled(v, p)), p, 0.0)[0]

    low = next(v for v in np.arange(-110.0, -40.0) if net(v + 1) <= 0)
    return _settled(brentq(net, low, low + 1), p)


def stretches(current_pa: Array) -> Iterator[tuple[int, int]]:
    """First and last sample (exclusive) of each stretch of constant current."""
    return itertools.pairwise([0, *(np.flatnonzero(np.diff(current_pa)) + 1).tolist(), len(current_pa)])


def solve(p: Values, current_pa: Array, dt_ms: float) -> Array:
    """Voltage of a :func:`whole_cell` or :func:`per_area` at every sample, from rest or from where it says."""
    state = np.array(_settled(p["start"], p) if "start" in p else at_rest(p))
    voltage = []
    for start, stop in stretches(current_pa):
        times = np.arange(start, stop + 1) * dt_ms
        done = solve_ivp(
            slope,
            (times[0], times[-1]),
            state,
            "LSODA",
            times,
            args=(p, current_pa[start]),
            rtol=1e-9,
            atol=1e-10,
            max_step=1.0,
        )
        voltage.append(done.y[0, :-1])
        state = done.y[:, -1]
    return np.concatenate(voltage)


def integrate_and_fire(p: Values, current_pa: Array, dt_ms: float) -> tuple[Array, Array]:
    """``lif`` (pF, nS, pA): voltage at every sample, and the times of the spikes; sums of exponentials, no steps."""
    tau, since_rest = p["C"] / p["g_leak"], p["E_leak"]
    v, w, free_at, spikes = since_rest + current_pa[0] / p["g_leak"], 0.0, 0.0, []
    voltage = np.empty(len(current_pa))
    for start, stop in stretches(current_pa):
        now, end = start * dt_ms, stop * dt_ms
        while now < end:
            begin = min(max(now, free_at), end)
            _fill(voltage, dt_ms, now, begin, lambda t, v=v: np.full_like(t, v))
            w, now = w * np.exp(-(begin - now) / p["tau_w"]), begin
            path = _path(v, w, current_pa[start], p, tau)
            crossing = _first_crossing(path, p["V_th"], end - now)
            _fill(voltage, dt_ms, now, now + crossing, lambda t, path=path, now=now: path(t - now))
            v, w, now = float(path(crossing)), w * np.exp(-crossing / p["tau_w"]), now + crossing
            if now < end:
                spikes.append(now)
                v, w, free_at = p["V_reset"], w + p["b"], now + p["t_ref"]
    return voltage, np.array(spikes)


def _path(v: float, w: float, current_pa: float, p: Values, tau: float) -> Callable[[Array], Array]:
    """Voltage after a time without spikes: ``C dv/dt = g (E - v) - w exp(-t/tau_w) + I``."""
    settled = p["E_leak"] + current_pa / p["g_leak"]
    adapting = -(w / p["C"]) / (1 / tau - 1 / p["tau_w"])
    return lambda t: settled + adapting * np.exp(-t / p["tau_w"]) + (v - settled - adapting) * np.exp(-t / tau)


def _first_crossing(path: Callable[[Array], Array], threshold: float, within: float) -> float:
    """When a path first passes the threshold, or ``within`` if it does not."""
    times = np.linspace(0, within, max(2, int(within / 0.01)))
    above = np.flatnonzero(path(times) > threshold)
    if not len(above):
        return within
    return float(brentq(lambda t: path(t) - threshold, times[above[0] - 1], times[above[0]], xtol=1e-12))


def _fill(voltage: Array, dt_ms: float, start: float, stop: float, values: Callable[[Array], Array]) -> None:
    samples = np.arange(int(np.ceil(start / dt_ms - 1e-9)), min(int(np.ceil(stop / dt_ms - 1e-9)), len(voltage)))
    voltage[samples] = values(samples * dt_ms)
