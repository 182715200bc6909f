"""The robust posterior of a fit: worked out once, kept beside the plain one, told with its caution."""

from __future__ import annotations

import shutil
from html import unescape
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import neurofit as nf
from neurofit.cli import app
from neurofit.errors import BadInput
from neurofit.report.robust import CAUTION, sentences
from neurofit.stages import RobustFit

# the fits are made once: on one worker
pytestmark = pytest.mark.xdist_group("report")


@pytest.fixture(scope="module")
def own(fit: nf.Fit, tmp_path_factory: pytest.TempPathFactory) -> nf.Fit:
    """A copy of the tiny run, which the other tests are to find as it was."""
    copy = tmp_path_factory.mktemp("robust") / "run"
    shutil.copytree(fit.run.path, copy)
    return nf.load_fit(copy)


def made(aside: bool = True, **changed: object) -> RobustFit:
    """A robust posterior with one feature that is off."""
    table = pd.DataFrame({"shift": [0.2, -1.4], "width": [1.1, 1.3]}, index=["C", "g_leak"])
    summary = {
        "label": "resting potential", "unit": "mV", "probability": 0.98 if aside else 0.4, "recorded": -62.0,
        "off by": 9.6, "off by 5 %": 8.1, "off by 95 %": 11.0,
    }  # fmt: skip
    settings = {"method": "noise", "effective": 500.0, "unsettled": 0.05, "widened": 0} | changed
    nothing = pd.DataFrame()
    return RobustFit(seed=1, draws=nothing, plain=nothing, table=table, summaries=pd.DataFrame([summary]), **settings)  # type: ignore[arg-type]


@pytest.mark.slow
@pytest.mark.parametrize("way", ["noise", "weights"])
def test_a_fit_has_a_robust_posterior_beside_the_plain_one(own: nf.Fit, way: str) -> None:
    found = own.robust(way)  # type: ignore[arg-type]
    assert list(found.draws.columns) == list(own.model.free)
    assert np.isfinite(found.draws.to_numpy()).all()
    plain = own.parameters
    np.testing.assert_allclose(found.table["plain 5 %"], plain["5 %"])
    np.testing.assert_allclose(found.table["plain 95 %"], plain["95 %"])
    assert (found.table["width"] > 0).all()
    assert list(found.table["unit"]) == list(own.model.prior.units)
    assert len(found.summaries) == len(own.summaries)
    assert found.summaries["probability"].dropna().between(0, 1).all()
    folder = own.run / "robust"
    assert (folder / f"{way}.png").read_bytes().startswith(b"\x89PNG")
    assert len(pd.read_csv(folder / f"{way}.csv")) == len(own.model.free)
    assert len(pd.read_csv(folder / f"{way}-features.csv")) == len(own.summaries)


def test_it_is_worked_out_once_for_a_seed_and_the_same_again(own: nf.Fit) -> None:
    first = own.robust("weights")
    file = Path(own.run / "robust/weights.npz")
    written = file.stat().st_mtime_ns
    assert nf.load_fit(own.run.path).robust("weights").draws.equals(first.draws)
    assert file.stat().st_mtime_ns == written
    other = own.robust("weights", seed=2)
    assert other.seed == 2
    assert not other.draws.equals(first.draws)
    assert own.robust("weights").draws.equals(first.draws)


def test_one_that_was_cut_short_is_worked_out_again(own: nf.Fit) -> None:
    first = own.robust("weights")
    Path(own.run / "robust/weights.json").unlink()
    assert own.robust("weights").draws.equals(first.draws)


def test_the_report_shows_it_when_it_is_there(fit: nf.Fit, own: nf.Fit, page: str, tmp_path: Path) -> None:
    assert 'id="robust"' not in page
    own.robust("weights")
    text = unescape(own.report(tmp_path / "report.html").read_text(encoding="utf-8"))
    assert text.count('id="robust"') == 1
    assert 'href="#robust"' in text
    assert "not in its place" in text
    assert CAUTION in text


def test_the_command_prints_a_table_and_the_caution(own: nf.Fit) -> None:
    said = CliRunner().invoke(app, ["robust", str(own.run.path), "--method", "weights"])
    assert said.exit_code == 0, said.output
    for word in ("plain 90 %", "robust 90 %", "shift", "g_leak", "A hedge, not a correction"):
        assert word in said.output
    refused = CliRunner().invoke(app, ["robust", str(own.run.path), "--method", "magic"])
    assert refused.exit_code == 2


def test_an_unknown_method_is_refused(own: nf.Fit) -> None:
    with pytest.raises(BadInput, match="noise or weights"):
        own.robust("magic")  # type: ignore[arg-type]


def test_what_is_set_aside_is_said_with_its_size_and_never_as_a_cause() -> None:
    said = " ".join(sentences(made()))
    assert "Resting potential is consistent with being off by +9.6 mV (90 % 8.1 to 11; probability 0.98)." in said
    assert "g_leak, by -1.4 standard deviations" in said
    assert "Do not rely" in said
    assert "caused" not in said
    assert said.endswith(CAUTION)


def test_what_limits_it_is_said() -> None:
    assert "No feature is off" in sentences(made(aside=False))[0]
    few = " ".join(sentences(made(method="weights", effective=1.3)))
    assert "1.3 effective simulations" in few
    assert "consistent with being off by" not in few
    assert "still moved by 0.40" in " ".join(sentences(made(unsettled=0.4)))
    assert "tolerances of 3 features" in " ".join(sentences(made(widened=3)))
