"""Laws of the extraction: rows are independent, what is undefined is masked, nothing warns."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from neurofit.errors import BadInput, StimulusError
from neurofit.features import ALWAYS_DEFINED, FeatureTable, as_table, extract_features
from neurofit.features.catalogue import PER_CELL, PER_SWEEP, columns_for
from neurofit.recording import Stimulus
from tests.features.cells import firing, membrane, steps

LEVELS = [-100.0, -50.0, 0.0, 100.0, 200.0]


@pytest.fixture(scope="module")
def stimulus():
    return steps(LEVELS, 0.1)


@pytest.fixture(scope="module")
def cells(stimulus):
    """``[row, sweep, time]``: twelve cells, silent to busy, with noise; one fires under hyperpolarisation."""
    rng = np.random.default_rng(0)
    rows = []
    for row in range(12):
        clean = membrane(
            stimulus, rest_mv=-65 - row, resistance_mohm=50 + 5 * row, tau_ms=10 + row, electrode_mohm=row - 4.0
        )
        times = [
            [250.0] if row == 7 else [],
            [],
            [],
            *(sorted(rng.uniform(110, 590, n).tolist()) for n in (row // 2, row)),
        ]
        busy = firing(stimulus, times, plateau_mv=0, rest_mv=0)
        rows.append(np.minimum(clean, -45) + busy + 0.2 * rng.standard_normal(clean.shape))
    return np.stack(rows)


def test_columns_are_the_catalogues(stimulus, cells):
    table = extract_features(cells, stimulus, sweep_numbers=[3, 5, 7, 9, 11])
    assert table.names == tuple(columns_for((*PER_SWEEP, *PER_CELL), [3, 5, 7, 9, 11]))
    assert table.values.shape == table.defined.shape == (12, len(table.names))
    assert table.levels_pa == dict(zip([3, 5, 7, 9, 11], LEVELS, strict=True))
    np.testing.assert_array_equal(table.defined, np.isfinite(table.values))


def test_a_row_is_the_same_in_any_batch(stimulus, cells):
    whole = extract_features(cells, stimulus).values
    for row in range(len(cells)):
        np.testing.assert_array_equal(extract_features(cells[row], stimulus).values[0], whole[row])
    np.testing.assert_array_equal(extract_features(cells[::-1], stimulus).values, whole[::-1])
    np.testing.assert_array_equal(extract_features(cells[3:8], stimulus).values, whole[3:8])


def test_rows_that_cannot_be_used_are_undefined_and_touch_no_other(stimulus, cells):
    whole = extract_features(cells, stimulus)
    spoilt = cells.copy()
    spoilt[1, 2, 100] = np.nan
    spoilt[4, 0, 3000] = np.inf
    spoilt[6, :, :] = -np.inf
    valid = np.ones(12, dtype=bool)
    valid[9] = False
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        table = extract_features(spoilt, stimulus, valid=valid)
    bad = np.isin(np.arange(12), [1, 4, 6, 9])
    assert not table.defined[bad].any()
    assert np.isnan(table.values[bad]).all()
    np.testing.assert_array_equal(table.values[~bad], whole.values[~bad])


def test_no_usable_row_is_no_error(stimulus):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        nothing = extract_features(np.full((3, 5, stimulus.n_samples), np.nan), stimulus)
        empty = extract_features(np.zeros((0, 5, stimulus.n_samples)), stimulus)
    assert len(nothing) == 3
    assert not nothing.defined.any()
    assert len(empty) == 0


def test_nothing_warns_and_what_is_defined_is_finite(stimulus, cells):
    odd = np.stack([
        np.full(cells.shape[1:], -65.0),  # dead
        np.full(cells.shape[1:], 30.0),  # above the threshold throughout
        membrane(stimulus, resistance_mohm=-100),  # upside down
        membrane(stimulus) * 100,
    ])  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for voltage in (cells, odd, odd.astype(np.float32)):
            table = extract_features(voltage, stimulus)
            assert np.isfinite(table.values[table.defined]).all()
            assert np.isnan(table.values[~table.defined]).all()
            log = [table.feature(name).scale == "log" for name in table.names]
            assert (table.values[:, log][table.defined[:, log]] > 0).all()
            always = [name for name in table.names if name.partition("@")[0] in ALWAYS_DEFINED]
            assert table.select(always).defined.all()


def test_single_and_double_precision_agree(stimulus, cells):
    """A float32 of 65 mV is good to 4e-6; what is divided by a small change of voltage, to a thousandth."""
    double, single = (extract_features(cells.astype(kind), stimulus) for kind in (np.float64, np.float32))
    np.testing.assert_array_equal(double.defined, single.defined)
    for name in double.names:
        tolerance = double.feature(name).tolerance
        np.testing.assert_allclose(single.column(name), double.column(name), rtol=1e-3, atol=1e-2 * tolerance)


def test_integers_are_millivolts_too(stimulus):
    table = extract_features(np.full((5, stimulus.n_samples), -65), stimulus)
    assert table.column("resting_potential")[0] == -65


def test_a_silent_cell_has_no_firing_and_no_shape(stimulus):
    table = extract_features(membrane(stimulus, resistance_mohm=50), stimulus)
    for name in table.names:
        feature = table.feature(name)
        defined = table.select([name]).defined[0, 0]
        if feature.aspect == "spike shape" or name in ("rheobase", "fi_slope", "mean_trough"):
            assert not defined, name
        if feature.name in ("spike_count", "spontaneous_spikes"):
            assert table.column(name)[0] == 0


def test_rheobase_and_slope_of_a_known_cell(stimulus):
    voltage = firing(stimulus, [[], [], [], [200.0, 400.0], np.linspace(110, 590, 10).tolist()])
    table = extract_features(voltage, stimulus)
    assert table.column("rheobase")[0] == 100
    assert table.column("fi_slope")[0] == pytest.approx((20 - 4) / 100)  # Hz over pA


def test_bad_shapes_are_said(stimulus):
    with pytest.raises(StimulusError, match="do not match"):
        extract_features(np.zeros((4, stimulus.n_samples)), stimulus)
    with pytest.raises(StimulusError, match="do not match"):
        extract_features(np.zeros(stimulus.n_samples), stimulus)
    with pytest.raises(StimulusError, match="number of its own"):
        extract_features(np.zeros((5, stimulus.n_samples)), stimulus, sweep_numbers=[1, 2, 3])
    with pytest.raises(StimulusError, match="number of its own"):
        extract_features(np.zeros((5, stimulus.n_samples)), stimulus, sweep_numbers=[1, 2, 3, 4, 4])
    with pytest.raises(StimulusError, match="no current step"):
        extract_features(np.zeros((1, 1000)), Stimulus(np.zeros((1, 1000)), 0.1))


def test_features_of_another_version_are_refused(stimulus, cells):
    table = extract_features(cells, stimulus)
    np.testing.assert_array_equal(as_table(table.values, stimulus, range(5)).defined, table.defined)
    with pytest.raises(BadInput, match="not those of this version"):
        as_table(table.values[:, 1:], stimulus, range(5))


def test_a_table_keeps_its_laws(stimulus, cells):
    table = extract_features(cells, stimulus)
    some = table.select(["spike_count@3", "rheobase", "rest@0"])
    assert some.names == ("spike_count@3", "rheobase", "rest@0")
    assert some.units == ("1", "pA", "mV")
    assert some.labels == ("spike count at +100 pA", "rheobase", "resting potential at -100 pA")
    np.testing.assert_array_equal(some.column("rheobase"), table.column("rheobase"))
    for which in (slice(2, 5), np.arange(12) % 2 == 0, np.array([3, 1])):
        rows = table.rows(which)
        np.testing.assert_array_equal(rows.values, table.values[which])
        np.testing.assert_array_equal(rows.select(some.names).values, some.rows(which).values)
    parts = [table.rows(slice(0, 5)), table.rows(slice(5, 5)), table.rows(slice(5, 12))]
    again = type(table).concatenate(parts)
    np.testing.assert_array_equal(again.values, table.values)
    np.testing.assert_array_equal(again.defined, table.defined)
    frame = table.frame()
    assert list(frame.columns) == list(table.names)
    assert frame.attrs["units"]["rheobase"] == "pA"
    np.testing.assert_array_equal(frame.to_numpy(), table.values)
    with pytest.raises(KeyError):
        table.select(["no_such_feature"])
    with pytest.raises(BadInput, match="same columns"):
        type(table).concatenate([table, some])


def test_sweeps_of_the_same_level_are_told_apart_by_their_numbers():
    """A protocol that was run twice: checks name features by their labels."""
    table = FeatureTable(np.zeros((1, 3)), np.ones((1, 3), bool), ("spike_count@4", "spike_count@5", "spike_count@9"),
                         {4: 50.2, 5: 100.0, 9: 49.8})  # fmt: skip
    assert table.labels == (
        "spike count at +50 pA (sweep 4)",
        "spike count at +100 pA",
        "spike count at +50 pA (sweep 9)",
    )
