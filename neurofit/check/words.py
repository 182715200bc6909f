"""A check in words: numbers in the units of the recording, and "consistent with" instead of "caused by"."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from neurofit.check.artefacts import CONSISTENT_WITH
from neurofit.check.inputs import Table
from neurofit.check.joint import Joint
from neurofit.check.ranking import usual_one_by_one
from neurofit.check.result import Effect, Stretch
from neurofit.scores import QuantileScores

NAMED, STRETCHES = 5, 3


def verdict(p: float, level: float, n: int, observations: int, label: str, dependent: bool = False) -> str:
    """The first sentence."""
    design = "taken as sweeps of one cell" if dependent else "one per cell"
    who = "The observation is" if observations == 1 else f"The {observations} observations, {design}, are together"
    like = "consistent with" if p > level else "unlike"
    return f"{who} {like} the simulations ({label}): p = {number(p)}, n = {n:,}."


def advice(p: float, level: float, p_each: Mapping[str, Sequence[float]]) -> str:
    """The last sentence: what to do. ``p_each``: of several independent observations."""
    if p > level:
        return "A pass means that these statistics do not tell them apart, not that the model is right."
    if usual_one_by_one(p_each, level):
        return (
            "One by one they lie among the simulations; together they keep to one side, as cells of one corner of the "
            "prior do, or of one deviation that is too small to be seen in a single cell. It is the spread of the "
            "prior that is unlike theirs before it is the model of a cell."
        )
    return (
        "Do not trust intervals from this model for it as they stand. Look first at what is named above: "
        "it is consistent with an artefact of the recording (offset, noise, series resistance, filter) as well as "
        "with a prior too narrow or a current the model lacks."
    )


def effects(
    found: Iterable[Effect], level: float, n: int, observations: int, subtracted: bool = False
) -> tuple[str, ...]:
    """The statistics that are strange at the level, the strangest first, at most five.

    What looks like the rig's doing is said with everything else that it is consistent with.
    """
    strange = [effect for effect in found if effect.adjusted_p_value <= level]
    sentences = []
    for effect in strange[:NAMED]:
        sentence = effect_sentence(effect, n, observations)
        if also := CONSISTENT_WITH.get((effect.name, effect.score > 0)):
            sentence = f"{sentence[:-1]}: consistent with {also}."
        if subtracted and effect.name == "baseline":
            sentence += " It was subtracted and does not count in p."
        sentences.append(sentence)
    if len(strange) > NAMED:
        more = len(strange) - NAMED
        sentences.append(f"{more} more statistic{'s are' if more > 1 else ' is'} as strange.")
    return tuple(sentences)


def effect_sentence(effect: Effect, n: int, observations: int) -> str:
    """``Resting potential -67.1 mV lies above >99.9 % of simulations (99 % range -70.6 to -69.9).``"""
    if effect.kind == "defined":
        return _definedness(effect, n, observations)
    name = capital(effect.name)
    if effect.observed is None or effect.percentile is None or effect.quantiles is None:
        return f"{name} is undefined in the observation."
    low, high = effect.quantiles[0], effect.quantiles[-1]
    value, lower, upper = together_rounded(effect.observed, low, high)
    unit = f" {effect.unit}" if effect.unit else ""
    if observations > 1:
        return (
            f"{name} runs {'high' if effect.score > 0 else 'low'}: median of the {observations} observations "
            f"{value}{unit}, of simulations {effect.quantiles[3]:.4g} (99 % range {lower} to {upper})."
        )
    side, beyond = ("above", effect.percentile) if effect.percentile >= 50 else ("below", 100 - effect.percentile)
    return (
        f"{name} {value}{unit} lies {side} {percent(beyond, round(n * effect.defined_share))} of simulations "
        f"(99 % range {lower} to {upper})."
    )


def _definedness(effect: Effect, n: int, observations: int) -> str:
    """``First width, first peak and 4 more are undefined, and defined in 97.2 % of simulations.``"""
    names = effect.name.split(", ")
    name = capital(effect.name if len(names) <= 3 else f"{', '.join(names[:2])} and {len(names) - 2} more")
    are = "are" if len(names) > 1 else "is"
    share = f"{percent(100 * effect.defined_share, n)} of simulations."
    if observations > 1:
        seen = percent(100 * (effect.observed or 0.0), observations)
        return f"{name} {are} defined in {seen} of the observations, and in {share}"
    if effect.observed:
        return f"{name} {are} defined, and only in {share}"
    return f"{name} {are} undefined, and defined in {share}"


def stretches(found: Sequence[Stretch], subtracted: bool, sweeps: Sequence[str], observations: int) -> tuple[str, ...]:
    """``Sweep 2, 312 to 340 ms: -20.1 mV lies above the simulations there (99 % range -70.2 to -45.0).``

    ``sweeps`` are their names, in the order of the rows.
    """
    sentences = []
    for stretch in found[:STRETCHES]:
        value, low, high = together_rounded(stretch.voltage_mv, stretch.low_mv, stretch.high_mv)
        place = f"{stretch.start_ms:.4g} to {stretch.stop_ms:.4g} ms"
        if len(sweeps) > 1:
            place = f"{sweeps[stretch.sweep]}, {place}"
        if observations > 1:
            place = f"observation {stretch.observation}, {place}"
        side = "above" if stretch.score > 0 else "below"
        relative = " from the baseline" if subtracted else ""
        sentences.append(
            f"{capital(place)}: {value} mV{relative} lies {side} the simulations there (99 % range {low} to {high})."
        )
    if len(found) > STRETCHES:
        more = len(found) - STRETCHES
        sentences.append(f"{more} more stretch{'es lie' if more > 1 else ' lies'} outside.")
    return tuple(sentences)


def together(table: Table, found: Sequence[Effect], p: float, level: float) -> tuple[str, ...]:
    """If only the combination is strange, say so, and which statistic does not go with the others."""
    if p > level or any(effect.adjusted_p_value <= level for effect in found):
        return ()
    sentence = "Each statistic is plausible alone, but not together"
    reference, observed = table.columns[: table.n], table.columns[table.n :]
    values = [j for j, label in enumerate(table.labels) if label.kind == "value" and not np.isnan(observed[:, j]).any()]
    if len(observed) > 1 or not values or len(table.labels) < 2:
        return (f"{sentence}.",)
    scores = QuantileScores(reference)
    z = scores(observed)
    expected, sd = (side[0] for side in Joint(scores(reference)).given_the_others(z))
    j = max(values, key=lambda j: abs(z[0, j] - expected[j]) / sd[j])
    low, high = (scores.value(j, expected[j] + sign * 2.576 * sd[j]) for sign in (-1, 1))
    feature = table.labels[j].features[0]
    value, lower, upper = together_rounded(float(observed[0, j]), low, high)
    unit = f" {table.units[feature]}" if table.units[feature] else ""
    return (
        f"{sentence}: with the other statistics as they are, simulations have a {table.names[feature]} of "
        f"about {lower} to {upper}{unit}, the observation {value}{unit}.",
    )


def individuals(p_each: Mapping[str, Sequence[float]], level: float) -> tuple[str, ...]:
    """Which of several observations are strange alone, allowing for their number."""
    p = p_each.get("all", ())
    odd = [i for i, x in enumerate(p) if x <= level / len(p)]
    if not odd:
        return ()
    listed = ", ".join(f"{i} (p = {number(p[i])})" for i in odd[:NAMED])
    more = f" and {len(odd) - NAMED} more" if len(odd) > NAMED else ""
    return (f"Strange on its own, counted from 0: observation {listed}{more}.",)


def percent(share: float, n: int) -> str:
    """``97.2 %``, and no more than n can tell: ``>99.9 %``."""
    resolution = max(100 / n, 0.05)
    if share > 100 - resolution:
        return f">{math.floor((100 - resolution) * 10) / 10:g} %"
    if share < resolution:
        return f"<{math.ceil(resolution * 10) / 10:g} %"
    return f"{min(share, 99.9):.1f} %" if not 1 < share < 99 else f"{share:.3g} %"


def capital(text: str) -> str:
    """The first letter large, the others as they are."""
    return text[:1].upper() + text[1:]


def number(x: float) -> str:
    """Two digits."""
    return f"{x:.2g}"


def together_rounded(value: float, low: float, high: float) -> tuple[str, str, str]:
    """A value and a range with as many decimals as the range needs, and as many as tell the value from its
    ends."""
    width = abs(high - low)
    largest = max(abs(value), abs(low), abs(high))
    if largest != 0 and not 1e-3 <= largest < 1e6:
        return f"{value:.4g}", f"{low:.4g}", f"{high:.4g}"
    decimals = min(6, max(0, math.ceil(0.7 - math.log10(width)))) if width > 0 else 0
    while decimals < 9 and any(round(value, decimals) == round(end, decimals) and value != end for end in (low, high)):
        decimals += 1
    if all(float(x).is_integer() for x in (value, low, high)):
        decimals = 0
    return tuple(f"{x:.{decimals}f}" for x in (value, low, high))  # type: ignore[return-value]
