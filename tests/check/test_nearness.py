"""How near simulations come to the cell: p is right where the cell is one of them, and small where it is alone."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from neurofit.check.nearness import FARTHEST, Nearness, nearness

COUNTS, FEATURES = 300, 8
NAMES = [f"f@{j}" for j in range(FEATURES)]
LABELS = ["spike count"] * 4 + ["latency"] * 3 + ["rest"]


def prior(n: int, rng: np.random.Generator) -> np.ndarray:
    """A third are silent (four features undefined); the others fire by one drive, few of them much: in tolerances."""
    drive = rng.exponential(10.0, n)
    rows = np.column_stack([drive * (1 + j / 4) for j in range(4)] + [-np.log1p(drive) * 5] * 3)
    rows = np.column_stack([rows + rng.standard_normal(rows.shape), rng.normal(0, 5, n)])
    rows[rng.random(n) < 1 / 3, 3:7] = np.nan
    return rows


def of(observed: np.ndarray, reference: np.ndarray, seed: int = 0) -> Nearness:
    return nearness(observed, reference, NAMES, LABELS, seed)


@pytest.mark.slow
def test_p_is_uniform_for_a_cell_that_is_a_simulation() -> None:
    rng = np.random.default_rng(1)
    p = []
    for i in range(400):
        rows = prior(COUNTS + 1, rng)
        p.append(of(rows[0] + rng.standard_normal(FEATURES), rows[1:], i).p_value)
    assert stats.kstest(p, "uniform").pvalue > 1e-3
    assert stats.binomtest(int(np.sum(np.array(p) <= 0.05)), len(p), 0.05).pvalue > 1e-3


def test_a_cell_at_the_far_end_is_alone_and_the_features_are_named() -> None:
    rng = np.random.default_rng(2)
    reference = prior(COUNTS, rng)
    drive = 40.0  # beyond 98 % of the simulations in each count
    cell = np.array([drive * (1 + j / 4) for j in range(4)] + [-np.log1p(drive) * 5] * 3 + [0.0])
    found = of(cell, reference)
    assert found.p_value < 0.03
    assert not found.reached
    assert {edge.label for edge in found.edges} == {"spike count", "latency"}
    assert all(edge.above == (edge.label == "spike count") for edge in found.edges)
    first, second, last = found.sentences()
    assert first.startswith("The prior does not cover this cell: its ten nearest of 300 simulations are")
    assert "spike count in 4 sweeps, above 9" in second
    assert "latency in 3 sweeps, below 9" in second
    assert "Widen the prior" in last


def test_a_usual_cell_is_reached() -> None:
    rng = np.random.default_rng(3)
    reference = prior(COUNTS, rng)
    usual = of(np.array([5.0, 6.25, 7.5, 8.75, -9.0, -9.0, -9.0, 0.0]), reference)
    assert usual.reached
    assert usual.edges == ()
    assert len(usual.sentences()) == 1
    low, middle, high = usual.usual
    assert low < middle < high


def test_what_only_one_of_two_defines_keeps_them_apart() -> None:
    rng = np.random.default_rng(4)
    silent = np.column_stack([rng.standard_normal((COUNTS, FEATURES - 1)), np.full(COUNTS, np.nan)])
    found = of(np.zeros(FEATURES), silent)
    assert found.p_value == pytest.approx(1 / (COUNTS + 1))
    assert found.distance > FARTHEST / np.sqrt(FEATURES)
    both = of(np.r_[np.zeros(FEATURES - 1), np.nan], silent)
    assert both.reached


def test_it_comes_back_from_its_dictionary() -> None:
    found = of(np.full(FEATURES, 40.0), prior(COUNTS, np.random.default_rng(5)))
    assert found.edges
    assert Nearness.from_dict(found.to_dict()) == found
