"""What a rig does to a recording is measured by its own number, and named."""

from __future__ import annotations

import numpy as np
import pytest
from check_cases import RAW, traces
from scipy.stats import binom

from neurofit import check
from neurofit.check import RIG_FEATURES, Nuisances, rig_features
from neurofit.check.artefacts import CONSISTENT_WITH
from neurofit.errors import CheckError
from tests.benchmarks import toy_cells as toy
from tests.benchmarks.bench_artefacts import ARTEFACTS, arguments, features, first_three

BASELINE, NOISE, JUMP, CHARGING, BANDWIDTH = range(5)
NAMES = tuple(RIG_FEATURES)
STEP_MS = toy.STEP_MS


def charging(levels: tuple[float, ...], tau_ms: float = 15.0, resistance: float = 0.1) -> np.ndarray:
    """``[1, sweep, time]`` at 0.1 ms: a membrane that charges from -70 mV under steps from 10 to 110 ms."""
    time = np.arange(1200) * 0.1 - 10
    charged = np.where(time < 0, 0, 1 - np.exp(-np.clip(time, 0, 100) / tau_ms))
    return -70 + resistance * np.array(levels)[:, None] * charged[None, None]


def measured(voltage: np.ndarray) -> np.ndarray:
    return rig_features(voltage, dt_ms=0.1, step_ms=STEP_MS)[0]


@pytest.mark.parametrize("levels", [(200.0,), (-100.0,), (-200.0, -100.0, 100.0, 200.0)])
def test_each_imperfection_moves_its_own_number_by_its_size(levels):
    """100 samples of noise: the baseline within four standard errors, the noise within a third."""
    clean = charging(levels)
    current = np.where(clean[0] != -70.0, np.array(levels)[:, None], 0.0)
    rigged = {
        BASELINE: Nuisances(offset_mv=5.0),
        JUMP: Nuisances(series_resistance_mohm=20.0),
        NOISE: Nuisances(noise_sd_mv=0.5),
    }
    before = measured(clean)
    change = {
        which: measured(rig.applied_to(clean, dt_ms=0.1, current_pa=current, seed=1)) - before
        for which, rig in rigged.items()
    }
    assert change[BASELINE] == pytest.approx([5.0, 0, 0, 0, 0], abs=1e-6)
    drop_mv = 20e-3 * np.median(np.abs(levels))
    assert change[JUMP] == pytest.approx([0, 0, drop_mv, 0, 0], abs=0.02 * drop_mv)
    assert change[NOISE][NOISE] == pytest.approx(0.5, rel=1 / 3)
    assert abs(change[NOISE][BASELINE]) < 4 * 0.5 / 10


def test_charging_rate_is_current_over_capacitance_whatever_the_sign():
    """R / tau is 1 / C: within 15 %, since the line is straight and the membrane is not."""
    for levels in ((200.0,), (-200.0,), (-200.0, 200.0)):
        rate = measured(charging(levels, tau_ms=15.0))[CHARGING]
        assert rate == pytest.approx(0.1 * 200 / 15.0, rel=0.15)
        assert measured(charging(levels, tau_ms=19.5))[CHARGING] / rate == pytest.approx(1 / 1.3, rel=0.05)


def test_bandwidth_is_that_of_the_noise_and_not_its_size():
    """White noise has the root mean square frequency sqrt(10 / 3) / (2 pi dt) in its second differences: 2.9 kHz."""
    flat = np.full((200, 1200), -70.0)
    found = {
        (sd, corner): np.median(
            rig_features(
                Nuisances(noise_sd_mv=sd, corner_khz=corner).applied_to(flat, dt_ms=0.1), dt_ms=0.1, step_ms=STEP_MS
            )[:, BANDWIDTH]
        )
        for sd in (0.05, 0.5)
        for corner in (None, 2.0, 1.0, 0.5)
    }
    assert found[0.05, None] == pytest.approx(np.sqrt(10 / 3) / (2 * np.pi * 0.1), rel=0.02)
    for corner in (None, 2.0, 1.0, 0.5):
        assert found[0.05, corner] == pytest.approx(found[0.5, corner], rel=0.05)
    assert found[0.5, None] > found[0.5, 2.0] > found[0.5, 1.0] > found[0.5, 0.5]


def test_spikes_at_rest_and_soon_after_the_onset_are_no_artefact():
    """Two spikes in the baseline, and one 2 ms after the onset in one sweep of three."""
    cell = Nuisances(noise_sd_mv=0.1).applied_to(charging((-100.0, 100.0, 200.0)), dt_ms=0.1)
    firing = cell.copy()
    firing[..., 20:25] += 80
    firing[..., 60:65] += 80
    firing[0, 2, 115:125] += 80
    usual, found = measured(cell), measured(firing)
    assert found[[NOISE, BANDWIDTH]] == pytest.approx(usual[[NOISE, BANDWIDTH]], rel=0.3)
    assert found[[JUMP, CHARGING]] == pytest.approx(usual[[JUMP, CHARGING]], abs=0.3)


def test_a_voltage_without_any_noise_has_numbers():
    assert np.isfinite(measured(np.full((1, 1200), -70.0))).all()
    assert measured(np.full((1, 1200), -70.0)) == pytest.approx([-70, 0, 0, 0, 0])


@pytest.fixture(scope="module")
def reference():
    rng = np.random.default_rng(0)
    return toy.simulate(toy.prior(300, rng), rng)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ARTEFACTS)
def test_an_artefact_is_among_the_first_three_named(kind, reference):
    """Of 20 cells that the model made: not fewer than the 1 % quantile if 95 % of all are."""
    observed = ARTEFACTS[kind].observed(20, np.random.default_rng(1), {})
    for space, named in first_three(observed, reference).items():
        right = sum(bool(ARTEFACTS[kind].right & set(names)) for names in named)
        assert right >= binom.ppf(0.01, 20, 0.95), (space, named)


@pytest.mark.parametrize("kind", ["noise 0.5 mV", "series resistance 10 MOhm"])
def test_an_artefact_is_said_first_with_what_it_is_consistent_with(kind, reference):
    cell = ARTEFACTS[kind].observed(1, np.random.default_rng(2), {})
    (right,) = ARTEFACTS[kind].right
    result = check.raw(cell[0], reference, dt_ms=toy.KEEP_MS, step_ms=STEP_MS)
    assert result.effects[0].name == right
    said = next(sentence for sentence in result.sentences if sentence.lower().startswith(right))
    assert said.endswith(f": consistent with {CONSISTENT_WITH[right, True]}.")


def test_the_rig_and_the_statistics_stand_in_one_ranking(reference):
    """Spikes that are too high come before a rig that is as simulated; an offset comes before spikes that are usual."""
    simulated = features(reference)
    observed = features(reference[:1])
    observed[0][0, list(toy.STATISTICS).index("first peak")] += 50
    rank = {}
    for offset in (0.0, 10.0):
        result = check.raw(
            reference[0] + offset,
            reference[1:],
            dt_ms=toy.KEEP_MS,
            step_ms=STEP_MS,
            summary=arguments(observed, (simulated[0][1:], simulated[1][1:]), len(toy.NAMES)),
        )
        assert len([effect for effect in result.effects if effect.kind == "value"]) == len(toy.NAMES) + 5
        rank[offset] = [effect.name for effect in result.effects]
    assert rank[0.0][0] == "first peak"
    assert set(rank[10.0][:2]) == {"baseline", "first peak"}


def test_no_filter_is_looked_for_in_thinned_voltage():
    v = traces(np.random.default_rng(0), 301, samples=300)[:, 0]
    for dt_ms, number in ((0.1, 5), (0.5, 4)):
        result = check.raw(v[300], v[:300], dt_ms=dt_ms, step_ms=(50 * dt_ms, 250 * dt_ms))
        assert {effect.name for effect in result.effects} == set(NAMES[:number])


def test_an_offset_that_was_subtracted_is_said_to_be():
    v = traces(np.random.default_rng(0), 301)[:, 0]
    result = check.raw(v[300] + 20, v[:300], subtract_baseline=True, **RAW)
    said = [sentence for sentence in result.sentences if sentence.startswith("Baseline ")]
    assert len(said) == 1
    assert said[0].endswith("It was subtracted and does not count in p.")


def test_every_number_has_words_on_both_sides():
    assert set(CONSISTENT_WITH) == {(name, high) for name in RIG_FEATURES for high in (False, True)}


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: rig_features(np.zeros(1200), dt_ms=0.1, step_ms=STEP_MS), "one cell a row"),
        (lambda: rig_features(np.full((2, 1200), np.nan), dt_ms=0.1, step_ms=STEP_MS), "row 0, sample 0"),
        (lambda: rig_features(np.zeros((2, 1200)), dt_ms=0.1, step_ms=(0, 100)), "no baseline"),
        (lambda: rig_features(np.zeros((2, 1200)), dt_ms=0.1, step_ms=(10, 200)), "does not lie inside"),
        (lambda: rig_features(np.zeros((2, 1200)), dt_ms=-1, step_ms=STEP_MS), "sampling interval"),
    ],
)
def test_misuse_says_what_to_do(call, message):
    with pytest.raises(CheckError, match=message):
        call()
