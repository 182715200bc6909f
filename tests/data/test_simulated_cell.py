"""The simulated cell that comes with neurofit is what its truth says, and looks like a recording of a real one."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neurofit.recording import Recording, known_recordings, load_recording, measure_electrode
from neurofit.recording.baseline import measure_noise, measure_rest, quiet_pieces
from neurofit.recording.spikes import count_spikes, spike_times_ms
from neurofit.recording.split import split
from neurofit.template import list_models, load_model
from tests.conftest import REPOSITORY

DATA = REPOSITORY / "data"
SCRIPT = DATA / "make_simulated_cell.py"


@pytest.fixture(scope="module")
def truth() -> dict[str, Any]:
    return tomllib.loads((DATA / "simulated_cell_truth.toml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def recording() -> Recording:
    return load_recording(DATA / "simulated_cell.abf")


def counts(recording: Recording) -> list[list[int]]:
    times = spike_times_ms(recording)
    return [count_spikes(times, step).tolist() for step in recording.stimulus.test_steps]


def test_truth_catalogue_and_file_agree(truth: dict[str, Any]) -> None:
    content = (DATA / truth["recording"]["file"]).read_bytes()
    assert len(content) < 3e6
    (entry,) = known_recordings()["simulated"].files
    assert entry == ("simulated_cell.abf", None, hashlib.sha256(content).hexdigest())
    assert truth["recording"]["sha256"] == entry[2]


def test_the_cell_is_the_template_beside_it(truth: dict[str, Any]) -> None:
    model = load_model(DATA / "simulated_cell.toml")
    assert truth["cell"] == {p.name: {"value": p.value, "unit": p.unit} for p in model.parameters}
    shipped = [load_model(name) for name in list_models()]
    assert len(model.parsed.state) > max(len(other.parsed.state) for other in shipped)


def test_it_follows_the_protocol_of_the_real_recording(recording: Recording) -> None:
    assert recording.voltage_mv.shape == (17, 60_000)
    assert recording.dt_ms == 0.05
    steps = recording.stimulus.test_steps
    assert [step.start_ms for step in steps] == pytest.approx([146.85, 1646.85])
    assert [step.stop_ms for step in steps] == pytest.approx([646.85, 2146.85])
    assert all(np.array_equal(step.level_pa, np.arange(-100.0, 301.0, 25.0)) for step in steps)
    assert list(split(recording, [0, 8, 12, 16]).held_out) == ["step 1, other sweeps", "step 2"]


def test_the_planted_faults_are_found_and_nothing_else(recording: Recording, truth: dict[str, Any]) -> None:
    warnings = {finding.kind for finding in recording.findings if finding.severity == "warning"}
    assert warnings == {"electrode-resistance"}
    electrode = measure_electrode(recording)
    assert electrode is not None
    assert electrode.resistance_mohm == pytest.approx(truth["rig"]["series_resistance_mohm"], abs=1.0)
    # The amplifier's noise reaches the file through the filter; the membrane and its synapses add theirs.
    noise = measure_noise(quiet_pieces(recording, spike_times_ms(recording)))
    assert 0.5 * truth["rig"]["noise_mv"] < noise < 0.3
    # Whoever inspects the file is told what it is.
    assert any(finding.kind == "tags" and "Simulated" in finding.message for finding in recording.findings)


def test_features_are_those_of_the_truth(recording: Recording, truth: dict[str, Any]) -> None:
    features, rig, offset = truth["features"], truth["rig"], truth["comparable"]["V_offset_mv"]
    first, second = counts(recording)
    assert first == features["spike_counts"]["first_step"]
    assert second == features["spike_counts"]["second_step"]
    rest = measure_rest(recording)
    assert np.median(rest) == pytest.approx(features["rest_mv"] + offset, abs=0.3)
    assert rest[-1] - rest[0] == pytest.approx(rig["drift_mv"], abs=0.5)
    stop = round(recording.stimulus.test_steps[0].stop_ms / recording.dt_ms)
    change_mv = recording.voltage_mv[:4, stop - 2_000 : stop].mean(axis=1) - rest[:4]
    mohm = 1e3 * np.polyfit(recording.stimulus.test_steps[0].level_pa[:4], change_mv, 1)[0]
    assert mohm == pytest.approx(features["input_resistance_mohm"] + rig["series_resistance_mohm"], abs=3)


def test_it_is_a_regular_spiking_cortical_cell(truth: dict[str, Any]) -> None:
    features = truth["features"]
    assert features["rest_mv"] + truth["comparable"]["V_offset_mv"] == pytest.approx(-65, abs=1)
    assert 80 <= features["input_resistance_mohm"] <= 150
    assert 15 <= features["time_constant_ms"] <= 35
    assert features["sag_ratio"] > 1.03
    first = features["spike_counts"]["first_step"]
    assert first == sorted(first)
    assert first[4] == 0
    assert 9 <= first[-1] <= 13
    assert features["last_interval_ms"] > 1.3 * features["first_interval_ms"]
    assert features["last_peak_mv"] < features["first_peak_mv"] - 5


@pytest.mark.slow
def test_the_script_makes_it_again(recording: Recording, truth: dict[str, Any], tmp_path: Path) -> None:
    """Here the bytes are the same; another compiler or processor may round a sample to the converter's next step."""
    path = os.pathsep.join([str(REPOSITORY), *filter(None, [os.environ.get("PYTHONPATH")])])
    subprocess.run([sys.executable, str(SCRIPT), str(tmp_path)], check=True, env={**os.environ, "PYTHONPATH": path})
    again = load_recording(tmp_path / "simulated_cell.abf")
    assert np.array_equal(again.current_pa, recording.current_pa)
    assert counts(again) == counts(recording)
    quiet = recording.voltage_mv < -40
    assert np.sqrt(np.mean((again.voltage_mv - recording.voltage_mv)[quiet] ** 2)) < 0.05
    made = tomllib.loads((tmp_path / "simulated_cell_truth.toml").read_text(encoding="utf-8"))
    for part in ("comparable", "rig", "synapses", "cell"):
        assert made[part] == truth[part]
    for name in ("rest_mv", "input_resistance_mohm", "time_constant_ms", "first_peak_mv"):
        assert made["features"][name] == pytest.approx(truth["features"][name], rel=0.02)
