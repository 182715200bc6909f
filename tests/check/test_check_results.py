"""What the user meets: words, results as values, errors that say what to do."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache

import numpy as np
import pytest
from check_cases import RAW, spiking, traces

from neurofit import check
from neurofit.check.words import percent, together_rounded
from neurofit.errors import CheckError

NAMES, UNITS = ["resting potential", "spike count"], ["mV", ""]


@pytest.fixture(scope="module")
def reference():
    rng = np.random.default_rng(0)
    return np.column_stack([rng.normal(-70.3, 0.13, 1000), rng.poisson(5, 1000)])


def test_words_for_what_lies_outside(reference):
    result = check.summary([-67.1, 5], reference, names=NAMES, units=UNITS, label="prior predictive")
    assert result.sentences[0] == "The observation is unlike the simulations (prior predictive): p = 0.001, n = 1,000."
    assert result.sentences[1] == (
        "Resting potential -67.1 mV lies above >99.9 % of simulations (99 % range -70.7 to -70.0)."
    )
    assert "consistent with" in result.sentences[-1]
    assert "caused by" not in str(result)
    assert str(result).startswith("Check in summary space against prior predictive: p = 0.001 (joint 0.001")


def test_words_for_what_lies_inside(reference):
    result = check.summary([-70.2, 6], reference, names=NAMES, units=UNITS)
    assert result.passed()
    assert "is consistent with the simulations (reference simulations): p = " in result.sentences[0]
    assert "not that the model is right" in result.sentences[-1]
    assert not result.warnings


def test_words_for_undefined_statistics():
    values, defined = spiking(np.random.default_rng(0), 2000)
    fires = values[:, 1] > 0
    silent = np.flatnonzero(~fires)[0]
    result = check.summary(
        values[silent],
        values[fires],
        observed_defined=defined[silent],
        reference_defined=defined[fires],
        names=["rest", "count", "width", "height", "interval"],
    )
    assert "Width, height are undefined, and defined in >99.9 % of simulations." in result.sentences
    by_name = {effect.name: effect for effect in result.effects}
    assert by_name["width"].observed is None
    assert by_name["width, height"].observed == 0.0


def test_a_statistic_no_simulation_defines():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((300, 2))
    defined = np.ones((300, 2), dtype=bool)
    defined[:, 1] = False
    names = ["rest", "sag"]
    result = check.summary([0.0, 1.0], x, reference_defined=defined, names=names)
    assert result.p_value == pytest.approx(1 / 301)
    assert result.effects[0].name == "sag"
    assert "Sag is defined, and only in <0.4 % of simulations." in result.sentences
    absent = check.summary([0.0, 1.0], x, observed_defined=[True, False], reference_defined=defined, names=names)
    assert absent.passed()
    assert any("sag: the same in every simulation" in warning for warning in absent.warnings)


def test_constant_statistics():
    x = np.random.default_rng(0).standard_normal((300, 3))
    x[:, 1] = 7.0
    same = check.summary([0.0, 7.0, 0.0], x)
    assert same.passed()
    assert any("feature 1: the same" in warning for warning in same.warnings)
    other = check.summary([0.0, 8.0, 0.0], x)
    assert other.p_value == pytest.approx(1 / 301)
    assert other.effects[0].name == "feature 1"
    assert other.sentences[1] == "Feature 1 8 lies above >99.6 % of simulations (99 % range 7 to 7)."


def test_copies_are_used_once_and_said():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((400, 3))
    result = check.summary(x[0], np.concatenate([x[1:], x[1:101]]))
    assert result.n_reference == 399
    assert "100 of 499 reference rows are exact copies" in result.warnings[0]
    counts = check.summary([3.0], rng.poisson(3, (400, 1)))
    assert counts.n_reference == 400
    assert not counts.warnings
    v = traces(rng, 201)[:, 0]
    assert check.raw(v[0], np.concatenate([v[1:], v[1:11]]), **RAW).n_reference == 200


def test_over_dispersed_references_are_told_from_observations_outside():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((1000, 12))
    central = check.summary(np.zeros(12), x, label="prior predictive")
    assert central.passed()
    assert any(w.startswith("over-dispersed") and "prior predictive" in w for w in central.warnings)
    assert not any("over-dispersed" in w for w in check.summary(5 * np.ones(12), x).warnings)
    wide = check.summary(x[0], x[1:], tolerances=np.full(12, 0.01))
    assert any("in 12 of 12 statistics" in warning for warning in wide.warnings)
    assert not check.summary(x[0], x[1:], tolerances=np.full(12, 0.1)).warnings


def test_the_odd_one_of_several_is_named():
    x = np.random.default_rng(0).standard_normal((504, 4))
    x[502] = 9.0
    result = check.summary(x[500:], x[:500])
    assert result.n_observations == 4
    assert any("observation 2 (p = 0.002)" in sentence for sentence in result.sentences)


def test_levels_that_cannot_be_reached():
    x = np.random.default_rng(0).standard_normal((301, 2))
    result = check.summary(x[0], x[1:], level=0.001)
    assert any("level 0.001 needs 999 simulations" in warning for warning in result.warnings)
    with pytest.raises(CheckError, match="at least 999 reference simulations"):
        result.passed(0.001)
    with pytest.raises(CheckError, match="between 0 and 1"):
        result.passed(5)
    assert any("only 100 simulations" in w for w in check.summary(x[0], x[1:101]).warnings)


@cache
def several_results():
    values, defined = spiking(np.random.default_rng(0), 303)
    masks = {"observed_defined": defined[300:], "reference_defined": defined[:300]}
    v = traces(np.random.default_rng(0), 202, 2)
    odd = v[200].copy()
    odd[1, 100:120] += 30
    return [
        check.summary(values[300:], values[:300], **masks),
        check.summary([0.0, 1e9], np.random.default_rng(0).standard_normal((300, 2))),
        check.raw(odd, v[:200], **RAW),
        check.raw(v[200:], v[:200], subtract_baseline=True, **RAW),
    ]


@pytest.mark.parametrize("index", range(4))
def test_results_survive_strict_json(index):
    result = several_results()[index]
    text = json.dumps(result.to_dict(), allow_nan=False)
    back = check.CheckResult.from_dict(json.loads(text))
    assert json.dumps(back.to_dict(), allow_nan=False) == text
    assert str(back) == str(result)
    assert back.passed() == result.passed()
    assert back.effects == result.effects


def test_other_dictionaries_are_refused():
    data = several_results()[1].to_dict()
    with pytest.raises(CheckError, match="schema 2"):
        check.CheckResult.from_dict({**data, "schema": 2})
    with pytest.raises(CheckError, match="p_value"):
        check.CheckResult.from_dict({k: v for k, v in data.items() if k != "p_value"})
    with pytest.raises(CheckError, match="missing or unknown"):
        check.CheckResult.from_dict({**data, "effects": [{"name": "x"}]})


X = np.random.default_rng(0).standard_normal((100, 3))
V = traces(np.random.default_rng(0), 60, 2)


def holed(x, value=np.nan):
    x = np.array(x)
    x[(1,) * x.ndim] = value
    return x


SUMMARY_MISUSE = {
    "NaN in the reference": (lambda: check.summary(X[0], holed(X)), "row 1.*reference_defined"),
    "inf in the observation": (lambda: check.summary([0, np.inf, 0], X), "observed holds inf for feature 1"),
    "NaN said to be defined": (
        lambda: check.summary(X[0], holed(X), reference_defined=np.ones(X.shape, dtype=bool)),
        "said to be defined",
    ),
    "other features": (lambda: check.summary(X[0, :2], X), "same features"),
    "no features": (lambda: check.summary([], np.empty((100, 0))), "same features"),
    "reference of one row": (lambda: check.summary(X[0], X[0]), "same features"),
    "few references": (lambda: check.summary(X[0], X[:20]), "at least 50"),
    "no reference": (lambda: check.summary(X[0], np.empty((0, 3))), "at least 50"),
    "no observation": (lambda: check.summary(np.empty((0, 3)), X), "no observation"),
    "many observations": (lambda: check.summary(X[:60], X), "at least 120 references"),
    "mask of another shape": (lambda: check.summary(X[0], X, observed_defined=[True]), "observed_defined"),
    "mask of numbers": (lambda: check.summary(X[0], X, observed_defined=[0.5, 1, 1]), "observed_defined"),
    "names missing": (lambda: check.summary(X[0], X, names=["a"]), "names do not match"),
    "names twice": (lambda: check.summary(X[0], X, names=["a", "b", "a"]), "share a name.*a"),
    "units missing": (lambda: check.summary(X[0], X, units=["mV"]), "units do not match"),
    "ragged": (lambda: check.summary(X[0], [[1, 2, 3], [1, 2]]), "not an array"),
    "text": (lambda: check.summary(["a", "b", "c"], X), "observed is not an array"),
    "level": (lambda: check.summary(X[0], X, level=5), "level"),
    "seed": (lambda: check.summary(X[0], X, seed=-1), "seed"),
    "tolerances": (lambda: check.summary(X[0], X, tolerances=[1, 2]), "tolerances"),
    "nothing varies": (lambda: check.summary(np.ones(3), np.ones((100, 3))), "nothing to compare"),
    "level of shifts": (lambda: check.detectable_shifts(X, level=0.001), "at least 3000"),
}

STEPS = np.where((np.arange(V.shape[2]) > 50) & (np.arange(V.shape[2]) < 250), 100.0, 0.0) * np.ones((V.shape[1], 1))

RAW_MISUSE = {
    "sweeps of a cell against one sweep": (lambda: check.raw(V[0], V[:, 0, :-1], **RAW), "one design"),
    "one sweep against sweeps": (lambda: check.raw(V[0, 0], V, **RAW), "one design"),
    "fewer sweeps": (lambda: check.raw(V[0, :1], V, **RAW), "one parameter draw a row"),
    "fewer samples": (lambda: check.raw(V[0, :, :-1], V, **RAW), "one design"),
    "time first": (lambda: check.raw(V[0, 0, :10], V[:, 0, :10], **RAW), "Time is the last axis"),
    "NaN": (lambda: check.raw(V[0], holed(V), **RAW), "row 1, sweep 1, sample 1"),
    "NaN in the observation": (lambda: check.raw(holed(V[0]), V, **RAW), "observed holds nan"),
    "few references": (lambda: check.raw(V[0], V[:20], **RAW), "at least 50"),
    "dt": (lambda: check.raw(V[0], V, dt_ms=0), "sampling interval"),
    "step outside": (lambda: check.raw(V[0], V, dt_ms=0.1, step_ms=(5, 99)), "step does not lie"),
    "step backwards": (lambda: check.raw(V[0], V, dt_ms=0.1, step_ms=(25, 5)), "step does not lie"),
    "no baseline": (lambda: check.raw(V[0], V, dt_ms=0.1, subtract_baseline=True), "no baseline"),
    "text": (lambda: check.raw("trace", V, **RAW), "no numbers"),
    "ragged": (lambda: check.raw([[1.0], [1.0, 2.0]], V, **RAW), "equal length"),
    "another sampling": (lambda: check.raw(V[0], V, observed_dt_ms=0.05, **RAW), "not sampled alike"),
    "another stimulus": (
        lambda: check.raw(V[0], V, current_pa=STEPS, observed_current_pa=1.3 * STEPS, **RAW),
        "got different currents",
    ),
    "one current of two": (lambda: check.raw(V[0], V, current_pa=STEPS, **RAW), "do not suit the voltage"),
    "a current of other sweeps": (
        lambda: check.raw(V[0], V, current_pa=STEPS, observed_current_pa=STEPS[:1], **RAW),
        "do not suit the voltage",
    ),
    "statistics of other rows": (
        lambda: check.raw(V[0], V, summary={"observed": X[0], "reference": X}, **RAW),
        "not of the same rows",
    ),
    "statistics misnamed": (lambda: check.raw(V[0], V, summary={"values": X}, **RAW), "unknown: values"),
}


@pytest.mark.parametrize("misuse", [*SUMMARY_MISUSE, *RAW_MISUSE])
def test_misuse_says_what_to_do(misuse):
    call, message = {**SUMMARY_MISUSE, **RAW_MISUSE}[misuse]
    with pytest.raises(CheckError, match=message) as caught:
        call()
    assert caught.value.where is not None
    assert caught.value.expected or caught.value.found or caught.value.advice


@pytest.mark.parametrize(
    ("value", "low", "high", "said"),
    [
        (-67.1, -70.6, -69.9, ("-67.1", "-70.6", "-69.9")),
        (-69.94, -70.6, -69.91, ("-69.94", "-70.60", "-69.91")),
        (7.0, 5.0, 6.0, ("7", "5", "6")),
        (3.2e-12, 1e-12, 2e-12, ("3.2e-12", "1e-12", "2e-12")),
        (120.4, 10.0, 90.0, ("120", "10", "90")),
    ],
)
def test_rounding(value, low, high, said):
    assert together_rounded(value, low, high) == said


@pytest.mark.parametrize(
    ("share", "n", "said"),
    [
        (100, 2000, ">99.9 %"),
        (99.95, 100000, "99.9 %"),
        (0, 500, "<0.2 %"),
        (97.25, 2000, "97.2 %"),
        (99.5, 2000, "99.5 %"),
    ],
)
def test_percent(share, n, said):
    assert percent(share, n) == said


def test_importing_the_checks_loads_nothing_heavy():
    code = (
        "import sys, neurofit.check; "
        "assert not {'torch', 'sbi', 'brian2', 'efel', 'pandas', 'matplotlib'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
