"""The seven statistics of the sbi tutorial, against the definitions and the tutorial's way of counting."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from scipy import stats

from neurofit import check
from neurofit.errors import BadInput
from neurofit.features import FEATURES, STATISTICS, seven_statistics
from neurofit.recording import Stimulus
from tests.features.cells import firing, membrane, steps


def step_of(n_sweeps=1, dt_ms=0.01):
    """The tutorial's protocol: 120 ms, a step from 10 to 110 ms."""
    current = np.zeros((n_sweeps, round(120 / dt_ms)))
    current[:, round(10 / dt_ms) : round(110 / dt_ms)] = 50.0
    return Stimulus(current, dt_ms)


def counted(voltage, time, on_ms, off_ms):
    """Spikes as the tutorial finds them, sample by sample.

    Whatever lies below -10 mV or falls is set to -10 mV; what then falls still is a peak; peaks within 0.5 ms are one.
    """
    held = [max(v, -10.0) for v in voltage]
    held = [-10.0 if i + 1 < len(held) and held[i + 1] < held[i] else held[i] for i in range(len(held))]
    times = [time[i] for i in range(len(held) - 1) if held[i + 1] < held[i] and on_ms < time[i] < off_ms]
    return sum(1 for i, t in enumerate(times) if i == 0 or t - times[i - 1] > 0.5 + 1e-9)


def test_values_are_their_definitions():
    stimulus = step_of()
    rng = np.random.default_rng(0)
    voltage = rng.gamma(2.0, 3.0, (6, 1, stimulus.n_samples)) - 70
    table = seven_statistics(voltage, stimulus)
    assert table.names == tuple(f"{name}@0" for name in STATISTICS)
    assert table.values.shape == (6, 7)
    assert table.defined.all()
    time = stimulus.time_ms
    during = (time > 10 + 1e-9) & (time < 110 - 1e-9)
    for row, trace in zip(table.values, voltage[:, 0], strict=True):
        v = trace[during]
        assert row[1] == pytest.approx(trace[time < 10 - 1e-9].mean())
        assert row[2] == pytest.approx(trace[900:1000].std())
        assert row[3:] == pytest.approx([v.mean(), v.var(), stats.skew(v), stats.kurtosis(v, fisher=False)])


def test_spikes_are_counted_as_the_tutorial_does():
    """Noise around the threshold, bursts, plateaus and spikes outside the step: ties and corners included."""
    stimulus = step_of(dt_ms=0.1)
    rng = np.random.default_rng(1)
    time = stimulus.time_ms
    slow = 25 * np.sin(time / 3) - 15
    traces = [np.round(slow + sd * rng.standard_normal(len(time)), 1) for sd in (0.0, 0.5, 2.0, 10.0, 10.0, 30.0)]
    table = seven_statistics(np.stack(traces)[:, None], stimulus)
    expected = [counted(trace, time, 10.0, 110.0) for trace in traces]
    assert table.column("peak_count@0").tolist() == expected
    assert min(expected) >= 4


def test_separate_spikes_are_counted_once_each():
    stimulus = steps([50.0, 100.0], 0.1)
    voltage = firing(stimulus, [[150.0, 200.0, 300.0], [50.0, 400.0, 700.0]])
    table = seven_statistics(voltage, stimulus, sweep_numbers=[4, 9])
    assert (table.column("peak_count@4")[0], table.column("peak_count@9")[0]) == (3, 1)
    assert table.values.shape == (1, 14)
    assert table.label("step_mean@9") == "mean voltage of the step at +100 pA"


def test_names_and_units():
    table = seven_statistics(membrane(step_of()), step_of())
    assert table.units == ("1", "mV", "mV", "mV", "mV^2", "1", "1")
    assert all(FEATURES[name].unit == unit for name, unit in zip(STATISTICS, table.units, strict=True))


def test_undefined_rows_and_sweeps_are_masked_without_a_warning():
    stimulus = step_of(2, dt_ms=0.1)
    voltage = np.full((3, 2, stimulus.n_samples), -65.0)
    voltage[0] += np.random.default_rng(0).standard_normal(voltage[0].shape)
    voltage[1, 0, 5] = np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        table = seven_statistics(voltage, stimulus)
    assert table.defined[0].all()
    assert not table.select([f"{name}@0" for name in STATISTICS]).defined[1].any()
    flat = table.rows(np.array([2])).select([f"{name}@1" for name in STATISTICS]).defined[0]
    assert flat.tolist() == [True, True, True, True, True, False, False]


def test_rows_and_precision():
    stimulus = step_of(dt_ms=0.05)
    voltage = -60 + 5 * np.random.default_rng(0).standard_normal((4, 1, stimulus.n_samples))
    whole = seven_statistics(voltage, stimulus).values
    for row in range(4):
        np.testing.assert_array_equal(seven_statistics(voltage[row], stimulus).values[0], whole[row])
    single = seven_statistics(voltage.astype(np.float32), stimulus).values
    np.testing.assert_allclose(single, whole, rtol=1e-4, atol=1e-4)


def test_two_tables_are_the_arguments_of_a_check():
    stimulus = step_of(dt_ms=0.1)
    voltage = np.random.default_rng(1).normal(-70, 5, (101, 1, stimulus.n_samples)).cumsum(axis=2) * 0.01
    table = seven_statistics(voltage, stimulus)
    cell, simulated = table.rows(slice(1)), table.rows(slice(1, None))
    result = check.summary(**cell.against(simulated))
    assert {effect.name for effect in result.effects if effect.kind == "value"} <= set(table.labels)
    by_name = {effect.name: effect for effect in result.effects}
    assert by_name["mean voltage of the step at +50 pA"].unit == "mV"
    # counts and ratios have no unit to say
    assert by_name["skewness of the step at +50 pA"].unit == ""
    with pytest.raises(BadInput, match="same columns"):
        cell.against(simulated.select(table.names[:3]))
