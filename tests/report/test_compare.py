"""Two fits of one recording side by side."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import neurofit as nf
from neurofit.report import comparison_table, write_comparison
from tests.report.conftest import WICKED
from tests.report.reading import Reading

# the fits are made once: on one worker
pytestmark = pytest.mark.xdist_group("report")


@pytest.fixture(scope="module")
def pair(fit: nf.Fit, smallest: nf.Fit) -> list[nf.Fit]:
    """The two tiny runs: other sweeps and another model, but the same recording as far as its digest says."""
    return [fit, smallest]


def test_the_table_holds_every_feature_of_every_fit(pair: list[nf.Fit]) -> None:
    table = comparison_table(pair)
    names = {m["name"] for fit in pair for m in fit.findings_of_fit["misses"]}
    assert set(table.index) == names
    for fit in pair:
        for miss in fit.findings_of_fit["misses"]:
            value = table.loc[miss["name"], f"{fit.model.name} median"]
            expected = np.nan if miss["median"] is None else miss["median"]
            assert value == pytest.approx(expected, nan_ok=True)
            assert table.loc[miss["name"], f"{fit.model.name} missed"] == (abs(miss["distance"]) > 2)


def test_the_page_holds_both_verdicts_and_nothing_from_outside(pair: list[nf.Fit], tmp_path: Path) -> None:
    target = tmp_path / "comparison.html"
    assert write_comparison(pair, target) is None
    page = target.read_text(encoding="utf-8")
    read = Reading(page)
    assert read.ids >= {"verdicts", "sides", "firing", "features", "parameters", "checks"}
    for fit in pair:
        assert fit.verdict.word.capitalize() in read.text
        assert fit.model.name in read.text
    assert WICKED in read.text
    assert "<script" not in page
    assert "They differ in more than the model" in read.text
    assert all(image["src"].startswith("data:image/") and image["alt"] for image in read.of("img"))
    assert "nan" not in read.text


def test_two_fits_of_one_model_are_told_apart(fit: nf.Fit, tmp_path: Path) -> None:
    table = comparison_table([fit, fit])
    assert sum(column.endswith("median") for column in table.columns) == 2
    assert table.columns.is_unique


def test_one_fit_is_nothing_to_compare(fit: nf.Fit, tmp_path: Path) -> None:
    with pytest.raises(nf.BadInput, match="two fits or more"):
        write_comparison([fit], tmp_path / "comparison.html")
    assert not (tmp_path / "comparison.html").exists()


def test_fits_of_different_recordings_are_refused(
    fit: nf.Fit, smallest: nf.Fit, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = {**smallest.decisions, "recording": {**smallest.decisions["recording"], "sha256": "1" * 64}}
    monkeypatch.setattr(smallest, "decisions", other)
    with pytest.raises(nf.BadInput, match="different recordings"):
        comparison_table([fit, smallest])
