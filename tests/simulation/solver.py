"""The Pospischil cell written down once more, for a solver that is none of ours: mV, ms, pA, pF, nS."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import numpy as np
from scipy.integrate import solve_ivp
from scipy.optimize import brentq

Array = np.ndarray


def _linoid(x: float, k: float) -> float:
    return k if abs(x) < 1e-9 else x / (np.exp(x / k) - 1)


def _rates(v: float, p: Mapping[str, float]) -> tuple[float, ...]:
    u = v - p["V_T"]
    return (
        0.32 * _linoid(-(u - 13), 4),
        0.28 * _linoid(u - 40, 5),
        0.128 * np.exp(-(u - 17) / 18),
        4 / (1 + np.exp(-(u - 40) / 5)),
        0.032 * _linoid(-(u - 15), 5),
        0.5 * np.exp(-(u - 10) / 40),
    )


def _m_gate(v: float, p: Mapping[str, float]) -> tuple[float, float]:
    tau = p["tau_max"] / (3.3 * np.exp((v + 35) / 20) + np.exp(-(v + 35) / 20))
    return 1 / (1 + np.exp(-(v + 35) / 10)), tau


def slope(_: float, y: Array, p: Mapping[str, float], current_pa: float) -> list[float]:
    v, m, h, n, s = y
    a_m, b_m, a_h, b_h, a_n, b_n = _rates(v, p)
    s_inf, tau_s = _m_gate(v, p)
    inward = p["g_leak"] * (p["E_leak"] - v) + current_pa
    inward += p["C"] * p["g_Na"] * m**3 * h * (p["E_Na"] - v)
    inward += p["C"] * (p["g_K"] * n**4 + p["g_M"] * s) * (p["E_K"] - v)
    rate = p["rate"]
    return [
        inward / p["C"],
        rate * (a_m * (1 - m) - b_m * m),
        rate * (a_h * (1 - h) - b_h * h),
        rate * (a_n * (1 - n) - b_n * n),
        (s_inf - s) / tau_s,
    ]


def at_rest(p: Mapping[str, float]) -> list[float]:
    """The state without current."""

    def state(v: float) -> list[float]:
        a_m, b_m, a_h, b_h, a_n, b_n = _rates(v, p)
        return [v, a_m / (a_m + b_m), a_h / (a_h + b_h), a_n / (a_n + b_n), _m_gate(v, p)[0]]

    return state(brentq(lambda v: slope(0, np.array(state(v)), p, 0.0)[0], -95, -60))


def solve(p: Mapping[str, float], current_pa: Array, dt_ms: float) -> Array:
    """Voltage at every sample of a current that is constant in stretches, from rest."""
    edges = [0, *(np.flatnonzero(np.diff(current_pa)) + 1).tolist(), len(current_pa)]
    state, voltage = np.array(at_rest(p)), []
    for start, stop in itertools.pairwise(edges):
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
