"""Planted conflicts are found with their sizes, and nothing else is."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pytest

from neurofit.check.conflict import NEAREST, TOLD, conflicts_with

ABOUT = [
    {"name": "spike_count@0", "label": "spike count at +50 pA", "unit": "1", "aspect": "firing"},
    {"name": "mean_trough", "label": "trough between spikes", "unit": "mV", "aspect": "firing"},
    {"name": "resting_potential", "label": "resting potential", "unit": "mV", "aspect": "passive"},
    {"name": "input_resistance", "label": "input resistance", "unit": "Mohm", "aspect": "passive"},
    {"name": "steady_state_voltage@0", "label": "steady-state voltage at +50 pA", "unit": "mV", "aspect": "passive"},
    {"name": "mean_threshold", "label": "first-spike threshold", "unit": "mV", "aspect": "spike shape"},
    {"name": "resting_noise", "label": "noise at rest", "unit": "mV", "aspect": "rig"},
]
RECORDED = np.array([5.0, -55.0, -65.0, 100.0, -60.0, -40.0, 0.2])
TOLERANCE = np.array([0.35, 3.0, 2.0, 15.0, 2.0, 3.0, 0.1])


def simulated(n=3000, seed=0):
    """Deviations in tolerances: firing within a few, everything else around the cell."""
    return np.random.default_rng(seed).normal(0, 1.5, (n, len(ABOUT)))


def look(deviations, given="firing", about=ABOUT, recorded=RECORDED, tolerance=TOLERANCE):
    return conflicts_with(given, deviations, recorded + deviations * tolerance, recorded, about)


def test_compatible_sides_have_no_conflict():
    found = look(simulated())
    assert found.alike == NEAREST
    assert found.of == 3000
    assert found.distance < 0.5
    assert found.found == ()
    assert "agree with it elsewhere too" in found.sentence()


def test_a_planted_conflict_is_found_with_its_size():
    """Whoever fires like the cell rests 8 mV (4 tolerances) above it; the others are all around."""
    deviations = simulated()
    near = (np.abs(deviations[:, :2]) < 1).all(axis=1)
    deviations[near, 2] = 4 + 0.5 * np.random.default_rng(1).standard_normal(near.sum())
    found = look(deviations)
    (conflict,) = found.found
    assert (conflict.name, conflict.given, conflict.unit) == ("resting_potential", "firing", "mV")
    assert conflict.recorded == -65
    assert conflict.median == pytest.approx(-57, abs=0.3)
    assert (conflict.low, conflict.high) == pytest.approx((-57 - 1.64, -57 + 1.64), abs=0.4)
    assert conflict.tolerances == pytest.approx(4, abs=0.15)
    assert found.sentence().startswith("Resting potential conflicts with its firing. The 200 of 3,000 simulations")
    assert "the cell -65 mV" in found.sentence()


def test_the_worst_comes_first_and_whole_cell_features_are_told():
    deviations = simulated()
    deviations[:, [2, 4, 5]] = np.random.default_rng(1).normal([4, 9, -6], 0.3, (len(deviations), 3))
    found = look(deviations)
    assert [c.name for c in found.found] == ["steady_state_voltage@0", "mean_threshold", "resting_potential"]
    assert [c.name for c in found.told()] == ["mean_threshold", "resting_potential"]
    assert "First-spike threshold and resting potential conflict with its firing." in found.sentence()
    many = [{**ABOUT[3], "name": f"f{j}"} for j in range(10)]
    crowd = np.column_stack([deviations[:, :2], np.full((len(deviations), 10), 5.0)])
    told = look(crowd, about=[*ABOUT[:2], *many], recorded=np.zeros(12), tolerance=np.ones(12)).told()
    assert len(told) == TOLD


def test_a_small_difference_or_a_wide_one_is_no_conflict():
    deviations = simulated()
    rng = np.random.default_rng(1)
    deviations[:, 2] = rng.normal(0.8, 0.1, len(deviations))  # less than a tolerance
    deviations[:, 3] = rng.normal(3.0, 4.0, len(deviations))  # the cell is among them
    assert look(deviations).found == ()


def test_the_rig_is_never_in_conflict():
    deviations = simulated()
    deviations[:, 6] = 30.0
    assert look(deviations).found == ()


def test_seen_from_the_other_side():
    deviations = simulated()
    deviations[:, 0] = 6 + 0.1 * simulated(seed=2)[:, 0]
    found = look(deviations, given="passive")
    assert [c.name for c in found.found] == ["spike_count@0"]
    assert look(deviations, given="firing").alike == 0  # for nobody fires like it


def test_nothing_alike_is_said():
    deviations = simulated()
    deviations[:, 0] += 50
    found = look(deviations)
    assert (found.alike, found.of, found.found) == (0, 3000, ())
    assert found.distance == pytest.approx(np.sqrt(45.0**2 / 2), rel=0.1)
    assert found.sentence().startswith("None of 3,000 simulations has the cell's firing")


def test_undefined_is_far():
    """Simulations that lack a firing feature are not like the cell in its firing."""
    deviations = simulated()
    deviations[:, 1] = np.nan
    assert look(deviations).alike == 0
    deviations[:300, 1] = 0.0
    deviations[300:, 2] = 50.0  # those that lack it do something else; nobody asks
    found = look(deviations)
    assert found.alike == NEAREST
    assert found.found == ()


def test_what_the_alike_mostly_lack_is_not_judged():
    deviations = simulated()
    deviations[:, 5] = 10.0
    deviations[np.random.default_rng(0).random(len(deviations)) < 0.7, 5] = np.nan
    assert look(deviations).found == ()


def test_no_feature_of_the_aspect_is_no_conflict():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = look(simulated()[:, 2:], about=ABOUT[2:], recorded=RECORDED[2:], tolerance=TOLERANCE[2:])
    assert (found.alike, found.of, found.found) == (0, 0, ())
    assert found.sentence() == "None of the fitted features is of its firing."


def test_fewer_simulations_than_are_asked_for():
    found = look(simulated(n=30))
    assert found.alike in (0, 30)
    json.dumps(found.to_dict(), allow_nan=False)
