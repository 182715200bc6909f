"""A recorded current becomes its steps, or stays as it is; it never becomes something else."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from neurofit.recording import Stimulus
from neurofit.recording.steps import describe_steps, fit_steps, moves

LAW = settings(max_examples=40, deadline=None, derandomize=True, database=None)
DT_MS = 0.25


def staircase(levels: NDArray[np.float64], edges: list[int], samples: int) -> NDArray[np.float64]:
    """``[sweep, time]`` from levels ``[sweep, epoch]``."""
    return np.repeat(levels, np.diff([0, *edges, samples]), axis=1)


def artefact(spikes: list[int], samples: int) -> NDArray[np.float64]:
    """The brief biphasic current that action potentials leave in a recorded current."""
    shape = np.array([-560, -530, 160, 430, 450, 330, 185, 70, 10, -40, -65, -80, -70, -60, -40, -40, -25, -10])
    wave = np.zeros(samples)
    for spike in spikes:
        wave[spike : spike + len(shape)] += (shape - shape.mean())[: samples - spike]
    return wave


@LAW
@given(
    levels=st.lists(st.floats(-400.0, 800.0), min_size=1, max_size=12),
    holding=st.floats(-200.0, 100.0),
    noise=st.floats(0.0, 8.0),
    seed=st.integers(0, 10**6),
)
def test_levels_are_recovered_within_noise(levels: list[float], holding: float, noise: float, seed: int) -> None:
    generator = np.random.default_rng(seed)
    epochs = np.array([[holding, level, holding] for level in levels])
    true = staircase(epochs, [800, 3000], 4000)
    fitted = fit_steps(true + generator.normal(0, noise, true.shape), DT_MS)
    small = np.abs(np.array(levels) - holding) < 8 * noise + 3
    if fitted is None:  # the steps are too small to find, too large to overlook
        assert small.any()
        return
    largest = float(np.ptp(true))
    tolerance = max(2.0, 0.015 * largest) + 8 * noise / np.sqrt(800)
    for row in np.flatnonzero(~small):
        wrong = np.flatnonzero(np.abs(fitted[row] - true[row]) > tolerance)
        assert all(min(abs(k - 800), abs(k - 3000)) <= 2 for k in wrong), "but for a sample at an edge"
    # Where a step is lost in noise it is taken for holding, which is as wrong as the step is large.
    assert np.abs(fitted - true)[small].max(initial=0) <= max(tolerance, 8 * noise + 4)


def test_artefacts_of_spikes_vanish() -> None:
    generator = np.random.default_rng(1)
    epochs = np.array([[-120.0, level, -120.0] for level in np.linspace(100, 800, 16)])
    true = staircase(epochs, [2800, 10800], 12000)
    recorded = true + generator.normal(0, 5, true.shape)
    for row in recorded:
        spikes = np.sort(generator.integers(2850, 10700, 40)).tolist()
        row += artefact(spikes, 12000)
    fitted = fit_steps(recorded, DT_MS)
    assert fitted is not None
    assert np.abs(recorded - true).max() > 500
    assert np.abs(fitted - true).max() < 5
    steps = Stimulus(fitted, DT_MS).test_steps
    assert [(step.start_ms, step.stop_ms) for step in steps] == [(700.0, 2700.0)]


def test_a_single_sweep_with_spikes_is_cleaned() -> None:
    true = staircase(np.array([[-120.0, 350.0, -120.0]]), [2800, 10800], 12000)
    recorded = true + np.random.default_rng(2).normal(0, 5, true.shape)
    recorded[0] += artefact(list(range(2860, 10700, 450)), 12000)
    fitted = fit_steps(recorded, DT_MS)
    assert fitted is not None
    assert np.abs(fitted - true).max() < 5


def test_fitting_again_changes_nothing() -> None:
    true = staircase(np.array([[0.0, 50.0, 0.0], [0.0, 150.0, 0.0]]), [800, 3000], 4000)
    fitted = fit_steps(true + np.random.default_rng(0).normal(0, 3, true.shape), DT_MS)
    assert fitted is not None
    again = fit_steps(fitted, DT_MS)
    assert again is not None
    assert np.array_equal(again, fitted)


def test_sweeps_and_epochs_that_agree_share_their_level() -> None:
    generator = np.random.default_rng(3)
    true = staircase(np.array([[-50.0, 100.0 * k, -50.0] for k in range(1, 5)]), [800, 3000], 4000)
    fitted = fit_steps(true + generator.normal(0, 4, true.shape), DT_MS)
    assert fitted is not None
    assert len(np.unique(np.concatenate([fitted[:, 0], fitted[:, -1]]))) == 1
    drifting = true + np.array([[0.0], [15.0], [30.0], [45.0]])
    fitted = fit_steps(drifting + generator.normal(0, 4, true.shape), DT_MS)
    assert fitted is not None
    assert np.allclose(fitted[:, 0], [-50, -35, -20, -5], atol=1.5), "a holding current that was changed stays"
    steps = Stimulus(fitted, DT_MS).test_steps
    assert [(step.start_ms, step.stop_ms) for step in steps] == [(200.0, 750.0)]


TIME = np.arange(4000) * DT_MS
NOT_STEPS = {
    "ramp": 0.3 * TIME,
    "sine": 100 * np.sin(2 * np.pi * TIME / 125),
    "noise of its own": 60 * np.convolve(np.random.default_rng(0).normal(0, 1, 4000), np.ones(40) / 6, ("same")),
    "pulse train": 300.0 * ((np.arange(4000) % 80 < 6) & (TIME > 200) & (TIME < 700)),
    "ramp after a step": np.where(TIME > 300, 100 + 0.2 * (TIME - 300), 0.0),
    "alpha functions": 400 * np.clip(TIME % 250 - 100, 0, None) / 10 * np.exp(-np.clip(TIME % 250 - 100, 0, None) / 10),
}


@pytest.mark.parametrize("sweeps", [1, 5])
@pytest.mark.parametrize("kind", NOT_STEPS)
def test_other_currents_are_left_alone(kind: str, sweeps: int) -> None:
    recorded = np.tile(NOT_STEPS[kind], (sweeps, 1))
    recorded = recorded + np.random.default_rng(4).normal(0, 3, recorded.shape)
    assert fit_steps(recorded, DT_MS) is None
    assert describe_steps(recorded, None, DT_MS).severity == "warning"


def test_a_brief_pulse_is_found_where_the_protocol_says_it_is() -> None:
    true = staircase(np.tile([[0.0, 2000.0, 0.0]], (4, 1)), [1000, 1008], 4000)
    recorded = true + np.random.default_rng(5).normal(0, 4, true.shape)
    assert fit_steps(recorded, DT_MS) is None
    fitted = fit_steps(recorded, DT_MS, command_pa=true)
    assert fitted is not None
    assert np.allclose(fitted, true, atol=5)


def test_a_small_test_pulse_beside_large_steps_is_kept() -> None:
    epochs = np.array([[0.0, -20.0, 0.0, level, 0.0] for level in np.linspace(50, 800, 8)])
    true = staircase(epochs, [400, 800, 1200, 3200], 4000)
    fitted = fit_steps(true + np.random.default_rng(6).normal(0, 4, true.shape), DT_MS)
    assert fitted is not None
    assert np.abs(fitted - true).max() < 9


def test_a_flat_current_does_not_move() -> None:
    flat = fit_steps(15.6 + np.random.default_rng(7).normal(0, 2, (3, 4000)), DT_MS)
    assert flat is not None
    assert not moves(flat)
    assert np.allclose(flat, 15.6, atol=0.5)
    assert moves(np.array([[0.0, 0.0], [0.0, 1.0]]))


def test_too_short_to_tell() -> None:
    assert fit_steps(np.zeros((2, 40)), DT_MS) is None
