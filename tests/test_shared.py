"""One posterior for all cells of a protocol: honest where it serves, and it says where it does not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import neurofit as nf
from neurofit.recording import Recording
from tests.recording.synthetic import Cell
from tests.report.conftest import three_parameters
from tests.report.reading import Reading

pytestmark = [pytest.mark.xdist_group("shared"), pytest.mark.slow]

LEVELS = (-60.0, 40.0, 100.0, 160.0)
N = 40


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> nf.Model:
    return nf.load_model(three_parameters(tmp_path_factory.mktemp("template")))


@pytest.fixture(scope="module")
def protocol() -> Recording:
    return Cell(levels_pa=LEVELS, dt_ms=0.1).record()


@pytest.fixture(scope="module")
def shared(model: nf.Model, protocol: Recording, tmp_path_factory: pytest.TempPathFactory) -> nf.Shared:
    out = tmp_path_factory.mktemp("shared") / "run"
    return nf.learn_shared(protocol, model, out, sweeps="all", simulations=8000, members=1, workers=1)


@pytest.fixture(scope="module")
def simulated(shared: nf.Shared) -> tuple[pd.DataFrame, list[Recording]]:
    """Cells of the model itself, of known parameters, as recordings of the protocol."""
    model = shared.posterior.model
    theta = model.table(model.prior.sample(N, np.random.default_rng(7)))
    voltage = nf.simulate(model, shared.protocol.stimulus, theta, seed=7).voltage_mv.astype(np.float64)
    return theta, [replace(shared.protocol, voltage_mv=v) for v in voltage]


def test_it_is_calibrated_over_the_prior_and_for_fresh_cells(shared, simulated):
    assert shared.calibration["verdict"] == "calibrated", shared.calibration["sentence"]
    theta, cells = simulated
    held = []
    for truth, cell in zip(theta.to_numpy(), cells, strict=True):
        low, high = np.quantile(shared.cell(cell).posterior.sample(1000), [0.05, 0.95], axis=0)
        held.append((low <= truth) & (truth <= high))
    # noise-free of tolerances, so a little more than 90 %: four standard errors below, and never less
    assert np.mean(held) > 0.9 - 4 * np.sqrt(0.09 / N)


def test_it_serves_cells_of_the_model_and_no_others(shared, simulated, protocol):
    _, cells = simulated
    wrong = sum(not shared.cell(cell).good_enough for cell in cells)
    assert wrong <= 7  # 5 % of 40: more than 7 in less than one of 1,000 right posteriors
    # a real action potential, with sag and adaptation, is none of this model's cells
    served = shared.cell(protocol)
    assert not served.good_enough
    assert served.alarms


def test_a_cell_takes_no_training_and_the_same_call_finds_what_was_learned(shared, model, protocol, monkeypatch):
    def never(*args, **kwargs):
        raise AssertionError("trained or simulated again")

    monkeypatch.setattr("neurofit.stages.sharing.train_ensemble", never)
    monkeypatch.setattr("neurofit.stages.simulating.simulate_features", never)
    again = nf.learn_shared(protocol, model, shared.run.path, sweeps="all", simulations=8000, members=1, workers=1)
    first, second = (s.cell(protocol) for s in (shared, again))
    assert first.posterior.sample(20, 1).equals(second.posterior.sample(20, 1))
    assert first.to_dict() == second.to_dict()


def test_another_protocol_is_refused(shared):
    other = Cell(levels_pa=(-60.0, 40.0, 100.0, 200.0), dt_ms=0.1).record()
    with pytest.raises(nf.BadInput, match="currents that differ by up to 40 pA"):
        shared.cell(other)
    fewer = Cell(levels_pa=LEVELS[:3], dt_ms=0.1).record()
    with pytest.raises(nf.BadInput, match=r"sweeps \[0, 1, 2\] in place of \[0, 1, 2, 3\]"):
        shared.cell(fewer)


def test_a_folder_of_cells(model, protocol, tmp_path: Path):
    noisy = replace(protocol, current_pa=protocol.current_pa + 0.4)  # an amplifier's offset, far below 1 %
    cells = {"a": protocol, "b & c": noisy, "other": Cell(levels_pa=(-60.0, 60.0, 120.0), dt_ms=0.1).record()}
    (tmp_path / "empty.abf").touch()
    quick = {"simulations": 600, "schedule": nf.Schedule(epochs=3), "members": 1, "workers": 1, "sweeps": "all"}
    done = nf.fit_shared({**cells, "empty": tmp_path / "empty.abf"}, model, tmp_path / "fits", **quick)
    assert set(done.cells) == {"a", "b & c", "other"}
    assert "the file is empty" in done.failed["empty"]
    assert done.shared["a"] is done.shared["b & c"]
    assert done.shared["a"] is not done.shared["other"]
    assert [page.name for page in done.pages] == ["shared-1.html", "shared-2.html"]
    text = Reading(done.pages[0].read_text(encoding="utf-8")).text
    assert "b & c" in text
    assert "the file is empty" in text
    draws = pd.read_csv(next((tmp_path / "fits/shared").glob("*/cells/b & c/posterior.csv")))
    assert list(draws) == [f"{name} [{model.units[name]}]" for name in model.free]
