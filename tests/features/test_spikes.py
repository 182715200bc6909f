"""Spike features against plain calls of eFEL, on a recorded and on synthetic voltage."""

from __future__ import annotations

import warnings

import efel
import numpy as np
import pytest

import neurofit as nf
from neurofit.features import extract_features
from neurofit.features.spikes import efel_settings, spike_features
from neurofit.recording.split import split
from tests.features.cells import START_MS, STOP_MS, firing, steps

SHAPES = ("threshold", "spike_height", "half_width", "upstroke", "downstroke")
NAMES = [
    "spike_count_stimint", "time_to_first_spike", "peak_time", "AP_begin_voltage", "AP_amplitude",
    "AP_duration_half_width", "min_between_peaks_values", "AP_peak_upstroke", "AP_peak_downstroke",
]  # fmt: skip


@pytest.fixture(autouse=True)
def untouched_efel():
    yield
    efel.reset()


def plainly(voltage, dt_ms, start_ms, stop_ms):
    """The catalogue's spike features of one trace, from eFEL as its manual says to call it."""
    efel.reset()
    for name, value in efel_settings(dt_ms).items():
        efel.set_setting(name, value)
    trace = {
        "T": np.arange(len(voltage)) * dt_ms,
        "V": voltage.astype(float),
        "stim_start": [start_ms],
        "stim_end": [stop_ms],
    }
    found = efel.get_feature_values([trace], NAMES, raise_warnings=False)[0]
    count = int(found["spike_count_stimint"][0])
    result = {"spike_count": count}
    if count >= 1:
        result["latency"] = found["time_to_first_spike"][0]
        result["threshold"] = found["AP_begin_voltage"][0]
        result["spike_height"] = found["AP_amplitude"][0]
        result["half_width"] = found["AP_duration_half_width"][0]
        result["upstroke"] = found["AP_peak_upstroke"][0]
        result["downstroke"] = -found["AP_peak_downstroke"][0]
    if count >= 2:
        isi = np.diff(found["peak_time"])
        result["first_isi"] = isi[0]
        result["trough"] = np.median(found["min_between_peaks_values"][: count - 1])
        result["height_decline"] = found["AP_amplitude"][0] - np.mean(found["AP_amplitude"][1:])
    if count >= 3:
        result["last_isi"] = isi[-1]
    if count >= 4:
        result["isi_cv"] = np.std(isi) / np.mean(isi)
    return result


ALL = ("spike_count", "latency", "first_isi", "last_isi", "isi_cv", "trough", *SHAPES, "height_decline")


def assert_same(table, row, sweep, expected):
    for name in ALL:
        value = table.column(f"{name}@{sweep}")[row]
        if name in expected:
            assert value == pytest.approx(expected[name], rel=1e-6, abs=1e-6), (name, sweep)
        else:
            assert np.isnan(value), (name, sweep)


@pytest.mark.parametrize("step", [1, 2])
def test_a_recording_is_measured_as_efel_does(recordings_dir, step):
    recording = nf.load_recording(recordings_dir / "171116sh_0018.abf")
    part = split(recording, recording.sweep_numbers, step).fitted
    table = extract_features(part.voltage_mv, part.stimulus, sweep_numbers=part.sweep_numbers)
    window = part.stimulus.test_step
    counts = 0
    for j, sweep in enumerate(part.sweep_numbers):
        expected = plainly(part.voltage_mv[j], part.dt_ms, window.start_ms, window.stop_ms)
        assert_same(table, 0, sweep, expected)
        counts += expected["spike_count"]
    assert counts > 50  # it is not silence that agrees


@pytest.mark.parametrize("dt_ms", [0.05, 0.1, 0.2])
def test_synthetic_spikes_are_measured_as_efel_does(dt_ms):
    times = [[], [300.0], [150.0, 400.0], [150.0, 250.0, 450.0], np.linspace(120, 580, 12).tolist(), [50.0, 300.0]]
    stimulus = steps([-50.0, 50.0, 100.0, 150.0, 200.0, 0.0], dt_ms)
    voltage = firing(stimulus, times) + 0.2 * np.random.default_rng(0).standard_normal((6, stimulus.n_samples))
    table = extract_features(voltage, stimulus)
    for sweep in range(6):
        assert_same(table, 0, sweep, plainly(voltage[sweep], dt_ms, START_MS, STOP_MS))


def test_spikes_are_where_they_were_put():
    stimulus = steps([100.0], 0.05)
    table = extract_features(firing(stimulus, [[150.0, 200.0, 280.0, 400.0]]), stimulus)
    found = {name: table.column(f"{name}@0")[0] for name in ALL}
    assert found["spike_count"] == 4
    assert found["latency"] == pytest.approx(50, abs=0.1)
    assert found["first_isi"] == pytest.approx(50, abs=0.1)
    assert found["last_isi"] == pytest.approx(120, abs=0.1)
    assert found["isi_cv"] == pytest.approx(np.std([50, 80, 120]) / np.mean([50, 80, 120]), abs=0.01)
    assert found["trough"] == pytest.approx(-58, abs=0.5)
    # steepest slope of a Gaussian of height h and half-width w: h sqrt(8 ln 2 / e) / w
    assert found["upstroke"] == pytest.approx(90 * np.sqrt(8 * np.log(2) / np.e), rel=0.03)
    assert found["downstroke"] == pytest.approx(90 * np.sqrt(8 * np.log(2) / np.e), rel=0.03)
    assert found["height_decline"] == pytest.approx(0, abs=0.01)


@pytest.mark.parametrize("later", [[650.0], [605.0, 700.0], [602.0]])
@pytest.mark.parametrize("during", [[300.0], [300.0, 400.0], [200.0, 300.0, 400.0]])
def test_spikes_after_the_step_change_nothing_of_those_in_it(during, later):
    """eFEL itself would pair the last rise in the step with the last fall of all: a half-width of 300 ms."""
    stimulus = steps([100.0], 0.1)
    alone = extract_features(firing(stimulus, [during]), stimulus)
    followed = extract_features(firing(stimulus, [during + later]), stimulus)
    for name in ALL:
        assert followed.column(f"{name}@0")[0] == pytest.approx(alone.column(f"{name}@0")[0], nan_ok=True), name


def test_a_spike_in_flight_at_the_end_of_the_step_counts_if_it_has_peaked():
    stimulus = steps([100.0], 0.1)

    def count(at_ms):
        return extract_features(firing(stimulus, [[at_ms]]), stimulus).column("spike_count@0")[0]

    assert [count(at) for at in (598.0, 599.3, 599.5, 599.7, 601.5)] == [1, 1, 1, 1, 0]


def test_spikes_only_outside_the_step_leave_everything_but_the_count_undefined():
    stimulus = steps([100.0, 100.0], 0.1)
    table = extract_features(firing(stimulus, [[50.0], [650.0, 700.0]]), stimulus)
    for sweep in (0, 1):
        assert_same(table, 0, sweep, {"spike_count": 0})


def test_one_spike_has_no_interval_and_two_no_last_one():
    stimulus = steps([100.0, 100.0, 100.0], 0.1)
    table = extract_features(firing(stimulus, [[300.0], [300.0, 400.0], [300.0, 400.0, 500.0]]), stimulus)

    def defined(name):
        return table.select([f"{name}@{s}" for s in range(3)]).defined[0].tolist()

    assert defined("first_isi") == [False, True, True]
    assert defined("trough") == [False, True, True]
    assert defined("height_decline") == [False, True, True]
    assert defined("last_isi") == [False, False, True]
    assert defined("isi_cv") == [False, False, False]


def test_depolarisation_block_is_no_error():
    """Up and never down; up in mid-step; above the threshold from the first sample to the last; noise around it."""
    stimulus = steps([300.0] * 5, 0.1)
    time = stimulus.time_ms
    voltage = np.full((5, len(time)), -65.0)
    voltage[0, time >= 110] = -5.0
    voltage[1] = firing(stimulus, [[200.0, 250.0]] * 5)[0]
    voltage[1, (time >= 300) & (time < 600)] = -5.0
    voltage[2] = -5.0
    voltage[3] = -20.0 + 15 * np.random.default_rng(0).standard_normal(len(time))
    voltage[4, (time >= 100) & (time < 600)] = -10.0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        table = extract_features(voltage, stimulus)
    assert table.select([f"spike_count@{s}" for s in range(5)]).defined.all()
    assert table.column("spike_count@0")[0] == 0
    assert table.column("spike_count@2")[0] == 0
    assert table.column("first_isi@1")[0] == pytest.approx(50, abs=0.2)
    assert np.isfinite(table.values[table.defined]).all()


def test_drawn_spikes_have_a_time_but_no_shape():
    stimulus = steps([100.0, 200.0], 0.1)
    voltage = firing(stimulus, [[200.0, 300.0, 400.0, 500.0], [300.0]])
    table, drawn = extract_features(voltage, stimulus), extract_features(voltage, stimulus, spikes_drawn=True)
    for name, a, b in zip(table.names, table.values[0], drawn.values[0], strict=True):
        if table.feature(name).aspect == "spike shape":
            assert np.isnan(b), name
        else:
            assert a == pytest.approx(b, nan_ok=True), name
    assert table.select(["mean_threshold", "mean_height_decline"]).defined.all()


def all_settings():
    return vars(efel.get_settings()).copy()


def test_settings_are_put_back_and_nobody_elses_matter():
    stimulus = steps([100.0], 0.05)
    voltage = firing(stimulus, [[200.0, 300.0]])
    expected = extract_features(voltage, stimulus).values
    for name, value in {"Threshold": 5.0, "DerivativeThreshold": 99.0, "interp_step": 0.7, "my_own": 3}.items():
        efel.set_setting(name, value)
    before, object_before = all_settings(), efel.get_settings()
    np.testing.assert_array_equal(extract_features(voltage, stimulus).values, expected)
    assert all_settings() == before
    assert efel.get_settings() is object_before


def test_settings_are_put_back_after_an_error(monkeypatch):
    def fails(*_, **__):
        raise OSError("eFEL fails")

    efel.set_setting("Threshold", 5.0)
    before = all_settings()
    monkeypatch.setattr(efel, "get_feature_values", fails)
    flat_top = np.minimum(firing(steps([100.0], 0.1), [[300.0]]), 0.0)  # one of those that are sent to eFEL
    with pytest.raises(OSError, match="eFEL fails"):
        spike_features(flat_top, 0.1, START_MS, STOP_MS)
    assert all_settings() == before


def test_silent_traces_are_not_sent_to_efel(monkeypatch):
    def fails(*_, **__):
        raise AssertionError

    monkeypatch.setattr(efel, "get_feature_values", fails)
    stimulus = steps([100.0], 0.1)
    table = extract_features(firing(stimulus, [[50.0, 700.0]]), stimulus)
    assert table.column("spike_count@0")[0] == 0


def test_sampling_hardly_matters(recordings_dir):
    """The recording at its own 0.05 ms and at the 0.1 ms of a fit: every feature within its tolerance."""
    recording = nf.load_recording(recordings_dir / "171116sh_0018.abf").select(window_ms=(46.85, 796.85))
    fine, coarse = (extract_features(r.voltage_mv, r.stimulus) for r in (recording, recording.at(0.1)))
    np.testing.assert_array_equal(fine.defined, coarse.defined)
    for name, a, b in zip(fine.names, fine.values[0], coarse.values[0], strict=True):
        if np.isfinite(a):
            feature = fine.feature(name)
            moved = np.log(b / a) if feature.scale == "log" else b - a
            assert abs(moved) < feature.tolerance, (name, a, b)
