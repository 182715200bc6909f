"""Tiny finished runs, each made once for all tests of the report."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

import neurofit as nf
from neurofit.recording import Finding, Recording, Source
from neurofit.template import find_model
from tests.recording.synthetic import Cell

# A file name that must not become markup.
WICKED = "<script>alert(1)<b>&'.abf"
METHOD = nf.Method(rounds=2, simulations=230, members=1, schedule=nf.Schedule(epochs=3), cases=240)


def cell(levels_pa: tuple[float, ...], drift_mv: float = 0.0) -> Recording:
    """A synthetic cell that fires above 60 pA, with spikes whose shape an integrate-and-fire model does not have."""
    warning = Finding("drift", "warning", "The rest drifts <i>by</i> 2 mV.", (0,))
    made = Cell(levels_pa=levels_pa, dt_ms=0.1, rest_mv=-68.0, drift_mv=drift_mv).record()
    return replace(made, source=Source(f"cells/{WICKED}", "0" * 64, "synthetic", "protocol"), findings=(warning,))


def three_parameters(folder: Path) -> Path:
    """The lif template with all but three of its parameters held at their values."""
    text = find_model("lif").read_text(encoding="utf-8")
    head, *tables = re.split(r"(?=^\[parameters\.)", text, flags=re.MULTILINE)
    free = ("[parameters.g_leak]", "[parameters.E_leak]", "[parameters.V_th]")
    kept = [t if t.startswith(free) else re.sub(r"^prior = .*\n", "", t, flags=re.MULTILINE) for t in tables]
    path = folder / "lif_small.toml"
    path.write_text("".join([head.replace('name = "lif"', 'name = "lif_small"'), *kept]), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def fit(tmp_path_factory: pytest.TempPathFactory) -> nf.Fit:
    """Five sweeps, three of them fitted, whose rest drifts; a model without spike shapes; a tolerance of the user's."""
    out = tmp_path_factory.mktemp("runs") / "tiny"
    recording = cell((-80.0, 20.0, 90.0, 150.0, 220.0), drift_mv=6.0)
    given = {"latency": 0.3}
    return nf.fit(
        recording, nf.load_model("lif"), out, sweeps="even", method=METHOD, workers=1, tolerance=given, anyway=True
    )


@pytest.fixture(scope="session")
def smallest(tmp_path_factory: pytest.TempPathFactory) -> nf.Fit:
    """One sweep without a spike, nothing held out, three parameters."""
    folder = tmp_path_factory.mktemp("small runs")
    model = nf.load_model(three_parameters(folder))
    return nf.fit(cell((-60.0,)), model, folder / "one & only", sweeps="all", method=METHOD, workers=1, anyway=True)


@pytest.fixture(scope="session")
def page(fit: nf.Fit) -> str:
    """The report that the run wrote by itself."""
    return Path(fit.run / "report.html").read_text(encoding="utf-8")
