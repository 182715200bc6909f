"""Passive features against closed forms: a resistance and a capacitance behind an electrode."""

from __future__ import annotations

import numpy as np
import pytest

from neurofit.features import extract_features
from neurofit.recording import Stimulus
from tests.features.cells import firing, membrane, spike, steps

LEVELS = [-100.0, -50.0, 0.0, 50.0]
SAMPLING = (0.05, 0.1, 0.25)


def measured(voltage, stimulus, *names):
    table = extract_features(voltage, stimulus)
    return [float(table.column(name)[0]) for name in names]


# The electrode's tolerance is the membrane's charging that a straight line cannot take off: with early and late times
# a and b (ms) after the edge it is R a b / (2 tau^2), .1 of R/tau^2. Below 10 kHz it is not measured, and what the
# electrode adds counts as the membrane's, in recorded and simulated voltage alike.
@pytest.mark.parametrize("dt_ms", SAMPLING)
@pytest.mark.parametrize(
    ("resistance", "capacitance_pf", "electrode", "rest"),
    [
        (100, 200, 0, -65), (100, 200, 15, -72), (40, 500, -4, -60),
        (300, 100, 8, -80), (600, 60, 20, -55), (80, 50, 5, -65),
    ],
)  # fmt: skip
def test_a_membrane_is_measured_as_it_is(dt_ms, resistance, capacitance_pf, electrode, rest):
    tau = resistance * capacitance_pf / 1e3
    stimulus = steps(LEVELS, dt_ms, holding_pa=-10.0)
    voltage = membrane(stimulus, rest_mv=rest, resistance_mohm=resistance, tau_ms=tau, electrode_mohm=electrode)
    found = measured(
        voltage, stimulus, "resting_potential", "electrode_resistance", "input_resistance", "peak_input_resistance",
        "membrane_time_constant", "sag_fraction",
    )  # fmt: skip
    slack = 0.15 * resistance / tau**2
    steady = 1 - np.exp(-450 / tau)  # the middle of the last fifth of the step
    assert found[0] == pytest.approx(rest, abs=1e-9)
    unseen = 0.0
    if dt_ms <= 0.1:
        assert found[1] == pytest.approx(electrode, abs=slack + 1e-9)
    else:
        assert np.isnan(found[1])
        unseen = electrode
    assert found[2] == pytest.approx(resistance * steady + unseen, rel=1e-3, abs=slack)
    assert found[3] == pytest.approx(resistance * (1 - np.exp(-500 / tau)) + unseen, rel=1e-3, abs=slack)
    if not unseen:
        assert found[4] == pytest.approx(tau, rel=0.01, abs=0.05)
    assert found[5] == pytest.approx(0, abs=0.005)


@pytest.mark.parametrize("dt_ms", SAMPLING)
def test_noise_moves_little_and_is_measured(dt_ms):
    """Twenty recordings with 0.3 mV of white noise.

    The noise itself is a median absolute deviation of 400 to 2000 samples: 6 to 3 % (its efficiency is .37). A jump of
    the voltage has 0.9 to 0.4 of the noise of its single samples, and 18 jumps of 50 to 300 pA weigh as one of 690 pA.
    """
    rng = np.random.default_rng(0)
    stimulus = steps(np.arange(-100.0, 301.0, 50.0).tolist(), dt_ms)
    clean = membrane(stimulus, resistance_mohm=120, tau_ms=24, electrode_mohm=10)
    voltage = clean + 0.3 * rng.standard_normal((20, *clean.shape))
    voltage = np.minimum(voltage, -25.0)  # a membrane, not spikes
    table, exact = extract_features(voltage, stimulus), extract_features(clean, stimulus)
    jump_sd = 0.3 * np.sqrt(1.25**2 / (1 + round(0.2 / dt_ms)) + 1 / (2 / dt_ms))
    for name, tolerance in {
        "resting_potential": 0.05, "electrode_resistance": 4 * jump_sd / 0.69, "input_resistance": 3.0,
        "peak_input_resistance": 5.0, "membrane_time_constant": 3.0, "sag_fraction": 0.05,
    }.items():  # fmt: skip
        if name == "electrode_resistance" and dt_ms > 0.1:
            assert not table.select([name]).defined.any()
            continue
        assert np.abs(table.column(name) - exact.column(name)[0]).max() < tolerance, name
    assert table.column("resting_noise") == pytest.approx(0.3, rel=0.15)


def test_a_quiet_trace_has_the_smallest_noise_that_is_told():
    stimulus = steps(LEVELS, 0.1)
    assert measured(membrane(stimulus), stimulus, "resting_noise") == [pytest.approx(1e-3)]


@pytest.mark.parametrize("sag_mohm", [10.0, 30.0])
def test_a_sag_is_measured_as_it_is(sag_mohm):
    dt = 0.1
    stimulus = steps(LEVELS, dt)
    voltage = membrane(stimulus, resistance_mohm=130, tau_ms=15, sag_mohm=sag_mohm, sag_tau_ms=60)
    time = np.arange(0, 500, dt)
    deflection = 130 * (1 - np.exp(-time / 15)) - sag_mohm * (1 - np.exp(-time / 60))
    peak, steady = deflection.max(), np.median(deflection[-1000:])
    found = measured(
        voltage, stimulus, "peak_input_resistance", "input_resistance", "sag_fraction", "sag@0", "peak_deflection@0"
    )
    assert found[0] == pytest.approx(peak, rel=2e-3)
    assert found[1] == pytest.approx(steady, rel=2e-3)
    assert found[2] == pytest.approx(1 - steady / peak, abs=2e-3)
    assert found[3] == pytest.approx((peak - steady) * 0.1, abs=0.03)  # at -100 pA
    assert found[4] == pytest.approx(-0.1 * peak, rel=2e-3)


def test_synaptic_potentials_hardly_move_the_medians():
    """EPSPs of 1 to 3 mV at 5 Hz (rise 2 ms, decay 15 ms) stand for a tenth of the time."""
    rng = np.random.default_rng(1)
    stimulus = steps(LEVELS, 0.1)
    clean = membrane(stimulus, resistance_mohm=120, tau_ms=24, electrode_mohm=10)
    voltage = clean.copy()
    time = stimulus.time_ms
    for trace in voltage:
        for at in rng.uniform(0, 750, rng.poisson(5 * 0.75)):
            since = np.clip(time - at, 0, None)
            trace += rng.uniform(1, 3) * 1.5 * (np.exp(-since / 15) - np.exp(-since / 2))
    table, exact = extract_features(voltage, stimulus), extract_features(clean, stimulus)
    for name, share in {"resting_potential": 0.2, "input_resistance": 0.5, "peak_input_resistance": 0.5,
                        "membrane_time_constant": 1, "sag_fraction": 1, "electrode_resistance": 1}.items():  # fmt: skip
        spec = table.feature(name)
        a, b = table.column(name)[0], exact.column(name)[0]
        moved = abs(np.log(a / b)) if spec.scale == "log" else abs(a - b)
        assert moved < share * spec.tolerance, name


def test_a_spike_at_an_edge_does_not_count_as_electrode():
    stimulus = steps([-100.0, -75.0, -50.0, -25.0, 25.0, 50.0], 0.1)
    voltage = membrane(stimulus, electrode_mohm=10)
    voltage[4] += firing(stimulus, [[], [], [], [], [600.3], []], plateau_mv=0, rest_mv=0)[4]
    assert measured(voltage, stimulus, "electrode_resistance")[0] == pytest.approx(10, abs=0.2)


def test_a_firing_sweep_is_left_out_of_the_passive_ones():
    """A cell that fires by itself at the lowest level is measured at the next."""
    stimulus = steps(LEVELS, 0.1)
    voltage = membrane(stimulus, resistance_mohm=120, tau_ms=24)
    names = ("input_resistance", "peak_input_resistance", "membrane_time_constant")
    before = measured(voltage, stimulus, *names)
    voltage[0] += firing(stimulus, [[300.0], [], [], []], plateau_mv=0, rest_mv=0)[0]
    assert measured(voltage, stimulus, *names) == pytest.approx(before, rel=5e-3)


def test_a_stimulus_without_hyperpolarisation_has_no_peak():
    stimulus = steps([0.0, 20.0, 40.0], 0.1)
    table = extract_features(membrane(stimulus), stimulus)
    for name in ("peak_input_resistance", "sag_fraction", "membrane_time_constant", "peak_deflection@0"):
        assert not table.select([name]).defined.any(), name


def test_a_step_at_either_end_leaves_undefined_what_has_no_place():
    """No holding current before the step, so no rest; nothing after it either."""
    current = np.repeat([[-50.0], [50.0]], 5000, axis=1)
    current[:, :1000] = 0.0
    at_end = Stimulus(current, 0.1)
    table = extract_features(np.full((2, 5000), -65.0), at_end)
    assert not table.select(["after_step@0", "after_step@1"]).defined.any()
    assert table.select(["rest@0", "spontaneous_rate", "spike_count@0"]).defined.all()

    current = np.repeat([[-50.0], [50.0]], 5000, axis=1)  # the whole sweep
    whole = Stimulus(current, 0.1)
    table = extract_features(np.full((2, 5000), -65.0), whole)
    for name in ("rest@0", "after_step@0", "spontaneous_spikes@0", "spontaneous_rate", "electrode_resistance"):
        assert not table.select([name]).defined.any(), name
    assert table.column("spike_count@0") == 0


def test_spikes_outside_the_step_are_counted_by_themselves():
    stimulus = steps([-50.0, 0.0, 50.0], 0.1)
    voltage = firing(stimulus, [[20.0, 60.0, 300.0], [630.0, 700.0], [620.0]])
    # up to 50 ms after the step (600 ms) a spike is an answer to it
    table = extract_features(voltage, stimulus)
    assert [table.column(f"spontaneous_spikes@{s}")[0] for s in range(3)] == [2, 1, 0]
    assert [table.column(f"spike_count@{s}")[0] for s in range(3)] == [1, 0, 0]
    # three sweeps of 100 ms before the step and 100 ms of the 150 ms after it
    assert table.column("spontaneous_rate")[0] == pytest.approx(3 / 0.6)


def test_a_stretch_at_another_level_is_not_the_holding_current():
    """After the step comes a pre-pulse of the next: spikes there are not the cell's own."""
    current = np.zeros((2, 7500))
    current[:, 1000:4000] = [[50.0], [100.0]]
    current[:, 4000:] = -30.0
    stimulus = Stimulus(current, 0.1)
    time = stimulus.time_ms
    voltage = -65 + spike(time, 50.0) + spike(time, 600.0)
    table = extract_features(np.stack([voltage, voltage]), stimulus)
    assert table.column("spontaneous_spikes@0")[0] == 1
    assert table.column("spontaneous_rate")[0] == pytest.approx(10)  # 1 in 100 ms, in each sweep
