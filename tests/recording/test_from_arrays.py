"""Arrays become a recording like one from a file, or are refused."""

from __future__ import annotations

import numpy as np
import pytest

import neurofit as nf
from neurofit.errors import RecordingError, StimulusError
from tests.recording.synthetic import Cell

MADE = Cell().record()


def test_it_holds_the_arrays_and_is_examined() -> None:
    recording = nf.recording_from_arrays(MADE.voltage_mv, MADE.current_pa, MADE.dt_ms, name="mine")
    np.testing.assert_array_equal(recording.voltage_mv, MADE.voltage_mv)
    np.testing.assert_array_equal(recording.current_pa, MADE.current_pa)
    assert recording.source.path == "mine"
    assert {finding.kind for finding in recording.findings} >= {"junction-potential"}


def test_other_arrays_are_another_source() -> None:
    one, same, other = (
        nf.recording_from_arrays(MADE.voltage_mv + shift, MADE.current_pa, MADE.dt_ms) for shift in (0.0, 0.0, 1.0)
    )
    assert one.source.sha256 == same.source.sha256 != other.source.sha256


def test_what_does_not_go_together_is_refused() -> None:
    with pytest.raises(RecordingError, match="do not go together"):
        nf.recording_from_arrays(MADE.voltage_mv[:, 1:], MADE.current_pa, MADE.dt_ms)
    with pytest.raises(RecordingError, match="sampling interval"):
        nf.recording_from_arrays(MADE.voltage_mv, MADE.current_pa, 25.0)
    with pytest.raises(RecordingError, match="not numbers"):
        nf.recording_from_arrays(np.full_like(MADE.voltage_mv, np.nan), MADE.current_pa, MADE.dt_ms)
    with pytest.raises((RecordingError, StimulusError)):
        nf.recording_from_arrays(MADE.voltage_mv, np.zeros_like(MADE.current_pa), MADE.dt_ms)
