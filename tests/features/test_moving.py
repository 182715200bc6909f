"""Features under currents that move, on voltages whose every feature is known."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.signal import lfilter

import neurofit as nf
from neurofit.features.catalogue import MEASURED, SUMMARIES_UNDER
from neurofit.recording import Stimulus
from tests.protocols import DT_MS, START, STOP, N, frozen_noise, noise_current, ramp_current

Array = NDArray[np.float64]
TIME = np.arange(N) * DT_MS


def membrane(current_pa: Array, tau_ms: float = 20.0, mohm: float = 100.0, rest_mv: float = -70.0) -> Array:
    """``[sweep, time]``: a resistance and a capacitance, for a current held over each sample."""
    decay = np.exp(-DT_MS / tau_ms)
    # the voltage of a sample is what the current of the samples before it made
    driven = lfilter([0.0, 1 - decay], [1.0, -decay], current_pa, axis=-1)
    return np.asarray(rest_mv + 1e-3 * mohm * driven)


def with_spikes(voltage_mv: Array, times_ms: list[float]) -> Array:
    """A spike of 1 ms half-width at each time, in every sweep."""
    wave = sum((100 * np.exp(-4 * np.log(2) * (TIME - t) ** 2) for t in times_ms), np.zeros(N))
    return voltage_mv + wave


def value(table: nf.FeatureTable, name: str) -> float:
    return float(table.column(name)[0])


def test_what_is_measured_is_what_the_current_asks_for() -> None:
    for current, kind in ((noise_current(), "waveform"), (ramp_current(), "ramps")):
        table = nf.extract_features(membrane(current), Stimulus(current, DT_MS))
        assert {name.partition("@")[0] for name in table.names} == set(MEASURED[kind])
        assert set(SUMMARIES_UNDER[kind]) <= set(MEASURED[kind])


def test_a_membranes_correlation_with_its_current_is_its_impulse_response() -> None:
    # white noise held for 0.5 ms: cov(I(t), V(t + lag)) falls off as exp(-lag / tau)
    wave = np.repeat(np.random.default_rng(3).normal(0, 200, (8, (STOP - START) // 5)), 5, axis=1)
    current = np.zeros((8, N))
    current[:, START:STOP] = wave
    table = nf.extract_features(membrane(current, tau_ms=20.0), Stimulus(current, DT_MS))
    lags = np.array([2, 5, 10, 20])
    found = np.array([value(table, f"transfer_{lag}ms") for lag in lags])
    # standard error of a correlation over 8 sweeps of 1 s of a voltage that forgets in 20 ms
    assert np.allclose(found / found[0], np.exp(-(lags - 2) / 20), atol=0.25)
    assert value(table, "transfer_0ms") == pytest.approx(0.0, abs=0.03)
    assert value(table, "autocorrelation_5ms") == pytest.approx(np.exp(-5 / 20), abs=0.05)


def test_voltage_statistics_are_those_of_the_voltage_away_from_spikes() -> None:
    current = np.zeros((1, N))
    current[0, START:STOP] = frozen_noise(100.0, 5)
    voltage = membrane(current)
    inside = voltage[0, START:STOP:5]
    plain = nf.extract_features(voltage, Stimulus(current, DT_MS))
    assert value(plain, "subthreshold_mean") == pytest.approx(inside.mean())
    assert value(plain, "subthreshold_sd") == pytest.approx(inside.std())
    assert value(plain, "subthreshold_q50") == pytest.approx(np.median(inside), abs=0.02)
    skewness = ((inside - inside.mean()) ** 3).mean() / inside.std() ** 3
    assert value(plain, "subthreshold_skewness") == pytest.approx(skewness)
    spiking = nf.extract_features(with_spikes(voltage, [300.0, 500.0, 900.0]), Stimulus(current, DT_MS))
    assert value(spiking, "spike_count@0") == 3
    assert value(spiking, "subthreshold_sd") == pytest.approx(inside.std(), rel=0.05)
    assert value(spiking, "subthreshold_mean") == pytest.approx(inside.mean(), abs=0.2)


def test_spikes_are_counted_in_quarters_and_their_intervals_averaged() -> None:
    current = noise_current()
    voltage = with_spikes(membrane(0.1 * current), [200.0, 300.0, 500.0, 1100.0, 1140.0])
    table = nf.extract_features(voltage, Stimulus(current, DT_MS))
    assert [value(table, f"spikes_in_quarter_{q}@2") for q in (1, 2, 3, 4)] == [2, 1, 0, 2]
    assert value(table, "spike_count@2") == 5
    assert value(table, "mean_isi") == pytest.approx((1140 - 200) / 4, abs=0.5)


def test_a_ramp_tells_the_resistance_and_the_current_at_its_spikes() -> None:
    current = ramp_current()
    quiet = nf.extract_features(membrane(current), Stimulus(current, DT_MS))
    # the voltage lags behind a ramp by one time constant, which its slope does not feel but in the beginning
    assert value(quiet, "ramp_resistance") == pytest.approx(100.0, rel=0.03)
    assert np.isnan(value(quiet, "threshold_current@3"))
    table = nf.extract_features(with_spikes(membrane(0.1 * current), [650.0, 1000.0]), Stimulus(current, DT_MS))
    slope = np.linspace(0.1, 0.4, 6)
    for sweep in range(6):
        assert value(table, f"threshold_current@{sweep}") == pytest.approx(500.0 * slope[sweep], abs=1.0)
        assert value(table, f"last_spike_current@{sweep}") == pytest.approx(850.0 * slope[sweep], abs=1.0)


def test_rows_do_not_feel_one_another() -> None:
    current = noise_current()
    rows = np.stack(
        [membrane(current), with_spikes(membrane(current, tau_ms=10.0), [400.0, 600.0]), membrane(0 * current)]
    )
    stimulus = Stimulus(current, DT_MS)
    together = nf.extract_features(rows.astype(np.float32), stimulus)
    for i, row in enumerate(rows.astype(np.float32)):
        alone = nf.extract_features(row, stimulus)
        assert np.allclose(together.values[i], alone.values[0], rtol=1e-5, atol=1e-5, equal_nan=True)
        assert np.array_equal(together.defined[i], alone.defined[0])


def test_what_cannot_be_told_is_undefined() -> None:
    current = np.zeros((2, N))
    current[:] = 100.0 + np.stack([frozen_noise(50.0, seed, n=N) for seed in (1, 2)])  # moves from the first sample
    table = nf.extract_features(membrane(current), Stimulus(current, DT_MS))
    assert not table.defined[0, table.names.index("resting_potential")]
    assert not table.defined[0, table.names.index("latency@0")]
    assert table.defined[0, table.names.index("subthreshold_sd")]
    bad = nf.extract_features(np.full((2, N), np.nan), Stimulus(current, DT_MS))
    assert not bad.defined.any()
