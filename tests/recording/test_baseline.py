"""Rest, noise and hum are measured as planted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from neurofit.recording.baseline import measure_hum, measure_noise, measure_rest, quiet_pieces
from neurofit.recording.spikes import spike_times_ms
from tests.recording.synthetic import Cell


def test_rest_is_the_planted_one_in_every_sweep() -> None:
    rest = measure_rest(Cell(rest_mv=-72.0, drift_mv=8.0).record())
    assert np.allclose(rest, np.linspace(-72.0, -64.0, 9), atol=0.05)


def test_rest_is_unknown_without_a_stretch_before_the_steps() -> None:
    recording = Cell().record().select(window_ms=(245.0, 1500.0))
    assert np.isnan(measure_rest(recording)).all()


@pytest.mark.parametrize("noise", [0.05, 0.3, 2.0])
@pytest.mark.parametrize("dt_ms", [0.05, 0.25])
def test_noise_is_the_planted_one(noise: float, dt_ms: float) -> None:
    recording = Cell(noise_mv=noise, dt_ms=dt_ms).record()
    pieces = quiet_pieces(recording, spike_times_ms(recording))
    assert measure_noise(pieces) == pytest.approx(noise, rel=0.1)


@pytest.mark.parametrize("mains", [50, 60])
def test_hum_is_the_planted_one_at_its_own_frequency(mains: int) -> None:
    recording = Cell(hum_mv=0.7, hum_hz=float(mains)).record()
    hum = measure_hum(quiet_pieces(recording, spike_times_ms(recording)), recording.dt_ms)
    assert hum[mains][0] == pytest.approx(0.7, rel=0.05)
    assert hum[110 - mains][0] < 0.05


def test_quiet_pieces_hold_no_spikes_and_no_steps() -> None:
    recording = Cell(own_spikes=3).record()
    pieces = quiet_pieces(recording, spike_times_ms(recording))
    assert pieces
    assert max(float(np.abs(piece).max()) for piece in pieces) < 1.0
    assert all(len(piece) == round(100 / recording.dt_ms) for piece in pieces)


def test_nothing_quiet_nothing_measured() -> None:
    recording = Cell().record().select(window_ms=(250.0, 750.0))
    pieces = quiet_pieces(replace(recording, voltage_mv=recording.voltage_mv * 0 + 30.0), [np.empty(0)] * 9)
    assert np.isnan(measure_noise([]))
    assert measure_hum([], 0.05) == {}
    assert isinstance(pieces, list)
