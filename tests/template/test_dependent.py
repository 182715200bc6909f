"""Priors that depend on other parameters, as laws: over random graphs of dependence, against the same written as loops.

Every expression is made twice: as a template's text, and as a function of the other parameters' values in mV.
"""

from __future__ import annotations

import pickle
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats
from scipy.special import ndtri

from neurofit.errors import ParameterError, TemplateError
from neurofit.template import Prior, find_model, load_model, parse_model
from neurofit.template.dependent import read_families
from neurofit.template.prior import LARGEST_Z
from neurofit.template.schema import ParameterTable
from neurofit.template.source import Source
from tests.template.test_models import GOOD, SMALL

Values = dict[str, float]

laws = settings(max_examples=25, deadline=None, derandomize=True)
SCALE = {"mV": 1.0, "uvolt": 1e-3, "volt": 1e3}


@dataclass(frozen=True)
class Number:
    """A number of a prior: text for the template, and its value in mV (or its plain value) given the others'."""

    text: str
    value: Callable[[Values], float]

    def plus(self, mv: float) -> Number:
        return Number(f"({self.text}) + {mv!r}*mV", lambda p: self.value(p) + mv)


@dataclass(frozen=True)
class Stated:
    """One parameter's prior, twice: the template's table, and SciPy's distribution in mV given the others' values."""

    unit: str
    family: str
    numbers: dict[str, Number]

    @property
    def table(self) -> ParameterTable:
        prior: dict[str, Any] = {key: number.text for key, number in self.numbers.items()}
        return ParameterTable.model_validate(
            {"unit": self.unit, "value": 0, "prior": {"family": self.family} | prior, "description": "d", "source": "s"}
        )

    def distribution(self, values: Values) -> Any:
        n = {key: number.value(values) for key, number in self.numbers.items()}
        match self.family:
            case "uniform":
                return stats.uniform(n["low"], n["high"] - n["low"])
            case "log_uniform":
                return stats.loguniform(n["low"], n["high"])
            case "normal":
                return stats.norm(n["mean"], n["sd"])
            case "truncated_normal":
                ends = [(n[end] - n["mean"]) / n["sd"] for end in ("low", "high")]
                return stats.truncnorm(*ends, loc=n["mean"], scale=n["sd"])
            case "log_normal":
                return stats.lognorm(n["log_sd"], scale=n["median"])
            case _:
                return stats.beta(n["alpha"], n["beta"], loc=n["low"], scale=n["high"] - n["low"])


@dataclass(frozen=True)
class Graph:
    """A random prior; ``columns`` are the names in the template's order, ``stated`` has them in order of dependence."""

    stated: dict[str, Stated]
    columns: tuple[str, ...]

    @property
    def prior(self) -> Prior:
        return prior_of({name: self.stated[name].table for name in self.columns})

    @property
    def to_mv(self) -> NDArray[np.float64]:
        return np.array([SCALE[self.stated[name].unit] for name in self.columns])

    def log_prob(self, theta: NDArray[np.float64]) -> float:
        """Of one row."""
        values = dict(zip(self.columns, theta * self.to_mv, strict=True))
        density = [self.stated[name].distribution(values).logpdf(value) for name, value in values.items()]
        return float(np.sum(density) + np.log(self.to_mv).sum())

    def draw(self, rng: np.random.Generator) -> NDArray[np.float64]:
        """One row, parameter by parameter, by SciPy's own generators."""
        values: Values = {}
        for name, stated in self.stated.items():
            values[name] = float(stated.distribution(values).rvs(random_state=rng))
        return np.array([values[name] for name in self.columns]) / self.to_mv


def prior_of(tables: dict[str, ParameterTable]) -> Prior:
    families = read_families(tables, (), Source("", "x.toml"))
    return Prior(tuple(families), tuple(tables[name].unit for name in families), tuple(families.values()))


def constant(mv: float) -> Number:
    return Number(f"{mv!r}*mV", lambda p: mv)


rounded = st.floats(-60, 60).map(lambda x: round(x, 1))


@st.composite
def voltages(draw: st.DrawFn, parents: list[str]) -> Number:
    """Any voltage made of the parents."""
    if not parents:
        return constant(draw(rounded))
    a, b = draw(st.sampled_from(parents)), draw(st.sampled_from(parents))
    c = draw(rounded)
    return draw(
        st.sampled_from(
            [
                Number(a, lambda p: p[a]),
                Number(f"{a} - {b}/2", lambda p: p[a] - p[b] / 2),
                Number(f"min({a}, {c!r}*mV)", lambda p: min(p[a], c)),
                Number(f"max({a}, -{b})", lambda p: max(p[a], -p[b])),
                Number(f"abs({a} - {c!r}*mV)", lambda p: abs(p[a] - c)),
                Number(f"-sqrt({a}**2 + (5*mV)**2)", lambda p: -float(np.sqrt(p[a] ** 2 + 25))),
                Number(f"10*mV*log(1 + ({a}/mV)**2)", lambda p: 10 * float(np.log(1 + p[a] ** 2))),
            ]
        )
    )


@st.composite
def priors(draw: st.DrawFn, parents: list[str]) -> Stated:
    """Any family with numbers made of the parents, and with room whatever their values are."""
    unit = draw(st.sampled_from(sorted(SCALE)))
    low = draw(voltages(parents))
    width = draw(st.floats(2, 40).map(lambda x: round(x, 1)))
    bounded = {"low": low, "high": low.plus(width)}
    size = Number(f"1*mV + abs({low.text})/20", lambda p: 1 + abs(low.value(p)) / 20)
    shape = Number(f"1 + abs({low.text})/(100*mV)", lambda p: 1 + abs(low.value(p)) / 100)
    positive = Number(f"exp(({low.text})/(300*mV))*mV", lambda p: float(np.exp(low.value(p) / 300)))
    times = Number(f"{width!r}*({positive.text})", lambda p: width * positive.value(p))
    log_sd = Number(f"0.2*({shape.text})", lambda p: 0.2 * shape.value(p))
    numbers = {
        "uniform": bounded,
        "beta": bounded | {"alpha": shape, "beta": Number("2.5", lambda p: 2.5)},
        "truncated_normal": bounded | {"mean": low.plus(width / 3), "sd": constant(width / 2)},
        "normal": {"mean": low, "sd": size},
        "log_uniform": {"low": positive, "high": times},
        "log_normal": {"median": positive, "log_sd": log_sd},
    }
    family = draw(st.sampled_from(sorted(numbers)))
    return Stated(unit, family, numbers[family])


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    stated: dict[str, Stated] = {}
    for name in ("a", "b", "c", "d")[: draw(st.integers(2, 4))]:
        # a log-normal has a tail that others would be stretched along, to where finite differences see nothing
        parents = [parent for parent, prior in stated.items() if prior.family != "log_normal"]
        stated[name] = draw(priors(parents))
    return Graph(stated, tuple(draw(st.permutations(list(stated)))))


seeds = st.integers(0, 1000)


@laws
@given(graphs(), seeds)
def test_the_density_is_the_product_of_those_given_the_parents(graph: Graph, seed: int) -> None:
    prior = graph.prior
    theta = prior.sample(20, np.random.default_rng(seed))
    assert prior.inside(theta).all()
    expected = [graph.log_prob(row) for row in theta]
    assert np.allclose(prior.log_prob(theta), expected, rtol=1e-6, atol=1e-6)


@pytest.mark.slow
@laws
@given(graphs(), seeds)
def test_draws_made_one_after_the_other_are_standard_normal_in_z(graph: Graph, seed: int) -> None:
    rng, prior = np.random.default_rng(seed), graph.prior
    z = prior.to_unbounded([graph.draw(rng) for _ in range(150)])
    # 25 graphs of up to 4 parameters fail by chance once in 1,000 runs
    assert all(stats.kstest(column, "norm").pvalue > 1e-5 for column in z.T)
    correlation = np.corrcoef(z, rowvar=False) - np.eye(len(prior))
    assert np.abs(correlation).max() < 5 / np.sqrt(150)


@laws
@given(graphs(), seeds)
def test_both_ways_lead_back(graph: Graph, seed: int) -> None:
    prior, rng, to_mv = graph.prior, np.random.default_rng(seed), graph.to_mv
    d = len(prior)
    z = np.concatenate([rng.standard_normal((200, d)), rng.uniform(-LARGEST_Z, LARGEST_Z, (200, d))])
    theta = prior.from_unbounded(z)
    assert np.isfinite(theta).all()
    assert prior.inside(theta).all()
    again = prior.from_unbounded(prior.to_unbounded(theta))
    assert np.abs(again - theta).max() <= 1e-9 * np.abs(theta).max()
    near, found = theta[:200], prior.to_unbounded(theta[:200])
    for j, distribution in prior.given(near):
        # rounding of theta, of up to the largest in its row, seen in z
        slope = distribution.pdf(near[:, j]) / stats.norm.pdf(z[:200, j])
        rounding = 1e3 * np.spacing(np.abs(near * to_mv).max(axis=1) / to_mv[j]) * slope
        assert (np.abs(found[:, j] - z[:200, j]) <= 1e-6 + rounding).all()


@laws
@given(graphs(), seeds)
def test_log_abs_det_is_the_determinant_of_the_whole_map(graph: Graph, seed: int) -> None:
    prior = graph.prior
    d, h = len(prior), 1e-5
    z = np.random.default_rng(seed).uniform(-2, 2, d)
    up, down = (prior.from_unbounded(z + sign * h * np.eye(d)) for sign in (1, -1))
    _, log_det = np.linalg.slogdet((up - down) / (2 * h))
    assert prior.log_abs_det(prior.from_unbounded([z]))[0] == pytest.approx(-log_det, abs=1e-4)


@laws
@given(graphs(), seeds)
def test_outside_what_the_parents_leave_there_is_nothing(graph: Graph, seed: int) -> None:
    prior = graph.prior
    theta = prior.sample(30, np.random.default_rng(seed))
    bounds = prior.bounds
    assert (theta >= bounds[:, 0] - 1e-3 * np.abs(bounds[:, 0])).all()
    for j, distribution in prior.given(theta):
        for end, side in zip(distribution.support(), (-1, 1), strict=True):
            end = np.broadcast_to(end, len(theta))
            if not np.isfinite(end).all():
                continue
            outside = theta.copy()
            outside[:, j] = end + side * 1e-6 * (1 + np.abs(end))
            assert not prior.inside(outside).any()
            assert (prior.log_prob(outside) == -np.inf).all()
            with pytest.raises(ParameterError, match="lies outside its prior in row 0"):
                prior.to_unbounded(outside)


UNDER = {
    "V_th": ("uniform", {"low": -65, "high": -30}),
    "V_reset": ("uniform", {"low": -90, "high": "V_th"}),
}
AROUND = {
    "V_reset": ("truncated_normal", {"mean": "E_L - 5*mV", "sd": 8, "low": -100, "high": "min(E_L - 0.5*mV, -65*mV)"}),
    "E_L": ("beta", {"alpha": 3, "beta": 2, "low": -80, "high": -55}),
}


def tables(stated: dict[str, tuple[str, dict[str, Any]]], **fixed: tuple[str, float]) -> dict[str, ParameterTable]:
    told = {"description": "d", "source": "s"}
    free = {name: {"unit": "mV", "value": 0, "prior": {"family": f} | n} | told for name, (f, n) in stated.items()}
    held = {name: {"unit": unit, "value": value} | told for name, (unit, value) in fixed.items()}
    return {name: ParameterTable.model_validate(table) for name, table in (free | held).items()}


@pytest.mark.parametrize("stated", [UNDER, AROUND])
def test_the_density_integrates_to_one_and_to_the_share_of_draws(stated: dict[str, Any]) -> None:
    prior = prior_of(tables(stated))
    (x_low, x_high), (y_low, y_high) = prior.bounds
    n = 1500
    x, y = ((np.arange(n) + 0.5) / n * (high - low) + low for low, high in ((x_low, x_high), (y_low, y_high)))
    grid = np.stack(np.meshgrid(x, y, indexing="ij"), axis=-1).reshape(-1, 2)
    mass = np.exp(prior.log_prob(grid)) * (x_high - x_low) * (y_high - y_low) / n**2
    # cells that a bound cuts in two count whole or not at all
    assert mass.sum() == pytest.approx(1, abs=4 / n)
    draws = prior.sample(40_000, np.random.default_rng(0))
    for x_at, y_at in ((0.3, 0.5), (0.5, 0.8), (0.7, 0.4)):
        at = np.array([x_low + x_at * (x_high - x_low), y_low + y_at * (y_high - y_low)])
        share, expected = (draws < at).all(axis=1).mean(), mass[(grid < at).all(axis=1)].sum()
        assert share == pytest.approx(expected, abs=4 / n + 4 * np.sqrt(0.25 / 40_000))


def test_columns_stay_in_the_templates_order() -> None:
    prior = prior_of(tables(AROUND))
    assert prior.names == ("V_reset", "E_L")
    theta = prior.sample(2000, np.random.default_rng(0))
    assert (theta[:, 0] < np.minimum(theta[:, 1] - 0.5, -65)).all()
    z = np.random.default_rng(0).standard_normal((2000, 2))
    alone = Prior(("E_L",), ("mV",), prior.families[1:])
    assert np.array_equal(theta[:, [1]], alone.from_unbounded(z[:, [1]])), "z's columns are theta's"


def test_bounds_are_the_outermost() -> None:
    assert prior_of(tables(UNDER)).bounds == pytest.approx(np.array([[-65, -30], [-90, -30]]))
    assert prior_of(tables(AROUND)).bounds == pytest.approx(np.array([[-100, -65], [-80, -55]]))
    chain = {"a": ("uniform", {"low": 0, "high": 4}), "b": ("uniform", {"low": "a", "high": "a + 3*mV"})}
    chain["c"] = ("normal", {"mean": "b", "sd": 1})
    chain["d"] = ("log_normal", {"median": "1*mV + b", "log_sd": 1})
    chain["e"] = ("uniform", {"low": "-b", "high": "a + b + 1*mV"})
    found = prior_of(tables(chain)).bounds
    infinite = np.inf
    expected = [[0, 4], [0, 7], [-infinite, infinite], [0, infinite], [-7, 12]]
    assert found == pytest.approx(np.array(expected), abs=1e-6)


def test_the_marginal_is_that_of_draws() -> None:
    prior = prior_of(tables(UNDER))
    draws = prior.sample(5000, np.random.default_rng(8))
    assert stats.kstest(draws[:, 1], prior.marginal("V_reset").cdf).pvalue > 1e-3
    assert prior.marginal("V_reset").ppf([0.05, 0.5]) == pytest.approx(np.quantile(draws[:, 1], [0.05, 0.5]), abs=0.6)
    assert prior.marginal("V_reset").support() == pytest.approx((-90, -30))
    assert prior.marginal("V_th").support() == (-65, -30)


def test_a_fixed_parameter_a_unit_and_a_constant_are_numbers() -> None:
    stated = {"x": ("uniform", {"low": "-2*R*I", "high": "pi*mV + V_0"})}
    prior = prior_of(tables(stated, R=("Mohm", 100.0), I=("pA", 20.0), V_0=("volt", 0.001)))
    assert prior.families[0].parents == ()
    assert prior.bounds[0] == pytest.approx([-4, np.pi + 1])
    assert str(prior.families[0]) == "uniform from -2*R*I to pi*mV + V_0"


def test_expressions_say_what_they_are() -> None:
    stated: dict[str, Any] = {
        "a": ("uniform", {"low": 1, "high": 4}),
        "b": ("log_uniform", {"low": "a", "high": "exp(2)*a  # a comment"}),
        "c": ("normal", {"mean": "a", "sd": 0.25}),
        "d": ("truncated_normal", {"mean": 0, "sd": "a", "low": -1, "high": "max(a, 2*mV)"}),
        "e": ("log_normal", {"median": "a", "log_sd": "a/(2*mV)"}),
        "f": ("beta", {"alpha": 2, "beta": "a/mV", "low": 0, "high": "a"}),
    }
    assert [str(family) for family in prior_of(tables(stated)).families] == [
        "uniform from 1 to 4",
        "log-uniform from a to exp(2)*a",
        "normal a ± 0.25",
        "normal 0 ± a between -1 and max(a, 2*mV)",
        "log-normal around a, times or divided by exp(a/(2*mV))",
        "beta(2, a/mV) from 0 to a",
    ]


def test_no_room_is_said_with_the_parents_values() -> None:
    stated: dict[str, Any] = {"a": ("uniform", {"low": 0, "high": 4}), "b": ("uniform", {"low": "a", "high": 3})}
    with pytest.raises(TemplateError, match=r"low \(3\.\d+\) must be below high \(3\), with a = 3\.\d+ mV"):
        prior_of(tables(stated))
    # what nobody found when the template was read is found when it happens
    families = prior_of(tables(stated | {"a": ("uniform", {"low": 0, "high": 2})})).families
    wide = prior_of(tables({"a": ("uniform", {"low": 0, "high": 4})})).families
    prior = Prior(("a", "b"), ("mV", "mV"), (*wide, families[1]))
    with pytest.raises(
        ParameterError, match=r"the prior of b has no room in row 1.*uniform from a to 3, with a = 3\.9"
    ):
        prior.from_unbounded([[0.0, 0.0], [ndtri(0.98), 0.0]])
    assert prior.log_prob([[3.5, 3.2], [1.0, 2.0]]).tolist() == [-np.inf, pytest.approx(-np.log(4 * 2))]
    assert prior.inside([[3.5, 3.2], [1.0, 2.0]]).tolist() == [False, True]


def test_what_lies_outside_is_told_with_the_parents_values() -> None:
    prior = prior_of(tables(UNDER))
    with pytest.raises(ParameterError, match=r"V_reset lies outside .* row 1.*-90 to -50 mV, with V_th = -50 mV"):
        prior.to_unbounded([[-40.0, -45.0], [-50.0, -45.0]])
    # outside a parent's support nothing else is asked
    assert prior.log_prob([[-95.0, -92.0]])[0] == -np.inf


def test_a_template_with_dependent_priors() -> None:
    model = load_model(GOOD / "dependent.toml")
    assert model.free == ("V_reset", "C", "g_leak", "tau_w", "E_leak", "V_th")
    theta = model.prior.sample(3000, np.random.default_rng(2))
    values = dict(zip(model.free, theta.T, strict=True))
    assert (values["V_reset"] <= np.minimum(values["E_leak"] - 0.5, -65)).all()
    assert (values["V_th"] >= np.maximum(values["E_leak"] + 5, -60)).all()
    tau_m = 1e-3 * values["C"] / values["g_leak"]
    assert (values["tau_w"] >= tau_m).all()
    assert stats.kstest(np.log(values["tau_w"] / tau_m) / np.log(100), "uniform").pvalue > 1e-4
    again = pickle.loads(pickle.dumps(model))  # noqa: S301
    assert np.array_equal(again.prior.sample(3000, np.random.default_rng(2)), theta)


def test_the_example_in_the_documentation_is_sound() -> None:
    text = find_model("lif").read_text(encoding="utf-8")
    page = (Path(__file__).parents[2] / "docs" / "templates.md").read_text(encoding="utf-8")
    example = page.split("```toml\n")[1].split("```")[0]
    for table in re.split(r"\n(?=\[)", example.strip()):
        start = text.index(table.splitlines()[0])
        end = text.find("\n[", start)
        text = text[:start] + table + text[end:]
    model = parse_model(text, "x.toml")
    families = dict(zip(model.free, model.prior.families, strict=True))
    assert families["V_reset"].parents == ("E_leak",)
    assert families["tau_w"].parents == ("C", "g_leak")


def test_a_fixed_parent_makes_a_prior_independent() -> None:
    text = (GOOD / "dependent.toml").read_text()
    start = text.index("[parameters.E_leak]")
    line = next(line for line in text[start:].splitlines() if line.startswith("prior"))
    model = parse_model(text[:start] + text[start:].replace(line + "\n", "", 1), "x.toml")
    assert "E_leak" not in model.free
    at = dict(zip(model.free, model.prior.bounds, strict=True))
    assert at["V_reset"] == pytest.approx([-100, -72.5])


def test_numbers_and_expressions_of_numbers_are_the_same_prior() -> None:
    text = SMALL.replace("low = 50, high = 600", 'low = "0.05*nF", high = "600*pF"')
    plain, written = parse_model(SMALL, "x").prior, parse_model(text, "x").prior
    z = np.random.default_rng(0).standard_normal((100, len(plain)))
    assert np.allclose(plain.from_unbounded(z), written.from_unbounded(z), rtol=1e-12, atol=0)


@pytest.mark.parametrize("share", [0.5, 1e-2, 1e-4, 1e-8])
def test_bounds_that_rarely_cross_are_found(share: float) -> None:
    """The share of the parents' values at which they do, down to what only the corners show."""
    # a + b exceeds 2 - x in a triangle of x**2/2
    stated: dict[str, Any] = {
        "a": ("uniform", {"low": 0, "high": 1}),
        "b": ("uniform", {"low": 0, "high": 1}),
        "c": ("uniform", {"low": "a + b", "high": 2 - float(np.sqrt(2 * share))}),
    }
    with pytest.raises(TemplateError, match=r"low \(.*\) must be below high \(.*\), with a = .* mV, b = .* mV"):
        prior_of(tables(stated))
    prior_of(tables(stated | {"c": ("uniform", {"low": "a + b", "high": 2.001})}))
