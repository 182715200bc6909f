"""A recording is a value: selecting and thinning give another one, and say where it came from."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest

from neurofit.errors import RecordingError, StimulusError
from neurofit.recording import Finding, Recording
from neurofit.recording.recording import ranges
from tests.recording.synthetic import Cell


@pytest.fixture(scope="module")
def recording() -> Recording:
    findings = (Finding("a", "note", "On all."), Finding("b", "warning", "On two.", (326, 327)))
    return replace(Cell().record(), sweep_numbers=tuple(range(325, 334)), findings=findings)


def test_selecting_sweeps_keeps_numbers_and_their_findings(recording: Recording) -> None:
    chosen = recording.select([330, 327])
    assert chosen.sweep_numbers == (330, 327)
    assert np.array_equal(chosen.voltage_mv, recording.voltage_mv[[5, 2]])
    assert np.array_equal(chosen.current_pa, recording.current_pa[[5, 2]])
    assert [finding.kind for finding in chosen.findings] == ["a", "b"]
    assert [finding.kind for finding in recording.select([330]).findings] == ["a"]


def test_a_window_keeps_the_time_of_the_file(recording: Recording) -> None:
    window = recording.select(window_ms=(200.0, 800.0))
    assert window.start_ms == 200.0
    assert window.time_ms[0] == 200.0
    assert window.duration_ms == pytest.approx(600.0)
    again = window.select(window_ms=(250.0, 300.0))
    assert np.array_equal(again.voltage_mv, recording.select(window_ms=(250.0, 300.0)).voltage_mv)
    assert window.stimulus.test_step.start_ms == pytest.approx(50.0)


@pytest.mark.parametrize(
    ("sweeps", "window", "says"),
    [
        ([1], None, "no sweep 1 "),
        ([], None, "no sweep selected"),
        (None, (-1.0, 10.0), "inside the sweeps"),
        (None, (1400.0, 1600.0), "inside the sweeps"),
        (None, (20.0, 10.0), "inside the sweeps"),
    ],
)
def test_misuse_is_an_error(
    recording: Recording, sweeps: list[int] | None, window: tuple[float, float] | None, says: str
) -> None:
    with pytest.raises(RecordingError, match=says):
        recording.select(sweeps, window)


def test_thinning_takes_every_kth_sample(recording: Recording) -> None:
    thin = recording.at(0.1)
    assert thin.dt_ms == pytest.approx(0.1)
    assert np.array_equal(thin.voltage_mv, recording.voltage_mv[:, ::2])
    assert thin.current_pa.shape == thin.voltage_mv.shape
    with pytest.raises(StimulusError):
        recording.at(0.07)


def test_the_window_of_a_step(recording: Recording) -> None:
    assert recording.window_of(recording.stimulus.test_step) == (150.0, 900.0)
    assert recording.window_of(recording.stimulus.test_step, 500.0, 5000.0) == (0.0, 1500.0)


def test_nothing_is_assigned_and_the_stimulus_is_computed_once(recording: Recording) -> None:
    with pytest.raises(FrozenInstanceError):
        recording.dt_ms = 1.0  # type: ignore[misc]
    assert recording.stimulus is recording.stimulus
    assert recording.select([325]).stimulus is not recording.stimulus


def test_it_says_what_it_is(recording: Recording) -> None:
    assert repr(recording) == "Recording(9 sweeps of 1500 ms at 0.05 ms, synthetic, 2 findings)"
    assert ranges([3, 1, 2, 7]) == "1-3, 7"
    assert ranges([]) == ""
