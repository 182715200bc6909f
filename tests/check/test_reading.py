"""Outside, narrower, over-dispersed or inside: one word for a check, and never two at once."""

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
    assert (word in ("outside", "narrower")) == (result.p_value <= 0.05)
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


def several(shift: float, sd: float, seed: int, cells: int = 20) -> tuple[str, check.CheckResult]:
    """Cells whose first five features lie around a shift, with an sd of their own, against standard normal ones."""
    rng = np.random.default_rng([3, seed])
    observed, reference = draws(cells, 1.0, rng), draws(N, 1.0, rng)
    observed[:, :5] = shift + sd * observed[:, :5]
    result = check.summary(observed, reference, seed=seed)
    return reading(result), result


def test_cells_of_one_corner_are_narrower_and_cells_beyond_are_outside() -> None:
    corner = [several(0.7, 0.8, seed) for seed in range(20)]
    beyond = [several(4.0, 0.8, seed) for seed in range(20)]
    narrower = [result for word, result in corner if word == "narrower"]
    # each of two looks at the single cells takes a right one for strange at the level
    assert stats.binomtest(20 - len(narrower), 20, 0.1, alternative="greater").pvalue > 1e-3
    assert [word for word, _ in beyond] == ["outside"] * 20
    unlike = [result for result in narrower if result.p_value <= 0.05]
    assert len(unlike) > 10
    assert all("One by one they lie among the simulations" in result.sentences[-1] for result in unlike)
    assert all("Do not trust" in result.sentences[-1] for _, result in beyond)


def test_one_cell_beyond_among_many_inside_is_outside() -> None:
    rng = np.random.default_rng(4)
    observed, reference = 0.5 * draws(20, 1.0, rng, centre=0.8), draws(N, 1.0, rng)
    observed[3] += 10.0
    result = check.summary(observed, reference)
    assert reading(result) == "outside"
    assert "observation 3 " in " ".join(result.sentences)


def test_cells_that_are_all_alike_are_narrower() -> None:
    rng = np.random.default_rng(5)
    result = check.summary(draws(1, 1.0, rng) + draws(5, 0.1, rng), draws(N, 1.0, rng))
    assert result.p_value > 0.05
    assert reading(result) == "narrower"
    assert reading_said(result).startswith("Narrower: one by one")


def test_independent_cells_of_the_model_are_hardly_ever_narrower() -> None:
    words = [several(0.0, 1.0, seed, cells=5)[0] for seed in range(CELLS)]
    assert stats.binomtest(CELLS - words.count("inside"), CELLS, 0.055, alternative="greater").pvalue > 1e-3
