"""The posterior in the template's units: it integrates to 1, its draws lie inside the prior, its remarks are true."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats

from neurofit.errors import TrainingError
from neurofit.infer import Posterior, Region
from neurofit.template import Model, load_model
from neurofit.template.model import Parameter
from neurofit.template.schema import LogNormal, LogUniform, Normal, TruncatedNormal, Uniform
from tests.infer.toys import GaussianDensity

UNIFORM = Uniform(family="uniform", low=-2.0, high=6.0)
LOG_UNIFORM = LogUniform(family="log_uniform", low=0.1, high=10.0)
TRUNCATED = TruncatedNormal(family="truncated_normal", mean=0.0, sd=2.0, low=-3.0, high=4.0)
NORMAL = Normal(family="normal", mean=10.0, sd=3.0)
LOG_NORMAL = LogNormal(family="log_normal", median=5.0, log_sd=0.4)


def model_of(*families):
    """A model that is its parameters' priors and nothing else."""
    parameters = tuple(Parameter(f"p{j}", "mV", 1.0, family, "", "") for j, family in enumerate(families))
    nothing = SimpleNamespace()
    return Model("toy", "", "", (), "", "v", {}, "euler", 0.1, "double", None, parameters, nothing, "toy.toml", "")


def posterior(families, mean, sd, correlation=0.0, region=None):
    covariance = np.outer(sd, sd) * (correlation + (1 - correlation) * np.eye(len(sd)))
    return Posterior(model_of(*families), GaussianDensity(np.array(mean), covariance), region or Region())


def half_plane(z):
    return z[:, 0] < 0.5


def integral(found, families):
    """Over theta, on a grid of the prior's quantiles; trapezium rule in theta itself."""
    u = np.linspace(1e-9, 1 - 1e-9, 401)
    axes = [family.distribution.ppf(u) for family in families]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, len(axes))
    density = np.exp(found.log_prob(grid)).reshape([len(a) for a in axes])
    for axis in reversed(axes):
        density = np.trapezoid(density, axis, axis=-1)
    return float(density)


@pytest.mark.parametrize(
    "families", [(UNIFORM, LOG_UNIFORM), (TRUNCATED, UNIFORM), (NORMAL, LOG_NORMAL), (LOG_UNIFORM,)]
)
@pytest.mark.parametrize("region", [Region(), half_plane])
def test_the_density_integrates_to_one(families, region):
    """With a region, the share that lies outside is a mean of 5,000 draws: good to .007."""
    d = len(families)
    found = posterior(families, [0.3, -0.5][:d], [0.6, 0.5][:d], 0.4, region)
    assert integral(found, families) == pytest.approx(1, abs=0.02 if region is half_plane else 0.005)


@pytest.mark.parametrize("families", [(UNIFORM, LOG_UNIFORM), (TRUNCATED, LOG_NORMAL), (NORMAL, NORMAL)])
def test_draws_lie_where_the_density_says(families):
    found = posterior(families, [0.3, -2.5], [0.6, 1.0], 0.5)
    draws = found.sample(4000, seed=1)
    assert list(draws.columns) == ["p0", "p1"]
    assert draws.attrs["units"] == {"p0": "mV", "p1": "mV"}
    assert found.prior.inside(draws.to_numpy()).all()
    assert np.isfinite(found.log_prob(draws)).all()
    for j, (mean, sd) in enumerate([(0.3, 0.6), (-2.5, 1.0)]):
        z = found.prior.to_unbounded(draws.to_numpy())[:, j]
        assert stats.kstest(z, stats.norm(mean, sd).cdf).pvalue > 1e-3
    assert draws.equals(found.sample(4000, seed=1))
    assert not draws.equals(found.sample(4000, seed=2))


def test_outside_the_prior_there_is_nothing():
    found = posterior((UNIFORM, LOG_UNIFORM), [0, 0], [1, 1])
    assert found.log_prob([[7.0, 1.0], [0.0, -1.0]]).tolist() == [-np.inf, -np.inf]
    assert np.isfinite(found.log_prob({"p0": [0.0], "p1": [1.0]})).all()


def test_what_leaks_out_of_the_region_is_drawn_again():
    found = posterior((UNIFORM, NORMAL), [0.5, 0.0], [1.0, 1.0], region=half_plane)
    assert found.leakage() == pytest.approx(0.5, abs=0.03)
    z = found.sample_unbounded(3000, 4)
    assert z.shape == (3000, 2)
    assert half_plane(z).all()
    assert stats.kstest(0.5 - z[:, 0], stats.halfnorm.cdf).pvalue > 1e-3
    outside = found.prior.from_unbounded([[0.7, 0.0]])
    assert found.log_prob(outside)[0] == -np.inf


def test_a_density_outside_the_region_is_said():
    found = posterior((UNIFORM,), [9.0], [0.1], region=half_plane)
    with pytest.raises(TrainingError, match="almost wholly outside"):
        found.sample(10)


def test_the_most_probable_parameters_are_the_mode():
    found = posterior((UNIFORM, LOG_UNIFORM, NORMAL), [0.8, -1.2, 0.1], [0.3, 0.5, 0.2], 0.7)
    z = found.prior.to_unbounded(found.map().to_numpy())[0]
    assert z == pytest.approx([0.8, -1.2, 0.1], abs=0.03)


def test_the_most_probable_parameters_lie_in_the_region():
    found = posterior((UNIFORM, NORMAL), [1.0, 0.0], [0.5, 0.5], region=half_plane)
    z = found.prior.to_unbounded(found.map().to_numpy())
    assert half_plane(z).all()
    assert z[0] == pytest.approx([0.5, 0.0], abs=0.05)


def summary_of(family, mean, sd):
    return posterior((family, NORMAL), [mean, 0.0], [sd, 0.3]).summary().iloc[0]


@pytest.mark.parametrize(
    ("family", "mean", "sd", "remark"),
    [
        (UNIFORM, 0.0, 0.3, ""),
        (UNIFORM, 1.2, 0.5, ""),
        (UNIFORM, -2.5, 0.6, "piles up at its lower bound"),
        (UNIFORM, 2.5, 0.6, "piles up at its upper bound"),
        (LOG_UNIFORM, -3.0, 1.0, "piles up at its lower bound"),
        (TRUNCATED, 2.2, 0.6, "piles up at its upper bound"),
        (UNIFORM, -1.9, 0.1, ""),  # at 3 % of its range, give or take 1 %: near the bound, but told apart from it
        (NORMAL, 2.5, 0.5, ""),  # far out, but there is no bound
        (LOG_NORMAL, -2.5, 0.5, ""),
        (UNIFORM, 0.0, 1.0, "hardly constrained by the data"),
        (NORMAL, 0.1, 0.95, "hardly constrained by the data"),
    ],
)
def test_remarks_say_what_stands_out(family, mean, sd, remark):
    assert summary_of(family, mean, sd)["remark"] == remark


@pytest.mark.parametrize("family", [UNIFORM, LOG_UNIFORM])
@pytest.mark.parametrize("scale", [0.005, 0.02, 0.05])
def test_a_posterior_made_to_pile_up_is_said_to(family, scale):
    """Exponential from the bound in the prior's probability, as a likelihood that falls off from it would make it."""
    u = scale * np.random.default_rng(0).exponential(size=5000)
    z = stats.norm.ppf(u.clip(1e-12, 1))
    for side, draws in (("lower", z), ("upper", -z)):
        density = SimpleNamespace(sample=lambda n, seed, draws=draws: np.resize(draws, (n, 1)))
        found = Posterior(model_of(family), density, Region()).summary()
        assert found["remark"].iloc[0] == f"piles up at its {side} bound"


def test_the_summary_is_in_the_templates_units():
    found = posterior((UNIFORM, LOG_UNIFORM), [0.0, 0.0], [0.2, 0.5]).summary()
    assert list(found.index) == ["p0", "p1"]
    assert found.loc["p0", "median"] == pytest.approx(2.0, abs=0.05)
    assert found.loc["p1", "median"] == pytest.approx(1.0, rel=0.05)
    assert found.loc["p0", "5 %"] == pytest.approx(UNIFORM.distribution.ppf(stats.norm.cdf(-0.329)), abs=0.05)
    assert found.loc["p0", "share of prior width"] == pytest.approx(0.2, rel=0.05)
    assert found.loc["p0", "prior"] == "uniform from -2 to 6"


def test_priors_that_depend_on_each_other():
    model = load_model(Path(__file__).parents[1] / "template" / "good" / "dependent.toml")
    mean, sd = np.zeros(len(model.free)), np.full(len(model.free), 0.3)
    mean[model.free.index("V_reset")], sd[model.free.index("V_reset")] = 2.2, 0.6
    found = Posterior(model, GaussianDensity(mean, np.diag(sd**2)), Region())
    draws = found.sample(2000)
    assert (draws["V_reset"] <= np.minimum(draws["E_leak"] - 0.5, -65)).all()
    z = model.prior.to_unbounded(draws.to_numpy())
    expected = stats.norm.logpdf(z, mean, sd).sum(axis=1) + model.prior.log_abs_det(draws.to_numpy())
    assert np.allclose(found.log_prob(draws), expected)
    table = found.summary()
    assert table.loc["V_reset", "prior"] == "normal -75 ± 8 between -100 and min(E_leak - 0.5*mV, -65*mV)"
    assert table.loc["V_th", "prior"] == "uniform from max(E_leak + 5*mV, -60*mV) to -30*mV"
    assert (table["remark"] != "").tolist() == [name == "V_reset" for name in model.free]
    assert table.loc["V_reset", "remark"] == "piles up at its upper bound"
