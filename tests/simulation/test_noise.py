"""The noise: Gaussian, independent from step to step and from key to key, and as strong at any time step."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from neurofit.recording import Stimulus
from neurofit.simulation import simulate
from neurofit.template import Model
from tests.simulation.conftest import DT_MS, N_SAMPLES, steps

Array = np.ndarray

# Chance of a false alarm: 4.5 standard errors are exceeded in 7 of a million.
Z = 4.5


@pytest.fixture(scope="module")
def normals(passive: Model) -> Array:
    """``[draw, sweep, step]``: the numbers themselves, from the steps of a capacitor's voltage; keys 0, 1, 2, ..."""
    sigma, capacitance = 300.0, 100.0
    assert passive.dt_ms == DT_MS, "each sample is a step"
    stimulus = Stimulus(np.zeros((2, N_SAMPLES)), DT_MS)
    theta = {"sigma": np.full(512, sigma), "C": capacitance, "g": 0.0}
    traces = simulate(passive, stimulus, theta, keys=np.arange(512))
    assert np.ptp(traces.voltage_mv[:, :, 0]) == 0, "the first sample comes before the first step"
    step_mv = sigma * np.sqrt(DT_MS) / capacitance  # pA sqrt(ms) sqrt(ms) / pF
    return np.diff(traces.voltage_mv.astype(np.float64), axis=2) / step_mv


def test_moments(normals: Array) -> None:
    x = normals.ravel()
    n = x.size
    assert abs(x.mean()) < Z / np.sqrt(n)
    assert abs(x.var() - 1) < Z * np.sqrt(2 / n)
    assert abs(stats.skew(x)) < Z * np.sqrt(6 / n)
    assert abs(stats.kurtosis(x)) < Z * np.sqrt(24 / n)


def test_distribution(normals: Array) -> None:
    x = normals.ravel()
    assert stats.kstest(x[::7], "norm").pvalue > 1e-5
    for threshold in (3.0, 4.0):
        expected = 2 * stats.norm.sf(threshold) * x.size
        assert abs((np.abs(x) > threshold).sum() - expected) < Z * np.sqrt(expected)
    assert 4.5 < np.abs(x).max() < 6.7, "the largest that 31 bits give is 6.66"


def test_every_simulation_by_itself(normals: Array) -> None:
    rows = normals.reshape(-1, normals.shape[-1])
    n = rows.shape[1]
    means, variances = rows.mean(axis=1) * np.sqrt(n), (rows.var(axis=1) - 1) * np.sqrt(n / 2)
    # the laws of 1024 standard normals
    assert stats.kstest(means, "norm").pvalue > 1e-5
    assert stats.kstest(variances, "norm").pvalue > 1e-5


def test_no_correlation_from_step_to_step(normals: Array) -> None:
    rows = normals.reshape(-1, normals.shape[-1])
    for lag in (1, 2, 3, 4, 5, 8, 16, 64, 256, 1000):
        product = rows[:, lag:] * rows[:, :-lag]
        assert abs(product.mean()) < Z / np.sqrt(product.size), lag
        # nor of their sizes, which a poor generator shows first
        squares = (rows[:, lag:] ** 2 - 1) * (rows[:, :-lag] ** 2 - 1)
        assert abs(squares.mean()) < Z * 2 / np.sqrt(squares.size), lag


def test_no_correlation_between_neighbouring_keys_nor_between_sweeps(normals: Array) -> None:
    draws, _, n = normals.shape
    for lag in range(-3, 4):
        a, b = normals[:, :, max(lag, 0) : n + min(lag, 0)], normals[:, :, max(-lag, 0) : n + min(-lag, 0)]
        sweeps = a[:, 0] * b[:, 1]
        neighbours = a[:-1, 0] * b[1:, 0]
        assert abs(sweeps.mean()) < Z / np.sqrt(sweeps.size), lag
        assert abs(neighbours.mean()) < Z / np.sqrt(neighbours.size), lag
    # every pair of the 1024 simulations: the largest of 520,000 standard normals stays below 6.2 but once in 3000
    rows = normals.reshape(2 * draws, n)
    correlation = np.corrcoef(rows) - np.eye(len(rows))
    assert np.abs(correlation).max() * np.sqrt(n) < 6.2


def ornstein_uhlenbeck(passive: Model, dt_ms: float) -> None:
    # a time constant of 2 ms: 300 ms hold 150 independent values
    theta = {"C": np.full(1024, 20.0), "g": 10.0, "sigma": 20.0}
    stimulus = Stimulus(np.zeros((1, N_SAMPLES)), DT_MS)
    v = simulate(passive.with_dt(dt_ms), stimulus, theta, seed=2).voltage_mv[:, 0].astype(np.float64)
    settled = v[:, 200:] + 70
    tau = 20 / 10  # pF/nS
    expected = 20.0**2 / (2 * 10 * 20)  # sigma^2/(2 g C), in mV^2
    independent = settled.size * DT_MS / tau
    assert settled.mean() == pytest.approx(0, abs=Z * np.sqrt(expected * 2 / independent))
    assert settled.var() == pytest.approx(expected, rel=Z * np.sqrt(2 / independent))
    for lag in (10, 20, 40):
        correlation = (settled[:, lag:] * settled[:, :-lag]).mean() / expected
        assert correlation == pytest.approx(np.exp(-lag * DT_MS / tau), abs=2 * Z / np.sqrt(independent))


def test_membrane_noise_is_as_strong_as_theory_says(passive: Model) -> None:
    ornstein_uhlenbeck(passive, 0.1)


@pytest.mark.slow
@pytest.mark.parametrize("dt_ms", [0.0125, 0.025, 0.05])
def test_membrane_noise_does_not_depend_on_the_time_step(passive: Model, dt_ms: float) -> None:
    ornstein_uhlenbeck(passive, dt_ms)


def test_no_noise_without_strength(passive: Model) -> None:
    traces = simulate(passive, steps(0), {"sigma": 0.0, "E": [-80.0, -70.0]}, seed=3)
    assert np.ptp(traces.voltage_mv, axis=2).max() < 1e-5
