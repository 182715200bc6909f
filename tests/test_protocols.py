"""Ramps and frozen noise from a recording to a report, and a fit without its spoilt sweep."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import neurofit as nf
from neurofit.cli import app
from neurofit.features.catalogue import feature_of
from neurofit.recording.split import split
from neurofit.result import Fit
from tests.protocols import DT_MS, START, STOP, TRUTH, frozen_noise, noise_current, ramp_current, recorded
from tests.recording.ibw import write_pair
from tests.recording.synthetic import Cell
from tests.tiny import METHOD

CURRENTS = {"ramp": ramp_current, "waveform": noise_current}


@pytest.fixture(scope="module", params=CURRENTS)
def done(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Fit:
    """A finished run on a current that moves, not to be changed."""
    recording = recorded(CURRENTS[request.param](), request.param)
    out = tmp_path_factory.mktemp("fits") / request.param
    return nf.fit(recording, nf.load_model("lif"), out, method=METHOD, workers=1, seed=3, anyway=True)


def test_the_current_is_simulated_exactly_as_injected(done: Fit) -> None:
    part = done.split.fitted
    current = CURRENTS[part.stimulus.word]()
    first = round(part.start_ms / DT_MS)
    assert np.array_equal(part.current_pa, current[[0, 2, 4], first : first + part.current_pa.shape[1]])
    assert (part.current_pa[:, 0] == 0).all()
    assert part.stimulus.test_step.stop_ms + part.start_ms == pytest.approx(STOP * DT_MS)


def test_features_are_those_of_the_protocol(done: Fit) -> None:
    fitted = {feature_of(name).name for name in done.summaries.names}
    own = {"ramp": {"threshold_current", "ramp_resistance"}, "waveform": {"subthreshold_sd", "transfer_2ms"}}
    for word, names in own.items():
        assert (names <= fitted) == (word == done.split.fitted.stimulus.word)
    assert "spikes_in_quarter_1" in fitted
    assert not {"sag", "input_resistance"} & fitted


def test_held_out_sweeps_are_predicted_and_checked(done: Fit) -> None:
    assert list(done.split.held_out) == ["other sweeps"]
    table = done.predictive_table
    assert table.loc["other sweeps"].index.tolist() == [1, 3, 5]
    assert table["voltage covered (%)"].notna().all()
    assert set(done.checks) == {"prior-summary", "prior-raw", "fit-summary", "fit-raw"}
    assert done.predict(done.split.held_out["other sweeps"], n=3).features.values.shape[0] == 3


def test_the_report_speaks_of_what_was_injected(done: Fit) -> None:
    page = (done.run / "report.html").read_text(encoding="utf-8")
    word = done.split.fitted.stimulus.word
    assert f"fitted to sweeps 0, 2, 4 of the {word} (mean" in page
    assert "step 1" not in page
    for command in (["check"], ["report"], ["predict", "--draws", "5"]):
        ran = CliRunner().invoke(app, [command[0], str(done.run.path), *command[1:]])
        assert ran.exit_code == 0, ran.output


def test_a_longer_sampling_interval_keeps_the_charge() -> None:
    current = np.zeros((2, 4000))
    current[:, 500:3500] = np.stack([frozen_noise(100.0, seed, n=3000, dt_ms=0.02) for seed in (1, 2)])
    recording = nf.recording_from_arrays(np.random.default_rng(0).normal(-65, 0.1, current.shape), current, 0.02)
    cut = split(recording, [0], 1).fitted
    assert cut.dt_ms == pytest.approx(0.1)
    assert cut.current_pa.sum() * 5 == pytest.approx(current[0].sum())
    start = round(cut.start_ms / 0.02)
    assert np.allclose(cut.current_pa[0, 100:200], current[0, start + 500 : start + 1000].reshape(-1, 5).mean(axis=1))


def test_every_edge_of_a_prepulse_is_kept() -> None:
    current = np.zeros((4, 20000))
    current[:, 4003:5001] = -40.0
    current[:, 5001:15001] = np.array([[50.0], [100.0], [150.0], [200.0]])
    recording = nf.recording_from_arrays(np.random.default_rng(0).normal(-65, 0.1, current.shape), current, 0.05)
    cut = split(recording, [0, 1], 1).fitted
    # 998 samples of pre-pulse: every second may be left out, and none of 499 is lost
    assert (cut.current_pa[0] == -40.0).sum() * cut.dt_ms == pytest.approx(998 * 0.05)
    current[:, 4002] = -40.0
    odd = split(nf.recording_from_arrays(recording.voltage_mv, current, 0.05), [0, 1], 1).fitted
    assert odd.dt_ms == pytest.approx(0.05)
    assert (odd.current_pa[0] == -40.0).sum() == 999


def test_repeats_that_even_and_odd_part_are_each_a_row_of_their_own() -> None:
    from neurofit.infer.tolerance import repeated

    levels = (-50.0, 100.0, 100.0, 100.0, 200.0, 200.0)
    recording = Cell(levels_pa=levels, dt_ms=0.1).record()
    cut = split(recording, [0, 2, 4])
    assert cut.fitted.sweep_numbers == (0, 2, 4)
    assert repeated(cut.fitted) == [], "one of each level is fitted: the held-out repeats must not enter"
    assert repeated(split(recording, [1, 2, 3, 4, 5]).fitted) == [[0, 1, 2], [3, 4]]
    # the same mean is no repeat where the current moves
    assert repeated(recorded(noise_current(), "noise")) == [[0, 1]]


def test_ramps_from_files_are_inspected_and_simulated(tmp_path: Path) -> None:
    cell = recorded(ramp_current(), "ramps")
    (tmp_path / "waves").mkdir()
    current = cell.current_pa[:, ::2] + np.random.default_rng(0).normal(0, 2, (6, cell.current_pa.shape[1] // 2))
    for row in range(6):
        write_pair(tmp_path / "waves", row, cell.voltage_mv[row, ::2], current[row], protocol="Ramp", dt_s=2e-4)
    ran = CliRunner().invoke(app, ["inspect", str(tmp_path / "waves"), "--no-picture"])
    assert ran.exit_code == 0, ran.output
    assert "Ramp" in ran.output
    assert "input resistance along the ramp" in ran.output
    out = tmp_path / "sims"
    asked = ["simulate", str(tmp_path / "waves"), "--model", "lif", "--out", str(out), "--simulations", "20"]
    ran = CliRunner().invoke(app, [*asked, "--workers", "1"])
    assert ran.exit_code == 0, ran.output
    assert "threshold_current@0" in (out / "columns.json").read_text()


def test_a_fit_leaves_out_what_is_set_aside_and_says_so(tmp_path: Path) -> None:
    cell = Cell(levels_pa=(-100.0, -20.0, 60.0, 140.0, 220.0, 300.0), dt_ms=0.1, electrode_mohm=8.0).record()
    voltage = cell.voltage_mv.copy()
    voltage[2] += 12.0
    recording = nf.recording_from_arrays(voltage, cell.current_pa, cell.dt_ms)
    fit = nf.fit(recording, nf.load_model("lif"), tmp_path / "fit", method=METHOD, workers=1, seed=3, anyway=True)
    assert fit.split.fitted.sweep_numbers == (0, 3, 5)
    assert fit.split.held_out["step 1, other sweeps"].sweep_numbers == (1, 4)
    decided = fit.decisions["recording"]
    assert list(decided["set_aside"]) == ["2"]
    assert "taken_anyway" not in decided
    page = (fit.run / "report.html").read_text(encoding="utf-8")
    assert "Sweep 2 is set aside: it rests at" in page
    with pytest.raises(nf.BadInput):
        nf.fit(recording, nf.load_model("lif"), tmp_path / "fit", method=METHOD, workers=1, seed=3, keep_all=True)


@pytest.mark.slow
def test_frozen_noise_tells_the_parameters_of_a_known_cell(tmp_path: Path) -> None:
    method = nf.Method(rounds=2, simulations=2000, members=2, schedule=nf.Schedule(epochs=25), cases=240)
    recording = recorded(noise_current(), "frozen noise")
    fit = nf.fit(recording, nf.load_model("lif"), tmp_path / "fit", method=method, workers=1, seed=3, anyway=True)
    told = fit.parameters.loc[["C", "g_leak", "E_leak", "V_th", "sigma"], "contraction"]
    assert (told > 0.5).all(), told
    inside = [fit.parameters["5 %"][name] <= value <= fit.parameters["95 %"][name] for name, value in TRUTH.items()]
    assert sum(inside) >= 7, "of 10 intervals of 90 %, fewer than 7 hold the truth in 1 case of 80"
    assert fit.findings_of_fit["calibration"]["verdict"] == "calibrated"
    assert pytest.approx(fit.split.fitted.start_ms + fit.split.fitted.stimulus.test_step.start_ms) == START * DT_MS
