"""What is simulated is what the equations say: other solvers and closed forms agree."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import pytest

from neurofit.recording import Stimulus
from neurofit.simulation import simulate
from neurofit.template import Model, load_model, parse_model
from tests.simulation.conftest import DT_MS, START, STOP, TEMPLATES, steps
from tests.simulation.solver import integrate_and_fire, per_area, solve, whole_cell

Array = np.ndarray
Times = Callable[[Array], list[Array]]

TIME = np.arange(3000) * DT_MS
STEP_MS = START * DT_MS
SILENT = {"sigma": 0.0, "R_s": 0.0}


# What differs from the template's own values, one line a cell.
CELLS: dict[str, list[dict[str, float]]] = {
    "hh_pospischil": [
        {},
        {"C": 100, "g_leak": 4, "V_T": -55},
        {"g_Na": 30, "g_K": 12, "rate": 0.5},
        {"g_M": 0.3, "tau_max": 300, "rate": 1.5},
    ],
    "hh_pospischil_ih": [
        {},
        {"g_h": 0.1, "tau_h": 40},
        {"V_M": -20, "g_M": 0.5, "rate": 0.5},
        {"C": 100, "V_h": -78, "V_T": -55},
    ],
    "hh_tutorial": [{}, {"g_Na": 30, "g_K": 2}, {"g_Na": 70, "g_K": 12}, {"g_Na": 15, "g_K": 1}],
    "lif": [
        {},
        {"b": 100, "tau_w": 50},
        {"C": 100, "t_ref": 1.5},
        {"V_th": -45, "tau_w": 500, "t_ref": 7.33},
        {"b": 5, "t_ref": 2.22},
    ],
}
LEVELS_PA = {"hh_tutorial": (-100, 400, 500)}
HODGKIN_HUXLEY = [
    pytest.param(name, marks=[] if name == "hh_pospischil" else pytest.mark.slow) for name in CELLS if name != "lif"
]


def values_of(name: str) -> list[dict[str, float]]:
    """Every parameter of each cell, without an electrode in the way."""
    own = {p.name: float(p.value) for p in load_model(name).parameters}
    bare = {key: 0.0 for key in ("sigma", "R_s", "V_offset") if key in own}
    return [own | bare | cell for cell in CELLS[name]]


def simulated(name: str, stimulus: Stimulus, dt_ms: float | None = None) -> Array:
    """The cells as neurofit has them, without noise: ``[cell, sweep, time]``, at the template's own step by default."""
    model = load_model(name)
    model = parse_model(model.text.replace("sigma*white_noise", "0*sigma*white_noise"), name)
    free = [{key: cell[key] for key in model.free} for cell in values_of(name)]
    return simulate(model.with_dt(dt_ms or model.dt_ms), stimulus, pd.DataFrame(free)).voltage_mv.astype(np.float64)


def protocol(name: str) -> Stimulus:
    return steps(*LEVELS_PA.get(name, (-100, 200, 400)))


@cache
def solved(name: str) -> Array:
    """The same from another solver."""
    in_rates = per_area if name == "hh_tutorial" else whole_cell
    cells = [in_rates(cell) for cell in values_of(name)]
    return np.array([[solve(cell, current, DT_MS) for current in protocol(name).current_pa] for cell in cells])


@pytest.mark.parametrize("name", HODGKIN_HUXLEY)
def test_hodgkin_huxley_against_another_solver(name: str, spike_times: Times) -> None:
    ours, theirs = simulated(name, protocol(name)).reshape(-1, 3000), solved(name).reshape(-1, 3000)
    counts = np.array([len(times) for times in spike_times(theirs)])
    assert (counts == 0).sum() >= 4
    assert (counts > 2).sum() >= 4
    for mine, other, my_spikes, other_spikes in zip(ours, theirs, spike_times(ours), spike_times(theirs), strict=True):
        assert len(my_spikes) == len(other_spikes)
        if not len(other_spikes):
            assert np.abs(mine - other).max() < 0.02, "without spikes only the precision is left"
        assert np.allclose(my_spikes, other_spikes, atol=0.25, rtol=0)
        outside = (np.abs(TIME[:, None] - [*my_spikes, *other_spikes, -99.0]) > 3).all(axis=1)
        assert np.abs(mine - other)[outside].max() < 1


def test_without_spikes_the_scheme_is_exact_in_double_precision(hh: Model) -> None:
    cell = dict.fromkeys(("sigma", "R_s", "V_offset"), 0.0)
    ours = simulate(replace(hh, precision="double"), steps(-100), cell).voltage_mv[0, 0]
    parameters = whole_cell({p.name: p.value for p in hh.parameters})
    assert np.abs(ours - solve(parameters, steps(-100).current_pa[0], DT_MS)).max() < 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("name", HODGKIN_HUXLEY)
def test_the_staggered_scheme_is_of_second_order(name: str, spike_times: Times) -> None:
    theirs = solved(name)
    coarse, fine = (
        np.sqrt(((simulated(name, protocol(name), dt_ms) - theirs) ** 2).mean(axis=2)) for dt_ms in (0.025, 0.0125)
    )
    fires = np.array([len(times) > 0 for times in spike_times(theirs)]).reshape(coarse.shape)
    ratios = coarse[fires] / fine[fires]
    assert ratios.min() > 3
    assert ratios.max() < 4.5


@pytest.mark.slow
def test_an_integrate_and_fire_cell_against_sums_of_exponentials() -> None:
    """Spikes are seen on the grid of the time step: every interval is off by up to two steps, hence first order."""
    mean_error_ms = []
    for dt_ms in (0.1, 0.05, 0.025):
        stimulus = Stimulus(np.repeat(steps(-100, 250, 400).current_pa, round(DT_MS / dt_ms), axis=1), dt_ms)
        time, errors = np.arange(stimulus.n_samples) * dt_ms, []
        for ours, cell in zip(simulated("lif", stimulus, dt_ms), values_of("lif"), strict=True):
            for trace, current in zip(ours, stimulus.current_pa, strict=True):
                voltage, spikes = integrate_and_fire(cell, current, dt_ms)
                onsets = time[1:][(trace[1:] == 30) & (trace[:-1] != 30)]
                assert len(onsets) == len(spikes)
                errors.append(onsets - spikes)
                assert (np.abs(errors[-1]) < dt_ms * (1 + 2 * np.arange(len(spikes)))).all()
                charging = time < (spikes[0] if len(spikes) else np.inf)
                assert np.abs(trace - voltage)[charging].max() < 1e-4
        mean_error_ms.append(np.abs(np.concatenate(errors)).mean())
    assert mean_error_ms[1] < 3 * 0.05, "over up to 20 spikes"
    for coarse, fine in itertools.pairwise(mean_error_ms):
        assert 1.6 < coarse / fine < 2.5


@pytest.mark.slow
def test_the_staggered_scheme_beats_brian2s_own(hh: Model, spike_times: Times) -> None:
    theirs = parse_model(hh.text.replace("staggered_exponential_euler", "exponential_euler"), "x")
    theta = hh.table(hh.prior.sample(100, np.random.default_rng(1)))
    theta["sigma"], theta["R_s"] = 0.0, 0.0
    stimulus = steps(100, 300)
    runs = {
        "reference": simulate(hh.with_dt(0.002), stimulus, theta),
        "ours": simulate(hh, stimulus, theta),
        "theirs": simulate(theirs, stimulus, theta),
    }
    assert all(traces.valid.all() for traces in runs.values())
    counts = {name: np.array([len(t) for t in spike_times(traces.voltage_mv)]) for name, traces in runs.items()}
    reference = runs["reference"].voltage_mv
    rms = {name: np.sqrt(((t.voltage_mv - reference) ** 2).mean(axis=2)).ravel() for name, t in runs.items()}
    fires = counts["reference"] > 0
    assert fires.sum() > 40
    assert np.median(rms["ours"][fires]) < 0.25 * np.median(rms["theirs"][fires])
    wrong = {name: int((counts[name] != counts["reference"]).sum()) for name in ("ours", "theirs")}
    assert wrong["ours"] < wrong["theirs"]
    assert wrong["ours"] <= 4


@pytest.mark.slow
def test_single_precision_costs_less_than_the_time_step_does(hh: Model, spike_times: Times) -> None:
    theta = hh.table(hh.prior.sample(300, np.random.default_rng(2)))
    theta["sigma"] = 0.0
    stimulus = steps(100, 300)
    double, single, finer = (
        simulate(model, stimulus, theta).voltage_mv.astype(np.float64)
        for model in (replace(hh, precision="double"), replace(hh, precision="single"), hh.with_dt(0.0125))
    )
    counts = [np.array([len(t) for t in spike_times(voltage)]) for voltage in (double, single, finer)]
    assert (counts[0] > 0).sum() > 100
    assert (counts[0] != counts[1]).sum() <= (counts[0] != counts[2]).sum() <= 6
    precision, step = (np.sqrt(((v - double) ** 2).mean(axis=2)).ravel()[counts[0] > 0] for v in (single, finer))
    assert np.median(precision) < 0.1 * np.median(step)
    silent = counts[0] == 0
    assert np.abs(single - double).max(axis=2).ravel()[silent].max() < 0.05


def test_below_threshold_an_integrate_and_fire_cell_is_an_exponential(lif: Model) -> None:
    v = simulate(lif, steps(-100, 100), SILENT).voltage_mv[0]
    tau = 200 / 8
    since = np.clip(TIME - STEP_MS, 0, None)
    charging = 1 - np.exp(-np.minimum(since, 200) / tau)
    left = np.where(since > 200, np.exp(-(since - 200) / tau), 1.0)
    for sweep, level in enumerate((-100, 100)):
        assert np.abs(v[sweep] - (-70 + level / 8 * charging * left)).max() < 2e-4


def test_what_the_electrode_adds(lif: Model) -> None:
    stimulus = steps(100)
    bare = simulate(lif, stimulus, SILENT).voltage_mv[0, 0]
    added = simulate(lif, stimulus, {**SILENT, "R_s": 20.0}).voltage_mv[0, 0]
    assert np.allclose(added - bare, stimulus.current_pa[0] * 20e-3, atol=1e-4), "in the very sample of the current"


def test_spikes_of_an_integrate_and_fire_cell(lif: Model) -> None:
    theta = {**SILENT, "b": 0.0, "t_ref": [3.0, 10.0, 1.0]}
    v = simulate(lif, steps(300), theta).voltage_mv[:, 0]
    tau, v_inf = 25, -70 + 300 / 8
    charging = tau * np.log((v_inf + 70) / (v_inf + 50))
    for trace, refractory, width in zip(v, theta["t_ref"], (10, 10, 9), strict=True):
        drawn = trace == 30
        onsets = TIME[1:][drawn[1:] & ~drawn[:-1]]
        ends = TIME[1:][~drawn[1:] & drawn[:-1]]
        assert onsets[0] == pytest.approx(STEP_MS + charging, abs=0.1)
        # on the grid of the time step, seen on the grid of the samples
        assert np.allclose(np.diff(onsets), refractory + charging, atol=0.05 + 0.1)
        assert np.diff(onsets).mean() == pytest.approx(refractory + charging, abs=0.05 + 0.2 / len(onsets))
        assert len(onsets) == 1 + int((200 - charging) // (refractory + charging))
        # 1 ms, but never to the end of the refractory period
        assert set(np.round((ends - onsets) / DT_MS).astype(int)) == {width}
        for end in ends:
            since = TIME - end
            waits = (since > -1e-9) & (since < refractory - width * DT_MS - 0.1)
            assert np.allclose(trace[waits], -70, atol=1e-4), "holds still while refractory"


def test_adaptation_grows_by_its_step(lif: Model) -> None:
    theta = {**SILENT, "b": [0.0, 40.0], "tau_w": 1000.0}
    v = simulate(lif, steps(400), theta).voltage_mv[:, 0]
    onsets = [TIME[1:][(trace[1:] == 30) & (trace[:-1] != 30)] for trace in v]
    assert np.ptp(np.diff(onsets[0])) < 0.11
    assert (np.diff(np.diff(onsets[1])) > 0).all(), "every interval is longer than the one before"
    assert onsets[0][0] == onsets[1][0]


@pytest.mark.slow
def test_a_drawn_spike_is_seen_however_coarse_the_sampling(lif: Model) -> None:
    current = np.zeros((1, 150))
    current[:, 25:125] = 300
    v = simulate(lif, Stimulus(current, 2.0), {**SILENT, "b": 0.0, "t_ref": [7.0, 3.0]}).voltage_mv[:, 0]
    charging = 25 * np.log(37.5 / 17.5)
    for trace, refractory in zip(v, (7.0, 3.0), strict=True):
        onsets = (trace[1:] == 30) & (trace[:-1] != 30)
        assert onsets.sum() == 1 + int((200 - charging) // (refractory + charging))


@pytest.mark.parametrize("holding_pa", [0.0, -80.0, 40.0])
@pytest.mark.parametrize("name", ["hh_pospischil", "lif"])
def test_a_simulation_starts_at_rest_under_its_holding_current(name: str, holding_pa: float) -> None:
    model = load_model(name)
    theta = model.table(model.prior.sample(500, np.random.default_rng(0)))
    for column in {"sigma", "R_s", "V_offset"} & set(model.free):
        theta[column] = 0.0
    v = simulate(model, steps(0, holding_pa=holding_pa), theta).voltage_mv[:, 0]
    moved = np.abs(v - v[:, :1]).max(axis=1)
    assert (moved < 0.05).mean() > 0.7
    # the others have no rest and fire; hardly any is so near to one that it takes longer than this to leave it
    assert ((moved > 0.05) & (moved < 20)).sum() <= 2


def test_a_cell_that_fires_by_itself_starts_between_its_spikes() -> None:
    """Its currents balance above threshold too, but not stably; where they do so stably, it is blocked and stays."""
    model = load_model("hh_pospischil")
    theta = model.table(model.prior.sample(1500, np.random.default_rng(1)))
    for column in ("sigma", "R_s", "V_offset"):
        theta[column] = 0.0
    v = simulate(model, steps(0), theta).voltage_mv[:, 0]
    start, moved = v[:, 0], np.abs(v - v[:, :1]).max(axis=1)
    fires = moved > 20
    assert fires.sum() > 20
    assert (start[fires] <= -45).all()
    # no first spike that only the start made: it comes from below, after a while
    assert (v[fires][:, :10] < -30).all()
    blocked = start > -40
    assert blocked.sum() > 10
    assert (moved[blocked] < 0.05).all()


def test_each_sweep_starts_at_its_own_rest(passive: Model) -> None:
    current = steps(0, 0, 0).current_pa + np.array([[0.0], [50.0], [-120.0]])
    v = simulate(passive, Stimulus(current, DT_MS), {"sigma": 0.0, "g": [10.0, 5.0]}).voltage_mv
    for draw, g in enumerate((10, 5)):
        assert np.allclose(v[draw], -70 + np.array([[0.0], [50.0], [-120.0]]) / g, atol=1e-3)


def test_a_rest_far_below_is_found(passive: Model) -> None:
    v = simulate(passive, steps(0, holding_pa=-1000), {"sigma": 0.0}).voltage_mv
    assert np.allclose(v, -170, atol=1e-3)


def test_a_starting_voltage_of_ones_own(passive: Model) -> None:
    model = parse_model(passive.text.replace('v = "rest"', 'v = "E + 0.5*I_inj/g"'), "x")
    v = simulate(model, steps(0, holding_pa=100), {"sigma": 0.0, "E": [-70.0, -60.0]}).voltage_mv[:, 0]
    assert v[:, 0] == pytest.approx([-65, -55], abs=1e-4)
    assert v[:, -1] == pytest.approx([-60, -50], abs=1e-3), "and goes where it belongs"
    constant = parse_model(passive.text.replace('v = "rest"', 'v = "-50*mV"'), "x")
    assert simulate(constant, steps(0), {"E": [-70.0, -60.0]}).voltage_mv[:, 0, 0] == pytest.approx([-50, -50])


@pytest.mark.slow
def test_a_capacitor_needs_no_conductance() -> None:
    model = load_model(TEMPLATES / "integrator.toml")
    v = simulate(model, steps(0, 50), {"sigma": 0.0}).voltage_mv[0]
    assert np.abs(v[0]).max() < 1e-6
    assert np.allclose(v[1], np.clip(TIME - STEP_MS, 0, 200) * 50 / 100, atol=1e-4)


GATE = """
[parameters.tau_x]
unit = "ms"
value = 1e6
description = "a time constant so long that nothing moves"
source = "a test"
"""


@pytest.mark.slow
def test_gates_start_from_the_holding_current_and_from_one_another(passive: Model) -> None:
    text = passive.text.replace(
        'model = "dv/dt = (g*(E - v) + I_inj + sigma*white_noise)/C : volt"',
        'model = """\ndv/dt = (g*(E - v) + I_inj + sigma*white_noise)/C : volt\n'
        'dx/dt = -x/tau_x : 1\ndy/dt = -y/tau_x : 1\nx_twice = 2*x : 1\n"""\nrecorded = "v + (x + y)*mV"',
    ).replace('v = "rest"', 'y = "x_twice + 1"\nx = "I_inj/(10*pA)"\nv = "rest"')
    v = simulate(parse_model(text + GATE, "x"), steps(0, holding_pa=20), {"sigma": 0.0}).voltage_mv
    assert np.allclose(v, -70 + 20 / 10 + 2 + 5, atol=1e-2)


@pytest.mark.slow
def test_a_gate_that_follows_the_voltage_at_once(passive: Model, spike_times: Times) -> None:
    """Persistent sodium makes dv/dt nonlinear in v: the staggered scheme holds the gate still over each step."""
    from scipy.integrate import solve_ivp

    text = passive.text.replace(
        'model = "dv/dt = (g*(E - v) + I_inj + sigma*white_noise)/C : volt"',
        'model = """\ndv/dt = (g*(E - v) + I_p + I_inj + sigma*white_noise)/C : volt\n'
        'I_p = 6*nS*s*(50*mV - v) : amp\ns = 1/(1 + exp((-45*mV - v)/(5*mV))) : 1\n"""',
    )
    model = parse_model(text, "x")
    # from below to above the point of no return
    v = simulate(model.with_dt(0.025), steps(30, 200), {"sigma": 0.0, "C": 100.0}).voltage_mv[0]

    def slope(_: float, v: Array, current: float) -> Array:
        return (10 * (-70 - v) + 6 / (1 + np.exp((-45 - v) / 5)) * (50 - v) + current) / 100

    for trace, level in zip(v, (30.0, 200.0), strict=True):
        start = solve_ivp(slope, (0, 500), [-70.0], args=(0.0,), rtol=1e-9, atol=1e-9).y[:, -1]
        times = np.arange(0, 2001) * DT_MS
        done = solve_ivp(slope, (0, 200), start, "LSODA", times, args=(level,), rtol=1e-9, atol=1e-9)
        assert np.abs(trace[START : STOP + 1] - done.y[0]).max() < 0.3
    assert v[1].max() - v[0].max() > 20
