"""Every spike feature of thousands of traces against plain calls of eFEL, which is the reference.

neurofit works eFEL's definitions out in NumPy and sends eFEL only the traces that it is not sure of. Followed are those
of eFEL 5.7's C++ source: ``peak_indices``, ``AP_begin_indices``, ``AP_end_indices``, ``AP_rise_indices``,
``AP_fall_indices``, ``min_AHP_indices``, ``min_between_peaks_values``, ``AP_peak_upstroke``, ``AP_peak_downstroke``.
eFEL is called on the whole trace, with two exceptions. The half-width is taken from the
trace up to the end of the step, or of a spike in flight there, since eFEL pairs the last rise in the step with the last
fall of all: a spike after the step would make one of hundreds of milliseconds. And a spike that still rises at the
step's end, whose peak eFEL takes for the step's if it is the very sample at which the step ends, is not the step's.

neurofit gives eFEL the trace from 10 ms before the step on. A depolarisation block that began before that, was not
there from the first sample and is highest within the step would be a spike to eFEL on the whole trace, and is none to
neurofit.
"""

from __future__ import annotations

from collections import defaultdict

import efel
import numpy as np
import pytest

import neurofit as nf
from neurofit.features.spike_shapes import shapes_of
from neurofit.features.spike_times import find_spikes
from neurofit.features.spikes import BEFORE_MS, SPIKE_THRESHOLD_MV, efel_settings, spike_features
from neurofit.recording.split import split
from neurofit.simulation import simulate
from tests.features.cells import START_MS, STOP_MS, firing, steps

FIRST = {
    "latency": "time_to_first_spike",
    "threshold": "AP_begin_voltage",
    "spike_height": "AP_amplitude",
    "half_width": "AP_duration_half_width",
    "upstroke": "AP_peak_upstroke",
    "downstroke": "AP_peak_downstroke",
}
NAMES = ["spike_count_stimint", *FIRST.values(), "peak_time", "min_between_peaks_values"]
SHAPES = {"threshold", "spike_height", "half_width", "upstroke", "downstroke", "height_decline"}
DT_MS = 0.1
LEVELS_PA = [-100.0, 0.0, 100.0, 200.0, 300.0]


@pytest.fixture(autouse=True)
def untouched_efel():
    yield
    efel.reset()


def of_efel(voltage, dt_ms, start_ms, stop_ms, names, first=0):
    """What eFEL finds from sample ``first`` on, called as its manual says: ``{name: array}``, empty for nothing."""
    time = np.arange(len(voltage)) * dt_ms
    trace = {"T": time[first:], "V": voltage[first:], "stim_start": [start_ms], "stim_end": [stop_ms]}
    found = efel.get_feature_values([trace], names, raise_warnings=False)[0]
    return {name: np.zeros(0) if values is None else np.asarray(values, dtype=float) for name, values in found.items()}


def plainly(voltage, dt_ms, start_ms, stop_ms, first=0):
    """The catalogue's spike features of one trace, without those that are undefined."""
    voltage = voltage.astype(float)
    stop, width = round(stop_ms / dt_ms), FIRST["half_width"]
    after = voltage[stop:]
    if after[0] > SPIKE_THRESHOLD_MV and after[0] >= voltage[stop - 1]:
        after = after[:0]
    below = after <= SPIKE_THRESHOLD_MV
    in_flight = below.any() and voltage[stop - 1] > SPIKE_THRESHOLD_MV and voltage[stop - 1] > after[0]
    end = stop + 2 + int(below.argmax()) if in_flight else stop
    found = of_efel(voltage[: stop + len(after)], dt_ms, start_ms, stop_ms, NAMES, first)
    found[width] = of_efel(voltage[:end], dt_ms, start_ms, stop_ms, [*NAMES[:3], width], first)[width]

    count = int(found["spike_count_stimint"].sum())
    if not count:
        return {"spike_count": 0}
    result = {name: found[theirs][0] for name, theirs in FIRST.items() if len(found[theirs])}
    if "downstroke" in result:
        result["downstroke"] *= -1
    isi, heights = np.diff(found["peak_time"]), found["AP_amplitude"]
    if count >= 2:
        result |= {"first_isi": isi[0], "trough": np.median(found["min_between_peaks_values"][: count - 1])}
    if count >= 3:
        result["last_isi"] = isi[-1]
    if count >= 4:
        result["isi_cv"] = np.std(isi) / np.mean(isi)
    if len(heights) >= 2:
        result["height_decline"] = heights[0] - heights[1:].mean()
    return {"spike_count": count, **result}


def assert_as_efel(voltage, dt_ms, start_ms=START_MS, stop_ms=STOP_MS, *, shapes=True, first=0, later_ms=0.0):
    """Every value of ``[trace, time]`` is eFEL's; how many spikes that were. Times may differ by ``later_ms``."""
    ours = spike_features(voltage, dt_ms, start_ms, stop_ms, shapes=shapes)
    for name, value in efel_settings(dt_ms).items():
        efel.set_setting(name, value)
    silent = voltage[:, round(start_ms / dt_ms) - 1 :].max(axis=1) < SPIKE_THRESHOLD_MV - 1
    assert (ours["spike_count"][silent] == 0).all()
    off = defaultdict(list)
    for i in np.flatnonzero(~silent):
        theirs = plainly(voltage[i], dt_ms, start_ms, stop_ms, first)
        for name, column in ours.items():
            if name in SHAPES and not shapes:
                assert np.isnan(column[i])
                continue
            close = (
                1e-6 * max(1, abs(column[i])) + later_ms * (name == "latency") + 2 * later_ms * name.endswith("_isi")
            )
            if name == "isi_cv" and later_ms:
                close = 0.02
            same = np.isnan(column[i]) if name not in theirs else abs(column[i] - theirs[name]) <= close
            if not same:
                off[name].append((int(i), float(column[i]), theirs.get(name), int(ours["spike_count"][i])))
    assert not off, off
    return ours["spike_count"].sum()


def simulated(name, n=80, seed=0):
    """``[trace, time]``: draws from a shipped template's prior at five levels."""
    model, stimulus = nf.load_model(name), steps(LEVELS_PA, DT_MS)
    theta = model.prior.sample(n, np.random.default_rng(seed))
    voltage = simulate(model, stimulus, theta, seed=seed).voltage_mv.reshape(-1, stimulus.n_samples)
    return voltage[np.isfinite(voltage).all(axis=1)]


@pytest.fixture(scope="module")
def prior_draws():
    return {name: simulated(name) for name in ("hh_pospischil", "hh_pospischil_ih")}


@pytest.mark.parametrize("name", ["hh_pospischil", "hh_pospischil_ih"])
def test_simulations_are_measured_as_efel_does(prior_draws, name):
    assert assert_as_efel(prior_draws[name], DT_MS) > 300


def test_drawn_spikes_are_timed_as_efel_does():
    """Their tops are flat: which of the equal samples is the peak depends on how eFEL's time axis is rounded.

    That depends on where the trace begins: from where eFEL is always given it, all is equal; otherwise to a sample.
    """
    voltage = simulated("lif")
    begin = round((START_MS - BEFORE_MS) / DT_MS)
    assert assert_as_efel(voltage, DT_MS, shapes=False, first=begin) > 300
    assert_as_efel(voltage, DT_MS, shapes=False, later_ms=DT_MS * 1.001)


@pytest.mark.parametrize("noise_mv", [0.1, 1.0, 5.0])
def test_noisy_traces_are_measured_as_efel_does(prior_draws, noise_mv):
    chosen = prior_draws["hh_pospischil_ih"][:250]
    noise = noise_mv * np.random.default_rng(1).standard_normal(chosen.shape)
    assert assert_as_efel((chosen + noise).astype(np.float32), DT_MS) > 100


def test_voltage_in_steps_of_a_converter_is_measured_as_efel_does(prior_draws):
    """Many samples are equal, at peaks too, and slopes exactly 10 and -12 mV/ms; none is on the threshold."""
    chosen = prior_draws["hh_pospischil"][:250].astype(float)
    for least_mv in (0.025, 0.5):
        # a time step that binary numbers hold exactly: eFEL's axis is not rounded, and the whole trace says the same
        assert assert_as_efel((np.round(chosen / least_mv) + 0.3) * least_mv, 0.125, 125.0, 750.0) > 50


@pytest.mark.parametrize("edge_ms", [START_MS, STOP_MS])
@pytest.mark.parametrize("others_ms", [[], [250.0], [250.0, 253.0, 256.0, 420.0]])
def test_spikes_at_the_edges_of_the_step_are_measured_as_efel_does(edge_ms, others_ms):
    at_ms = edge_ms + np.arange(-40, 41) * 0.1 + 0.013
    stimulus = steps([100.0] * len(at_ms), DT_MS)
    voltage = firing(stimulus, [[*others_ms, at] for at in at_ms])
    noise = 0.05 * np.random.default_rng(0).standard_normal(voltage.shape)
    assert_as_efel((voltage + noise).astype(np.float32), DT_MS)


def test_doublets_and_bursts_are_measured_as_efel_does():
    apart_ms = np.arange(1.6, 12.0, 0.23)
    doublets = [[200.0, 200.0 + apart, 350.0] for apart in apart_ms]
    bursts = [[t + k * apart for t in (150.0, 300.0, 480.0) for k in range(5)] for apart in apart_ms]
    stimulus = steps([100.0] * 2 * len(apart_ms), DT_MS)
    noise = 0.05 * np.random.default_rng(0).standard_normal((2 * len(apart_ms), stimulus.n_samples))
    assert assert_as_efel((firing(stimulus, doublets + bursts) + noise).astype(np.float32), DT_MS) > 500


def test_depolarisation_block_is_measured_as_efel_does():
    """Up and never down, down in mid-step, down after it, up from the first sample; oscillations into the block."""
    stimulus = steps([300.0] * 60, DT_MS)
    since = np.clip(stimulus.time_ms - START_MS, 0, None)
    rng = np.random.default_rng(0)
    voltage = []
    for _ in range(60):
        until = rng.choice([300.0, STOP_MS, STOP_MS + 20.0, 1e9])
        plateau = rng.uniform(-30, 0) + rng.uniform(20, 70) * np.exp(-since / rng.uniform(5, 60)) * np.cos(
            since * 2 * np.pi / rng.uniform(5, 25)
        )
        during = (stimulus.time_ms >= START_MS * rng.integers(2)) & (stimulus.time_ms < until)
        away = np.convolve(during, np.exp(-np.arange(300) / 20) / 20, mode="full")[: len(during)]
        voltage.append(-65 + away * (plateau + 65) + rng.choice([0, 0.1]) * rng.standard_normal(len(during)))
    assert assert_as_efel(np.array(voltage, dtype=np.float32), DT_MS) > 60


@pytest.mark.parametrize(
    ("file", "protocol"),
    [
        ("171116sh_0018.abf", None),
        ("2019_07_24_0055_fsi.abf", None),
        ("SSCx_C060109A3", "IDrest"),
        ("SSCx_C060109A3", "IV"),
    ],
)
@pytest.mark.parametrize("coarse", [False, True])
def test_recordings_are_measured_as_efel_does(recordings_dir, file, protocol, coarse):
    recording = nf.load_recording(recordings_dir / file, **({"protocol": protocol} if protocol else {}))
    recording = recording.at(2 * recording.dt_ms) if coarse else recording
    for step in (1, 2):
        try:
            part = split(recording, recording.sweep_numbers, step).fitted
        except nf.BadInput:
            assert step == 2
            continue
        window = part.stimulus.test_step
        assert_as_efel(part.voltage_mv, part.dt_ms, window.start_ms, window.stop_ms)


@pytest.mark.parametrize("name", ["hh_pospischil", "hh_pospischil_ih"])
def test_few_simulations_are_sent_to_efel(prior_draws, name):
    voltage = prior_draws[name]
    spikes = find_spikes(voltage, DT_MS, 1000, 6000, SPIKE_THRESHOLD_MV, 900)
    sure = shapes_of(spikes)[1]
    assert (~sure).sum() < 0.15 * (spikes.count > 0).sum()


def sent(voltage, monkeypatch):
    """Whether a trace is sent to eFEL."""
    calls = []
    monkeypatch.setattr(efel, "get_feature_values", lambda traces, *_, **__: calls.append(1) or [{}])
    spike_features(voltage[None], DT_MS, START_MS, STOP_MS)
    return bool(calls)


def test_what_rounding_could_decide_is_sent_to_efel(monkeypatch):
    stimulus = steps([100.0], DT_MS)
    plain = firing(stimulus, [[300.013, 400.027]])[0]
    plain += 0.05 * np.random.default_rng(0).standard_normal(len(plain))
    assert not sent(plain, monkeypatch)
    top = 3000 + int(plain[3000:3010].argmax()) if plain[3000:3010].max() > plain[2990:3000].max() else 2990
    flat, touching, at_start, no_begin = (plain.copy() for _ in range(4))
    flat[top + 1] = flat[top]
    touching[2000] = SPIKE_THRESHOLD_MV
    at_start[995:1003] = 0.0
    no_begin[2000:2201] = np.interp(np.arange(201), [0, 100, 200], [-50, -10, -50])
    for voltage in (flat, touching, at_start, no_begin):
        assert sent(voltage, monkeypatch)
