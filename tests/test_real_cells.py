"""Real recordings from file to verdict, with few simulations: what must hold however short the fit."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

import neurofit as nf
from neurofit.progress import Advance

METHOD = nf.Method(rounds=1, simulations=1200, members=1, schedule=nf.Schedule(epochs=10), cases=300)

pytestmark = pytest.mark.slow


class Told:
    """What a fit says and begins, in order."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)

    @contextmanager
    def bar(self, text: str, total: float, begun: int = 0) -> Iterator[Advance]:
        self.lines.append(f"bar: {text}")
        yield lambda done, note: None

    def before(self, bar: str) -> str:
        return " ".join(self.lines[: self.lines.index(f"bar: {bar}")])


def fitted(path: Path, out: Path, method: nf.Method = METHOD, **options: object) -> tuple[nf.Fit, Told]:
    told = Told()
    recording = nf.load_recording(path, protocol="IDrest" if path.is_dir() else None)
    return nf.fit(recording, nf.load_model("hh_pospischil"), out, method=method, progress=told, **options), told


def test_a_regular_spiking_cell_is_within_reach(recordings_dir: Path, tmp_path: Path) -> None:
    fit, told = fitted(recordings_dir / "171116sh_0018.abf", tmp_path / "rs")
    assert fit.nearness.reached
    assert fit.checks["prior-summary"].passed()
    assert "The prior reaches the cell" in told.before("Training round 1")
    assert fit.split.fitted.sweep_numbers == tuple(range(0, 17, 2))
    assert {name: part.n_sweeps for name, part in fit.split.held_out.items()} == {
        "step 1, other sweeps": 8,
        "step 2": 17,
    }
    recorded = {miss["name"]: miss["recorded"] for miss in fit.findings_of_fit["misses"]}
    assert recorded["resting_potential"] == pytest.approx(-62.0, abs=0.3)
    assert recorded["sag@0"] == pytest.approx(3.3, abs=0.3)
    assert fit.findings_of_fit["counts"]["fitted"]["recorded"] == [0, 0, 0, 1, 3, 5, 6, 8, 9]


def test_a_fast_spiking_cell_is_said_to_be_out_of_reach_before_training(recordings_dir: Path, tmp_path: Path) -> None:
    fit, told = fitted(recordings_dir / "2019_07_24_0055_fsi.abf", tmp_path / "fsi")
    assert not fit.nearness.reached
    said = told.before("Training round 1")
    assert "The prior does not cover this cell" in said
    assert "spike count in" in said
    assert fit.verdict.word == "rejected"


def test_a_model_without_spikes_of_its_own_is_stopped_at_the_trough_between_them(
    recordings_dir: Path, tmp_path: Path
) -> None:
    """The cell's voltage between spikes stays above where a threshold and a reset can have it."""
    told = Told()
    recording = nf.load_recording(recordings_dir / "171116sh_0018.abf")
    fit = nf.fit(recording, nf.load_model("lif"), tmp_path / "lif", method=METHOD, progress=told)
    assert fit.stopped
    assert fit.verdict.word == "rejected"
    assert fit.verdict.sides["firing"] == "trough between spikes"
    assert "bar: Training round 1" not in told.lines
    assert any(
        "Trough between spikes -44.4 mV: no simulation of 1,200 comes nearer than" in line for line in told.lines
    )


def test_igor_waves_of_two_runs_of_a_protocol(recordings_dir: Path, tmp_path: Path) -> None:
    few = replace(METHOD, simulations=400)
    fit, _ = fitted(recordings_dir / "SSCx_C060109A3", tmp_path / "igor", few, sweeps=[326, 330, 334, 371, 375])
    assert fit.decisions["recording"]["protocol"] == "IDrest"
    assert fit.decisions["recording"]["current_from"] == "recorded"
    labels = [miss["label"] for miss in fit.findings_of_fit["misses"]]
    assert "spike count at +153 pA (sweep 326)" in labels
    assert (fit.run / "report.html").is_file()
