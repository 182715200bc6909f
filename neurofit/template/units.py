"""Units as text (``"mS/uF"``, ``"pA*ms**0.5"``) through Brian2's own parser; nothing is evaluated as Python."""

from __future__ import annotations

import ast
import difflib
import math
import re
from dataclasses import dataclass
from functools import cache

from brian2.parsing.expressions import parse_expression_dimensions
from brian2.units import allunits, stdunits
from brian2.units.fundamentalunits import Dimension, Quantity, get_dimensions, get_unit_for_display

# Every unit Brian2 knows by name: amp, mvolt, mV, nS, Mohm ...
UNITS: dict[str, Quantity] = {
    name: unit for module in (allunits, stdunits) for name, unit in vars(module).items() if isinstance(unit, Quantity)
}
_BASE_NAMES = ("meter", "kilogram", "second", "amp", "kelvin", "mole", "candela")
# What a physiologist may write, and how Brian2 writes it.
_MEANT = {"V": "volt", "A": "amp", "F": "farad", "S": "siemens", "s": "second", "sec": "second", "msec": "ms"}
_USUAL = ("mV", "pA", "nA", "uA", "pF", "nF", "uF", "nS", "uS", "mS", "Mohm", "ms", "Hz", "mM", "uM", "cm", "um")
_FULL = ("volt", "amp", "farad", "siemens", "ohm", "second", "hertz", "meter", "molar", "mvolt", "msecond", "psiemens")


@dataclass(frozen=True)
class Unit:
    """A unit by its text, its size in SI base units and its dimensions."""

    text: str
    scale: float
    dimensions: Dimension

    def __str__(self) -> str:
        return "" if self.text == "1" else self.text


class _Symbol:
    """What Brian2's dimension parser asks of a variable."""

    def __init__(self, dimensions: Dimension) -> None:
        self.dim = dimensions
        self.dimensions = dimensions


@cache
def parse_unit(text: str) -> Unit:
    """A unit from its text.

    Raises
    ------
    ValueError
        If the text is not a product of powers of units that Brian2 knows.
    """
    try:
        scale = _scale(ast.parse(text, mode="eval").body)
        if not (0 < scale < math.inf):
            raise ValueError("too large a power")
        dimensions = parse_expression_dimensions(text, {n: _Symbol(get_dimensions(u)) for n, u in UNITS.items()})
    except (SyntaxError, KeyError, ValueError, TypeError, ArithmeticError, RecursionError, MemoryError) as error:
        raise ValueError(f"{text!r} is not a unit") from error
    return Unit(text, scale, dimensions)


def meant_unit(text: str) -> str | None:
    """The unit that a text which is none was probably meant to be, or ``None``."""
    plain = text.strip().replace("µ", "u").replace("μ", "u").replace("Ω", "ohm").replace("Ω", "ohm").replace("^", "**")
    guess = re.sub(r"[A-Za-z]\w*", lambda name: _meant_name(name[0]), plain)
    try:
        return parse_unit(guess).text
    except ValueError:
        return None


def any_case_unit(name: str) -> list[str]:
    """The usual unit that differs from a name in upper and lower case only, if there is one."""
    return [unit for unit in (*_USUAL, *_FULL) if unit.lower() == name.lower()]


def _meant_name(name: str) -> str:
    if name in UNITS or name in _MEANT:
        return _MEANT.get(name, name)
    return (any_case_unit(name) or difflib.get_close_matches(name.lower(), _FULL, n=1, cutoff=0.75) or [name])[0]


def si_unit(dimensions: Dimension) -> str:
    """The SI unit as Brian2's equations accept it: ``volt``, or a product of base units where it has no name."""
    for name in ("volt", "amp", "second", "siemens", "farad", "ohm", "Hz"):
        if get_dimensions(UNITS[name]) == dimensions:
            return name
    powers = [(n, float(p)) for n, p in zip(_BASE_NAMES, dimensions._dims, strict=True) if p != 0]
    return "*".join(f"{n}**{p:g}" if p != 1 else n for n, p in powers) or "1"


def unit_words(dimensions: Dimension) -> str:
    """Dimensions as a reader knows them: ``V``, ``V/s``, ``no unit (1)``."""
    if dimensions.is_dimensionless:
        return "no unit (1)"
    rate = get_unit_for_display(dimensions * get_dimensions(UNITS["second"]))
    return f"{rate}/s" if rate in ("V", "A", "S") else str(get_unit_for_display(dimensions))


def _scale(node: ast.AST, *, power: bool = False) -> float:
    match node:
        case ast.Name(id=name) if not power:
            return float(UNITS[name])
        # numbers stand in powers only, but for the 1 of "1" and "1/ms": "10*mV" would be a value, not a unit
        case ast.Constant(value=int() | float() as value) if power or (value == 1 and value is not True):
            return float(value)
        case ast.UnaryOp(op=ast.USub(), operand=operand) if power:
            return -_scale(operand, power=True)
        case ast.BinOp(left=left, op=ast.Mult(), right=right):
            return _scale(left, power=power) * _scale(right, power=power)
        case ast.BinOp(left=left, op=ast.Div(), right=right):
            return _scale(left, power=power) / _scale(right, power=power)
        case ast.BinOp(left=left, op=ast.Pow(), right=right) if not power:
            return float(_scale(left) ** _scale(right, power=True))
    raise ValueError("not a product of powers of units")
