"""Outside, over-dispersed or inside: one word for a check, and never two at once."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from neurofit import check
from neurofit.check.caveats import OVER_DISPERSED, reading, reading_said

FEATURES, N, CELLS = 20, 500, 60


def draws(n: int, sd: float, rng: np.random.Generator, centre: float = 0.0) -> np.ndarray:
    return centre + sd * rng.standard_normal((n, FEATURES))


def read(cell: np.ndarray, reference: np.ndarray, **options: object) -> str:
    result = check.summary(cell, reference, **options)
    word = reading(result)
    assert reading_said(result).lower().startswith(word)
    # never both: what is outside is not called over-dispersed, though the warning may stand beside it
    assert (word == "outside") == (result.p_value <= 0.05)
    assert word != "over-dispersed" or any(w.startswith(OVER_DISPERSED) for w in result.warnings)
    return word


@pytest.mark.slow
def test_the_three_cases_are_told_apart() -> None:
    """Cells like the simulations; cells in the middle of far wider ones; cells outside of simulations however wide."""
    rng = np.random.default_rng(1)
    like, middle, outside = [], [], []
    for seed in range(CELLS):
        narrow, wide = draws(N, 1.0, rng), draws(N, 12.0, rng)
        like.append(read(draws(1, 1.0, rng)[0], narrow, seed=seed))
        middle.append(read(draws(1, 1.0, rng)[0], wide, seed=seed))
        far = draws(1, 1.0, rng)[0]
        far[seed % FEATURES] = 90.0
        outside.append(read(far, wide, seed=seed))
    assert set(middle) == {"over-dispersed"}
    assert set(outside) == {"outside"}
    # a right simulator is called outside at the level, and over-dispersed more rarely still
    assert stats.binomtest(like.count("outside"), CELLS, 0.05, alternative="greater").pvalue > 1e-3
    assert stats.binomtest(like.count("over-dispersed"), CELLS, 0.01, alternative="greater").pvalue > 1e-3


def test_a_span_of_a_hundred_tolerances_says_so_too() -> None:
    rng = np.random.default_rng(2)
    reference, cell = draws(N, 12.0, rng), draws(1, 12.0, rng)[0]
    assert read(cell, reference, tolerances=np.full(FEATURES, 0.1)) == "over-dispersed"
    assert read(cell, reference, tolerances=np.full(FEATURES, 10.0)) == "inside"
    cell[3] = 200.0
    assert read(cell, reference, tolerances=np.full(FEATURES, 0.1)) == "outside"
