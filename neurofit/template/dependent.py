"""Priors whose numbers are expressions in other parameters: read, checked, and worked out given those."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from brian2.units.fundamentalunits import DIMENSIONLESS
from numpy.typing import NDArray
from pydantic import ValidationError

from neurofit.errors import TemplateError
from neurofit.families import PriorFamily
from neurofit.template.formula import PRIOR, Formula
from neurofit.template.prior import Family, Prior, tried_z, values_in_words
from neurofit.template.reach import circle, ordered
from neurofit.template.schema import ParameterTable
from neurofit.template.source import Source
from neurofit.template.symbols import CONSTANTS, Symbols
from neurofit.template.units import UNITS, parse_unit

# Keys of priors that are plain numbers whatever the parameter's unit is.
_WITHOUT_UNIT = ("log_sd", "alpha", "beta")

_OPERATORS: dict[type[ast.AST], Callable[..., Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
    ast.UAdd: operator.pos,
    ast.USub: operator.neg,
}
_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "min": np.minimum,
    "max": np.maximum,
    "exp": np.exp,
    "log": np.log,
    "sqrt": np.sqrt,
    "abs": np.abs,
}


@dataclass(frozen=True)
class Expression:
    """A number of a prior that is worked out from other parameters.

    Attributes
    ----------
    formula
        In SI units, as all formulas of a template.
    known
        ``{name: value}`` in SI units of what it names besides free parameters.
    parents
        ``{free parameter: size of its unit}``.
    scale
        Size of the unit that the number is wanted in.
    """

    formula: Formula
    known: Mapping[str, float]
    parents: Mapping[str, float]
    scale: float

    def __call__(self, values: Mapping[str, NDArray[np.float64]]) -> Any:
        """``[n]``, from the parents' values ``[n]``, each in its own unit."""
        known = {**self.known, **{name: values[name] * scale for name, scale in self.parents.items()}}
        with np.errstate(all="ignore"):
            return _value(_tree(self.formula.text), known) / self.scale


@dataclass(frozen=True)
class Dependent:
    """A prior that depends on other parameters.

    Attributes
    ----------
    stated
        As the template states it.
    expressions
        ``{key: expression}`` of those of its numbers that are expressions.
    """

    stated: PriorFamily
    expressions: Mapping[str, Expression]

    @property
    def family(self) -> str:
        """The family's name."""
        return self.stated.family

    @property
    def parents(self) -> tuple[str, ...]:
        """Names of the free parameters that it depends on."""
        return tuple(dict.fromkeys(name for expression in self.expressions.values() for name in expression.parents))

    def numbers(self, values: Mapping[str, NDArray[np.float64]]) -> dict[str, Any]:
        """``{key: number}`` of what is an expression, given the parents' values ``[n]``: ``[n]``, or one for all."""
        return {key: expression(values) for key, expression in self.expressions.items()}

    def given(self, values: Mapping[str, NDArray[np.float64]]) -> Any:
        """A frozen ``scipy.stats`` distribution for each row of the parents' values."""
        return self.stated.model_copy(update=self.numbers(values)).distribution

    def __str__(self) -> str:
        return str(self.stated)


def read_families(
    parameters: Mapping[str, ParameterTable], changing: Collection[str], source: Source
) -> dict[str, Family]:
    """``{free parameter: its prior}``, in the template's order.

    Parameters
    ----------
    parameters
        All of them, with units that have been checked.
    changing
        Names of what is known only within a simulation.

    Raises
    ------
    TemplateError
        For an expression that cannot be read, names anything but parameters, or has the wrong unit; for priors that
        depend on each other in a circle; and for one that has no room where its parents' values may be.
    """
    symbols = Symbols(
        {name: parse_unit(table.unit).dimensions for name, table in parameters.items()},
        source,
        grammar=PRIOR,
        named="another parameter of the template, or a unit",
        changing=changing,
    )
    families = {
        name: _read(name, table.prior, parameters, symbols) for name, table in parameters.items() if table.prior
    }
    graph = {name: family.parents for name, family in families.items()}
    chain = circle(graph)
    if chain:
        raise source.fail(
            f"parameters.{chain[0]}.prior",
            f"the prior of {chain[0]} depends on itself",
            expected="priors that can be drawn from one after the other",
            found=" -> ".join(chain),
        )
    units = {name: parameters[name].unit for name in families}
    # each parameter at the same places every time, those of Prior.bounds: what has room here has room there
    columns, z = list(families), tried_z(len(families))
    earlier: list[str] = []
    for name in ordered(graph):
        family = families[name]
        if isinstance(family, Dependent):
            prior = Prior(tuple(earlier), tuple(units[e] for e in earlier), tuple(families[e] for e in earlier))
            theta = prior.from_unbounded(z[:, [columns.index(e) for e in earlier]])
            tried = dict(zip(earlier, theta.T, strict=True))
            _check_room(name, family, {parent: tried[parent] for parent in family.parents}, units, source)
        earlier.append(name)
    return families


def _read(name: str, stated: PriorFamily, parameters: Mapping[str, ParameterTable], symbols: Symbols) -> Family:
    if not stated.expressions:
        return stated
    unit = parse_unit(parameters[name].unit)
    expressions = {}
    for key, text in stated.expressions.items():
        plain = key in _WITHOUT_UNIT
        formula = symbols.read(f"parameters.{name}.prior.{key}", text, DIMENSIONLESS if plain else unit.dimensions, key)
        scales = {n: parse_unit(parameters[n].unit).scale for n in sorted(formula.names) if n in parameters}
        free = {n: scale for n, scale in scales.items() if parameters[n].prior}
        known = {n: parameters[n].value * scale for n, scale in scales.items() if n not in free}
        known |= {n: float(UNITS[n]) if n in UNITS else CONSTANTS[n].value for n in formula.names - scales.keys()}
        expressions[key] = Expression(formula, known, free, 1.0 if plain else unit.scale)
    on_one_line = {key: str(expression.formula) for key, expression in expressions.items()}
    return Dependent(stated.model_copy(update=on_one_line), expressions)


def _check_room(
    name: str,
    family: Dependent,
    parents: Mapping[str, NDArray[np.float64]],
    units: Mapping[str, str],
    source: Source,
) -> None:
    """Is the prior one, wherever its parents' values were tried out?"""
    n = len(next(iter(parents.values()), [0]))
    numbers = {key: np.broadcast_to(number, n) for key, number in family.numbers(parents).items()}
    stated = {key: value for key, value in family.stated if key not in numbers}
    for row in range(n):
        filled_in = {**stated, **{key: float(column[row]) for key, column in numbers.items()}}
        try:
            type(family.stated).model_validate(filled_in)
        except ValidationError as error:
            at = values_in_words({parent: float(values[row]) for parent, values in parents.items()}, units)
            raise _no_room(name, error, at, source) from error


def _no_room(name: str, error: ValidationError, at: str, source: Source) -> TemplateError:
    first = error.errors()[0]
    what = first["msg"].removeprefix("Value error, ").replace("Input should be", "must be")
    if first["loc"]:
        what = f"{first['loc'][-1]} ({first['input']:g}) {what}"
    return source.fail(
        f"parameters.{name}.prior",
        f"the prior of {name} has no room" + (" for some values of other parameters" if at else ""),
        expected="numbers that make a prior" + (", whatever the values that it depends on" if at else ""),
        found=f"{what}, with {at}" if at else what,
        advice="Narrow the priors that it depends on, or write min() or max() around them." if at else None,
    )


@cache
def _tree(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body


def _value(node: ast.expr, known: Mapping[str, Any]) -> Any:
    match node:
        case ast.Constant(value=value):
            # by way of text, which takes a whole number of any size; NumPy's numbers overflow to infinity
            return np.float64(str(value))
        case ast.Name(id=name):
            return known[name]
        case ast.UnaryOp(op=op, operand=operand):
            return _OPERATORS[type(op)](_value(operand, known))
        case ast.BinOp(left=left, op=op, right=right):
            return _OPERATORS[type(op)](_value(left, known), _value(right, known))
        case ast.Call(func=ast.Name(id=name), args=args):
            return _FUNCTIONS[name](*(_value(argument, known) for argument in args))
    raise AssertionError("the grammar of priors holds nothing else")
