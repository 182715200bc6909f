"""The pieces: scores, ranks, combinations, each against what can be worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtri
from scipy.stats import norm

from neurofit import check
from neurofit.check import quantile_joint
from neurofit.check.combine import cauchy, combine, step_down
from neurofit.check.conformal import Contest, held_out, single
from neurofit.check.envelope import bin_edges, points
from neurofit.check.joint import Joint
from neurofit.check.mmd import sbi_mmd
from neurofit.errors import CheckError
from neurofit.scores import CAP, QuantileScores


def test_scores_are_ranks_inside_and_lines_outside():
    reference = np.arange(1.0, 100.0)[:, None]
    scores = QuantileScores(reference)
    x = np.array([[50.0], [1.0], [99.0], [100.0], [101.0], [0.0]])
    z = scores(x)[:, 0]
    assert z[0] == pytest.approx(0)
    assert z[2] == pytest.approx(ndtri(98.5 / 99))
    assert z[4] - z[3] == pytest.approx(z[3] - z[2])  # a straight line
    assert z[5] - z[1] == pytest.approx(-(z[3] - z[2]))  # the same below


def test_scores_of_a_normal_reference_are_its_deviates():
    x = np.random.default_rng(0).standard_normal((20000, 1))
    at = np.linspace(-2.5, 2.5, 11)[:, None]
    assert QuantileScores(x)(at)[:, 0] == pytest.approx(at[:, 0], abs=0.1)


@given(
    st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=40),
    st.lists(st.floats(-1e7, 1e7), min_size=2, max_size=20),
)
@settings(max_examples=100, deadline=None)
def test_scores_never_fall_and_stay_finite(reference, x):
    z = QuantileScores(np.array(reference)[:, None])(np.sort(x)[:, None])[:, 0]
    assert np.isfinite(z).all()
    assert (np.abs(z) <= CAP).all()
    assert (np.diff(z) >= -1e-9).all()


def test_one_spike_more_than_ever_seen_is_one_step_not_a_hundred():
    counts = np.random.default_rng(0).integers(0, 4, (400, 1)).astype(float)
    z = QuantileScores(counts)(np.array([[3.0], [4.0], [5.0]]))[:, 0]
    assert z[2] - z[1] == pytest.approx(1.0)
    assert z[1] < 5


def test_undefined_scores_are_neutral():
    reference = np.array([[1.0, np.nan], [2.0, 5.0], [3.0, 6.0], [4.0, 7.0]])
    z = QuantileScores(reference)(np.array([[np.nan, np.nan], [2.5, 6.0]]))
    assert z == pytest.approx(np.zeros((2, 2)))
    assert QuantileScores(np.full((3, 1), np.nan))(np.array([[1.0]])) == pytest.approx(np.zeros((1, 1)))


def test_values_come_back_from_scores():
    scores = QuantileScores(np.random.default_rng(0).normal(-70, 2, (1000, 1)))
    for value in (-90.0, -71.3, -70.0, -60.0):
        assert scores.value(0, scores(np.array([[value]]))[0, 0]) == pytest.approx(value, abs=0.05)


def test_joint_is_a_mahalanobis_distance_where_there_is_one_cloud():
    y = np.random.default_rng(0).standard_normal((2000, 3))
    far, near = Joint(y)(np.array([[5.0, 0, 0], [0, 0, 0]]))
    assert far > 20 * near


def test_joint_says_what_the_others_lead_to_expect():
    rng = np.random.default_rng(0)
    a = rng.standard_normal(3000)
    y = np.column_stack([a, a + 0.1 * rng.standard_normal(3000), rng.standard_normal(3000)])
    expected, sd = Joint(y).given_the_others(np.array([[0.3, 0.3, 0.0]]))
    assert expected[0, 1] == pytest.approx(0.3, abs=0.1)
    assert sd[0, 1] < 0.3 < sd[0, 2] * 2


def test_p_counts_ties_and_itself():
    contest = Contest(np.array([1.0, 2.0, 2.0, 3.0]), np.full(4, 2.0))
    assert contest.p_value == pytest.approx(4 / 5)
    assert Contest(np.array([1.0, 2.0, 3.0]), np.full(3, 9.0)).p_value == pytest.approx(1 / 4)


def test_a_tie_survives_rounding():
    x = 0.1 + 0.2
    assert Contest(np.array([0.3]), np.array([x])).p_value == 1.0


def test_null_p_values_treat_all_alike():
    """Of n + 1 different scores each gets its own rank, whichever of them is the observation."""
    scores = np.random.default_rng(0).permutation(20.0 + np.arange(10))
    null, observed = scores[:9], scores[9]
    of_null, of_observed = Contest(null, np.full(9, observed)).p_values()
    ranks = np.append(of_null, of_observed[0])
    assert sorted(ranks) == pytest.approx(np.arange(1, 11) / 10)
    assert np.argsort(-ranks).tolist() == np.argsort(scores).tolist()


def test_held_out_rows_are_scored_by_fits_that_have_not_seen_them():
    def fit(training):
        seen = set(training.tolist())
        return lambda rows: {"seen": np.array([float(row in seen) for row in rows])}

    found = held_out(fit, n=103, observations=2, seed=0)["seen"]
    assert not found.reference.any()
    assert not found.observed.any()
    assert np.bincount(found.fold).min() >= 10
    assert single(found).p_value == 1.0


def test_cauchy_against_its_formula():
    assert cauchy([0.01, 0.01]) == pytest.approx(0.01)
    assert cauchy([0.02, 0.5]) == pytest.approx(0.5 - np.arctan(np.tan(0.48 * np.pi) / 2) / np.pi)
    assert cauchy([[0.5, 0.5], [0.001, 0.999]])[1] == pytest.approx(0.5)


def test_one_careless_test_does_not_silence_another():
    """A p of 1 (all tied) beside a p of .002: plain Cauchy would give .6."""
    rng = np.random.default_rng(0)
    good, idle = Contest(rng.random(499), np.full(499, 2.0)), Contest(np.ones(499), np.ones(499))
    assert combine({"good": good, "idle": idle}).p_value == pytest.approx(1 / 500)


@pytest.mark.parametrize("dependence", [0.0, 0.9, 1.0])
def test_the_combination_holds_its_level_whatever_the_dependence(dependence):
    rng, p = np.random.default_rng(0), []
    for _ in range(1000):
        shared = rng.standard_normal(200)
        a, b, c = (dependence * shared + np.sqrt(1 - dependence**2) * rng.standard_normal(200) for _ in range(3))
        p.append(combine({str(i): Contest(x[1:], np.full(199, x[0])) for i, x in enumerate((a, b, c))}).p_value)
    assert np.mean(np.array(p) <= 0.05) == pytest.approx(0.05, abs=0.021)


def test_step_down_names_all_that_is_strange_and_nothing_else():
    rng = np.random.default_rng(0)
    null = np.abs(rng.standard_normal((999, 8)))
    observed = np.array([0.1, 5.0, 0.2, 4.8, 0.3, 0.1, 0.5, 1.0])
    p = step_down(Contest(null, np.tile(observed, (999, 1))))
    assert (p[[1, 3]] <= 0.01).all()
    assert (np.delete(p, [1, 3]) > 0.5).all()


def test_step_down_is_never_looser_than_a_rank_nor_stricter_than_one_step():
    rng = np.random.default_rng(0)
    null, observed = np.abs(rng.standard_normal((300, 5))), np.abs(rng.standard_normal(5)) + 1
    contest = Contest(null, np.tile(observed, (300, 1)))
    one_step = Contest(np.tile(null.max(1)[:, None], 5), contest.observed)
    assert (step_down(contest) >= contest.p_value).all()
    assert (step_down(contest) <= one_step.p_value + 1e-12).all()


@pytest.mark.parametrize(("samples", "sweeps"), [(25, 1), (1200, 1), (1201, 9), (8000, 30)])
def test_no_sample_escapes_the_envelope(samples, sweeps):
    edges = bin_edges(samples, sweeps)
    assert edges[0] == 0
    assert edges[-1] == samples
    assert (np.diff(edges) > 0).all()
    voltage = np.zeros((1, sweeps, samples))
    for at in np.random.default_rng(0).integers(0, samples, 20):
        voltage[0, -1, at] = 40.0
        assert points(voltage, edges)[0, -1, 1].max() == 40.0
        voltage[0, -1, at] = 0.0


def test_detectable_shifts_are_those_of_a_normal():
    """One feature alone, one that another determines: the smallest shift seen in 80 % follows."""
    rng = np.random.default_rng(0)
    a = rng.standard_normal(3000)
    x = np.column_stack([10 * rng.standard_normal(3000), a, a + 0.1 * rng.standard_normal(3000)])
    alone, one, other = check.detectable_shifts(x, names=["alone", "one", "other"], units=["mV", "", ""])
    two_sided = norm.ppf(0.975) + norm.ppf(0.8)
    assert 0.9 * two_sided * 10 < alone.shift < 2.2 * two_sided * 10
    assert max(one.shift, other.shift) < 1.0
    assert alone.spread == pytest.approx(10, rel=0.1)


def test_a_count_shifts_by_whole_spikes():
    rng = np.random.default_rng(0)
    x = np.column_stack([rng.poisson(5, 1000), rng.standard_normal(1000)])
    count, _ = check.detectable_shifts(x)
    assert count.shift is not None
    assert count.shift == round(count.shift) >= 1


def test_the_baseline_refuses_nan():
    """In sbi a NaN gives p = 1: the check would pass."""
    with pytest.raises(CheckError, match="observed holds nan"):
        sbi_mmd([np.nan, 0.0], np.zeros((100, 2)))


@pytest.mark.slow
def test_the_baseline_misses_what_the_checks_see():
    """An offset of eight sd in a statistic of small units, beside one of large units."""
    torch = pytest.importorskip("torch")
    pytest.importorskip("sbi")
    x = np.random.default_rng(0).standard_normal((500, 2)) * [1.0, 100.0]
    state = torch.random.get_rng_state()
    p = sbi_mmd([8.0, 0.0], x, seed=1)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert p == sbi_mmd([8.0, 0.0], x, seed=1)
    assert p > 0.05 >= check.summary([8.0, 0.0], x).p_value


@pytest.mark.parametrize("number", [10, 25])
def test_quantiles_are_numpys(number):
    x = np.random.default_rng(0).standard_normal((4, 3, 501))
    expected = np.moveaxis(np.quantile(x, (np.arange(number) + 0.5) / number, axis=-1), 0, -1)
    assert np.allclose(quantile_joint._quantiles(x, number), expected, atol=1e-12)
