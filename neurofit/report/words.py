"""Numbers and units as they stand in the report's text and tables."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence

from neurofit.recording import Stimulus
from neurofit.recording.recording import ranges

# Units of templates and of the catalogue, as people write them.
_PRETTY = {
    "1": "",
    "Mohm": "MΩ",
    "Gohm": "GΩ",
    "kohm": "kΩ",
    "ohm": "Ω",
    "uF": "µF",
    "uS": "µS",
    "ms**0.5": "√ms",
    "second": "s",
    "second**0.5": "√s",
}
UNDEFINED = "undefined"


def stretch_of(stimulus: Stimulus, step: int) -> str:
    """``step 2``, or where the current is not made of steps ``the ramp`` or ``the waveform``."""
    return f"step {step}" if stimulus.kind == "steps" else f"the {stimulus.word}"


def levels_of(stimulus: Stimulus) -> str:
    """``-100 to +300 pA``: the levels of a test step; ``mean +60 to +120 pA`` where the current moves."""
    levels = stimulus.test_step.level_pa
    low, high = levels.min(), levels.max()
    span = f"{low:+.0f}" if round(low) == round(high) else f"{low:+.0f} to {high:+.0f}"
    return f"{'' if stimulus.kind == 'steps' else 'mean '}{span} pA"


def number(x: float | None, digits: int = 3) -> str:
    """``12.3``, ``1,230``, ``62.0``, ``5``, ``0.00012``; ``undefined`` where there is none.

    Zeros behind the point stay where they are measured digits, and go where the number is exact.

    Parameters
    ----------
    x
        A number; ``None`` or NaN where it is undefined.
    digits
        Significant digits; digits before the point are always kept.
    """
    if x is None or math.isnan(x):
        return UNDEFINED
    if math.isinf(x):
        return "∞" if x > 0 else "-∞"
    rounded = float(f"{x:.{digits}g}") + 0.0
    if rounded == 0:
        return "0"
    before = math.floor(math.log10(abs(rounded))) + 1
    if before >= digits:
        return f"{x:,.0f}"
    return f"{x:.{digits}g}" if before < -3 else _exact(f"{x:.{digits - before}f}", x)


def _exact(text: str, x: float) -> str:
    """The text without its last zeros if it says exactly ``x``."""
    if "." not in text or abs(float(text.replace(",", "")) - x) > 1e-9 * max(1.0, abs(x)):
        return text
    return text.rstrip("0").rstrip(".")


def signed(x: float | None, digits: int = 3) -> str:
    """With a plus sign where it is positive."""
    text = number(x, digits)
    return f"+{text}" if x is not None and x > 0 and text not in (UNDEFINED, "0") else text


def interval(low: float | None, high: float | None, digits: int = 3) -> str:
    """``1.2 to 3.4``, or ``undefined``."""
    if low is None or high is None or math.isnan(low) or math.isnan(high):
        return UNDEFINED
    # both ends to the digits of the larger: "0.00 to 1.03", not "1.39e-05 to 1.03"
    largest = max(abs(low), abs(high))
    decimals = max(0, digits - 1 - math.floor(math.log10(largest))) if largest > 0 else 0
    if largest < 1e-3:
        return f"{number(low, digits)} to {number(high, digits)}"
    return " to ".join(_exact(f"{round(x, decimals) + 0.0:,.{decimals}f}", x) for x in (low, high))


def percent(share: float, digits: int = 0) -> str:
    """``93 %`` of 0.93, with a space that does not break."""
    return f"{100 * share:.{digits}f}\u00a0%"


def p_value(p: float) -> str:
    """``0.06``, ``0.002``: two digits."""
    return f"{p:.2g}"


def unit(text: str) -> str:
    """A template's unit as people write it: ``mS/µF`` for ``mS/uF``, nothing for ``1``."""
    if text in _PRETTY:
        return _PRETTY[text]
    quotients = ["·".join(_PRETTY.get(factor, factor) for factor in _factors(quotient)) for quotient in text.split("/")]
    return "/".join(quotients)


def _factors(text: str) -> list[str]:
    """Factors of a product, powers kept whole: ``pA*ms**0.5`` is ``pA`` and ``ms**0.5``."""
    return [factor.replace("\0", "**") for factor in text.replace("**", "\0").split("*")]


def with_unit(name: str, its_unit: str) -> str:
    """An axis label: ``C (pF)``."""
    pretty = unit(its_unit)
    return f"{name} ({pretty})" if pretty else name


def listed(words: Sequence[str]) -> str:
    """``a, b and c``."""
    if len(words) <= 1:
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"


def sweep_numbers(numbers: Sequence[int]) -> str:
    """``0-3, 7`` for (0, 1, 2, 3, 7), and ``0, 2 … 16`` for every other one."""
    parts = []
    waiting = list(numbers)
    while waiting:
        stride, same = next(itertools.groupby(b - a for a, b in itertools.pairwise(waiting)), (0, ()))
        run = 1 + len(list(same))
        if run > 3 and stride != 1:
            parts.append(f"{waiting[0]}, {waiting[1]} … {waiting[run - 1]}")
        else:
            run = run if stride == 1 else 1
            parts.append(ranges(waiting[:run]))
        waiting = waiting[run:]
    return ", ".join(parts)


def plural(n: int, noun: str) -> str:
    """``1 sweep``, ``9 sweeps``, ``25,000 simulations``."""
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def ohms(sentence: str) -> str:
    """A sentence of another room with its resistances in the unit of the tables."""
    return sentence.replace("Mohm", "MΩ").replace("MOhm", "MΩ")


def reasons(counts: Mapping[str, int]) -> str:
    """``12: voltage became not a number; 3: ...``: invalid simulations, counted."""
    return "; ".join(f"{n:,}: {words}" for words, n in counts.items())
