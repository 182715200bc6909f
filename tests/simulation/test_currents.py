"""Each current of docs/currents.md, pasted as the page says, does what it should and what another solver says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import numpy as np
import pytest

from neurofit.simulation import simulate
from neurofit.template import Model
from tests.simulation.cells import (
    SPIKES,
    Array,
    Cell,
    Gate,
    Values,
    l_type_q,
    l_type_r,
    muscarinic_p,
    spiking,
    t_type_s,
    t_type_u,
)
from tests.simulation.conftest import DT_MS, START, STOP, steps

# The script that draws the page's figures also pastes its blocks.
_SPEC = spec_from_file_location("render", Path(__file__).parents[2] / "docs" / "models" / "render.py")
assert _SPEC is not None
assert _SPEC.loader is not None
RENDER = module_from_spec(_SPEC)
_SPEC.loader.exec_module(RENDER)

BARE = {"sigma": 0.0, "R_s": 0.0, "V_offset": 0.0}
# What the cell is given so that the current shows, beside the values of the template and the page.
SETTING: dict[str, dict[str, float]] = {
    "I_h": {},
    "I_NaP": {},
    "I_A": {"E_leak": -80.0},
    "I_L": {"g_M": 0.03},
    "I_T": {"C": 100.0, "g_leak": 4.0, "E_leak": -65.0},
}
LEVELS_PA = {"I_h": (-200, 100), "I_NaP": (-80, 60), "I_A": (300, 400), "I_L": (100, 250), "I_T": (-100, 50)}


def h_r(v: float, p: Values) -> tuple[float, float]:
    return 1 / (1 + np.exp((v - p["V_h"]) / 7)), 1 / p["tau_h"]


# Huguenard and McCormick 1992, at 36 degrees Celsius.
def a_x(v: float, p: Values) -> tuple[float, float]:
    tau = 0.37 + 1 / (np.exp((v + 35.82) / 19.69) + np.exp(-(v + 79.69) / 12.7))
    return 1 / (1 + np.exp(-(v + 60) / 8.5)), 3 ** ((36 - 23.5) / 10) / tau


def a_z(v: float, p: Values) -> tuple[float, float]:
    tau = 19 if v >= -63 else 1 / (np.exp((v + 46.05) / 5) + np.exp(-(v + 238.4) / 37.45))
    return 1 / (1 + np.exp((v + 78) / 6)), 3 ** ((36 - 23.5) / 10) / tau


Open = Callable[[float, Mapping[str, float], Values], dict[str, float]]
CURRENTS: dict[str, tuple[dict[str, Gate], Open]] = {
    "I_h": ({"r": h_r}, lambda v, x, p: {"E_h": p["g_h"] * x["r"]}),
    "I_NaP": ({}, lambda v, x, p: {"E_Na": p["g_NaP"] / (1 + np.exp((p["V_NaP"] - v) / 4.6))}),
    "I_A": ({"x": a_x, "z": a_z}, lambda v, x, p: {"E_K": p["g_A"] * x["x"] ** 4 * x["z"]}),
    "I_L": ({"q": l_type_q, "r": l_type_r}, lambda v, x, p: {"E_Ca": p["g_L"] * x["q"] ** 2 * x["r"]}),
    "I_T": ({"u": t_type_u}, lambda v, x, p: {"E_Ca": p["g_T"] * t_type_s(v) ** 2 * x["u"]}),
}


@cache
def model_with(current: str) -> Model:
    return RENDER.with_current(current)


@cache
def voltage(current: str) -> Array:
    """``[without and with, sweep, time]``."""
    conductance = current.replace("I_", "g_")
    model = model_with(current)
    own = next(p.value for p in model.parameters if p.name == conductance)
    cells = {name: [value] * 2 for name, value in (BARE | SETTING[current]).items()} | {conductance: [0.0, own]}
    return simulate(model, steps(*LEVELS_PA[current]), cells).voltage_mv.astype(np.float64)


def spikes(trace: Array) -> Array:
    """Samples at which the voltage crosses -20 mV upwards."""
    return np.flatnonzero((trace[:-1] < -20) & (trace[1:] >= -20)) + 1


def test_the_page_has_the_currents_that_are_tested() -> None:
    assert list(RENDER.blocks()) == list(CURRENTS) == list(RENDER.CURRENTS)


@pytest.mark.parametrize("current", CURRENTS)
def test_a_pasted_current_against_another_solver(current: str) -> None:
    gates, opened = CURRENTS[current]

    def currents(v: float, x: Mapping[str, float], p: Values) -> dict[str, float]:
        total, more = spiking(x, p), opened(v, x, p)
        return total | {name: total.get(name, 0.0) + g for name, g in more.items()}

    cell = Cell(SPIKES | {"p": muscarinic_p} | gates, currents)
    p = {parameter.name: float(parameter.value) for parameter in model_with(current).parameters}
    p |= BARE | SETTING[current]
    for ours, current_pa in zip(voltage(current)[1], steps(*LEVELS_PA[current]).current_pa, strict=True):
        theirs = cell.solve(p, current_pa)
        assert len(spikes(ours)) == len(spikes(theirs))
        assert (np.abs(spikes(ours) - spikes(theirs)) * DT_MS < 0.4).all()
        assert len(spikes(ours)) or np.abs(ours - theirs).max() < 0.01


def test_h_makes_the_voltage_sag() -> None:
    without, with_h = voltage("I_h")[:, 0]
    sag = [trace[STOP - 1] - trace[START:STOP].min() for trace in (without, with_h)]
    assert sag[0] < 0.5
    assert sag[1] > 3
    assert with_h[STOP:].max() > with_h[0] + 1


def test_persistent_sodium_amplifies_what_comes_near_the_threshold() -> None:
    (down, up), (down_with, up_with) = voltage("I_NaP")[..., STOP - 1] - voltage("I_NaP")[..., 0]
    assert up_with / -down_with > 1.1 * up / -down


def test_a_type_potassium_delays_the_first_spike() -> None:
    without, with_a = voltage("I_A")[:, 0]
    assert spikes(with_a)[0] - START > 1.5 * (spikes(without)[0] - START)


def test_l_type_calcium_adds_spikes() -> None:
    without, with_l = voltage("I_L")[:, 1]
    assert len(spikes(with_l)) >= len(spikes(without)) + 2


def test_t_type_calcium_fires_after_a_hyperpolarisation() -> None:
    without, with_t = voltage("I_T")[:, 0]
    assert len(spikes(without)) == 0
    assert len(spikes(with_t)) >= 2
    assert (spikes(with_t) > STOP).all()
