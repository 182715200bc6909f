"""Priors as laws: the same for every family, in both tails."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from neurofit.errors import ParameterError
from neurofit.families import Beta, LogNormal, LogUniform, Normal, TruncatedNormal, Uniform
from neurofit.template import Prior
from neurofit.template.prior import LARGEST_Z, Family

laws = settings(max_examples=60, deadline=None, derandomize=True)

numbers = st.floats(-1e3, 1e3)
positive = st.floats(1e-3, 1e3)


uniform = st.builds(lambda low, width: Uniform(family="uniform", low=low, high=low + width), numbers, positive)
log_uniform = st.builds(
    lambda low, factor: LogUniform(family="log_uniform", low=low, high=low * factor), positive, st.floats(1.01, 1e4)
)
normal = st.builds(lambda mean, sd: Normal(family="normal", mean=mean, sd=sd), numbers, positive)
truncated = st.builds(
    lambda mean, sd, at, width: TruncatedNormal(
        family="truncated_normal", mean=mean, sd=sd, low=mean + at * sd, high=mean + (at + width) * sd
    ),
    numbers,
    positive,
    st.floats(-6, 4.9),
    st.floats(1.2, 8),
)
log_normal = st.builds(
    lambda median, log_sd: LogNormal(family="log_normal", median=median, log_sd=log_sd), positive, st.floats(0.01, 3)
)
beta = st.builds(
    lambda a, b, low, width: Beta(family="beta", alpha=a, beta=b, low=low, high=low + width),
    st.floats(0.5, 30),
    st.floats(0.5, 30),
    numbers,
    positive,
)
families = st.one_of(uniform, log_uniform, normal, truncated, log_normal, beta)


def prior_of(*families: Family) -> Prior:
    names = tuple(f"p{i}" for i in range(len(families)))
    return Prior(names, ("1",) * len(families), families)


@dataclass(frozen=True)
class Textbook:
    """A family and its distribution, written down once more."""

    family: Family
    density: stats.rv_continuous


TEXTBOOK = {
    "uniform": Textbook(Uniform(family="uniform", low=-95, high=-55), stats.uniform(-95, 40)),
    "log_uniform": Textbook(LogUniform(family="log_uniform", low=0.003, high=2), stats.loguniform(0.003, 2)),
    "normal": Textbook(Normal(family="normal", mean=-70, sd=5), stats.norm(-70, 5)),
    "truncated_normal": Textbook(
        TruncatedNormal(family="truncated_normal", mean=-40, sd=10, low=-60, high=-35),
        stats.truncnorm(-2, 0.5, loc=-40, scale=10),
    ),
    "log_normal": Textbook(LogNormal(family="log_normal", median=4, log_sd=0.5), stats.lognorm(0.5, scale=4)),
    "beta": Textbook(Beta(family="beta", alpha=2, beta=5, low=-80, high=-50), stats.beta(2, 5, loc=-80, scale=30)),
    "beta_bimodal": Textbook(Beta(family="beta", alpha=0.5, beta=0.5, low=0, high=4), stats.arcsine(0, 4)),
}


@laws
@given(families, st.floats(-LARGEST_Z, LARGEST_Z))
def test_what_comes_out_of_z_lies_in_the_support_and_goes_back(family: Family, z: float) -> None:
    prior = prior_of(family)
    theta = prior.from_unbounded([[z]])
    low, high = prior.bounds[0]
    assert low <= theta[0, 0] <= high
    assert prior.inside(theta).all()
    again = prior.from_unbounded(prior.to_unbounded(theta))
    scale = max(abs(theta[0, 0]), high - low if np.isfinite(high - low) else 0)
    assert abs(again - theta) <= 1e-9 * scale


@laws
@given(families, st.floats(-5, 5))
def test_z_itself_comes_back(family: Family, z: float) -> None:
    prior = prior_of(family)
    theta = prior.from_unbounded([[z]])
    # rounding of theta itself, seen in z
    jitter = np.spacing(np.abs(theta)) * np.exp(prior.log_abs_det(theta))
    assert prior.to_unbounded(theta)[0, 0] == pytest.approx(z, abs=1e-6 + 100 * float(jitter[0, 0]))


@laws
@given(families, st.lists(st.floats(-LARGEST_Z, LARGEST_Z), min_size=2, max_size=20))
def test_the_map_rises(family: Family, z: list[float]) -> None:
    theta = prior_of(family).from_unbounded(np.sort(z)[:, None])[:, 0]
    assert (np.diff(theta) >= 0).all()


@laws
@given(families, st.floats(-4, 4))
def test_log_abs_det_is_the_slope_of_z(family: Family, z: float) -> None:
    prior = prior_of(family)
    h = 1e-4
    ends = prior.from_unbounded([[z - h], [z + h]])
    slope = 2 * h / (ends[1, 0] - ends[0, 0])
    expected = np.log(slope)
    found = prior.log_abs_det(prior.from_unbounded([[z]]))[0]
    # a second-order difference, and the rounding of its two ends
    rounding = np.spacing(np.abs(ends).max()) / np.abs(ends[1, 0] - ends[0, 0])
    assert found == pytest.approx(expected, abs=1e-5 + 4 * rounding)


@pytest.mark.parametrize("name", TEXTBOOK)
def test_the_density_is_the_textbooks_and_integrates_to_one(name: str) -> None:
    textbook = TEXTBOOK[name]
    prior = prior_of(textbook.family)
    theta = textbook.density.ppf(np.linspace(0.001, 0.999, 101))[:, None]
    assert np.allclose(prior.log_prob(theta), textbook.density.logpdf(theta[:, 0]), rtol=0, atol=1e-9)
    low, high = textbook.density.ppf([0, 1])
    ends = (low, high) if np.isfinite([low, high]).all() else textbook.density.ppf([1e-13, 1 - 1e-13])
    middle = float(textbook.density.median())
    total = sum(
        integrate.quad(lambda x: float(np.exp(prior.log_prob([[x]])[0])), a, b, limit=200)[0]
        for a, b in ((ends[0], middle), (middle, ends[1]))
    )
    assert total == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("name", TEXTBOOK)
def test_outside_the_support_there_is_nothing(name: str) -> None:
    prior = prior_of(TEXTBOOK[name].family)
    low, high = prior.bounds[0]
    for outside in (low - 1, high + 1):
        if np.isfinite(outside):
            assert prior.log_prob([[outside]])[0] == -np.inf
            assert not prior.inside([[outside]])[0]
            with pytest.raises(ParameterError, match="p0 lies outside its prior in row 0"):
                prior.to_unbounded([[outside]])


@pytest.mark.parametrize("name", TEXTBOOK)
def test_samples_are_standard_normal_in_z(name: str) -> None:
    prior = prior_of(TEXTBOOK[name].family)
    theta = prior.sample(20_000, np.random.default_rng(3))
    assert prior.inside(theta).all()
    # each of these families fails by chance once in 10,000 runs
    assert stats.kstest(prior.to_unbounded(theta)[:, 0], "norm").pvalue > 1e-4
    assert stats.kstest(theta[:, 0], TEXTBOOK[name].density.cdf).pvalue > 1e-4


def test_a_joint_prior_is_the_product() -> None:
    textbooks = list(TEXTBOOK.values())
    prior = prior_of(*(t.family for t in textbooks))
    theta = prior.sample(50, np.random.default_rng(0))
    each = np.column_stack([prior_of(t.family).log_prob(theta[:, [j]]) for j, t in enumerate(textbooks)])
    assert np.allclose(prior.log_prob(theta), each.sum(axis=1))
    dets = np.column_stack([prior_of(t.family).log_abs_det(theta[:, [j]]) for j, t in enumerate(textbooks)])
    assert np.allclose(prior.log_abs_det(theta), dets.sum(axis=1))
    correlation = np.corrcoef(prior.sample(20_000, np.random.default_rng(1)), rowvar=False)
    assert np.abs(correlation - np.eye(len(prior))).max() < 4.5 / np.sqrt(20_000)


def test_the_same_generator_gives_the_same_sample() -> None:
    prior = prior_of(*(t.family for t in TEXTBOOK.values()))
    first, second = (prior.sample(10, np.random.default_rng(5)) for _ in range(2))
    assert (first == second).all()


@pytest.mark.parametrize("name", TEXTBOOK)
def test_the_ends_of_the_map_are_finite(name: str) -> None:
    prior = prior_of(TEXTBOOK[name].family)
    far = prior.from_unbounded([[-np.inf], [-60.0], [60.0], [np.inf]])
    assert np.isfinite(far).all()
    bounds = prior.bounds[0][np.isfinite(prior.bounds[0])]
    assert np.abs(prior.to_unbounded(bounds[:, None])).tolist() == [[LARGEST_Z]] * len(bounds)


def test_misuse_is_named() -> None:
    prior = prior_of(TEXTBOOK["uniform"].family, TEXTBOOK["normal"].family)
    with pytest.raises(ParameterError, match="wrong number of columns"):
        prior.log_prob([[1.0, 2.0, 3.0]])
    with pytest.raises(ParameterError, match="p1 lies outside its prior in row 1"):
        prior.to_unbounded([[-60.0, 0.0], [-60.0, np.nan]])
