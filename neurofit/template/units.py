"""Units as text (``"mS/uF"``, ``"pA*ms**0.5"``) through Brian2's own parser; nothing is evaluated as Python."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import cache

from brian2.parsing.expressions import parse_expression_dimensions
from brian2.units import allunits, stdunits
from brian2.units.fundamentalunits import Dimension, Quantity, get_dimensions

# Every unit Brian2 knows by name: amp, mvolt, mV, nS, Mohm ...
UNITS: dict[str, Quantity] = {
    name: unit for module in (allunits, stdunits) for name, unit in vars(module).items() if isinstance(unit, Quantity)
}


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
        tree = ast.parse(text, mode="eval").body
        scale = _scale(tree)
        dimensions = parse_expression_dimensions(text, {n: _Symbol(get_dimensions(u)) for n, u in UNITS.items()})
    except (SyntaxError, KeyError, ValueError, TypeError) as error:
        raise ValueError(f"{text!r} is not a unit") from error
    return Unit(text, scale, dimensions)


def _scale(node: ast.AST) -> float:
    match node:
        case ast.Name(id=name):
            return float(UNITS[name])
        case ast.Constant(value=int() | float() as value):
            return float(value)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_scale(operand)
        case ast.BinOp(left=left, op=ast.Mult(), right=right):
            return _scale(left) * _scale(right)
        case ast.BinOp(left=left, op=ast.Div(), right=right):
            return _scale(left) / _scale(right)
        case ast.BinOp(left=left, op=ast.Pow(), right=right):
            return float(_scale(left) ** _scale(right))
    raise ValueError("not a product of powers of units")
