"""The rule that stops a fit before training: by sizes, named and ranked, and hardly ever for a cell of the prior."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from neurofit import check
from neurofit.check.reach import FARTHEST, WITHIN, Reach, reach

N = 4000
# name, label, unit, aspect, tolerance, log
FEATURES = [
    ("resting_potential", "resting potential", "mV", "passive", 2.0, False),
    ("input_resistance", "input resistance", "Mohm", "passive", 0.15, True),
    ("spike_count@0", "spike count at +50 pA", "1", "firing", 0.35, False),
    ("spike_count@2", "spike count at +100 pA", "1", "firing", 0.35, False),
    ("mean_half_width", "first-spike half-width", "ms", "spike shape", 0.2, True),
    ("resting_noise", "noise at rest", "mV", "rig", 0.4, True),
]
ABOUT = [dict(zip(("name", "label", "unit", "aspect"), row, strict=False)) for row in FEATURES]
TOLERANCE, LOG = np.array([row[4] for row in FEATURES]), np.array([row[5] for row in FEATURES])
USUAL = np.array([-65.0, 100.0, 4.0, 8.0, 1.0, 0.3])


def prior(n: int = N, seed: int = 0) -> np.ndarray:
    """Resting potentials, resistances with a long tail, counts with a longer one, widths where there are spikes."""
    rng = np.random.default_rng(seed)
    drive = rng.exponential(6.0, n) * (rng.random(n) < 0.6)
    width = np.where(drive > 0.5, np.exp(rng.normal(0.0, 0.3, n)), np.nan)
    return np.column_stack(
        [
            rng.normal(-65, 8, n),
            np.exp(rng.normal(4.5, 0.6, n)),
            np.round(drive),
            np.round(2 * drive),
            width,
            np.exp(rng.normal(-1.5, 0.5, n)),
        ]
    )


def found(cell: np.ndarray, simulated: np.ndarray | None = None, p_value: float = 0.01) -> Reach:
    return reach(cell, prior() if simulated is None else simulated, TOLERANCE, LOG, ABOUT, p_value)


def cell(**changed: float) -> np.ndarray:
    values = USUAL.copy()
    for name, value in changed.items():
        values[[row[0].replace("@", "_") for row in FEATURES].index(name)] = value
    return values


def test_a_usual_cell_is_within_reach_whatever_p() -> None:
    for p in (0.5, 0.01):
        assert found(USUAL, p_value=p).out == ()
        assert not found(USUAL, p_value=p).hopeless


def test_what_no_simulation_comes_near_is_named_with_its_size() -> None:
    wide = found(cell(mean_half_width=9.0))
    (width,) = wide.out
    assert wide.hopeless
    values = prior()[:, 4]
    nearest = np.nanmax(values)
    assert (width.nearest, width.near, width.have) == (nearest, 0, np.isfinite(values).sum())
    assert width.tolerances == pytest.approx(np.log(9.0 / nearest) / 0.2)
    (sentence,) = wide.sentences()
    assert sentence.startswith("First-spike half-width 9 ms: no simulation of 4,000 comes nearer than ")
    assert f"({width.tolerances:.1f} tolerances; 99 % of those that have one" in sentence
    assert wide.sides() == {"passive": "", "firing": "", "spike shape": "first-spike half-width"}


def test_the_farthest_comes_first_and_sweeps_are_told_once() -> None:
    far = found(cell(resting_potential=-20.0, spike_count_0=500.0, spike_count_2=900.0))
    assert [feature.name for feature in far.out] == ["spike_count@2", "spike_count@0", "resting_potential"]
    first, second = far.sentences()
    assert first.startswith("Spike count at +100 pA 900: no simulation")
    assert first.endswith("The same in 1 more sweep.")
    assert second.startswith("Resting potential -20 mV")
    assert far.sides() == {"passive": "resting potential", "firing": "spike count", "spike shape": ""}


def test_three_tolerances_decide_and_one_simulation_in_two_thousand() -> None:
    simulated = prior()
    simulated[:, 0] = -65.0
    edge = WITHIN * TOLERANCE[0]
    assert found(cell(resting_potential=-65 + edge - 0.01), simulated).out == ()
    assert found(cell(resting_potential=-65 + edge + 0.01), simulated).hopeless
    for near, hopeless in ((0, True), (1, True), (2, False)):  # of 4,000
        simulated[:near, 0] = -40.0
        assert found(cell(resting_potential=-40.0), simulated).hopeless == hopeless
        if near == 1:
            (sentence,) = found(cell(resting_potential=-40.0), simulated).sentences()
            assert "only 1 of 4,000 simulations come within 3 tolerances" in sentence


def test_a_size_without_a_small_p_stops_nothing_and_neither_does_the_rig() -> None:
    assert not found(cell(mean_half_width=9.0), p_value=0.051).hopeless
    noisy = found(cell(resting_noise=50.0))
    assert [feature.name for feature in noisy.out] == ["resting_noise"]
    assert not noisy.hopeless


def test_what_only_the_cell_has_or_only_it_lacks() -> None:
    silent = prior()
    silent[:, 2:4], silent[:, 4] = 0, np.nan
    has = found(USUAL, silent)
    assert has.hopeless
    width = next(feature for feature in has.out if feature.name == "mean_half_width")
    assert (width.nearest, width.have, width.tolerances) == (None, 0, FARTHEST)
    assert has.sentences()[-1] == "The cell has, and hardly any simulation does: first-spike half-width."
    always = prior()
    always[:, 4] = 1.0
    lacks = found(cell(mean_half_width=np.nan), always)
    assert lacks.hopeless
    assert lacks.sentences() == ("The cell lacks, and nearly every simulation has: first-spike half-width.",)
    assert found(cell(mean_half_width=np.nan)).out == ()  # a third of the prior never fires


def test_it_comes_back_from_its_dictionary() -> None:
    far = found(cell(resting_potential=-20.0, mean_half_width=9.0))
    assert Reach.from_dict(far.to_dict()) == far


@pytest.mark.slow
def test_a_cell_of_the_prior_is_hardly_ever_stopped_and_a_hopeless_one_always() -> None:
    """300 cells drawn from the prior, tolerances added; and some with a half-width that the prior does not have."""
    rng = np.random.default_rng(3)
    simulated = prior(1000)
    defined = np.isfinite(simulated)

    def noisy(rows: np.ndarray) -> np.ndarray:
        noise = rng.standard_normal(rows.shape) * TOLERANCE
        return np.where(LOG, rows * np.exp(noise), rows + noise)

    reference = np.nan_to_num(noisy(simulated))

    def stops(row: np.ndarray) -> bool:
        if not found(row, simulated).hopeless:  # then no p would stop it
            return False
        has, values = np.isfinite(row), np.nan_to_num(row)
        p = check.summary(values, reference, observed_defined=has, reference_defined=defined, seed=1).p_value
        return found(row, simulated, p).hopeless

    cells = noisy(prior(300, seed=4))
    stopped = sum(map(stops, cells))
    assert stats.binomtest(stopped, len(cells), 0.02, alternative="greater").pvalue > 1e-3
    wide = cells[np.isfinite(cells[:, 4])][:15].copy()
    wide[:, 4] = 12.0
    assert all(map(stops, wide))
