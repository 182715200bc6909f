"""What a check would have seen: its power on altered simulations, and the words for it."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy import stats

from neurofit.check.seen import least_seen, raw_sees, summary_sees
from neurofit.check.sensitivity import Artefact, Sensitivity, Shift
from neurofit.errors import CheckError

N, ROWS = 900, 200


def cells(n: int, seed: int) -> np.ndarray:
    """Three statistics, two of them nearly the same."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, 2))
    return np.column_stack([x[:, 0], x[:, 0] + 0.1 * rng.standard_normal(n), x[:, 1]])


def test_unaltered_simulations_are_rejected_at_the_level() -> None:
    (share,) = summary_sees(cells(N, 0), [cells(ROWS, 1)])
    assert stats.binomtest(round(share * ROWS), ROWS, 0.05).pvalue > 1e-3


def test_a_shift_that_breaks_a_correlation_is_seen_before_one_that_does_not() -> None:
    rows = cells(ROWS, 1)
    bound, free = (
        summary_sees(cells(N, 0), [rows + size * side for size in (1.0, 4.0, 9.0)]) for side in np.eye(3)[1:]
    )
    assert bound[0] > 0.95
    assert free[0] < 0.4
    assert free[0] < free[1] < free[2]
    assert free[2] > 0.95


def test_undefined_statistics_are_told_by_their_flags() -> None:
    reference, rows = cells(N, 0), cells(ROWS, 1)
    defined = np.ones(reference.shape, dtype=bool)
    defined[:9, 2] = False  # one in a hundred
    lost = np.ones(rows.shape, dtype=bool)
    lost[:, 2] = False
    (share,) = summary_sees(reference, [rows], reference_defined=defined, altered_defined=[lost])
    assert share > 0.4  # against .05


def voltages(n: int, seed: int) -> np.ndarray:
    """Two sweeps of a resting potential that differs from cell to cell, with a step."""
    rng = np.random.default_rng(seed)
    step = np.zeros(400)
    step[100:300] = 1.0
    rest, size = rng.normal(-65, 2, (n, 1, 1)), rng.normal(10, 1, (n, 1, 1))
    return rest + np.stack([size, -size], axis=1)[:, :, 0] * step + 0.05 * rng.standard_normal((n, 2, 400))


def test_raw_voltage_with_noise_or_an_offset_is_seen_the_more_the_larger() -> None:
    rng = np.random.default_rng(2)
    rows = voltages(100, 1)
    noisy = (rows + sd * rng.standard_normal(rows.shape) for sd in (0.0, 0.5))
    offset = (rows + mv for mv in (2.0, 20.0))
    options = {"dt_ms": 0.5, "step_ms": (50.0, 150.0)}
    none, much = raw_sees(voltages(400, 0), noisy, **options)
    assert stats.binomtest(round(100 * none), 100, 0.05).pvalue > 1e-3
    assert much == 1.0
    little, far = raw_sees(voltages(400, 0), offset, **options)
    assert little < 0.5 < far


def test_the_least_size_lies_between_those_tried() -> None:
    assert least_seen((1.0, 2.0, 4.0), (0.1, 0.2, 0.7)) is None
    assert least_seen((1.0, 2.0, 4.0), (0.9, 1.0, 1.0)) == 1.0
    assert least_seen((2.0, 1.0, 0.5), (0.1, 0.6, 1.0)) == pytest.approx(1.0 * 0.5**0.5)  # a filter's corner
    assert least_seen((1.0, 4.0), (0.0, 1.0), target=0.5) == pytest.approx(2.0)


def test_misuse_is_said() -> None:
    with pytest.raises(CheckError, match="at least 60"):
        summary_sees(cells(55, 0), [cells(10, 1)])
    with pytest.raises(CheckError, match="not of one design"):
        raw_sees(voltages(100, 0), [voltages(10, 1)[:, :1]], dt_ms=0.5)


SAID = Sensitivity(
    0.05,
    0.8,
    1900,
    100,
    (
        Artefact("offset_mv", (2.0, 40.0), (0.1, 0.9), (0.0, 0.1), 26.0, None),
        Artefact("corner_khz", (4.0, 0.25), (0.1, 0.2), (0.1, 1.0), None, 0.4),
    ),
    (
        Shift("spike_count@0", "spike count at +0 pA", "", 1.0, 0.35),
        Shift("spike_count@2", "spike count at +50 pA", "", 2.4, 0.35),
        Shift("resting_potential", "resting potential", "mV", None, 2.0),
        Shift("input_resistance", "input resistance", "Mohm", 1510.2, 15.0),
    ),
)


def test_the_words_give_sizes_with_units() -> None:
    features, voltage, alone = SAID.sentences()
    assert (
        "in 80 % of 100 altered simulations: voltage offset from 26 mV; no low-pass filter down to 0.25 kHz."
        in features
    )
    assert voltage.endswith("no voltage offset up to 40 mV; low-pass filter from 0.4 kHz down.")
    assert "input resistance 1,510 Mohm; spike count at +50 pA 2.4." in alone
    assert "resting potential at no size tried" in alone
    assert "voltage offset below 26 mV; low-pass filter above 0.25 kHz; input resistance off by less" in SAID.unseen()
    few = Sensitivity(0.05, 0.8, 45, 0, (), ())
    assert few.sentences() == ("45 simulations are too few to say what these checks would see.",)
    assert few.unseen() == few.sentences()[0]


def test_it_comes_back_from_json() -> None:
    assert Sensitivity.from_dict(json.loads(json.dumps(SAID.to_dict(), allow_nan=False))) == SAID
