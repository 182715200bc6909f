"""The picture shows every sweep and names its units, for every kind of recording."""

from __future__ import annotations

import io
from dataclasses import replace

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure

from neurofit.recording import Recording, examine
from neurofit.recording.draw import colours, draw_recording
from tests.recording.synthetic import Cell


def examined(cell: Cell) -> Recording:
    recording = cell.record()
    return replace(recording, findings=examine(recording))


def panels(figure: Figure) -> dict[str, matplotlib.axes.Axes]:
    return {axes.get_ylabel(): axes for axes in figure.get_axes()}


NOISE = np.random.default_rng(0).normal(0, 50, (9, 30000))
KINDS = {
    "clean": examined(Cell()),
    "with warnings": examined(Cell(own_spikes=3, electrode_mohm=12.0, jump_mv=9.0)),
    "one sweep": examined(Cell(levels_pa=(150.0,))),
    "no spikes": examined(Cell(levels_pa=(-100.0, -50.0))),
    "coarse": examined(Cell(dt_ms=1.0)),
    "no steps": replace(Cell().record(), current_pa=NOISE),
    "a window": examined(Cell()).select(window_ms=(250.0, 750.0)),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_drawn(kind: str) -> None:
    figure = draw_recording(KINDS[kind])
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=50)
    assert file.tell() > 5000
    assert "matplotlib.pyplot" not in str(type(figure.canvas)), "no window, no state"


def test_every_sweep_is_drawn_with_its_spikes() -> None:
    recording = KINDS["clean"]
    axes = panels(draw_recording(recording))["membrane potential (mV)"]
    lines = [line for line in axes.get_lines() if len(line.get_xdata()) > 100]
    assert len(lines) == recording.n_sweeps
    drawn = sorted(float(np.max(line.get_ydata())) for line in lines)
    assert drawn == pytest.approx(sorted(recording.voltage_mv.max(axis=1).tolist()))
    assert max(len(line.get_xdata()) for line in lines) < 5000, "a picture does not need every sample"


def test_axes_have_units() -> None:
    figure = draw_recording(KINDS["clean"])
    labels = {axes.get_xlabel() for axes in figure.get_axes()} | set(panels(figure))
    assert {"membrane potential (mV)", "current (pA)", "time (ms)", "at holding current (mV)"} <= labels


def test_firing_is_the_counts() -> None:
    cell = Cell()
    axes = panels(draw_recording(examined(cell)))["action potentials in the step"]
    points = np.concatenate([np.asarray(c.get_offsets()) for c in axes.collections if len(c.get_offsets())])
    assert {tuple(p) for p in points} == set(zip(cell.levels_pa, map(float, cell.counts()), strict=True))


def test_sweeps_with_warnings_are_ringed_and_the_warnings_written() -> None:
    recording = KINDS["with warnings"]
    figure = draw_recording(recording)
    axes = panels(figure)["at holding current (mV)"]
    ringed = [c for c in axes.collections if len(c.get_offsets()) and not np.size(c.get_facecolor())]
    assert [len(c.get_offsets()) for c in ringed] == [9]
    assert figure._supxlabel is not None
    written = figure._supxlabel.get_text()
    assert "fires by itself" in written
    assert "Ringed" in written
    assert draw_recording(KINDS["clean"])._supxlabel is None


def test_colours_run_from_dark_to_light() -> None:
    """Lightness orders the levels, so the picture is read in grey, and by every kind of colour vision."""
    red, green, blue, _ = colours()(np.linspace(0, 1, 20)).T
    lightness = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    assert (np.diff(lightness) > 0).all()
    assert lightness.max() < 0.85, "visible on white"
