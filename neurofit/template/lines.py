"""The text of a template's equations, cut into equations; each remembers its line."""

from __future__ import annotations

import re
from dataclasses import dataclass

from brian2.units.fundamentalunits import Dimension

from neurofit.template.formula import Formula, FormulaError, parse_formula
from neurofit.template.names import why_taken
from neurofit.template.source import Source
from neurofit.template.units import meant_unit, parse_unit, si_unit

PLACE = "equations.model"
UNLESS_REFRACTORY = "unless refractory"

_NAME = r"[A-Za-z_]\w*"
_START = re.compile(rf"(?:d\s*(?P<state>{_NAME})\s*/\s*dt|(?P<name>{_NAME}))\s*=(?!=)")
_FLAGS = re.compile(r"(?P<unit>.*?)\s*(?:\((?P<flags>[A-Za-z ,-]*)\))?$")
_SHAPE = "one 'dx/dt = formula : unit' or 'name = formula : unit' a line"


@dataclass(frozen=True)
class Equation:
    """``dname/dt = formula`` for a state variable, ``name = formula`` for anything else.

    Attributes
    ----------
    dimensions
        Of the variable itself.
    unless_refractory
        Does the variable stand still in the refractory period?
    row
        Where it begins in the text, from 0.
    """

    name: str
    is_state: bool
    formula: Formula
    dimensions: Dimension
    unless_refractory: bool
    row: int

    @property
    def left(self) -> str:
        return f"d{self.name}/dt" if self.is_state else self.name

    def __str__(self) -> str:
        """As Brian2 reads it."""
        flag = f" ({UNLESS_REFRACTORY})" if self.unless_refractory else ""
        return f"{self.left} = {self.formula} : {si_unit(self.dimensions)}{flag}"


def read_equations(text: str, source: Source) -> tuple[Equation, ...]:
    """Cut a text into equations and read each.

    Raises
    ------
    TemplateError
        For a line that is not part of an equation, a formula or unit that cannot be read, a name that is taken.
    """
    equations: dict[str, Equation] = {}
    for row, code in _cut(text, source):
        equation = _read(code, row, source)
        if equation.name in equations:
            raise source.fail(
                PLACE,
                f"{equation.name} is defined twice",
                row=row,
                expected="one equation for each variable",
                found=f"'{equations[equation.name].left} = {equations[equation.name].formula}' and '{code}'",
            )
        equations[equation.name] = equation
    return tuple(equations.values())


def _cut(text: str, source: Source) -> list[tuple[int, str]]:
    """``(row, equation)``: an equation goes on over lines until its colon."""
    cut: list[tuple[int, str]] = []
    row, pending = 0, ""
    for number, line in enumerate(text.splitlines()):
        code = line.split("#")[0].strip()
        if not code:
            continue
        if pending and _START.match(code):
            raise _no_unit(row, pending, source)
        if not pending:
            if not _START.match(code):
                raise _no_equation(number, code, source)
            row = number
        pending = f"{pending} {code}".strip()
        if ":" in code:
            cut.append((row, pending))
            pending = ""
    if pending:
        raise _no_unit(row, pending, source)
    return cut


def _no_unit(row: int, code: str, source: Source) -> Exception:
    return source.fail(PLACE, "an equation has no unit", row=row, expected=_SHAPE, found=f"'{code}'")


def _no_equation(row: int, code: str, source: Source) -> Exception:
    if re.fullmatch(rf"{_NAME}\s*:.*", code):
        name = code.partition(":")[0].strip()
        return source.fail(
            PLACE,
            f"{name} is declared inside the equations",
            row=row,
            expected="every parameter in a table of its own",
            found=f"'{code}'",
            advice=f"Delete the line and add a table [parameters.{name}].",
        )
    return source.fail(PLACE, "a line is not an equation", row=row, expected=_SHAPE, found=f"'{code}'")


def _read(code: str, row: int, source: Source) -> Equation:
    start = _START.match(code)
    assert start is not None, "_cut sees to it"
    text, _, rest = code[start.end() :].partition(":")
    name = start["state"] or start["name"]
    reason = why_taken(name)
    if reason:
        raise source.fail(
            PLACE,
            f"the name {name} already means {reason}",
            row=row,
            expected="a name that is free",
            found=f"'{code}'",
            advice="Choose another name.",
        )
    try:
        formula = parse_formula(text)
    except FormulaError as error:
        raise source.fail(
            PLACE,
            f"{error.message} in the equation for {name}",
            row=row,
            expected=error.expected,
            found=f"'{text.strip()}'",
            advice=error.advice,
        ) from error
    unit = _FLAGS.match(rest.strip())
    assert unit is not None, "the pattern matches any text"
    return Equation(
        name,
        start["state"] is not None,
        formula,
        _dimensions(unit["unit"], name, row, source),
        _unless_refractory(unit["flags"], start["state"] is not None, name, row, source),
        row,
    )


def _dimensions(text: str, name: str, row: int, source: Source) -> Dimension:
    try:
        unit = parse_unit(text)
    except ValueError as error:
        meant = meant_unit(text)
        raise source.fail(
            PLACE,
            f"the unit of {name} is not a unit",
            row=row,
            expected="an SI unit such as volt, amp, siemens, second, Hz or 1",
            found=f"'{text}'",
            advice=f"Did you mean {si_unit(parse_unit(meant).dimensions)}?" if meant else None,
        ) from error
    if abs(unit.scale - 1) > 1e-9:
        raise source.fail(
            PLACE,
            f"the unit of {name} has a prefix",
            row=row,
            expected=f"the SI unit itself, {si_unit(unit.dimensions)}: equations are written in SI units",
            found=f"'{text}'",
        )
    return unit.dimensions


def _unless_refractory(flags: str | None, is_state: bool, name: str, row: int, source: Source) -> bool:
    if flags is None:
        return False
    if flags.strip() == UNLESS_REFRACTORY and is_state:
        return True
    raise source.fail(
        PLACE,
        f"an unknown flag in the equation for {name}",
        row=row,
        expected=f"nothing after the unit, or ({UNLESS_REFRACTORY}) after that of a differential equation",
        found=f"({flags})",
    )
