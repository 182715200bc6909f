"""The dry run of a template's equations: are they well formed, is every symbol declared, do the units agree?

Brian2 checks units only when it runs; here its own parser does so when the template is loaded, without a run.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from brian2.core.functions import DEFAULT_CONSTANTS, DEFAULT_FUNCTIONS
from brian2.equations import Equations
from brian2.equations.equations import EquationError
from brian2.parsing.expressions import is_boolean_expression, parse_expression_dimensions
from brian2.parsing.statements import parse_statement
from brian2.units.fundamentalunits import (
    DIMENSIONLESS,
    Dimension,
    DimensionMismatchError,
    get_dimensions,
    get_unit_for_display,
)
from brian2.utils.stringtools import get_identifiers

from neurofit.template.units import UNITS, parse_unit

# What neurofit and Brian2 give to every template's equations.
PROVIDED = {"I_inj": "amp", "white_noise": "second**-0.5", "t": "second", "dt": "second"}
PROVIDED_WITH_SPIKES = {"lastspike": "second"}

Fail = Callable[..., Exception]


class _Variable:
    """What Brian2's parsers ask of a variable."""

    is_boolean = False
    array = False

    def __init__(self, dimensions: Dimension) -> None:
        self.dim = self.dimensions = dimensions


@dataclass(frozen=True)
class Parsed:
    """Equations that passed the dry run.

    Attributes
    ----------
    state
        Names of the state variables, in the order of the text.
    subexpressions
        ``{name: expression}``.
    uses_noise
        Does any equation use ``white_noise``?
    """

    state: tuple[str, ...]
    subexpressions: dict[str, str]
    derivatives: dict[str, str]
    uses_noise: bool


def check_equations(
    text: str,
    *,
    units: Mapping[str, str],
    initial: Mapping[str, str],
    recorded: str,
    threshold: str | None = None,
    reset: str | None = None,
    refractory: str | None = None,
    fail: Fail,
) -> Parsed:
    """Check everything in a template that is written as Brian2 text.

    Parameters
    ----------
    text
        The model equations.
    units
        ``{parameter: unit}``.
    initial, recorded, threshold, reset, refractory
        The template's other expressions.
    fail
        ``fail(place, message, expected=, found=, advice=)`` makes the exception to raise.
    """
    equations = _parse(text, fail)
    state = tuple(sorted(equations.diff_eq_names, key=lambda name: text.index(f"d{name}/dt")))
    provided = PROVIDED | (PROVIDED_WITH_SPIKES if threshold is not None else {})
    _check_structure(equations, units, provided, fail)
    if equations.dimensions.get("v") != parse_unit("volt").dimensions or "v" not in state:
        raise fail(
            "equations.model",
            "there is no membrane potential",
            expected="a differential equation for v with unit volt, such as 'dv/dt = ... : volt'",
            found=f"differential equations for {', '.join(state) or 'nothing'}",
        )

    dimensions: dict[str, Dimension] = {name: dim for name, dim in equations.dimensions.items() if name != "xi"}
    dimensions |= {name: parse_unit(unit).dimensions for name, unit in {**units, **provided}.items()}
    variables: dict[str, Any] = {name: _Variable(get_dimensions(unit)) for name, unit in UNITS.items()}
    variables |= dict(DEFAULT_CONSTANTS) | dict(DEFAULT_FUNCTIONS)
    variables |= {name: _Variable(dim) for name, dim in dimensions.items()}

    def check(place: str, expression: str, wanted: Dimension, what: str) -> None:
        _check_symbols(place, expression, variables, units, fail)
        with _explained(place, expression, fail):
            found = parse_expression_dimensions(expression, variables)
        if found != wanted:
            raise fail(
                place,
                f"the units do not agree in {what}",
                expected=_unit_text(wanted),
                found=f"{_unit_text(found)} for '{expression.strip()}'",
            )

    second = parse_unit("second").dimensions
    expressions = {name: str(equation.code) for name, equation in equations.eq_expressions}
    for name, expression in expressions.items():
        if name in state:
            check("equations.model", expression, dimensions[name] / second, f"d{name}/dt")
        else:
            check("equations.model", expression, dimensions[name], name)
    check("equations.recorded", recorded, parse_unit("volt").dimensions, "the recorded voltage")

    _check_initial(initial, state, dimensions, check, fail)
    if threshold is not None and reset is not None and refractory is not None:
        _check_symbols("spike.threshold", threshold, variables, units, fail)
        with _explained("spike.threshold", threshold, fail):
            if not is_boolean_expression(threshold, variables):
                raise fail("spike.threshold", "the threshold is not a condition", expected="such as 'v > V_th'")
            parse_expression_dimensions(threshold, variables)
        check("spike.refractory", refractory, second, "the refractory period")
        for line in filter(str.strip, reset.splitlines()):
            with _explained("spike.reset", line, fail):
                target, operator, expression, _ = parse_statement(line)
            if target not in state:
                raise fail(
                    "spike.reset",
                    f"the reset sets {target}",
                    expected=f"a state variable: {', '.join(state)}",
                )
            wanted = dimensions[target] if operator in ("=", "+=", "-=") else DIMENSIONLESS
            check("spike.reset", expression, wanted, f"'{line.strip()}'")

    _check_all_used(units, [*expressions.values(), recorded, threshold, reset, refractory, *initial.values()], fail)
    return Parsed(
        state=state,
        subexpressions={name: e for name, e in expressions.items() if name not in state},
        derivatives={name: expressions[name] for name in state},
        uses_noise=any("white_noise" in get_identifiers(e) for e in expressions.values()),
    )


def _parse(text: str, fail: Fail) -> Equations:
    depth = 0
    for number, line in enumerate(text.splitlines(), 1):
        code = line.split("#")[0]
        depth = code.count("(") - code.count(")")
        if depth and ":" in code:
            raise fail(
                "equations.model",
                f"unbalanced bracket in line {number} of the equations",
                expected="as many '(' as ')'",
                found=f"'{code.strip()}'",
            )
    try:
        return Equations(text)
    except (EquationError, SyntaxError, ValueError, TypeError, KeyError) as error:
        raise fail(
            "equations.model",
            "the equations cannot be read",
            expected="one 'dx/dt = expression : unit' or 'name = expression : unit' a line",
            found=_one_line(error),
        ) from error


def _check_structure(equations: Equations, units: Mapping[str, str], provided: Mapping[str, str], fail: Fail) -> None:
    declared = equations.parameter_names
    if declared:
        raise fail(
            "equations.model",
            f"{', '.join(sorted(declared))} declared inside the equations",
            expected="every parameter in a [parameters.NAME] table",
            advice="Delete the line without '=' and add the table.",
        )
    if equations.stochastic_variables:
        raise fail(
            "equations.model",
            f"Brian2's {', '.join(sorted(equations.stochastic_variables))} is not available",
            expected="white_noise, the same noise made from each simulation's own key",
        )
    taken = set(equations.names)
    for name in units:
        if name in taken:
            raise fail(f"parameters.{name}", f"{name} is a parameter and is also defined by the equations")
        if name in provided or name in DEFAULT_FUNCTIONS or name in DEFAULT_CONSTANTS or name in UNITS:
            raise fail(
                f"parameters.{name}",
                f"the name {name} already means something",
                advice="Choose another name.",
            )
        if name in ("i", "N", "xi", "key", "sweep", "v_recorded"):
            raise fail(
                f"parameters.{name}",
                f"the name {name} is used by the simulator",
                advice="Choose another name.",
            )
    for name in taken & (set(provided) | {"key", "sweep", "v_recorded"}):
        raise fail("equations.model", f"the equations define {name}, which neurofit provides")


def _check_initial(
    initial: Mapping[str, str],
    state: tuple[str, ...],
    dimensions: Mapping[str, Dimension],
    check: Callable[..., None],
    fail: Fail,
) -> None:
    for name in state:
        if name not in initial:
            raise fail("initial", f"no initial value for {name}", expected=f"one each for {', '.join(state)}")
    for name, expression in initial.items():
        if name not in state:
            raise fail(f"initial.{name}", f"{name} is not a state variable", expected=f"one of {', '.join(state)}")
        if not (name == "v" and expression == "rest"):
            check(f"initial.{name}", expression, dimensions[name], f"the initial value of {name}")


def _check_symbols(
    place: str, expression: str, variables: Mapping[str, Any], units: Mapping[str, str], fail: Fail
) -> None:
    for name in sorted(get_identifiers(expression) - {"and", "or", "not", "True", "False"}):
        if name not in variables:
            close = difflib.get_close_matches(name, [*units, *(k for k in variables if k not in UNITS)], n=1)
            raise fail(
                place,
                f"{name} is not declared",
                expected="a parameter, a variable of the equations, or something neurofit provides"
                f" ({', '.join(PROVIDED)})",
                found=f"'{expression.strip()}'",
                advice=f"Did you mean {close[0]}?" if close else f"Add a [parameters.{name}] table.",
            )


def _check_all_used(units: Mapping[str, str], expressions: list[str | None], fail: Fail) -> None:
    used = set().union(*(get_identifiers(e) for e in expressions if e is not None))
    for name in units:
        if name not in used:
            raise fail(
                f"parameters.{name}",
                f"the parameter {name} is never used",
                expected="its name in the equations, the recorded voltage, the spike or the initial values",
            )


@contextmanager
def _explained(place: str, expression: str, fail: Fail) -> Iterator[None]:
    """Brian2's complaint about an expression, with its place."""
    try:
        yield
    except DimensionMismatchError as error:
        raise fail(place, "the units do not agree", found=f"{_one_line(error)} in '{expression.strip()}'") from error
    except (SyntaxError, ValueError, TypeError, KeyError, NotImplementedError) as error:
        raise fail(
            place, "the expression cannot be read", found=f"'{expression.strip()}' ({_one_line(error)})"
        ) from error


def _unit_text(dimensions: Dimension) -> str:
    return "no unit (1)" if dimensions is DIMENSIONLESS else str(get_unit_for_display(dimensions))


def _one_line(error: Exception) -> str:
    text = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
    return re.sub(r"\s+", " ", text).strip().rstrip(".")
