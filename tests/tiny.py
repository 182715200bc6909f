"""A fit that takes seconds: a synthetic cell of known properties under the integrate-and-fire template.

Run as a program (``python tests/tiny.py CELL.abf OUT``) it fits in a process of its own, which tests may kill.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

import neurofit as nf
from neurofit.result import Fit
from tests.recording.abf import Epoch, Input, Output, write_abf2
from tests.recording.synthetic import Cell

CELL = Cell(levels_pa=(-100.0, -20.0, 60.0, 140.0, 220.0, 300.0), dt_ms=0.1, electrode_mohm=8.0)
METHOD = nf.Method(rounds=2, simulations=400, members=2, schedule=nf.Schedule(epochs=4), cases=240)


def write_cell(path: Path, cell: Cell = CELL) -> Path:
    """The synthetic cell as an ABF2 file with its protocol."""
    recording = cell.record()
    samples = [round(t / cell.dt_ms) for t in (cell.START_MS, cell.STOP_MS - cell.START_MS)]
    # Clampex puts the first 64th of a sweep before the first epoch
    lead = recording.voltage_mv.shape[1] // 64
    first, increment = cell.levels_pa[0], cell.levels_pa[1] - cell.levels_pa[0]
    assert np.allclose(np.diff(cell.levels_pa), increment), "a protocol's levels are equally spaced"
    epochs = [Epoch(0.0, duration=samples[0] - lead), Epoch(first, increment, samples[1])]
    write_abf2(path, [Input(recording.voltage_mv)], [Output(epochs=epochs)], dt_us=cell.dt_ms * 1e3)
    return path


def tiny_fit(path: Path, out: Path, **changed: object) -> Fit:
    """Fit the integrate-and-fire template, with as little of everything as still makes sense.

    The cell's spikes are not such a model's: the fit goes on all the same.
    """
    options = {"method": METHOD, "workers": 2, "seed": 3, "anyway": True, **changed}
    return nf.fit(nf.load_recording(path), nf.load_model("lif"), out, **options)


if __name__ == "__main__":
    tiny_fit(Path(sys.argv[1]), Path(sys.argv[2]))
