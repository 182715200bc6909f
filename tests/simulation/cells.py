"""Whole cells from gates and currents, written down anew from the literature, for a solver that is none of ours.

Voltages are mV, times ms, currents pA; a conductance per capacitance is nS/pF, which is mS/uF.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from scipy.integrate import solve_ivp
from scipy.optimize import brentq

from tests.simulation.conftest import DT_MS
from tests.simulation.solver import stretches

Array = np.ndarray
Values = Mapping[str, float]
Gate = Callable[[float, Values], tuple[float, float]]


def quotient(x: float, k: float) -> float:
    """``x/(exp(x/k) - 1)``."""
    return k if abs(x) < 1e-9 else x / np.expm1(x / k)


def opening(a: float, b: float, speed: float = 1.0) -> tuple[float, float]:
    """Where a gate goes and how fast, from the rates of opening and closing."""
    return a / (a + b), speed * (a + b)


# Traub and Miles, as in equations 3 to 5 of Pospischil et al. 2008; x' = rate*(x_inf - x) is (x_inf, rate).
def sodium_m(v: float, p: Values) -> tuple[float, float]:
    u = v - p["V_T"]
    return opening(0.32 * quotient(13 - u, 4), 0.28 * quotient(u - 40, 5), p["rate"])


def sodium_h(v: float, p: Values) -> tuple[float, float]:
    u = v - p["V_T"]
    return opening(0.128 * np.exp((17 - u) / 18), 4 / (1 + np.exp((40 - u) / 5)), p["rate"])


def potassium_n(v: float, p: Values) -> tuple[float, float]:
    u = v - p["V_T"]
    return opening(0.032 * quotient(15 - u, 5), 0.5 * np.exp((10 - u) / 40), p["rate"])


def muscarinic_p(v: float, p: Values) -> tuple[float, float]:
    x = (v + 35) / 20
    return 1 / (1 + np.exp(-2 * x)), (3.3 * np.exp(x) + np.exp(-x)) / p["tau_max"]


def l_type_q(v: float, p: Values) -> tuple[float, float]:
    return opening(0.055 * quotient(-27 - v, 3.8), 0.94 * np.exp((-75 - v) / 17))


def l_type_r(v: float, p: Values) -> tuple[float, float]:
    return opening(0.000457 * np.exp((-13 - v) / 50), 0.0065 / (1 + np.exp((-15 - v) / 28)))


def t_type_u(v: float, p: Values) -> tuple[float, float]:
    w = v + 2
    tau = (30.8 + (211.4 + np.exp((w + 113.2) / 5)) / (1 + np.exp((w + 84) / 3.2))) / 3 ** ((36 - 24) / 10)
    return 1 / (1 + np.exp((w + 81) / 4)), 1 / tau


def t_type_s(v: float) -> float:
    return 1 / (1 + np.exp(-(v + 2 + 57) / 6.2))


@dataclass(frozen=True)
class Cell:
    """Gates by name, and the conductances per capacitance, by the name of their reversal potential."""

    gates: Mapping[str, Gate]
    currents: Callable[[float, Mapping[str, float], Values], Mapping[str, float]]

    def slope(self, _: float, y: Array, p: Values, current_pa: float) -> list[float]:
        v, x = y[0], dict(zip(self.gates, y[1:], strict=True))
        conductances = {"E_leak": p["g_leak"] / p["C"]} | self.currents(v, x, p)
        dv = current_pa / p["C"] + sum(g * (p[reversal] - v) for reversal, g in conductances.items())
        towards = [gate(v, p) for gate in self.gates.values()]
        return [dv, *(rate * (end - now) for (end, rate), now in zip(towards, y[1:], strict=True))]

    def settled(self, v: float, p: Values) -> list[float]:
        return [v, *(gate(v, p)[0] for gate in self.gates.values())]

    def solve(self, p: Values, current_pa: Array) -> Array:
        """Voltage at every sample, from the lowest rest."""

        def net(v: float) -> float:
            return self.slope(0, np.array(self.settled(v, p)), p, 0.0)[0]

        low = next(v for v in np.arange(-110.0, -40.0) if net(v + 1) <= 0)
        state, voltage = np.array(self.settled(brentq(net, low, low + 1, xtol=1e-12), p)), []
        for start, stop in stretches(current_pa):
            times = np.arange(start, stop + 1) * DT_MS
            done = solve_ivp(
                self.slope, (times[0], times[-1]), state, "LSODA", times,
                args=(p, current_pa[start]), rtol=1e-9, atol=1e-10, max_step=1.0,
            )  # fmt: skip
            voltage.append(done.y[0, :-1])
            state = done.y[:, -1]
        return np.concatenate(voltage)


SPIKES: dict[str, Gate] = {"m": sodium_m, "h": sodium_h, "n": potassium_n}


def spiking(x: Mapping[str, float], p: Values) -> dict[str, float]:
    return {"E_Na": p["g_Na"] * x["m"] ** 3 * x["h"], "E_K": p["g_K"] * x["n"] ** 4 + p.get("g_M", 0) * x.get("p", 0)}
