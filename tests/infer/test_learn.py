"""A posterior from simulations that are already there is the right one, and what does not go together is refused."""

from __future__ import annotations

import numpy as np
import pytest

import neurofit as nf

N = 2000


def table(values: np.ndarray) -> nf.FeatureTable:
    return nf.FeatureTable(values, np.isfinite(values), ("step_mean@0", "resting_mean@0"), {0: 500.0})


@pytest.fixture(scope="module")
def known() -> tuple[nf.Model, np.ndarray, nf.FeatureTable]:
    """The first feature is the potassium conductance, the second says nothing."""
    model, rng = nf.load_model("hh_tutorial"), np.random.default_rng(1)
    theta = model.prior.sample(N, rng)
    return model, theta, table(np.column_stack([theta[:, 1], rng.standard_normal(N)]))


@pytest.mark.slow
def test_a_feature_that_is_a_parameter_gives_it_up_to_its_tolerance(known) -> None:
    model, theta, simulated = known
    observed = table(np.array([[7.5, 0.0]]))
    posterior = nf.learn_posterior(model, theta, simulated, observed, tolerance={"step_mean": 1.0}, seed=1, workers=1)
    draws = posterior.sample(2000, seed=1)
    assert draws["g_K"].mean() == pytest.approx(7.5, abs=0.25)
    assert draws["g_K"].std() == pytest.approx(1.0, rel=0.2)
    assert draws["g_Na"].std() == pytest.approx((80 - 0.5) / np.sqrt(12), rel=0.1)


def test_rows_that_do_not_go_together_are_refused(known) -> None:
    model, theta, simulated = known
    with pytest.raises(nf.BadInput, match="1999, 2000 and 1 rows"):
        nf.learn_posterior(model, theta[1:], simulated, simulated.rows(slice(1)))
    with pytest.raises(nf.BadInput, match="do not go together"):
        nf.learn_posterior(model, theta, simulated, simulated.select(["step_mean@0"]).rows(slice(1)))


def test_too_few_simulations_are_refused(known) -> None:
    model, theta, simulated = known
    with pytest.raises(nf.BadInput, match="simulations"):
        nf.learn_posterior(model, theta[:50], simulated.rows(slice(50)), simulated.rows(slice(1)))
