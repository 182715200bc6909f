"""What a template's formulas may name, and the units of what they compute."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
from brian2.core.functions import DEFAULT_CONSTANTS, DEFAULT_FUNCTIONS, Function
from brian2.parsing.expressions import parse_expression_dimensions
from brian2.units.fundamentalunits import Dimension, DimensionMismatchError, get_dimensions

from neurofit.template.formula import EQUATION, Formula, FormulaError, Grammar, parse_formula
from neurofit.template.lines import Equation
from neurofit.template.names import PROVIDED, PROVIDED_WITH_SPIKES
from neurofit.template.schema import TemplateFile
from neurofit.template.source import Source
from neurofit.template.units import UNITS, any_case_unit, parse_unit, unit_words

# What v may start at instead of a formula.
REST = "rest"

CONSTANTS = {name: value for name, value in DEFAULT_CONSTANTS.items() if name in ("pi", "e")}
_OUTERMOST = {
    name: Function(function, arg_names=["x", "y"], arg_units=[None, "x"], return_unit=lambda x, y: x)
    for name, function in (("min", np.minimum), ("max", np.maximum))
}


class _Variable:
    """What Brian2's dimension parser asks of a variable."""

    is_boolean = False
    array = False

    def __init__(self, dimensions: Dimension) -> None:
        self.dim = self.dimensions = dimensions


class Symbols:
    """What formulas may name, with units.

    Parameters
    ----------
    own
        ``{name: dimensions}`` of what the template itself names.
    grammar, named
        What a formula may hold, and what it may name, in words.
    changing
        Names of what is known only within a simulation, where formulas must not name it.
    """

    def __init__(
        self,
        own: Mapping[str, Dimension],
        source: Source,
        *,
        grammar: Grammar = EQUATION,
        named: str = f"a parameter, a variable of the equations, or what neurofit provides ({', '.join(PROVIDED)})",
        changing: Collection[str] = (),
    ) -> None:
        self.own, self._source, self._grammar, self._named, self._changing = own, source, grammar, named, changing
        self._variables: dict[str, Any] = {name: _Variable(get_dimensions(unit)) for name, unit in UNITS.items()}
        self._variables |= CONSTANTS | dict(DEFAULT_FUNCTIONS) | _OUTERMOST
        self._variables |= {name: _Variable(dimensions) for name, dimensions in own.items()}

    def read(self, place: str, text: str, wanted: Dimension, what: str, *, row: int | None = None) -> Formula:
        """A formula from its text; see :meth:`check`."""
        formula = self._parse(place, text, row)
        self.check(place, formula, wanted, what, row=row)
        return formula

    def check(self, place: str, formula: Formula, wanted: Dimension, what: str, *, row: int | None = None) -> None:
        """Is everything in the formula declared, and has it the unit that is wanted?"""
        found = self._dimensions(place, formula, row)
        if formula.is_condition:
            raise self._source.fail(
                place,
                f"a condition stands where {what} should",
                row=row,
                expected="a number",
                found=f"'{formula}'",
                advice=f"Write int({formula}) for 1 or 0.",
            )
        if found != wanted:
            raise self._source.fail(
                place,
                f"the units do not agree in {what}",
                row=row,
                expected=unit_words(wanted),
                found=f"{unit_words(found)} for '{formula}'",
                advice=None if formula.names or wanted.is_dimensionless else "A number needs its unit, as in 5*mV",
            )

    def condition(self, place: str, text: str) -> Formula:
        """A formula that is true or false."""
        formula = self._parse(place, text, None)
        self._dimensions(place, formula, None)
        if not formula.is_condition:
            raise self._source.fail(
                place, "the threshold is not a condition", expected="such as 'v > V_th'", found=f"'{formula}'"
            )
        return formula

    def _parse(self, place: str, text: str, row: int | None) -> Formula:
        try:
            return parse_formula(text, self._grammar)
        except FormulaError as error:
            raise self._source.fail(
                place, error.message, row=row, expected=error.expected, found=f"'{text.strip()}'", advice=error.advice
            ) from error

    def _dimensions(self, place: str, formula: Formula, row: int | None) -> Dimension:
        for name in sorted(formula.names):
            if name not in self._variables:
                raise self._source.fail(
                    place,
                    f"{name} is not declared",
                    row=row,
                    expected=self._named,
                    found=f"'{formula}'",
                    advice=self._meant(name),
                )
        try:
            return parse_expression_dimensions(formula.text, self._variables)
        except DimensionMismatchError as error:
            raise self._source.fail(
                place,
                "the units do not agree",
                row=row,
                expected="the same unit on both sides of + - < >, and no unit inside a function",
                found=f"'{formula}'. {_in_words(str(error))}",
            ) from error
        except (SyntaxError, ValueError, TypeError, KeyError, NotImplementedError, ArithmeticError) as error:
            message = error.msg if isinstance(error, SyntaxError) else str(error)
            raise self._source.fail(
                place,
                "the formula cannot be computed",
                row=row,
                expected="functions with the right number of arguments, and powers that are numbers",
                found=f"'{formula}' ({message.rstrip('.')})",
            ) from error

    def _meant(self, name: str) -> str:
        if name in self._changing:
            return f"{name} belongs to the simulation, which begins when the parameters are drawn."
        if name in PROVIDED_WITH_SPIKES:
            return f"{name} needs a [spike] table."
        if name == "xi" or name.startswith("xi_"):
            return "Write white_noise for Brian2's xi: it is made from each simulation's own key."
        if name == REST:
            return 'Only v can start at "rest"; give the value that this variable has there.'
        same = [k for k in self.own if k.lower() == name.lower()] or any_case_unit(name)
        close = same or difflib.get_close_matches(name, self.own, n=1) or [REST]
        return f"Did you mean {close[0]}?" if close[0] != REST else f"Add a table [parameters.{name}]."


def equation_symbols(file: TemplateFile, equations: tuple[Equation, ...], source: Source) -> Symbols:
    """What the equations and everything that is simulated with them may name."""
    provided = PROVIDED | (PROVIDED_WITH_SPIKES if file.spike else {})
    units = {name: parameter.unit for name, parameter in file.parameters.items()} | provided
    own = {name: parse_unit(unit).dimensions for name, unit in units.items()}
    return Symbols(own | {equation.name: equation.dimensions for equation in equations}, source)


# The units that Brian2's parser spells out, as a reader knows them.
_SPELT = {
    f"({parse_unit(u).dimensions})": unit_words(parse_unit(u).dimensions)
    for u in ("volt", "amp", "siemens", "farad", "second", "Hz", "ohm", "1")
}


def _in_words(complaint: str) -> str:
    """Brian2's complaint about units, with V for m^2 kg s^-3 A^-1."""
    for spelt, word in _SPELT.items():
        complaint = complaint.replace(spelt, word)
    return complaint.rstrip(".")
