"""Threshold-and-reset cells against a closed form and another solver, with the equations written down anew."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from neurofit.simulation import simulate
from neurofit.template import load_model
from tests.simulation.conftest import DT_MS, START, STOP, steps

Array = np.ndarray
Values = Mapping[str, float]


@dataclass(frozen=True)
class Cell:
    """mV, ms, pA, pF, nS: the slopes of voltage and second variable, and what a spike does."""

    slopes: Callable[[float, float, Values, float], tuple[float, float]]
    start: Callable[[Values], tuple[float, float]]
    top: Callable[[Values], float]
    reset: Callable[[float, Values], tuple[float, float]]
    level_pa: float
    published: Mapping[str, float]

    def spikes(self, p: Values, level_pa: float) -> Array:
        """Times of the spikes of a step that begins at 0, within its 200 ms."""
        (v, w), now, end, found = self.start(p), 0.0, (STOP - START) * DT_MS, []

        top = self.top(p)

        def reaches(_: float, y: Array) -> float:
            return y[0] - top

        reaches.terminal, reaches.direction = True, 1  # type: ignore[attr-defined]
        while now < end:
            # past the top nothing grows any faster, or there would be no step across it
            done = solve_ivp(
                lambda _, y: self.slopes(min(y[0], top + 1), y[1], p, level_pa), (now, end), (v, w), "RK45",
                events=reaches, rtol=1e-8, atol=1e-7, max_step=1.0,
            )  # fmt: skip
            if not done.t_events[0].size:
                break
            found.append(done.t[-1])
            v, w = self.reset(done.y[1, -1], p)
            # the voltage stands still, the other variable does not
            held = solve_ivp(
                lambda _, x, v=v: [self.slopes(v, x[0], p, level_pa)[1]], (0, p["t_ref"]), (w,), rtol=1e-10
            )
            now, w = done.t[-1] + p["t_ref"], held.y[0, -1]
        return np.array(found)


def exponential(v: float, w: float, p: Values, level_pa: float) -> tuple[float, float]:
    leak = p["g_leak"] * (p["E_leak"] - v)
    spike = p["g_leak"] * p["Delta_T"] * np.exp((v - p["V_T"]) / p["Delta_T"])
    dw = (p["a"] * (v - p["E_leak"]) - w) / p["tau_w"] if "a" in p else 0.0
    return (leak + spike - w + level_pa) / p["C"], dw


def at_rest(p: Values) -> tuple[float, float]:
    """The exponential current is not nothing at rest."""
    v = p["E_leak"]
    for _ in range(50):
        total = p["g_leak"] + p.get("a", 0.0)
        v = p["E_leak"] + p["g_leak"] * p["Delta_T"] * np.exp((v - p["V_T"]) / p["Delta_T"]) / total
    return v, p.get("a", 0.0) * (v - p["E_leak"])


def quadratic(v: float, u: float, p: Values, level_pa: float) -> tuple[float, float]:
    dv = p["k"] * (v - p["V_r"]) * (v - p["V_t"]) - u + level_pa
    return dv / p["C"], p["a"] * (p["b"] * (v - p["V_r"]) - u)


SOFT = {"C": 281, "g_leak": 30, "E_leak": -70.6, "V_T": -50.4, "Delta_T": 2, "V_peak": 20}


def near_the_peak(p: Values) -> float:
    """From here the exponential takes less than C/g_leak*exp(-10), 0.4 us, to any peak."""
    return p["V_T"] + 10 * p["Delta_T"]


CELLS = {
    "eif": Cell(exponential, at_rest, near_the_peak, lambda w, p: (p["V_reset"], w), 800, SOFT),
    "adex": Cell(
        exponential,
        at_rest,
        near_the_peak,
        lambda w, p: (p["V_reset"], w + p["b"]),
        1000,
        SOFT | {"a": 4, "b": 80.5, "tau_w": 144, "V_reset": -70.6},
    ),
    "izhikevich": Cell(
        quadratic,
        lambda p: (p["V_r"], 0.0),
        lambda p: p["V_peak"],
        lambda u, p: (p["c"], u + p["d"]),
        100,
        {"C": 100, "k": 0.7, "V_r": -60, "V_t": -40, "a": 0.03, "b": -2, "c": -50, "d": 100, "V_peak": 35},
    ),
}


def onsets(trace: Array) -> Array:
    """Of the drawn spikes, in ms from the step's own."""
    drawn = np.flatnonzero((trace[1:] == 30) & (trace[:-1] != 30)) + 1
    return (drawn - START) * DT_MS


@pytest.mark.slow
@pytest.mark.parametrize("name", CELLS)
def test_a_threshold_cell_against_another_solver(name: str) -> None:
    cell, model = CELLS[name], load_model(name)
    p = {parameter.name: float(parameter.value) for parameter in model.parameters}
    assert {key: p[key] for key in cell.published} == cell.published
    levels = (0.5 * cell.level_pa, cell.level_pa, 1.5 * cell.level_pa)
    ours = [onsets(trace) for trace in simulate(model, steps(*levels), {"sigma": 0.0}).voltage_mv[0]]
    theirs = [cell.spikes(p, level) for level in levels]
    assert [len(times) for times in ours] == [len(times) for times in theirs]
    assert len(theirs[-1]) > 4
    # drawn at the next sample, and each spike is seen up to a time step late
    late = np.concatenate(ours) - np.concatenate(theirs)
    number = np.concatenate([np.arange(1, len(times) + 1) for times in theirs])
    assert (late > -0.05).all()
    assert (late < DT_MS + 2 * model.dt_ms * number).all()


@pytest.mark.parametrize("level_pa", [165, 200, 400])
def test_the_intervals_of_a_plain_integrate_and_fire_cell_are_a_logarithm(level_pa: float) -> None:
    model = load_model("lif_plain")
    p = {parameter.name: float(parameter.value) for parameter in model.parameters}
    spikes = onsets(simulate(model, steps(level_pa), {"sigma": 0.0}).voltage_mv[0, 0])
    tau, towards = p["C"] / p["g_leak"], p["E_leak"] + level_pa / p["g_leak"]
    interval = p["t_ref"] + tau * np.log((towards - p["V_reset"]) / (towards - p["V_th"]))
    assert len(spikes) == int(((STOP - START) * DT_MS + p["t_ref"]) // interval)
    assert len(spikes) >= 2
    # the mean interval, to a sample over all of them and up to two steps in each
    measured = (spikes[-1] - spikes[0]) / (len(spikes) - 1)
    assert interval - DT_MS / (len(spikes) - 1) < measured < interval + DT_MS / (len(spikes) - 1) + 2 * model.dt_ms
