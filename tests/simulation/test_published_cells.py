"""Cells of the literature at their published values, against another solver."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import pytest

from neurofit.simulation import simulate
from neurofit.template import load_model
from tests.simulation.cells import (
    SPIKES,
    Array,
    Cell,
    Gate,
    Values,
    l_type_q,
    l_type_r,
    muscarinic_p,
    opening,
    quotient,
    spiking,
    t_type_s,
    t_type_u,
)
from tests.simulation.conftest import START, steps

Times = Callable[[Array], list[Array]]

# As the paper's own NEURON code has them (ModelDB 123623): mS/cm2 at 1 uF/cm2, on cylinders as long as wide.
AREA_UM2 = {"rs": np.pi * 96**2, "fs": np.pi * 67**2, "ib": np.pi * 96**2, "lts": np.pi * 96**2}
LEAK = {"rs": 0.1, "fs": 0.15, "ib": 0.01, "lts": 0.01}
COMMON = {"g_Na": 50, "V_T": -55, "rate": 1, "E_Na": 50, "E_K": -100}
ADAPTING = COMMON | {"g_K": 5, "tau_max": 1000}


@dataclass(frozen=True)
class Published(Cell):
    """With the steps to compare it under and what of its values has been published."""

    levels_pa: tuple[float, ...]
    published: Mapping[str, float]


CELLS = {
    "hh_pospischil_rs": Published(
        SPIKES | {"p": muscarinic_p},
        lambda v, x, p: spiking(x, p),
        (-200, 500, 750),
        ADAPTING | {"g_M": 0.07, "E_leak": -70},
    ),
    "hh_pospischil_fs": Published(
        SPIKES, lambda v, x, p: spiking(x, p), (-200, 400, 500), COMMON | {"g_K": 10, "E_leak": -70}
    ),
    "hh_pospischil_ib": Published(
        SPIKES | {"p": muscarinic_p, "q": l_type_q, "r": l_type_r},
        lambda v, x, p: spiking(x, p) | {"E_Ca": p["g_L"] * x["q"] ** 2 * x["r"]},
        (-100, 150, 250),
        ADAPTING | {"g_M": 0.03, "E_leak": -85, "g_L": 0.17, "E_Ca": 120},
    ),
    "hh_pospischil_lts": Published(
        SPIKES | {"p": muscarinic_p, "u": t_type_u},
        lambda v, x, p: spiking(x, p) | {"E_Ca": p["g_T"] * t_type_s(v) ** 2 * x["u"]},
        (-100, 100, 150),
        ADAPTING | {"g_M": 0.03, "E_leak": -85, "g_T": 0.4, "E_Ca": 120},
    ),
}


# Bernaerts et al. 2025: simulator.py, class EphysModel, at 25 degrees Celsius, and the first cell of their notebook. It
# has a specific capacitance (uF/cm2), an input resistance (MOhm), a time constant (ms), and conductances in mS/cm2.
FROM_21, FROM_36 = 2.3**0.4, 2.3**-1.1
C_M, R_IN, TAU_M = 9.537584, 272.991610, 21.443249
G_BAR = {"g_Nat": 93.058479, "g_Na": 36.266320, "g_K": 10.740511, "g_M": 0.880451, "g_Kv31": 27.365699, "g_L": 0.912325}
RATE_FACTOR = 1.655731


def quickened(gate: Gate, factor: float) -> Gate:
    def quicker(v: float, p: Values) -> tuple[float, float]:
        end, rate = gate(v, p)
        return end, factor * rate

    return quicker


def hay_m(v: float, p: Values) -> tuple[float, float]:
    return opening(0.182 * quotient(-(v + 38), 6), 0.124 * quotient(v + 38, 6))


def hay_h(v: float, p: Values) -> tuple[float, float]:
    return opening(0.015 * quotient(v + 66, 6), 0.015 * quotient(-(v + 66), 6))


def kv31_s(v: float, p: Values) -> tuple[float, float]:
    return 1 / (1 + np.exp((18.7 - v) / 9.7)), (1 + np.exp(-(v + 56.56) / 44.14)) / 4


COOL = {name: quickened(gate, FROM_36) for name, gate in (SPIKES | {"p": muscarinic_p}).items()}
HAY = {name: quickened(gate, FROM_21) for name, gate in {"m_t": hay_m, "h_t": hay_h, "s": kv31_s}.items()}


def many_currents(v: float, x: Mapping[str, float], p: Values) -> dict[str, float]:
    spikes = spiking(x, p)
    return {
        "E_Na": spikes["E_Na"] + p["g_Nat"] * x["m_t"] ** 3 * x["h_t"],
        "E_K": spikes["E_K"] + p["g_Kv31"] * x["s"],
        "E_Ca": p["g_L"] * x["q"] ** 2 * x["r"],
    }


CELLS["hh_bernaerts"] = Published(
    HAY | COOL | {"q": l_type_q, "r": l_type_r},
    many_currents,
    (-100, 100, 300),
    {"celsius": 25, "Q10": 2.3, "E_Na": 69, "E_K": -98.4, "E_Ca": 127.2},
)


def values_of(name: str) -> dict[str, float]:
    return {p.name: float(p.value) for p in load_model(name).parameters}


@pytest.mark.parametrize("name", [name for name in CELLS if name != "hh_bernaerts"])
def test_a_template_has_the_published_values(name: str) -> None:
    own, kind = values_of(name), name.removeprefix("hh_pospischil_")
    assert {key: own[key] for key in CELLS[name].published} == CELLS[name].published
    assert own["C"] == pytest.approx(AREA_UM2[kind] * 1e-2, rel=1e-3)
    assert own["g_leak"] / own["C"] == pytest.approx(LEAK[kind], rel=1e-9)


def test_the_wider_set_of_currents_has_the_values_of_its_code() -> None:
    own = values_of("hh_bernaerts")
    assert {key: own[key] for key in CELLS["hh_bernaerts"].published} == CELLS["hh_bernaerts"].published
    theirs = {name: g / C_M for name, g in G_BAR.items()} | {"C": 1e3 * TAU_M / R_IN, "g_leak": 1e3 / R_IN}
    theirs |= {"rate": 1 / RATE_FACTOR, "E_leak": -85.184921, "tau_max": 413.258078, "V_T": -54.367571}
    for name, value in theirs.items():
        assert own[name] == pytest.approx(value, rel=1e-4), name


STEPS_MS = [
    # the template's own, and one at which little but the equations is left
    pytest.param(None, 0.7, id="own"),
    pytest.param(0.005, 0.04, id="fine", marks=pytest.mark.slow),
]


@cache
def solved(name: str) -> Array:
    cell = CELLS[name]
    return np.array([cell.solve(values_of(name), current) for current in steps(*cell.levels_pa).current_pa])


@pytest.mark.parametrize(("dt_ms", "within_ms"), STEPS_MS)
@pytest.mark.parametrize("name", CELLS)
def test_the_published_cells_against_another_solver(
    name: str, dt_ms: float | None, within_ms: float, spike_times: Times
) -> None:
    model = load_model(name)
    if dt_ms is not None:
        model = replace(model, dt_ms=dt_ms, precision="double")
    ours = simulate(model, steps(*CELLS[name].levels_pa), {"sigma": 0.0}).voltage_mv[0].astype(np.float64)
    theirs = solved(name)
    mine, other = spike_times(ours), spike_times(theirs)
    assert [len(times) for times in mine] == [len(times) for times in other]
    assert len(other[-1]) > 2
    assert np.abs(np.concatenate(mine) - np.concatenate(other)).max() < within_ms
    assert np.abs(ours - theirs)[:, :START].max() < 1e-4, "at rest"
    assert np.abs(ours - theirs)[0].max() < 0.01, "without spikes"
