"""The README beside the real recordings, statement by statement, against what is found in them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from neurofit.features import CellProperties, cell_properties
from neurofit.recording import Recording, load_recording

REGULAR, FAST, PYRAMIDAL = "171116sh_0018.abf", "2019_07_24_0055_fsi.abf", "SSCx_C060109A3"
Cell = tuple[Recording, CellProperties]
_cells: dict[tuple[str, str | None], Cell] = {}


@pytest.fixture
def cell(request: pytest.FixtureRequest, recordings_dir: Path) -> Cell:
    name, protocol = request.param
    if request.param not in _cells:
        recording = load_recording(recordings_dir / name, protocol=protocol)
        _cells[request.param] = recording, cell_properties(recording)
    return _cells[request.param]


# (file, protocol, kind of the finding, words of it that the README's statement asks for)
FOUND = [
    (REGULAR, None, "rest", "-62.0 mV (sd 0.4"),  # rest -62.4 mV (sd 0.5)
    (REGULAR, None, "spike-counts", "0 to 9 in the step from 146.85 ms (-100 to 300 pA)"),
    (REGULAR, None, "spike-counts", "0 to 9 in the step from 1646.85 ms"),
    (REGULAR, None, "electrode-resistance", "12.7 MOhm (± 0.1) of electrode left over by an unbalanced bridge"),
    (REGULAR, None, "junction-potential", "no liquid junction potential was subtracted"),
    (FAST, None, "spontaneous-spikes", "The cell fires by itself"),
    (FAST, None, "spike-counts", "0 to 64 in the step from 146.85 ms"),  # 13..64 at 25..300 pA
    (FAST, None, "rest", "-64.4 to -45.7"),  # rest -48..-65 mV
    (FAST, None, "electrode-resistance", "17.1 MOhm"),  # 20 MOhm, from other edges
    (PYRAMIDAL, "IDrest", "holding-current", "held with -122.8 pA"),
    (PYRAMIDAL, "IDrest", "spike-counts", "1 to 46 in the step from 700.5 ms (108 to 797 pA)"),
    (PYRAMIDAL, "IDrest", "rest", "-70.5 mV"),
    (PYRAMIDAL, "IDrest", "current-cleaned", "deviations of up to 940 pA"),  # artefacts of 0.5-1 nA
    (PYRAMIDAL, "IV", "no-spikes", "only passive properties"),
]


@pytest.mark.recordings
@pytest.mark.parametrize(
    ("cell", "kind", "words"),
    [pytest.param((f, p), k, w, id=f"{f} {p} {k} {w[:12]}") for f, p, k, w in FOUND],
    indirect=["cell"],
)
def test_a_statement_is_a_finding(cell: Cell, kind: str, words: str) -> None:
    said = [finding.message for finding in cell[0].findings if finding.kind == kind]
    assert any(words in message for message in said), said


# (file, protocol, column, property, the README's number, how far the catalogue's definition may lie from the README's)
MEASURED = [
    (REGULAR, None, "step 1", "input_resistance", 110.0, 0.12),
    (REGULAR, None, "step 2", "input_resistance", 110.0, 0.12),
    (REGULAR, None, "step 1", "membrane_time_constant", 34.0, 0.1),
    (REGULAR, None, "step 1", "electrode_resistance", 12.9, 0.1),
    (REGULAR, None, "step 1", "mean_half_width", 1.3, 0.05),
    (REGULAR, None, "step 1", "mean_spike_height", 98.0, 0.02),
    (REGULAR, None, "step 1", "rheobase", 50.0, 1e-9),
    (FAST, None, "step 1", "mean_half_width", 0.6, 0.1),
    (FAST, None, "step 1", "rheobase", 25.0, 1e-9),
    (PYRAMIDAL, "IV", "step 1", "input_resistance", 42.0, 0.1),
    (PYRAMIDAL, "IV", "step 1", "membrane_time_constant", 16.0, 0.15),
]


@pytest.mark.recordings
@pytest.mark.parametrize(
    ("cell", "column", "name", "expected", "within"),
    [pytest.param((f, p), c, n, e, w, id=f"{f} {p} {c} {n}") for f, p, c, n, e, w in MEASURED],
    indirect=["cell"],
)
def test_a_statement_is_a_property(cell: Cell, column: str, name: str, expected: float, within: float) -> None:
    assert cell[1].cell.loc[name, column] == pytest.approx(expected, rel=within)


@pytest.mark.recordings
@pytest.mark.parametrize(
    "cell",
    [
        pytest.param(key, id=str(key))
        for key in ((REGULAR, None), (FAST, None), (PYRAMIDAL, "IDrest"), (PYRAMIDAL, "IV"))
    ],
    indirect=True,
)
def test_nothing_is_set_aside_that_the_readme_does_not_call_bad(cell: Cell) -> None:
    assert not cell[0].set_aside
    assert not [finding for finding in cell[0].findings if finding.kind in ("set-aside", "shared-fault")]


@pytest.mark.recordings
@pytest.mark.parametrize("cell", [pytest.param((REGULAR, None), id=REGULAR)], indirect=True)
def test_the_f_i_table_is_the_readmes(cell: Cell) -> None:
    first = cell[1].firing.query("stretch == 'step 1'").sort_values("level_pa")
    assert first["spikes"].tolist() == [0, 0, 0, 0, 0, 0, 1, 1, 3, 4, 5, 6, 6, 7, 8, 8, 9]
    second = cell[1].firing.query("stretch == 'step 2'").set_index("level_pa")["spikes"]
    assert second[75.0] == 2
    assert np.allclose(first["rate_hz"], first["spikes"] / 0.5)
