"""Tolerances are widened where every near simulation misses, on excusable sides only, by the miss."""

from __future__ import annotations

import numpy as np
import pytest

from neurofit.infer import Summaries, widened, widest

NAMES = ("spike_count@0", "latency@0", "resting_potential", "input_resistance", "mean_threshold", "resting_noise")
EXCUSED = np.array([False, False, True, True, True, False])
DECLARED = Summaries(
    NAMES,
    np.array([3.0, 50.0, -65.0, 100.0, -40.0, 0.2]),
    np.array([0.35, 0.2, 2.0, 0.15, 3.0, 0.4]),
    np.array([False, True, False, True, False, True]),
    (1, 3, 4),
)


def simulated(n=4000, spread=3.0, seed=0, offset=0.0):
    return spread * np.random.default_rng(seed).standard_normal((n, 6)) + offset


def factors(deviations, **others):
    used, distance = widened(DECLARED, deviations, **others)
    return used.tolerance / DECLARED.tolerance, distance


@pytest.mark.parametrize(("spread", "most"), [(1.0, 1.1), (3.0, 1.2), (10.0, 1.5)])
def test_well_specified_data_hardly_widen(spread, most):
    """The nearest lie on both sides of the cell, so their median misses little.

    How little: 100 of them spread over a few tolerances have a median good to a tenth of that.
    """
    for seed in range(5):
        factor, _ = factors(simulated(spread=spread, seed=seed))
        assert (factor[~EXCUSED] == 1).all()
        assert (factor < most).all()


@pytest.mark.parametrize("miss", [-6.0, 3.0, 10.0])
def test_a_miss_widens_by_itself(miss):
    """A resting potential that no simulation can have: its tolerance becomes sqrt(1 + miss^2)."""
    deviations = simulated()
    deviations[:, 2] = miss + 0.1 * np.random.default_rng(1).standard_normal(len(deviations))
    factor, distance = factors(deviations)
    assert factor[2] == pytest.approx(np.sqrt(1 + miss**2), rel=0.02)
    assert np.delete(factor, 2).max() < 1.2
    assert distance < 1.5


@pytest.mark.parametrize("j", [0, 1, 5])
def test_firing_and_the_rig_are_never_excused(j):
    deviations = simulated()
    deviations[:, j] += 30
    factor, distance = factors(deviations)
    assert factor[j] == 1
    assert distance > 5


def test_what_no_simulation_has_is_as_far_as_undefined():
    deviations = simulated()
    deviations[:, 4] = np.nan
    factor, _ = factors(deviations)
    assert factor[4] == pytest.approx(np.sqrt(1 + 20.0**2))


def test_far_simulations_do_not_count():
    """A tenth of the simulations can have the cell's value while firing like it: those are asked."""
    deviations = simulated(spread=1.0)
    deviations[400:, 2] += 15
    factor, _ = factors(deviations)
    assert factor[2] < 1.3


def test_fewer_simulations_than_are_asked():
    factor, distance = factors(simulated(n=7), nearest=100)
    assert np.isfinite(factor).all()
    assert np.isfinite(distance)


def test_everything_else_stays_as_declared():
    used, _ = widened(DECLARED, simulated())
    assert used.names == DECLARED.names
    assert used.observed is DECLARED.observed
    assert used.flagged == DECLARED.flagged


def test_the_widest_are_named_widest_first():
    deviations = simulated()
    deviations[:, 2], deviations[:, 3] = 4.0, 8.0
    used, _ = widened(DECLARED, deviations)
    assert [name for name, _ in widest(DECLARED, used)] == ["input_resistance", "resting_potential"]
    assert [round(factor, 1) for _, factor in widest(DECLARED, used)] == [8.1, 4.1]
    assert widest(DECLARED, DECLARED) == []
