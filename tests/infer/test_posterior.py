"""The posterior in the template's units: it integrates to 1, its draws lie inside the prior, its remarks are true."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats

from neurofit.errors import BadInput, ParameterError, TrainingError
from neurofit.families import LogNormal, LogUniform, Normal, TruncatedNormal, Uniform
from neurofit.infer import Posterior, Region
from neurofit.infer.marginals import highest_density_interval, remark
from neurofit.template import Model, load_model
from neurofit.template.model import Parameter
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
        assert remark(draws, family.distribution) == f"piles up at its {side} bound"


def test_the_summary_is_in_the_templates_units():
    found = posterior((UNIFORM, LOG_UNIFORM), [0.0, 0.0], [0.2, 0.5]).summary()
    assert list(found.index) == ["p0", "p1"]
    assert found.loc["p0", "median"] == pytest.approx(2.0, abs=0.05)
    assert found.loc["p1", "median"] == pytest.approx(1.0, rel=0.05)
    assert found.loc["p0", "5 %"] == pytest.approx(UNIFORM.distribution.ppf(stats.norm.cdf(-0.329)), abs=0.05)
    assert found.loc["p0", "prior 95 %"] == pytest.approx(-2 + 0.95 * 8)
    assert found.loc["p0", "contraction"] == pytest.approx(1 - 0.2**2, abs=0.005)
    assert found.loc["p0", "MAP"] == pytest.approx(2.0, abs=0.05)
    assert found.loc["p0", "prior"] == "uniform from -2 to 6"


@pytest.mark.parametrize("level", [0.5, 0.8, 0.95])
def test_intervals_have_the_level_that_was_asked_for(level):
    """Of a Gaussian both kinds are the mean and as many standard deviations; ends of 20,000 draws are good to .05."""
    found = posterior((NORMAL, LOG_NORMAL), [0.5, 0.0], [0.5, 0.4]).summary(level, n=20_000)
    half = stats.norm.ppf((1 + level) / 2) * 0.5 * 3.0
    low, high = f"{50 * (1 - level):g} %", f"{50 * (1 + level):g} %"
    assert found.loc["p0", [low, high]].tolist() == pytest.approx([11.5 - half, 11.5 + half], abs=0.06)
    assert found.loc["p0", "HDI high"] - found.loc["p0", "HDI low"] == pytest.approx(2 * half, rel=0.04)
    prior = NORMAL.distribution.ppf([(1 - level) / 2, (1 + level) / 2])
    assert found.loc["p0", [f"prior {low}", f"prior {high}"]].tolist() == pytest.approx(prior.tolist())
    # a log-normal is steeper on its left: the shortest interval lies to the left of the central one
    row = found.loc["p1"]
    assert row["HDI low"] < row[low]
    assert row["HDI high"] < row[high]


def test_a_level_that_is_none_is_refused():
    for level in (0.0, 1.0, 90.0):
        with pytest.raises(BadInput, match="between 0 and 1"):
            posterior((NORMAL,), [0.0], [1.0]).summary(level)


def test_the_shortest_interval_is_known_for_known_draws():
    assert highest_density_interval(np.array([0.0, 10.0, 11.0, 12.0, 40.0]), 0.6) == (10.0, 12.0)
    draws = stats.expon.rvs(size=20_000, random_state=0)
    low, high = highest_density_interval(draws, 0.9)
    assert low < 0.01
    assert high == pytest.approx(-np.log(0.1), rel=0.03)
    assert highest_density_interval(np.array([3.0]), 0.9) == (3.0, 3.0)


def test_contraction_is_none_where_nothing_was_learned():
    found = posterior((UNIFORM, LOG_UNIFORM), [0.0, 0.0], [1.0, 0.1], 0.0).summary()
    # the standard error of a variance of 5,000 draws is 0.02 of it
    assert found["contraction"].tolist() == pytest.approx([0.0, 0.99], abs=0.06)


@pytest.mark.parametrize("correlation", [-0.4, 0.0, 0.9])
def test_correlations_are_the_densitys(correlation):
    found = posterior((UNIFORM, LOG_UNIFORM, NORMAL), [0.3, 0, 0], [0.3, 0.5, 0.2], correlation).correlations()
    assert list(found.index) == list(found.columns) == ["p0", "p1", "p2"]
    assert np.diag(found) == pytest.approx(1)
    assert found.loc["p0", "p2"] == pytest.approx(correlation, abs=4 / np.sqrt(5000))
    assert found.to_numpy() == pytest.approx(found.to_numpy().T)


def test_a_conditional_is_the_gaussians_own():
    """With normal priors theta is Gaussian too, and its conditional is known."""
    found = posterior((NORMAL, NORMAL, UNIFORM), [0.0, 0.0, 0.0], [0.4, 0.4, 0.1], 0.8)
    at = {"p0": 10.0, "p1": 10.0 + 0.3 * 3.0, "p2": 2.0}
    slice_ = found.conditional(at, "p0", n=400)
    assert list(slice_.columns) == ["p0", "log_prob", "density"]
    assert slice_.attrs["units"] == {"p0": "mV"}
    assert slice_.attrs["at"] == at
    x, density = slice_["p0"].to_numpy(), slice_["density"].to_numpy()
    assert np.trapezoid(density, x) == pytest.approx(1)
    # of the covariance of all three in z, the first given the others
    sd = np.array([0.4, 0.4, 0.1])
    covariance = np.outer(sd, sd) * (0.8 + 0.2 * np.eye(3))
    weights = np.linalg.solve(covariance[1:, 1:], covariance[1:, 0])
    mean = weights @ np.array([0.3, 0.0])
    variance = covariance[0, 0] - weights @ covariance[1:, 0]
    expected = stats.norm(10 + 3 * mean, 3 * np.sqrt(variance)).pdf(x)
    assert density == pytest.approx(expected, abs=0.02 * expected.max())


def test_a_conditional_over_two_is_a_grid_that_integrates_to_one():
    found = posterior((LOG_UNIFORM, UNIFORM, NORMAL), [0.2, 0.0, 0.0], [0.4, 0.3, 0.3], 0.5)
    table = found.conditional(found.map().iloc[0], ["p0", "p1"], n=50)
    grid = table.pivot(index="p1", columns="p0", values="density")
    assert grid.shape == (50, 50)
    assert np.trapezoid(np.trapezoid(grid, grid.columns, axis=1), grid.index) == pytest.approx(1)
    # evenly in the logarithm, for a prior of the logarithm
    assert np.diff(np.log(grid.columns)) == pytest.approx(np.diff(np.log(grid.columns)).mean())
    best = table.loc[table["density"].idxmax(), ["p0", "p1"]].to_numpy()
    assert np.isfinite(table["log_prob"]).all()
    assert found.prior.inside([[*best, 10.0]])[0]


def test_a_conditional_is_at_the_mode_where_no_point_is_given():
    found = posterior((UNIFORM, NORMAL), [0.5, 0.1], [0.3, 0.2], 0.5)
    table = found.conditional(parameters="p1")
    assert table.attrs["at"] == pytest.approx(found.map().iloc[0].to_dict())
    assert len(found.conditional()) == 60 * 60  # the only two there are


@pytest.mark.parametrize(
    ("at", "parameters", "words"),
    [
        (None, ["p0", "nothing"], "cannot be moved together"),
        (None, ["p0", "p0"], "cannot be moved together"),
        (None, None, "one or two names"),
        ({"p1": 10.0}, "p0", "leaves out p2"),
        ({"p1": 10.0, "p2": 99.0}, "p0", "density is 0"),
        ([[1.0, 1.0, 1.0], [2.0, 2.0, 2.0]], "p0", "one row"),
    ],
)
def test_conditionals_that_cannot_be_had(at, parameters, words):
    found = posterior((UNIFORM, NORMAL, UNIFORM), [0, 0, 0], [0.3, 0.3, 0.3])
    with pytest.raises(ParameterError, match=words):
        found.conditional(at, parameters)


@pytest.mark.parametrize("n", [0, 1, -1, 2.5, float("nan")])
def test_a_grid_needs_two_points(n):
    found = posterior((UNIFORM, NORMAL), [0, 0], [0.3, 0.3])
    with pytest.raises(BadInput, match=r"n = .* cannot be used. Expected: a whole number, 2 or more"):
        found.conditional(parameters="p0", n=n)


@pytest.mark.parametrize(
    ("n", "seed", "name"),
    [
        (-5, 0, "n"), (2.5, 0, "n"), (None, 0, "n"), (True, 0, "n"),
        (5, -1, "seed"), (5, 1.5, "seed"), (5, float("nan"), "seed"), (5, 2**63, "seed"),
    ],
)  # fmt: skip
def test_draws_that_cannot_be_had(n, seed, name):
    found = posterior((UNIFORM, NORMAL), [0, 0], [0.3, 0.3])
    with pytest.raises(BadInput, match=f"^Posterior.sample: {name} = .* cannot be used"):
        found.sample(n, seed)
    assert found.sample(0).shape == (0, 2)
    assert found.sample(3, 2**53).shape == (3, 2)


@pytest.mark.parametrize(
    "theta",
    [
        [[1.0, np.nan]], [[np.inf, 10.0]], [[1.0, 2.0, 3.0]], [["a", "b"]], [],
        {"p0": 1.0, "p9": 2.0}, np.ma.masked_greater([[1.0, 10.0]], 5.0),
    ],
)  # fmt: skip
def test_parameters_that_are_none_have_no_density(theta):
    found = posterior((UNIFORM, NORMAL), [0, 0], [0.3, 0.3])
    with pytest.raises(ParameterError):
        found.log_prob(theta)


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
