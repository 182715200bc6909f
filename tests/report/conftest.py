"""One tiny finished run, made once for all tests of the report."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

import neurofit as nf
from neurofit.recording import Finding, Recording, Source
from tests.recording.synthetic import Cell

# A file name that must not become markup.
WICKED = "<script>alert(1)<b>&.abf"
METHOD = nf.Method(rounds=2, simulations=230, members=1, schedule=nf.Schedule(epochs=3))


def cell(levels_pa: tuple[float, ...] = (-80.0, 20.0, 90.0, 150.0, 220.0), name: str = WICKED) -> Recording:
    """A synthetic recording of a cell that a leaky integrate-and-fire model can more or less make."""
    warning = Finding("drift", "warning", "The rest drifts <i>by</i> 2 mV.", (0,))
    made = Cell(levels_pa=levels_pa, dt_ms=0.1, rest_mv=-68.0).record()
    return replace(made, source=Source(f"cells/{name}", "0" * 64, "synthetic", "protocol"), findings=(warning,))


@pytest.fixture(scope="session")
def run_fit(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., nf.Fit]:
    """``(recording, name, **settings of nf.fit) -> Fit`` with the lif template."""

    def run(recording: Recording, name: str, **settings: object) -> nf.Fit:
        out = tmp_path_factory.mktemp("runs") / name
        return nf.fit(recording, nf.load_model("lif"), out, method=METHOD, workers=1, **settings)  # type: ignore[arg-type]

    return run


@pytest.fixture(scope="session")
def fit(run_fit: Callable[..., nf.Fit]) -> nf.Fit:
    """Five sweeps, three of them fitted."""
    return run_fit(cell(), "tiny", sweeps="even")


@pytest.fixture(scope="session")
def page(fit: nf.Fit) -> str:
    """The report that the run wrote by itself."""
    return Path(fit.run / "report.html").read_text(encoding="utf-8")
