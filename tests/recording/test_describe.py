"""The text of ``neurofit inspect`` holds what a user must know before a fit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from neurofit.errors import RecordingError
from neurofit.recording import Recording, examine
from neurofit.recording.describe import describe, inspect
from tests.recording.abf import Epoch, Input, Output, write_abf2
from tests.recording.synthetic import Cell


def printed(renderable: object, width: int = 160) -> str:
    console = Console(width=width, record=True, file=open("/dev/null", ("w")), color_system=None)  # noqa: SIM115
    console.print(renderable)
    return console.export_text()


def examined(cell: Cell) -> Recording:
    recording = cell.record()
    return replace(recording, findings=examine(recording))


def test_everything_is_said() -> None:
    cell = Cell(electrode_mohm=12.0)
    text = printed(describe(examined(cell)))
    for part in ("9 of 1500 ms", "numbers 0-8", "20 kHz", "250 to 750 ms", "-100 to 300 pA", "12."):
        assert part in text
    for level, count in zip(cell.levels_pa, cell.counts(), strict=True):
        assert any(f"{level:.0f}" in row and str(count) in row for row in text.splitlines())


def test_warnings_stand_before_notes_with_their_sweeps() -> None:
    text = printed(describe(examined(Cell(jump_mv=9.0))))
    places = [text.rindex(part) for part in ("Warnings", "rest-jump ", "Notes", "spike-counts")]
    assert places == sorted(places)
    assert "Sweeps 4." in text
    assert "No warnings" in printed(describe(examined(Cell())))


def test_names_are_not_taken_for_markup() -> None:
    recording = examined(Cell())
    source = replace(recording.source, path="[red]cell[/red].abf")
    assert "[red]cell[/red].abf" in printed(describe(replace(recording, source=source)))


def test_a_current_without_steps_is_described() -> None:
    noise = np.random.default_rng(0).normal(0, 50, (9, 30000))
    recording = replace(Cell().record(), current_pa=noise)
    text = printed(describe(replace(recording, findings=examine(recording))))
    assert "Waveform" in text
    assert "not as steps" in text


def test_a_narrow_terminal_loses_nothing() -> None:
    text = printed(describe(examined(Cell(own_spikes=2))), width=60)
    assert "fires by itself" in " ".join(text.split())


def test_inspect_loads_draws_and_describes(tmp_path: Path) -> None:
    cell = Cell(levels_pa=(-50.0, 50.0, 150.0), dt_ms=0.25)
    epochs = [Epoch(0.0, duration=907), Epoch(-50.0, 100.0, duration=2000)]
    path = write_abf2(tmp_path / "cell.abf", [Input(cell.record().voltage_mv)], [Output(epochs=epochs)], dt_us=250.0)
    picture = tmp_path / "cell.png"
    text = printed(inspect(path, picture)[1])
    assert "cell.abf" in text
    assert picture.read_bytes().startswith(b"\x89PNG")
    with pytest.raises(RecordingError, match="kind of picture"):
        inspect(path, tmp_path / "cell.abf")
    with pytest.raises(RecordingError, match="no such file"):
        inspect(tmp_path / "none.abf", tmp_path / "none.png")
    assert not (tmp_path / "none.png").exists()
