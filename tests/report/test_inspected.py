"""The page of a recording before any fit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import neurofit as nf
from neurofit.cli import app
from neurofit.report.inspected import write_inspection
from tests.recording.synthetic import Cell
from tests.report.conftest import WICKED, cell
from tests.report.reading import Reading
from tests.tiny import write_cell


def test_it_shows_what_was_found_and_what_the_cell_is_like(tmp_path: Path) -> None:
    recording = cell((-80.0, -40.0, 20.0, 90.0, 150.0))
    page = write_inspection(recording, tmp_path / "page.html").read_text(encoding="utf-8")
    read = Reading(page)
    assert read.ids >= {"recording", "cell", "firing"}
    assert "The rest drifts <i>by</i> 2 mV." in read.text
    assert "5 sweeps, 1 warning." in read.text
    properties = nf.cell_properties(recording).cell
    assert f"input resistance MΩ {properties.loc['input_resistance', 'step 1']:.3g}" in " ".join(read.text.split())
    assert all(image["src"].startswith("data:image/") and image["alt"] for image in read.of("img"))
    assert "nan" not in read.text


def test_a_file_name_is_no_markup(tmp_path: Path) -> None:
    recording = cell((-80.0, 20.0, 90.0))
    page = write_inspection(recording, tmp_path / "page.html").read_text(encoding="utf-8")
    assert WICKED in Reading(page).text
    assert "<script" not in page


def test_a_sweep_that_is_set_aside_is_counted(tmp_path: Path) -> None:
    recording = replace(cell((-80.0, 20.0, 90.0)), set_aside={1: "lost seal"})
    assert "3 sweeps, 1 sweep set aside" in write_inspection(recording, tmp_path / "p.html").read_text(encoding="utf-8")


def test_a_ramp_has_a_page_too(tmp_path: Path) -> None:
    made = Cell(levels_pa=(-80.0, 150.0), dt_ms=0.1).record()
    ramp = np.linspace(0, 1, made.current_pa.shape[1]) * np.array([[100.0], [200.0]])
    page = write_inspection(replace(made, current_pa=ramp), tmp_path / "p.html").read_text(encoding="utf-8")
    assert "ramp" in Reading(page).text


@pytest.mark.parametrize("name", ["page.html", "new folder/page.html"])
def test_the_command_writes_it(name: str, tmp_path: Path) -> None:
    file = write_cell(tmp_path / "cell.abf")
    done = CliRunner().invoke(app, ["inspect", str(file), "--no-picture", "--page", str(tmp_path / name)])
    assert done.exit_code == 0, done.output
    assert (tmp_path / name).is_file()
