"""A rig's imperfections: what they are, what they are drawn from, and that nothing else decides them."""

from __future__ import annotations

import numpy as np
import pytest
from check_cases import RAW, traces
from scipy import stats

from neurofit import check
from neurofit.check import Nuisances
from neurofit.errors import CheckError

NORMAL = {"family": "normal", "mean": 1.0, "sd": 2.0}
UNIFORM = {"family": "uniform", "low": 0.1, "high": 0.5}
FLAT = np.full((400, 2, 300), -70.0)
STEP = np.repeat(np.where(np.arange(300) < 100, 0.0, 200.0)[None], 2, axis=0)


def test_draws_follow_their_priors():
    """Kolmogorov-Smirnov at .001 each, over 2,000 rows."""
    drawn = Nuisances(offset_mv=NORMAL, noise_sd_mv=UNIFORM).draws(2000, seed=3)
    assert stats.kstest(drawn["offset_mv"], stats.norm(1, 2).cdf).pvalue > 0.001
    assert stats.kstest(drawn["noise_sd_mv"], stats.uniform(0.1, 0.4).cdf).pvalue > 0.001
    assert abs(stats.spearmanr(drawn["offset_mv"], drawn["noise_sd_mv"]).statistic) < 4 / np.sqrt(2000)


def test_a_cell_has_one_of_each_for_all_of_its_sweeps():
    rig = Nuisances(offset_mv=NORMAL, noise_sd_mv=UNIFORM)
    drawn, recorded = rig.draws(400, seed=1), rig.applied_to(FLAT, dt_ms=0.1, seed=1)
    for sweep in range(2):
        found = recorded[:, sweep]
        # of 300 samples: five standard errors
        assert (np.abs(found.mean(1) + 70 - drawn["offset_mv"]) < 5 * drawn["noise_sd_mv"] / np.sqrt(300)).all()
        assert np.abs(found.std(1) / drawn["noise_sd_mv"] - 1).max() < 5 / np.sqrt(600)
    assert np.abs(np.corrcoef(recorded[:, 0].ravel(), recorded[:, 1].ravel())[0, 1]) > 0.9
    noise = recorded - recorded.mean(-1, keepdims=True)
    assert np.abs(np.mean(noise[:, 0] * noise[:, 1])) < 5 * 0.3**2 / np.sqrt(400 * 300)


def test_a_row_is_the_same_in_any_batch():
    rig = Nuisances(offset_mv=NORMAL, noise_sd_mv=UNIFORM, corner_khz={"family": "uniform", "low": 1, "high": 2})
    whole = rig.applied_to(FLAT[:20], dt_ms=0.1, seed=5)
    parts = [rig.applied_to(FLAT[:5], dt_ms=0.1, seed=5, first_row=first) for first in (0, 5, 10, 15)]
    assert np.array_equal(whole, np.concatenate(parts))
    assert not np.isclose(whole, rig.applied_to(FLAT[:20], dt_ms=0.1, seed=6)).any(axis=(1, 2)).all()


def test_fixed_numbers_add_up_in_the_units_they_are_named_for():
    """10 MOhm times 200 pA are 2 mV."""
    recorded = Nuisances(offset_mv=-3, series_resistance_mohm=10).applied_to(FLAT[:2], dt_ms=0.1, current_pa=STEP)
    assert recorded[..., :100] == pytest.approx(-73.0)
    assert recorded[..., 100:] == pytest.approx(-71.0)


def test_a_perfect_rig_changes_nothing():
    voltage = np.random.default_rng(0).normal(-70, 1, (5, 100))
    assert np.array_equal(Nuisances().applied_to(voltage, dt_ms=0.1), voltage)
    single = voltage.astype(np.float32)
    assert Nuisances(offset_mv=1).applied_to(single, dt_ms=0.1).dtype == np.float32


@pytest.mark.parametrize("corner_khz", [0.5, 1.0, 2.0])
def test_the_filter_halves_the_power_at_its_corner_and_keeps_a_constant(corner_khz):
    filtered = Nuisances(corner_khz=corner_khz)
    sine = np.sin(2 * np.pi * corner_khz * np.arange(20000) * 0.02)
    gain = filtered.applied_to(sine[None], dt_ms=0.02)[0, 10000:].std() / np.sqrt(0.5)
    assert gain == pytest.approx(np.sqrt(0.5), rel=0.01)
    assert filtered.applied_to(FLAT[:3], dt_ms=0.1) == pytest.approx(FLAT[:3])


def test_the_filter_acts_after_the_step_only():
    jump = np.where(np.arange(400) < 200, -70.0, -60.0)
    later = Nuisances(corner_khz=1).applied_to(jump[None], dt_ms=0.1)[0]
    assert later[:200] == pytest.approx(-70.0)
    assert later[-1] == pytest.approx(-60.0, abs=1e-6)


def test_noise_passes_the_filter_and_has_the_size_that_is_recorded():
    """120,000 samples, of which a filter at 1 kHz leaves about 20,000 independent ones: five standard errors."""
    noisy = Nuisances(corner_khz=1, noise_sd_mv=0.3).applied_to(FLAT[:, 0], dt_ms=0.1)
    assert noisy.std() == pytest.approx(0.3, rel=5 / np.sqrt(2 * 20000))
    assert np.corrcoef(noisy[:, 1:].ravel(), noisy[:, :-1].ravel())[0, 1] > 0.5
    assert (noisy[:, 0] + 70).std() == pytest.approx(0.3, rel=5 / np.sqrt(2 * 400))


def test_a_rig_in_the_reference_is_not_held_against_a_cell_and_one_that_is_not_is():
    """300 cells on three reference sets: the share rejected has a standard error of .013."""
    rig = Nuisances(
        noise_sd_mv={"family": "uniform", "low": 0.5, "high": 1.0}, offset_mv={"family": "normal", "mean": 0, "sd": 3}
    )
    with_it, without = [], []
    for number in range(3):
        cells = traces(np.random.default_rng([5, number]), 400)[:, 0]
        recorded = rig.applied_to(cells[300:], dt_ms=0.1, seed=100 + number)
        reference = rig.applied_to(cells[:300], dt_ms=0.1, seed=number)
        with_it.extend(check.raw(recorded, reference, seed=number, **RAW).p_observations["all"])
        without.extend(check.raw(recorded, cells[:300], seed=number, **RAW).p_observations["all"])
    assert np.mean(np.array(with_it) <= 0.05) <= 0.05 + 3 * 0.013
    assert np.mean(np.array(without) <= 0.05) >= 0.9


def test_words_and_plain_values():
    rig = Nuisances(offset_mv=NORMAL, noise_sd_mv=UNIFORM, series_resistance_mohm=4)
    assert str(rig) == ("an offset of 1 ± 2 mV, a series resistance of 4 MOhm and observation noise of 0.1 to 0.5 mV")
    assert Nuisances.from_dict(rig.to_dict()) == rig
    assert str(Nuisances()) == "a perfect rig"


MISUSE = {
    "negative noise": (lambda: Nuisances(noise_sd_mv=-0.1), "cannot be negative"),
    "noise of either sign": (lambda: Nuisances(noise_sd_mv=NORMAL), "cannot be negative.*normal 1"),
    "corner at zero": (lambda: Nuisances(corner_khz=0), "above 0 kHz"),
    "not a number": (lambda: Nuisances(offset_mv=np.nan), "finite"),
    "unknown family": (lambda: Nuisances(offset_mv={"family": "cauchy"}), "cannot be used"),
    "misspelt key": (lambda: Nuisances(offset_mv={**NORMAL, "sdd": 1}), "sdd cannot be used"),
    "no room": (lambda: Nuisances(offset_mv={**UNIFORM, "high": 0.1}), "low .0.1. must be below"),
    "of another parameter": (lambda: Nuisances(offset_mv={**NORMAL, "mean": "V_T"}), "depends on no parameter"),
    "no such imperfection": (lambda: Nuisances.from_dict({"noise_mv": 1}), "noise_mv is no imperfection"),
    "text": (lambda: Nuisances(offset_mv="10 mV"), "cannot be used"),
    "NaN in the voltage": (lambda: Nuisances().applied_to(np.full((2, 30), np.nan), dt_ms=0.1), "row 0, sample 0"),
    "one trace": (lambda: Nuisances().applied_to(np.zeros(30), dt_ms=0.1), "one cell a row"),
    "no current": (lambda: Nuisances(series_resistance_mohm=1).applied_to(FLAT, dt_ms=0.1), "injected current"),
    "another current": (
        lambda: Nuisances(series_resistance_mohm=1).applied_to(FLAT, dt_ms=0.1, current_pa=STEP[0]),
        "not that of a row",
    ),
    "corner above Nyquist": (lambda: Nuisances(corner_khz=5).applied_to(FLAT, dt_ms=0.1), "half the sampling rate"),
    "dt": (lambda: Nuisances().applied_to(FLAT, dt_ms=0), "sampling interval"),
    "seed": (lambda: Nuisances().applied_to(FLAT, dt_ms=0.1, seed=-1), "seed"),
}


@pytest.mark.parametrize("misuse", MISUSE)
def test_misuse_says_what_to_do(misuse):
    call, message = MISUSE[misuse]
    with pytest.raises(CheckError, match=message) as caught:
        call()
    assert caught.value.where is not None
    assert caught.value.expected or caught.value.found
