"""Parameters that blow up, and theta that cannot be used."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from neurofit.errors import BadInput, ParameterError
from neurofit.simulation import REASONS, count_reasons, draw_reasons, simulate
from neurofit.template import Model
from tests.simulation.conftest import steps


def test_what_blows_up_is_flagged_and_harms_nobody(passive: Model) -> None:
    stimulus = steps(0, 100)
    good = {"C": 20.0, "g": 10.0, "E": -70.0, "sigma": 20.0}
    bad = {
        "a conductance that drives the voltage away": {**good, "g": -1000.0},
        "no capacitance": {**good, "C": 0.0},
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
    rows = [good, {**good, "C": 0.0, "E": 0.0}, {**good, "E": 700.0}, {**good, "g": -1000.0}]
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
