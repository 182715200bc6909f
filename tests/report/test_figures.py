"""Figures as functions: what they draw, also from awkward data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from scipy import stats

from neurofit.check import summary
from neurofit.report import figures
from neurofit.report.embed import picture
from neurofit.template import load_model

RNG = np.random.default_rng(5)


def drawn(figure: Figure) -> Figure:
    """Laid out and painted: a figure that fails does so only now."""
    image = picture(figure, "a figure of a test", "png")
    assert image.source.startswith("data:image/png;base64,")
    assert image.width == pytest.approx(figure.get_size_inches()[0] * 96, abs=1)
    return figure


def counts(n: int = 5, held_out: bool = False) -> figures.CountsDrawn:
    levels = np.linspace(0.0, 100.0, n)
    return figures.CountsDrawn(
        levels, np.arange(n) * 1.0, np.arange(n) * 0.8, np.arange(n) * 1.0, np.arange(n) * 1.2, held_out, "some"
    )


def test_a_sweep_without_predictions_or_band_can_be_drawn() -> None:
    time = np.arange(100) * 0.1
    figure = figures.sweep_figure("Sweep 0", time, np.sin(time), time * 0, np.empty(0), np.empty((0, 0)))
    voltage = drawn(figure).axes[0]
    assert voltage.get_ylabel() == "voltage (mV)"
    assert len(voltage.lines) == 1


def test_stretches_outside_are_shaded_and_lined() -> None:
    time = np.arange(100) * 0.1
    figure = figures.sweep_figure(
        "Sweep 0", time, np.sin(time), time * 0, time, np.cos(time)[None], outside_ms=[(1.0, 2.0), (4.0, 5.0)]
    )
    voltage = drawn(figure).axes[0]
    legend = voltage.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["recorded", "1 prediction", "outside"]
    assert len(voltage.patches) == 2


@pytest.mark.parametrize("n", [1, 2, 7])
def test_firing_of_few_levels(n: int) -> None:
    figure = figures.firing_figure("Step 1", [counts(n), counts(n, held_out=True)], duration_ms=500.0)
    axes = drawn(figure).axes[0]
    assert axes.get_xlabel() == "current in the step (pA)"


def test_repeats_of_a_level_share_one_place_of_the_band() -> None:
    part = figures.CountsDrawn(
        np.array([10.0, 10.0]), np.array([1.0, 2.0]), np.array([0.0, 1.0]), np.array([1.0, 2.0]), np.array([2.0, 3.0]),
        False, "twice",
    )  # fmt: skip
    axes = drawn(figures.firing_figure("Step 1", [part])).axes[0]
    recorded = next(line for line in axes.lines if str(line.get_label()).startswith("recorded"))
    assert len(recorded.get_xdata()) == 2  # type: ignore[arg-type]


def test_intervals_far_away_or_undefined_stay_on_the_axis() -> None:
    rows = [
        figures.Interval("near", -1.0, 0.0, 1.0),
        figures.Interval("far", 80.0, 99.0, 99.0, missed=True),
        figures.Interval("none", None, None, None, missed=True),
    ]
    axes = drawn(figures.intervals_figure(rows)).axes[0]
    texts = [text.get_text() for text in axes.texts]
    assert "+99" in texts
    assert "undefined in the predictions" in texts
    low, high = axes.get_xlim()
    assert -20 < low < high < 20


@pytest.mark.parametrize(
    ("prior", "log"),
    [
        (stats.uniform(0, 16), False),
        (stats.loguniform(1e-3, 2), True),
        (stats.norm(-60, 5), False),
        (stats.lognorm(0.5, scale=3), True),
        (stats.truncnorm(-1, 3, loc=5, scale=2), False),
    ],
)
def test_marginals_of_every_kind_of_prior(prior: object, log: bool) -> None:
    draws = prior.rvs(500, random_state=1)  # type: ignore[attr-defined]
    axes = drawn(figures.marginal_figure("x (mV)", draws, prior, log=log, map_value=float(draws[0]))).axes[0]
    assert axes.get_xscale() == ("log" if log else "linear")
    assert axes.get_xlabel() == "x (mV)"


def test_marginals_of_priors_that_depend_on_each_other() -> None:
    model = load_model(Path(__file__).parents[1] / "template" / "good" / "dependent.toml")
    draws = model.prior.sample(500, np.random.default_rng(0))
    for j, name in enumerate(model.free):
        log, prior = name in ("C", "g_leak", "tau_w"), model.prior.marginal(name)
        axes = drawn(figures.marginal_figure(name, draws[:, j], prior, log=log)).axes[0]
        low, high = axes.get_xlim()
        assert low - 1e-3 <= draws[:, j].min()
        assert draws[:, j].max() <= high + 1e-3


@pytest.mark.parametrize("n", [2, 3, 5])
def test_pairs_have_a_panel_for_every_two(n: int) -> None:
    draws = np.exp(RNG.standard_normal((400, n)))
    figure = figures.pair_figure([f"p{i} (mV)" for i in range(n)], draws, [i % 2 == 0 for i in range(n)], draws[0])
    assert sum(axes.axison for axes in drawn(figure).axes) == n * (n + 1) // 2


@pytest.mark.parametrize("n", [1, 2, 16])
def test_pairs_and_marginals_of_any_number_with_priors_and_truth(n: int) -> None:
    draws = np.exp(RNG.standard_normal((400, n)))
    labels, log = [f"p{i} (mV)" for i in range(n)], [i % 2 == 1 for i in range(n)]
    priors = [stats.lognorm(1.5)] * n
    truth = np.where(np.arange(n) % 3, np.nan, 30.0)
    pairs = drawn(figures.pair_figure(labels, draws, log, draws[0], priors=priors, truth=truth))
    assert pairs.axes[0].get_xlim()[1] > 30.0
    one_by_one = drawn(figures.marginals_figure(labels, draws, priors, log, draws[0], truth))
    assert [axes.get_xlabel() for axes in one_by_one.axes[:n]] == labels
    assert one_by_one.axes[0].get_xlim()[1] >= 30.0


def test_slices_on_logarithmic_axes_are_densities_of_the_logarithm() -> None:
    x = np.geomspace(0.1, 10, 101)
    density = stats.lognorm(0.5).pdf(x)  # its peak lies at exp(-.25), that of the logarithm's density at 1
    y = np.linspace(-3, 3, 51)
    both = stats.norm.pdf(y)[:, None] * density
    figure = figures.conditional_figure(
        ["a (mV)", "b"], [True, False], [(x, density), (y, stats.norm.pdf(y))], {(1, 0): (x, y, both)}, np.ones(2)
    )
    first, _, below, last = drawn(figure).axes
    outline = first.collections[0].get_paths()[0].vertices
    assert outline[outline[:, 1].argmax(), 0] == pytest.approx(0.0, abs=0.03)
    image = below.images[0].get_array()
    assert image is not None
    assert np.unravel_index(int(np.argmax(image)), image.shape) == (25, 50)
    assert last.get_xlim() == (-3, 3)


def test_a_posterior_at_one_point_can_be_drawn() -> None:
    drawn(figures.pair_figure(["a", "b"], np.ones((50, 2)), [False, True]))


def test_nulls_are_drawn_for_every_test() -> None:
    reference = RNG.standard_normal((300, 3))
    result = summary(reference[0] + 9, reference, names=("a", "b", "c"))
    axes = drawn(figures.null_figure(result, {"joint": "together"})).axes
    assert len(axes) == len(result.null)
    assert any(a.get_title(loc="left") == "together" for a in axes)


def test_coverage_far_off_is_still_on_the_axis() -> None:
    axes = drawn(figures.marginal_coverage_figure(["a", "b"], [0.1, 1.0], 20)).axes[0]
    assert axes.get_xlim()[0] < 10


def test_curves_outside_their_band_are_named_and_on_the_axis() -> None:
    levels = np.linspace(0, 1, 11)
    several = figures.Curves("ranks", ("a", "b"), np.array([levels, levels**6]), 0.2)
    single = figures.Curves("one", (), levels[None], 0.2)
    left, right = drawn(figures.calibration_figure(levels, [several, single])).axes
    assert [text.get_text() for text in left.texts] == ["b"]
    assert left.get_ylim()[0] < 100 * (levels**6 - levels).min()
    assert [text.get_text() for text in right.texts] == ["fewer than due", "more than due"]


@pytest.mark.parametrize("names", [("a",), ()])
def test_a_single_curve_that_stays_inside_is_not_named(names: tuple[str, ...]) -> None:
    levels = np.linspace(0, 1, 11)
    axes = drawn(figures.calibration_figure(levels, [figures.Curves("ranks", names, levels[None], 0.2)])).axes[0]
    assert not any(text.get_text() == "a" for text in axes.texts)


def test_losses_that_are_not_finite_can_be_drawn() -> None:
    losses = RNG.standard_normal((2, 4, 2))
    losses[0, 1] = np.nan
    drawn(figures.loss_figure("Round 1", losses))
    drawn(figures.loss_figure("Round 1", np.full((1, 2, 2), np.nan)))
    losses[1, 2, 1] = np.inf  # a validation may be
    drawn(figures.loss_figure("Round 1", losses))
    drawn(figures.nearest_figure([3.0]))


def test_comparisons_of_many_fits_repeat_their_looks() -> None:
    rows = [[figures.Interval("a", -1.0, 0.0, 1.0), None, figures.Interval("a", None, None, None)] * 2]
    drawn(figures.features_comparison_figure(list("abcdef"), rows))
    drawn(figures.firing_comparison_figure("Step 1", [counts()], [(name, counts()) for name in "abcdef"]))
