"""From checks to one word, by a rule that anybody can follow.

The word is about the model as a whole; the reasons say what it can and cannot be used for.

* **supported**: the cell lies among the last round's simulations up to the stated tolerances (p > .05), the model fires
  like the cell, and no feature is missed or in conflict.
* **doubtful**: features are missed or in conflict on one side of the cell only (passive, firing or spike shape), or
  only the rig is missed (noise, electrode), or the cell lies outside the simulations without a feature that says why.
  What the model says about the other sides can be used.
* **rejected**: features on two sides or more are missed or in conflict, or the model does not fire like the cell: what
  is right on one side was bought on another, and the parameters mean little.
* **rejected, before training**: the prior predictive does not come near a feature of the cell
  (:mod:`neurofit.check.reach`); the fit stopped there, unless it was told to go on. Then the rule above decides.

*Fires like the cell*: some simulations are alike in their firing, and half of the posterior's draws have every fitted
spike count within one or at most a tenth of the fitted firing features is missed.

*Missed*: the recorded value lies more than two standard deviations, of tolerance and prediction together, from the
median prediction. *In conflict*: the simulations that are most like the cell on one side (its firing) have another
value of the feature, by more than a tolerance. Both are sizes, not p-values: a simulator is quieter than a rig, and
with enough simulations every difference would be significant.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from neurofit.check.conflict import CALLED, SIDES, Conflicts
from neurofit.check.nearness import Nearness
from neurofit.check.predictive import Miss
from neurofit.check.reach import Reach
from neurofit.check.result import CheckResult

Word = Literal["supported", "doubtful", "rejected"]
LEVEL = 0.05
# The model fires like the cell with this share of hits, or with no more than this share of firing features missed.
ENOUGH_HITS, FEW_MISSED = 0.5, 0.1
# How many missed features a sentence lists.
_LISTED = 4


@dataclass(frozen=True)
class Verdict:
    """Can the model explain the cell?

    Attributes
    ----------
    word
        ``"supported"``, ``"doubtful"`` or ``"rejected"``.
    reasons
        Sentences, the weightiest first.
    sides
        ``{side: what is wrong on it}``, empty text where nothing is.
    """

    word: Word
    reasons: tuple[str, ...]
    sides: dict[str, str]

    def __str__(self) -> str:
        return "\n".join([self.word.upper(), *(f"  - {reason}" for reason in self.reasons)])

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @staticmethod
    def from_dict(values: dict[str, Any]) -> Verdict:
        return Verdict(values["word"], tuple(values["reasons"]), dict(values["sides"]))


def decide(
    prior: CheckResult,
    near: Nearness,
    reach: Reach,
    fitted: CheckResult,
    misses: Sequence[Miss],
    conflicts: Conflicts,
    hits: float,
    unseen: str = "",
) -> Verdict:
    """Apply the rule.

    Parameters
    ----------
    prior
        Summary check against the prior predictive.
    near, reach
        How near the prior comes to the cell, and what of it lies out of its reach.
    fitted
        Summary check against the last round's simulations, tolerances included.
    misses
        Every fitted summary, recorded and predicted.
    conflicts
        With the cell's firing.
    hits
        Share of posterior draws with every fitted spike count within one spike.
    unseen
        What these checks would not have seen, in words: it stands beside a pass.
    """
    missed = [m for m in misses if m.missed]
    wrong: dict[str, dict[str, tuple[str, float]]] = {side: {} for side in SIDES}
    for miss in missed:
        if miss.aspect in SIDES:
            wrong[miss.aspect].setdefault(miss.name, (miss.label, abs(miss.distance)))
    by_name = {m.name: m for m in misses}
    for conflict in conflicts.found:
        if conflict.name in by_name:
            size = abs(conflict.tolerances)
            wrong[by_name[conflict.name].aspect].setdefault(conflict.name, (conflict.feature, size))
    bad = [side for side in SIDES if wrong[side]]
    # a stray interval or two out of dozens is no failure to fire like the cell
    firing = [m for m in misses if m.aspect == "firing"]
    few = sum(m.missed for m in firing) <= FEW_MISSED * len(firing)
    fires = not firing or (conflicts.alike > 0 and (hits >= ENOUGH_HITS or few))
    fails = fitted.p_value <= LEVEL
    if len(bad) >= 2 or not fires:
        word: Word = "rejected"
    elif missed or bad or fails:
        word = "doubtful"
    else:
        word = "supported"

    reasons = []
    if not fires:
        off = sum(m.missed for m in firing)
        but = f", but {off} of {len(firing)} features of its firing are missed" if hits >= ENOUGH_HITS else ""
        reasons.append(
            f"The model does not fire like the cell: {100 * hits:.0f} % of posterior draws have every fitted spike "
            f"count within one{but}."
        )
    if conflicts.found or (firing and conflicts.alike == 0):
        reasons.append(conflicts.sentence())
    if missed:
        worst = sorted(missed, key=lambda m: -abs(m.distance))
        listed = " ".join(_sentence(m) for m in worst[:_LISTED])
        more = f" And {len(worst) - _LISTED} more." if len(worst) > _LISTED else ""
        reasons.append(f"Missed by the fit (sd: tolerance and prediction together): {listed}{more}")
    where = "still lies outside" if fails else "lies among"
    reasons.append(
        f"Up to the stated tolerances the cell {where} the last round's simulations (p = {fitted.p_value:.2g})."
        + (f" {_first_effect(fitted)}" if fails else "")
    )
    if reach.hopeless:
        told = " ".join(reach.sentences())
        reasons.append(f"Before training, hardly any simulation came near the cell, and the fit went on. {told}")
    elif prior.p_value <= LEVEL:
        reasons.append(
            f"Before training, the cell lay outside what this model and prior make (p = {prior.p_value:.2g}). "
            + _first_effect(prior)
        )
    if not near.reached:
        reasons.append(" ".join(near.sentences()[:-1]))
    good = [
        side
        for side in SIDES
        if not wrong[side] and any(m.aspect == side for m in misses) and (fires or side != "firing")
    ]
    if good:
        reasons.append(f"Explained: {' and '.join(f'its {CALLED[side]}' for side in good)}.")
    if word == "supported" and unseen:
        reasons.append(unseen)
    return Verdict(
        word,
        tuple(reasons),
        {side: _named(of) for side, of in wrong.items()},
    )


def before_training(reach: Reach, prior: CheckResult, near: Nearness) -> Verdict:
    """The verdict of a fit that stopped because the cell is out of the prior's reach."""
    reasons = [
        "This model and prior cannot make this cell. Hardly any simulation comes near what is named here, the farthest "
        "first.",
        *reach.sentences(),
        f"Up to the stated tolerances the cell lies outside what this model and prior make (p = {prior.p_value:.2g}).",
    ]
    if not near.reached:
        reasons.append(" ".join(near.sentences()[:-1]))
    return Verdict("rejected", tuple(reasons), reach.sides())


def _first_effect(result: CheckResult) -> str:
    """The size that a small p stands with: the first sentence after the one that gives p."""
    return result.sentences[min(1, len(result.sentences) - 1)]


def _named(wrong: Mapping[str, tuple[str, float]]) -> str:
    """Features ``{column: (label, size)}`` in words, the worst first, those of several sweeps once."""
    groups: dict[str, list[str]] = {}
    for name, (label, _) in sorted(wrong.items(), key=lambda item: -item[1][1]):
        feature = label.rpartition(" at ")[0] if "@" in name else label
        groups.setdefault(feature, []).append(label)
    return ", ".join(
        labels[0] if len(labels) == 1 else f"{feature} in {len(labels)} sweeps" for feature, labels in groups.items()
    )


def _sentence(miss: Miss) -> str:
    text = miss.sentence()
    return text[0].upper() + text[1:]
