"""Which numbers the settings of a method may be; looked at before anything is computed or written.

One table a class of settings: a new setting gets a line here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any, Literal, get_args

from neurofit.errors import BadInput

Name = Literal["tsnpe", "npe", "npe-c", "nle", "nre"]
Estimator = Literal["maf", "nsf", "mdn"]
# The largest seed that every generator takes, with room for the numbers that are made of it.
LARGEST_SEED = 2**53
# Of simulations around the cell: fewer say nothing of a posterior's width.
FEWEST_CASES = 150


@dataclass(frozen=True)
class Limit:
    """What a setting may be, in words and as a test."""

    words: str
    holds: Callable[[Any], bool]


def whole(least: int, most: int | None = None) -> Limit:
    """A whole number."""
    words = f"a whole number, {least} or more" if most is None else f"a whole number from {least} to {most}"
    return Limit(words, lambda x: _is(x, Integral) and least <= x and (most is None or x <= most))


def number(words: str, holds: Callable[[float], bool]) -> Limit:
    """A finite number for which ``holds`` is true."""
    return Limit(f"a number {words}", lambda x: _is(x, Real) and math.isfinite(x) and holds(x))


def one_of(*names: str) -> Limit:
    """One of some names."""
    return Limit(" or ".join(names), lambda x: isinstance(x, str) and x in names)


METHOD = {
    "name": one_of(*get_args(Name)),
    "rounds": whole(1),
    # fewer are not enough for the checks, nor to train on and to hold some out
    "simulations": whole(100),
    "members": whole(1),
    "truncation": number("from 0 to below 1", lambda x: 0 <= x < 1),
    "margin": number("of nats, 0 or more", lambda x: x >= 0),
    "nearest": whole(1),
    "cases": whole(FEWEST_CASES),
}
SCHEDULE = {
    "density": one_of(*get_args(Estimator)),
    "hidden": whole(1),
    "transforms": whole(1),
    "epochs": whole(1),
    "batches": whole(1),
    "peak_rate": number("above 0", lambda x: x > 0),
    "warm_up": number("between 0 and 1", lambda x: 0 < x < 1),
    "weight_decay": number("of 0 or more", lambda x: x >= 0),
    "validation": number("above 0, at most 0.5", lambda x: 0 < x <= 0.5),
    "patience": number("above 0, at most 1", lambda x: 0 < x <= 1),
}
SEED = whole(0, LARGEST_SEED)
DRAWS = whole(0)


def require(limits: Mapping[str, Limit], values: object) -> None:
    """Are the attributes of ``values`` what a table says?

    Raises
    ------
    BadInput
        For the first one that is not, with its name.
    """
    for name, limit in limits.items():
        require_one(name, getattr(values, name), limit, type(values).__name__)


def require_one(name: str, value: Any, limit: Limit, where: str | None = None) -> None:
    """Is one value what it may be?

    Raises
    ------
    BadInput
        If not.
    """
    if not limit.holds(value):
        raise BadInput(f"{name} = {value!r} cannot be used", where=where, expected=limit.words)


def require_type(name: str, value: Any, kind: type, where: str | None = None) -> None:
    """Is a value of a class of neurofit's?

    Raises
    ------
    BadInput
        If not.
    """
    if not isinstance(value, kind):
        raise BadInput(f"{name} is no {kind.__name__}", where=where, found=repr(value))


def _is(value: Any, kind: type) -> bool:
    # True and False count as numbers in Python
    return isinstance(value, kind) and not isinstance(value, bool)
