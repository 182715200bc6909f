"""The rule from checks to one word, case by case, as its docstring states it."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from neurofit.check.conflict import Conflict, Conflicts
from neurofit.check.nearness import Edge, Nearness
from neurofit.check.predictive import Miss
from neurofit.check.reach import OutOfReach, Reach
from neurofit.check.verdict import Verdict, before_training, decide

PASSIVE, FIRING, SHAPE, RIG = "passive", "firing", "spike shape", "rig"


def check(p_value):
    return SimpleNamespace(p_value=p_value, sentences=("a verdict.", "what differs."))


def miss(aspect, distance=0.0, name=None):
    label = name or f"a {aspect} feature"
    return Miss(label, label, "mV", aspect, -60.0, -66.0, -65.0, -64.0, 0.0, 2.0, distance)


def conflicts(*aspects, alike=200, of=5000):
    found = tuple(
        Conflict(f"a {a} feature", f"a {a} feature", "mV", "firing", -60.0, -57.0, -56.0, -55.0, 2.5) for a in aspects
    )
    return Conflicts("firing", alike, of, 0.5, found)


def features(*missed, firing=20, firing_missed=0):
    """One feature of each side and of the rig, missed where named, and twenty of the firing."""
    sides = [miss(side, 3.0 if side in missed else 0.5) for side in (PASSIVE, SHAPE, RIG)]
    return [*sides, *(miss(FIRING, 3.0 if j < firing_missed else 0.5, f"interval {j}") for j in range(firing))]


NOTHING = conflicts()
NEAR = Nearness(0.4, 3.0, (1.0, 3.0, 7.0), 2000, ())
IN_REACH = Reach(5000, 0.5, ())
CASES = {
    # name: (p of the fit, features, conflicts, hits) -> word
    "all is well": (0.5, features(), NOTHING, 0.9, "supported"),
    "all is well by features, few draws hit every count": (0.5, features(), NOTHING, 0.0, "supported"),
    "p just above the level": (0.051, features(), NOTHING, 0.9, "supported"),
    "outside, no feature says why": (0.05, features(), NOTHING, 0.9, "doubtful"),
    "a passive miss": (0.5, features(PASSIVE), NOTHING, 0.9, "doubtful"),
    "a spike-shape miss": (0.5, features(SHAPE), NOTHING, 0.9, "doubtful"),
    "a passive miss, and outside": (0.01, features(PASSIVE), NOTHING, 0.9, "doubtful"),
    "a passive conflict": (0.5, features(), conflicts(PASSIVE), 0.9, "doubtful"),
    "the same feature missed and in conflict": (0.5, features(PASSIVE), conflicts(PASSIVE), 0.9, "doubtful"),
    "the rig alone": (0.5, features(RIG), NOTHING, 0.9, "doubtful"),
    "the rig and one side": (0.5, features(RIG, PASSIVE), NOTHING, 0.9, "doubtful"),
    "two sides missed": (0.5, features(PASSIVE, SHAPE), NOTHING, 0.9, "rejected"),
    "one side missed, another in conflict": (0.5, features(PASSIVE), conflicts(SHAPE), 0.9, "rejected"),
    "two sides in conflict": (0.5, features(), conflicts(PASSIVE, SHAPE), 0.9, "rejected"),
    "a stray interval": (0.5, features(firing_missed=2), NOTHING, 0.0, "doubtful"),
    "a stray interval and a passive miss": (0.5, features(PASSIVE, firing_missed=1), NOTHING, 0.9, "rejected"),
    "many intervals, but the counts hit": (0.5, features(firing_missed=10), NOTHING, 0.5, "doubtful"),
    "many intervals and the counts": (0.5, features(firing_missed=3), NOTHING, 0.49, "rejected"),
    "nobody fires like it": (0.5, features(), conflicts(alike=0), 0.9, "rejected"),
    "no firing was fitted": (0.5, features(firing=0), conflicts(alike=0, of=0), 0.0, "supported"),
    "no firing was fitted, a miss": (0.5, features(PASSIVE, firing=0), conflicts(alike=0, of=0), 0.0, "doubtful"),
}


@pytest.mark.parametrize("case", CASES)
def test_the_word_follows_the_rule(case):
    p_value, misses, conflict, hits, word = CASES[case]
    assert decide(check(0.5), NEAR, IN_REACH, check(p_value), misses, conflict, hits).word == word


@pytest.mark.parametrize("case", CASES)
def test_a_verdict_says_why(case):
    p_value, misses, conflict, hits, word = CASES[case]
    verdict = decide(check(0.5), NEAR, IN_REACH, check(p_value), misses, conflict, hits)
    text = str(verdict)
    assert text.startswith(word.upper())
    assert ("lies outside" in text) == (p_value <= 0.05)
    for one in misses:
        if one.missed and sum(m.missed for m in misses) <= 4:
            assert one.label in text.lower()
    fired = [m for m in misses if m.aspect == FIRING]
    assert ("does not fire like the cell" in text) == (
        bool(fired) and (conflict.alike == 0 or (hits < 0.5 and sum(m.missed for m in fired) > 0.1 * len(fired)))
    )
    explained = next((reason for reason in verdict.reasons if reason.startswith("Explained")), "")
    assert not ("does not fire" in text and "firing" in explained)
    assert Verdict.from_dict(verdict.to_dict()) == verdict


def test_the_sides_name_what_is_wrong_worst_first():
    misses = [miss(PASSIVE, 2.5, "rest"), miss(PASSIVE, -6.0, "resistance"), miss(SHAPE, 0.1), miss(RIG, 9.0, "noise")]
    verdict = decide(check(0.5), NEAR, IN_REACH, check(0.5), misses, NOTHING, 0.9)
    assert verdict.sides == {PASSIVE: "resistance, rest", FIRING: "", SHAPE: ""}


def test_a_feature_of_several_sweeps_is_named_once():
    def of_sweep(sweep, distance):
        label = f"noise at rest at +{sweep}0 pA (sweep {sweep})"
        return Miss(f"rest_sd@{sweep}", label, "mV", PASSIVE, 1.0, 2.0, 3.0, 4.0, 0.0, 1.0, distance)

    verdict = decide(
        check(0.5), NEAR, IN_REACH, check(0.5), [of_sweep(1, 3.0), miss(PASSIVE, 5.0, "rest")], NOTHING, 0.9
    )
    assert verdict.sides[PASSIVE] == "rest, noise at rest at +10 pA (sweep 1)"
    verdict = decide(check(0.5), NEAR, IN_REACH, check(0.5), [of_sweep(1, 3.0), of_sweep(2, -6.0)], NOTHING, 0.9)
    assert verdict.sides[PASSIVE] == "noise at rest in 2 sweeps"


def test_the_prior_is_told_but_does_not_decide():
    verdict = decide(check(0.01), NEAR, IN_REACH, check(0.5), features(), NOTHING, 0.9)
    assert verdict.word == "supported"
    assert any("Before training, the cell lay outside" in reason for reason in verdict.reasons)


def test_a_prior_that_does_not_reach_the_cell_is_told_but_does_not_decide():
    far = Nearness(0.03, 8.0, (1.0, 3.0, 7.0), 2000, (Edge("spike_count@4", "spike count", 0.99, True),))
    verdict = decide(check(0.5), far, IN_REACH, check(0.5), features(), NOTHING, 0.9)
    assert verdict.word == "supported"
    assert "does not cover this cell" in str(verdict)
    assert "spike count, above 99 % of simulations" in str(verdict)
    assert "cover" not in str(decide(check(0.5), NEAR, IN_REACH, check(0.5), features(), NOTHING, 0.9))


def test_many_misses_are_counted_not_listed():
    misses = [miss(PASSIVE, 3.0 + j, f"feature {j}") for j in range(7)]
    verdict = decide(check(0.5), NEAR, IN_REACH, check(0.5), misses, NOTHING, 0.9)
    told = next(reason for reason in verdict.reasons if reason.startswith("Missed"))
    assert "Feature 6" in told
    assert "Feature 0" not in told
    assert "And 3 more." in told


def test_what_no_prediction_has_is_told():
    lacking = Miss("width", "spike width", "ms", SHAPE, 1.3, None, None, None, 1.0, 0.2, 99.0)
    assert "undefined in 100 % of predictions" in str(
        decide(check(0.5), NEAR, IN_REACH, check(0.5), [lacking], NOTHING, 0.9)
    )


FAR = Reach(
    5000,
    0.004,
    (
        OutOfReach("width", "spike half-width", "ms", SHAPE, 1.1, 0, 2.3, 3.7, 2.2, 6.0, 5000),
        OutOfReach("rest_sd@2", "noise at rest at +20 pA", "mV", RIG, 1.0, 0, 0.1, 5.0, 0.01, 0.1, 5000),
    ),
)


def test_a_fit_that_stopped_is_rejected_with_sizes():
    verdict = before_training(FAR, check(0.004), NEAR)
    assert verdict.word == "rejected"
    assert verdict.sides == {PASSIVE: "", FIRING: "", SHAPE: "spike half-width"}
    text = str(verdict)
    assert "Spike half-width 1.1 ms: no simulation of 5,000 comes nearer than 2.3 ms (3.7 tolerances" in text
    assert "p = 0.004" in text
    assert Verdict.from_dict(verdict.to_dict()) == verdict


def test_what_was_out_of_reach_is_told_by_a_fit_that_went_on_and_does_not_decide():
    verdict = decide(check(0.004), NEAR, FAR, check(0.5), features(), NOTHING, 0.9)
    assert verdict.word == "supported"
    assert "the fit went on. Spike half-width 1.1 ms: no simulation" in str(verdict)


def test_a_small_p_stands_with_a_size():
    verdict = decide(check(0.5), NEAR, IN_REACH, check(0.05), features(), NOTHING, 0.9)
    assert "still lies outside the last round's simulations (p = 0.05). what differs." in str(verdict)


def test_what_would_not_have_been_seen_stands_beside_a_pass_alone():
    unseen = "This check would have passed all the same."
    for missed, told in (((), True), ((PASSIVE,), False)):
        verdict = decide(check(0.5), NEAR, IN_REACH, check(0.5), features(*missed), NOTHING, 0.9, unseen)
        assert (unseen in verdict.reasons) == told
