"""Quantile scores and back."""

from __future__ import annotations

import numpy as np
import pytest

from neurofit.scores import QuantileScores


def test_values_of_scores_are_the_values_that_were_scored():
    rng = np.random.default_rng(0)
    reference = np.column_stack([rng.standard_normal(5000), rng.exponential(size=5000)])
    scores = QuantileScores(reference)
    inside = reference[:50]
    assert scores.values(scores(inside)) == pytest.approx(inside, abs=0.02, rel=0.02)
    # beyond the range they go on in a straight line, there and back
    beyond = np.array([[-9.0, -3.0], [12.0, 40.0]])
    assert scores.values(scores(beyond)) == pytest.approx(beyond)


def test_an_undefined_score_has_no_value():
    scores = QuantileScores(np.random.default_rng(1).standard_normal((100, 2)))
    found = scores.values(np.array([[np.nan, 0.5]]))
    assert np.isnan(found[0, 0])
    assert np.isfinite(found[0, 1])
