"""Parameters that blow up, and theta that cannot be used."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from brian2 import amp, ms, mV, nfarad, nS, pA, pF, second, volt

from neurofit.errors import BadInput, ParameterError, StimulusError
from neurofit.recording import Stimulus
from neurofit.simulation import REASONS, count_reasons, draw_reasons, simulate
from neurofit.template import Model
from tests.simulation.conftest import steps


class Foreign:
    """A quantity of another package, as far as it can be told."""

    dimensionality = "1 F"


def test_what_blows_up_is_flagged_and_harms_nobody(passive: Model) -> None:
    stimulus = steps(0, 100)
    good = {"C": 20.0, "g": 10.0, "E": -70.0, "sigma": 20.0}
    bad = {
        "a huge reversal potential": {**good, "E": 1e300},
        "a voltage beyond what float32 holds": {**good, "E": 1e50},
        "a voltage that no cell has": {**good, "E": 700.0},
        "endless noise": {**good, "sigma": 1e200},
    }
    rows = np.array([[row[name] for name in passive.free] for row in (good, *bad.values(), good)])
    keys = np.arange(len(rows))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        traces = simulate(passive, stimulus, rows, keys=keys)
    assert traces.valid.tolist() == [True] + [False] * len(bad) + [True]
    alone = simulate(passive, stimulus, rows[-1:], keys=keys[-1:])
    assert np.array_equal(alone.voltage_mv[0], traces.voltage_mv[-1])


def test_every_invalid_draw_has_its_reason() -> None:
    voltage = np.full((8, 2, 4), -70, dtype=np.float32)
    voltage[1, 1, 3] = np.nan
    voltage[2, 0, 0] = np.inf
    voltage[3, 0, 0] = -np.inf
    voltage[4, 1, 2] = 501
    voltage[5, 1, 2] = -499
    voltage[6, 0, 0], voltage[6, 0, 1] = np.inf, np.nan
    voltage[7, 0, 0] = -500
    reason = draw_reasons(voltage)
    fine, nan, outside = REASONS
    assert [REASONS[code] for code in reason] == [fine, nan, outside, outside, outside, fine, nan, outside]
    assert "not a number" in nan
    assert "-500 to 500 mV" in outside
    assert count_reasons(reason) == {nan: 2, outside: 4}
    assert count_reasons(reason[5:6]) == {}


def test_each_way_to_blow_up_is_told_apart(passive: Model) -> None:
    good = {"C": 20.0, "g": 10.0, "E": -70.0, "sigma": 20.0}
    rows = [good, {**good, "sigma": 1e200}, {**good, "E": 700.0}, {**good, "E": 1e300}]
    theta = np.array([[row[name] for name in passive.free] for row in rows])
    traces = simulate(passive, steps(0), theta, keys=np.arange(len(rows)))
    assert traces.reason.dtype == np.uint8
    assert np.array_equal(traces.valid, traces.reason == 0)
    assert traces.reason[[0, 2]].tolist() == [0, 2]
    assert not traces.valid[[1, 3]].any()


@pytest.mark.parametrize(
    "theta",
    [
        np.full((1, 4), np.nan),
        [[20.0, 10.0, np.inf, 20.0]],
        np.zeros((2, 3)),
        np.zeros((0, 4)),
        [],
        {"no such name": 1.0},
        {"g": [1.0, np.nan]},
        {"g": [1.0, 2.0], "E": [1.0, 2.0, 3.0]},
        "theta",
        None,
    ],
)
def test_theta_that_cannot_be_used(passive: Model, theta: object) -> None:
    with pytest.raises(ParameterError):
        simulate(passive, steps(0), theta)  # type: ignore[arg-type]
    assert issubclass(ParameterError, BadInput)


@pytest.mark.parametrize(
    ("theta", "found"),
    [
        ({"C": 200 * pF, "g": 8.0}, [[200.0, 8.0, -70.0, 20.0]]),
        ({"C": [0.2, 0.3] * nfarad}, [[200.0, 10.0, -70.0, 20.0], [300.0, 10.0, -70.0, 20.0]]),
        ({"C": [200 * pF, 300.0, 0.4 * nfarad]}, [[c, 10.0, -70.0, 20.0] for c in (200.0, 300.0, 400.0)]),
        ({"sigma": 20e-12 * amp * np.sqrt(1e-3 * second)}, [[20.0, 10.0, -70.0, 20.0]]),
        ([200 * pF, 8 * nS, -0.07 * volt, 20.0], [[200.0, 8.0, -70.0, 20.0]]),
        ([[200 * pF, 8 * nS, -70 * mV, 20.0], [1.0, 2.0, 3.0, 4.0]], [[200.0, 8.0, -70.0, 20.0], [1, 2, 3, 4]]),
        (pd.DataFrame({"C": [200 * pF, 300 * pF]}, dtype=object), [[c, 10.0, -70.0, 20.0] for c in (200.0, 300.0)]),
    ],
)
def test_quantities_are_converted(passive: Model, theta: object, found: list[list[float]]) -> None:
    assert np.allclose(passive.array(theta), found, rtol=1e-12)  # type: ignore[arg-type]


def test_what_is_given_with_a_unit_is_simulated_as_without(passive: Model) -> None:
    bare = simulate(passive, steps(0), {"C": [100.0, 200.0], "E": -80.0})
    units = simulate(passive, steps(0), {"C": [100, 200] * pF, "E": -80 * mV})
    assert np.allclose(bare.voltage_mv, units.voltage_mv, atol=1e-4)


@pytest.mark.parametrize(
    ("theta", "message"),
    [
        ({"C": 200 * mV}, "C has the wrong dimension. Expected: a quantity in pF, .*taken in pF. Found: .* in V."),
        ({"C": [200 * pF, 1 * nS]}, "C has the wrong dimension.*Found: a quantity in S."),
        ([[200 * pF, -70 * mV, 8 * nS, 20.0]], "g has the wrong dimension"),
        (np.ones((2, 4)) * pF, "g has the wrong dimension"),
        ([200 * pF], "theta has the wrong shape"),
        (200 * pF, "theta has the wrong shape"),
        ([[200 * pF, 8 * nS, -70 * mV, 20.0], [200 * pF]], "theta is not made of numbers"),
        ([[[200 * pF, 1.0], [1.0]]], "theta is not made of numbers"),
        ({"C": Foreign()}, "C is a quantity of a package that is not Brian2. Expected: plain numbers in pF"),
        (np.zeros((0, 4)), "theta holds no draws"),
        ({"C": []}, "theta holds no draws"),
        ({"C": [1.0, np.inf], "E": 1.0}, "theta is not finite in row 1, C. .* Found: inf"),
        ({"C": [1.0, 2.0, 0.0]}, "C in row 2 is no value that a quantity in pF can have. .* Found: 0 pF"),
        (np.ma.masked_less([[20.0, 10.0, -70.0, 20.0]], 0.0), "theta has masked values"),
        ({"g": np.ma.masked_less([-1.0, 1.0], 0.0)}, "g has masked values"),
        ({"g": -0.5}, "g in row 0 is no value that a quantity in nS can have. .* Found: -0.5 nS"),
    ],
)
def test_the_error_names_the_cause(passive: Model, theta: object, message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        simulate(passive, steps(0), theta)  # type: ignore[arg-type]


def test_a_current_with_a_unit_is_refused() -> None:
    with pytest.raises(StimulusError, match=r"has a unit. Expected: plain numbers in pA"):
        Stimulus(np.zeros((1, 10)) * pA, 0.1)
    with pytest.raises(StimulusError, match=r"has a unit. Expected: a plain number in ms"):
        Stimulus(np.zeros((1, 10)), 0.1 * ms)
