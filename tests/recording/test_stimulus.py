"""A stimulus knows its epochs, its test steps and its holding current."""

from __future__ import annotations

import numpy as np
import pytest

from neurofit.errors import StimulusError
from neurofit.recording import Stimulus


def staircase(levels: list[list[float]], edges: list[int], samples: int) -> Stimulus:
    return Stimulus(np.repeat(np.array(levels), np.diff([0, *edges, samples]), axis=1), dt_ms=0.5)


def test_epochs_and_test_steps() -> None:
    stimulus = staircase([[0, -100, 0, 50], [0, -100, 0, 150]], [100, 200, 300], 400)
    assert [(e.start_ms, e.stop_ms) for e in stimulus.epochs] == [(0, 50), (50, 100), (100, 150), (150, 200)]
    assert [step.level_pa.tolist() for step in stimulus.test_steps] == [[50, 150]]
    assert stimulus.test_step.start_ms == 150
    assert stimulus.holding_pa.tolist() == [0, 0]


def test_with_one_level_the_steps_are_those_away_from_holding() -> None:
    stimulus = staircase([[-20, 100, -20]], [100, 200], 300)
    assert [step.start_ms for step in stimulus.test_steps] == [50]
    repeats = staircase([[-20, 100, -20], [-20, 100, -20]], [100, 200], 300)
    assert [step.start_ms for step in repeats.test_steps] == [50]


def test_a_holding_current_that_varies_is_not_a_test_step() -> None:
    stimulus = staircase([[-20, 80, -20], [-25, 175, -25], [-30, 270, -30]], [100, 200], 300)
    assert [step.start_ms for step in stimulus.test_steps] == [50]
    assert stimulus.holding_pa.tolist() == [-20, -25, -30]


def test_a_window_that_begins_with_the_step_keeps_it() -> None:
    stimulus = staircase([[50, 0], [150, 0]], [100], 300)
    assert [step.start_ms for step in stimulus.test_steps] == [0]


def test_no_step_is_an_error_to_ask_for() -> None:
    with pytest.raises(StimulusError, match="no current step"):
        _ = Stimulus(np.zeros((2, 100)), 0.1).test_step


def test_a_current_that_never_holds_still_has_no_epochs_and_one_stretch_to_test() -> None:
    stimulus = Stimulus(np.random.default_rng(0).normal(0, 50, (2, 500)), 0.1)
    assert stimulus.epochs == ()
    assert stimulus.kind == "waveform"
    (stretch,) = stimulus.test_steps
    assert (stretch.start_ms, stretch.stop_ms) == (0, 50)
    assert np.allclose(stretch.level_pa, stimulus.current_pa.mean(axis=1))


def test_it_cannot_be_changed_from_outside() -> None:
    current = np.zeros((1, 10))
    stimulus = Stimulus(current, 0.1)
    current[:] = 5
    assert not stimulus.current_pa.any()
    with pytest.raises(ValueError, match="read-only"):
        stimulus.current_pa[0, 0] = 1


@pytest.mark.parametrize(
    ("current", "dt_ms", "says"),
    [
        (np.zeros((0, 0)), 0.1, "wrong shape"),
        (np.zeros((2, 2, 2)), 0.1, "wrong shape"),
        ([[0.0, np.nan]], 0.1, "sweep 0, sample 1"),
        ([[0.0, 1.0]], 0.0, "positive"),
        ([[0.0, 1.0]], np.nan, "positive"),
    ],
)
def test_misuse_is_an_error(current: object, dt_ms: float, says: str) -> None:
    with pytest.raises(StimulusError, match=says):
        Stimulus(current, dt_ms)  # type: ignore[arg-type]


def test_other_intervals_hold_the_current() -> None:
    stimulus = staircase([[0, 100, 0]], [100, 200], 300)
    fine, coarse = stimulus.at(0.1), stimulus.at(2.0)
    assert fine.n_samples == 1500
    assert coarse.n_samples == 75
    for other in (fine, coarse):
        assert [epoch.start_ms for epoch in other.epochs] == pytest.approx([0, 50, 100])
        assert [epoch.stop_ms for epoch in other.epochs] == pytest.approx([50, 100, 150])
    assert stimulus.at(0.5) is stimulus
    with pytest.raises(StimulusError, match="does not divide"):
        stimulus.at(0.3)
