"""Tolerances that come from the recording."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import chi2, kstest

import neurofit as nf
from neurofit.errors import BadInput
from neurofit.features import FEATURES, SUMMARIES, FeatureTable, recorded_features
from neurofit.infer import Summaries
from neurofit.infer.tolerance import (
    CATALOGUE,
    DEFAULT_COUNTS,
    GIVEN,
    ON_REST,
    UNDER_CURRENT,
    Tolerance,
    repeated,
    tolerances_from,
)
from neurofit.recording import Recording, Source
from neurofit.stages import chosen_inputs, declared_summaries
from tests.recording.synthetic import Cell

OF_SWEEPS = ("rest", "spike_count", "latency", "interspike_voltage", "threshold")
OF_CELL = ("resting_potential", "electrode_resistance")


def steps(levels_pa, prepulse_pa=None, slow_ms=0.25):
    """Sweeps of current steps on nothing; too slow for the electrode to be seen."""
    current = np.zeros((len(levels_pa), 400))
    current[:, 200:300] = np.array(levels_pa)[:, None]
    if prepulse_pa is not None:
        current[:, 100:200] = np.array(prepulse_pa)[:, None]
    source = Source("made up", "", "made up", "protocol")
    return Recording(np.zeros_like(current), current, slow_ms, tuple(range(len(current))), 0.0, (), source)


def table(recording, **features):
    """Features of single sweeps, ``[sweep]`` each; the rest of the cell's is still, and everything else undefined."""
    names, values = [], []
    for name in OF_SWEEPS:
        for sweep in range(recording.n_sweeps):
            names.append(f"{name}@{sweep}")
            values.append(features[name][sweep] if name in features else -65.0 if name == "rest" else np.nan)
    row = np.array([[*values, -65.0, np.nan]])
    return FeatureTable(row, np.isfinite(row), (*names, *OF_CELL), dict.fromkeys(range(recording.n_sweeps), 0.0))


def found(recording, observed, features=OF_SWEEPS + OF_CELL, records_current=True):
    return tolerances_from(recording, observed, features, records_current=records_current)


def of_cell(cell, model="lif", sweeps="all", given=None, features=SUMMARIES):
    """The summaries that a fit of a synthetic cell would declare."""
    _, _, cut, loaded = chosen_inputs(cell.record(), nf.load_model(model), sweeps, 1)
    return declared_summaries(loaded, cut.fitted, recorded_features(cut.fitted), features, given)


# repeats


@pytest.mark.parametrize("name", ["spike_count", "latency"])
def test_the_spread_between_repeats_is_found_over_random_recordings(name):
    """Less what the catalogue's counts for, the variance is that of the repeats: chi-squared about the true one."""
    rng = np.random.default_rng(0)
    feature, shares = FEATURES[name], []
    for _ in range(300):
        levels = rng.integers(2, 8)
        times = rng.integers(4, 9)
        recording = steps(np.repeat(25.0 * np.arange(levels), times))
        spread = feature.tolerance * rng.uniform(4, 8)
        values = np.repeat(rng.normal(3, 2, levels), times) + spread * rng.standard_normal(levels * times)
        values = np.exp(values) if feature.scale == "log" else values
        variance = found(recording, table(recording, **{name: values}))[name].value ** 2
        freedom = levels * (times - 1)
        squares = variance * (DEFAULT_COUNTS + freedom) - DEFAULT_COUNTS * feature.tolerance**2
        shares.append(chi2(freedom).cdf(squares / spread**2))
    assert kstest(shares, "uniform").pvalue > 0.01


def test_many_repeats_give_their_own_spread():
    rng = np.random.default_rng(1)
    recording = steps(np.tile(25.0 * np.arange(10), 30))
    values = np.tile(rng.uniform(0, 20, 10), 30) + 2.0 * rng.standard_normal(300)
    measured = found(recording, table(recording, spike_count=values))["spike_count"]
    assert measured.value == pytest.approx(2.0, rel=4 / np.sqrt(2 * 290))
    assert measured.source == "repeats: 300 sweeps at 10 levels"


def test_repeats_that_agree_do_not_narrow_a_tolerance():
    recording = steps([0.0, 100.0] * 20)
    assert found(recording, table(recording, spike_count=[0.0, 5.0] * 20)) == {}


def test_a_single_pair_widens_less_than_it_lies_apart():
    recording = steps([0.0, 100.0, 100.0])
    assert found(recording, table(recording, spike_count=[0.0, 5.0, 5.0])) == {}
    wide = found(recording, table(recording, spike_count=[0.0, 3.0, 7.0]))["spike_count"].value
    assert FEATURES["spike_count"].tolerance < wide < 4 / np.sqrt(2)
    assert wide == pytest.approx(np.sqrt((2 * 0.35**2 + 8) / 3))


def test_repeats_as_wide_as_the_catalogue_says_hardly_widen():
    """A spread of the catalogue's own size, from one pair or several, is taken for what it is but for chance."""
    rng = np.random.default_rng(2)
    for times in (2, 12):
        at_most = np.sqrt((2 + chi2(times - 1).ppf(0.999)) / (2 + times - 1))  # 2.1 and 1.6
        recording = steps([0.0] + [100.0] * times)
        factors = []
        for _ in range(500):
            values = np.append(-50.0, -50.0 + FEATURES["threshold"].tolerance * rng.standard_normal(times))
            measured = found(recording, table(recording, threshold=values))
            factors.append(measured["threshold"].value / 3.0 if measured else 1.0)
        assert np.quantile(factors, 0.99) < at_most


def test_a_feature_that_some_repeats_lack_is_measured_on_the_others():
    rng = np.random.default_rng(3)
    levels = np.repeat([0.0, 50.0, 100.0], 6)
    latency = np.exp(rng.normal(4, 1, 18))
    latency[:6] = np.nan  # a level without spikes
    latency[[6, 7, 8, 9, 10]] = np.nan  # one of its repeats fires: no spread
    latency[13] = np.nan
    recording, fewer = steps(levels), np.isfinite(latency) & (np.arange(18) > 11)
    some = steps(np.append(levels[fewer], 0.0))
    expected = found(some, table(some, latency=np.append(latency[fewer], np.nan)))["latency"].value
    assert found(recording, table(recording, latency=latency))["latency"].value == pytest.approx(expected)
    assert "latency" not in found(recording, table(recording, latency=np.full(18, np.nan)))


def test_without_repeats_the_catalogue_holds():
    rng = np.random.default_rng(4)
    recording = steps(25.0 * np.arange(12))
    assert found(recording, table(recording, spike_count=rng.uniform(0, 30, 12))) == {}
    assert found(steps([100.0]), table(steps([100.0]), spike_count=[3.0])) == {}


def test_repeats_are_sweeps_of_the_same_current_all_along():
    assert repeated(steps([0, 100, 0, 100, 200])) == [[0, 2], [1, 3]]
    assert repeated(steps([0, 100.4, 200, 100])) == [[1, 3]]  # what a converter rounds differently
    assert repeated(steps([0, 104, 200, 100])) == []
    assert repeated(steps([100, 100, 100], prepulse_pa=[0, -50, 0])) == [[0, 2]]
    assert repeated(steps([100.0, 100.0])) == [[0, 1]]


# drift and electrode


def test_a_drift_of_the_rest_widens_what_stands_on_it_and_nothing_else():
    for planted, spread in ((Cell(drift_mv=18.0), 18.0 / np.sqrt(12)), (Cell(jump_mv=9.0), 9.0 / 2)):
        declared = of_cell(planted)
        assert set(declared.sources) == set(ON_REST) & set(SUMMARIES)
        assert declared.tolerance_of("resting_potential") == pytest.approx(spread, rel=0.25)  # of nine sweeps only
        assert declared.source_of("resting_potential").startswith("drift of the rest: -65")
        assert declared.source_of("sag") == CATALOGUE
    assert of_cell(Cell(drift_mv=4.0)).sources == {}  # a spread of 1.4 mV is within the catalogue's 2


def test_an_electrode_that_changes_widens_its_own_tolerance():
    declared = of_cell(Cell(electrode_mohm=10.0, electrode_drift_mohm=14.0))
    assert set(declared.sources) == {"electrode_resistance"}
    assert declared.tolerance_of("electrode_resistance") == pytest.approx(14 / np.sqrt(12), rel=0.2)
    assert of_cell(Cell(electrode_mohm=10.0)).sources == {}


def test_an_unbalanced_bridge_counts_only_where_the_template_has_no_electrode():
    cell = Cell(electrode_mohm=25.0)
    assert of_cell(cell, "hh_pospischil").sources == {}
    declared = of_cell(cell, "hh_tutorial", features=(*SUMMARIES, "peak_deflection", "threshold"))
    assert set(declared.sources) <= {"electrode_resistance", *UNDER_CURRENT}
    assert declared.tolerance_of("electrode_resistance") == pytest.approx(25, rel=0.1)
    firing = np.array([level for level in cell.levels_pa if level > cell.rheobase_pa])
    expected = 0.025 * np.sqrt((firing**2).mean())
    for name in ("interspike_voltage", "mean_threshold", "mean_trough"):
        assert declared.tolerance_of(name) == pytest.approx(expected, rel=0.1)
        assert declared.source_of(name).startswith("bridge: 2")
    for name in ("input_resistance", "sag", "mean_spike_height", "resting_potential"):
        assert declared.source_of(name) == CATALOGUE


def test_of_two_findings_the_larger_one_counts():
    rng = np.random.default_rng(5)
    recording = steps([0.0, 100.0] * 20)
    drifting = -65 + np.linspace(0, 30, 40)
    rest = found(recording, table(recording, rest=drifting))["rest"]
    assert rest.value == pytest.approx(drifting.std(ddof=1))
    assert rest.source.startswith("drift of the rest: -65.0 to -35.0 mV over 40 sweeps")
    scattered = -65 + np.array([0.0, 1.0] * 20) + rng.normal(0, 5, 40)
    both = found(recording, table(recording, rest=scattered, interspike_voltage=scattered))
    assert both["interspike_voltage"].source.startswith("repeats")
    assert both["rest"].value >= both["interspike_voltage"].value


@pytest.mark.parametrize(
    ("name", "protocol", "widened"),
    [
        ("171116sh_0018.abf", None, {}),
        ("2019_07_24_0055_fsi.abf", None, {"resting_potential": 5.5, "steady_state_voltage": 5.5}),
        ("SSCx_C060109A3", "IDrest", {"spike_count": 1.67, "last_isi": 0.27}),
        ("SSCx_C060109A3", "IV", {}),
    ],
)
def test_real_cells(recordings_dir, name, protocol, widened):
    """One is steady, one wanders at rest, one was given every level twice."""
    recording = nf.load_recording(recordings_dir / name, protocol=protocol)
    _, _, cut, model = chosen_inputs(recording, nf.load_model("hh_pospischil"), "even", 1)
    declared = declared_summaries(model, cut.fitted, recorded_features(cut.fitted), SUMMARIES, None)
    # the fast-spiking cell's electrode drifts by just more than the catalogue allows
    assert set(declared.sources) - {"electrode_resistance"} == set(widened)
    for feature, tolerance in widened.items():
        assert declared.tolerance_of(feature) == pytest.approx(tolerance, rel=0.02)


# what is fitted decides


@pytest.mark.parametrize("model", ["lif", "hh_tutorial"])
def test_held_out_sweeps_change_nothing(model):
    levels = (-100.0, -50.0, -50.0, 0.0, 100.0, 150.0, 100.0, 150.0, 200.0)
    recording = Cell(levels_pa=levels, drift_mv=10.0, electrode_mohm=8.0).record()
    rng = np.random.default_rng(6)
    spoilt = recording.voltage_mv.copy()
    spoilt[1::2] = rng.normal(-40, 20, spoilt[1::2].shape)
    declared = []
    for voltage in (recording.voltage_mv, spoilt):
        changed = replace(recording, voltage_mv=voltage)
        _, _, cut, loaded = chosen_inputs(changed, nf.load_model(model), "even", 1)
        declared.append(declared_summaries(loaded, cut.fitted, recorded_features(cut.fitted), SUMMARIES, None))
    assert declared[0].sources
    assert declared[0].to_dict() == declared[1].to_dict()


# whose it is


def test_the_users_tolerance_wins():
    drifting = Cell(drift_mv=18.0)
    declared = of_cell(drifting, given={"resting_potential": 2.0, "latency": 0.3})
    assert declared.tolerance_of("resting_potential") == 2.0
    assert declared.source_of("resting_potential") == declared.source_of("latency") == GIVEN
    assert declared.source_of("steady_state_voltage").startswith("drift")
    assert declared.source_of("spike_count") == CATALOGUE
    with pytest.raises(BadInput, match="tolerance rheobase"):
        of_cell(drifting, given={"rheobase": 1.0})


def test_sources_are_said_with_sizes_and_kept():
    observed = recorded_features(Cell().record())
    measured = {"latency": Tolerance(0.31, "repeats: x"), "spike_count": Tolerance(1.2, "repeats: x")}
    declared = Summaries.of(
        observed, ("spike_count", "latency", "resting_potential"), {"resting_potential": 3}, measured
    )
    assert declared.sources_said() == (
        "spike count 1.2, latency to the first spike 31 % (repeats: x)",
        "resting potential 3 mV (given by the user)",
    )
    assert Summaries.from_dict(declared.to_dict()).sources == declared.sources
    kept = declared.names, declared.tolerance.tolist()
    assert Summaries.declared(observed, *kept, declared.sources).sources == declared.sources
    # a run from before sources were kept: only the user could change a tolerance
    assert set(Summaries.declared(observed, *kept).sources.values()) == {GIVEN}


def test_a_feature_that_is_not_fitted_is_not_told():
    declared = of_cell(Cell(drift_mv=18.0), features=("spike_count", "resting_potential"))
    assert set(declared.sources) == {"resting_potential"}
