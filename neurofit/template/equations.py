"""The dry run of a template's equations: are they well formed, is every symbol declared, do the units agree?

Brian2 checks units only when it runs; here its own parser does so when the template is loaded, without a run. What
passes here compiles.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from brian2.units.fundamentalunits import DIMENSIONLESS

from neurofit.template.formula import Formula
from neurofit.template.lines import PLACE, Equation, read_equations
from neurofit.template.schema import TemplateFile
from neurofit.template.source import Source
from neurofit.template.symbols import REST, Symbols, equation_symbols
from neurofit.template.units import parse_unit, unit_words

VOLT, SECOND = parse_unit("volt").dimensions, parse_unit("second").dimensions
_STATEMENT = re.compile(r"(?P<target>[A-Za-z_]\w*)\s*(?P<operator>[-+*/]?=)(?!=)(?P<formula>.+)")


@dataclass(frozen=True)
class Statement:
    """One line of a reset: ``target operator formula``."""

    target: str
    operator: str
    formula: Formula

    def __str__(self) -> str:
        return f"{self.target} {self.operator} {self.formula}"


@dataclass(frozen=True)
class Parsed:
    """Everything in a template that is a formula, read and found consistent.

    Attributes
    ----------
    equations
        In the order of the text.
    recorded
        What the electrode reports.
    initial
        ``{state variable: formula}``, each after those it depends on; ``None`` for a voltage that starts at rest.
    threshold, reset, refractory
        ``None`` and empty for a model without ``[spike]``.
    """

    equations: tuple[Equation, ...]
    recorded: Formula
    initial: Mapping[str, Formula | None]
    threshold: Formula | None = None
    reset: tuple[Statement, ...] = ()
    refractory: Formula | None = None

    @cached_property
    def state(self) -> tuple[str, ...]:
        """Names of the state variables, in the order of the text."""
        return tuple(equation.name for equation in self.equations if equation.is_state)

    @cached_property
    def derivatives(self) -> dict[str, str]:
        """``{state variable: right-hand side}``."""
        return {equation.name: str(equation.formula) for equation in self.equations if equation.is_state}

    @cached_property
    def subexpressions(self) -> dict[str, str]:
        """``{name: formula}`` of everything else that the equations define."""
        return {equation.name: str(equation.formula) for equation in self.equations if not equation.is_state}

    @property
    def uses_noise(self) -> bool:
        return any("white_noise" in equation.formula.names for equation in self.equations)

    @cached_property
    def behind_recorded(self) -> frozenset[str]:
        """What the recorded voltage is made of, opened as far as it goes; the membrane stays closed."""
        names: set[str] = set(self.recorded.names)
        while more := {n for e in self.equations if e.name in names - {"v"} for n in e.formula.names} - names:
            names |= more
        return frozenset(names)

    @property
    def uses_observation_noise(self) -> bool:
        return "observation_noise" in self.behind_recorded

    @property
    def records_current(self) -> bool:
        """Does the injected current reach what the electrode reports other than through the membrane, as over R_s?"""
        return "I_inj" in self.behind_recorded

    @property
    def text(self) -> str:
        """The equations as Brian2 reads them."""
        return "\n".join(map(str, self.equations))


def read_formulas(file: TemplateFile, source: Source) -> Parsed:
    """Read and check everything in a template that is a formula.

    Raises
    ------
    TemplateError
        For the first mistake.
    """
    equations = read_equations(file.equations.model, source)
    state = [equation.name for equation in equations if equation.is_state]
    membrane = next((e for e in equations if e.name == "v" and e.is_state and e.dimensions == VOLT), None)
    if membrane is None:
        others = [f"{e.left} in {unit_words(e.dimensions)}" for e in equations if e.name == "v" or e.is_state]
        raise source.fail(
            PLACE,
            "there is no membrane potential",
            row=next((e.row for e in equations if e.name in ("v", "V")), None),
            expected="a differential equation for v with the unit volt: 'dv/dt = ... : volt'",
            found=", ".join(others) or "no differential equation",
        )
    for name in file.parameters:
        if name in (equation.name for equation in equations):
            raise source.fail(
                f"parameters.{name}",
                f"{name} is a parameter and is also defined by the equations",
                expected="one of the two",
                found=f"[parameters.{name}] and "
                + next(f"'{e.left} = {e.formula}'" for e in equations if e.name == name),
            )
    symbols = equation_symbols(file, equations, source)
    for equation in equations:
        if equation.unless_refractory and file.spike is None:
            raise source.fail(
                PLACE,
                "there is no refractory period without spikes",
                row=equation.row,
                expected="a [spike] table",
                found=f"'{equation}'",
            )
        wanted = equation.dimensions / SECOND if equation.is_state else equation.dimensions
        symbols.check(PLACE, equation.formula, wanted, equation.left, row=equation.row)
    recorded = symbols.read("equations.recorded", file.equations.recorded, VOLT, "the recorded voltage")
    initial = _read_initial(file, state, symbols, source)
    if file.spike is None:
        return Parsed(equations, recorded, initial)
    return Parsed(
        equations,
        recorded,
        initial,
        symbols.condition("spike.threshold", file.spike.threshold),
        _read_reset(file.spike.reset, state, symbols, source),
        symbols.read("spike.refractory", file.spike.refractory, SECOND, "the refractory period"),
    )


def _read_initial(file: TemplateFile, state: list[str], symbols: Symbols, source: Source) -> dict[str, Formula | None]:
    initial: dict[str, Formula | None] = {}
    for name, text in file.initial.items():
        if name not in state:
            raise source.fail(
                f"initial.{name}",
                f"{name} is not a state variable",
                expected=f"one of {', '.join(state)}",
                found=f'{name} = "{text}"',
            )
        if name == "v" and text.strip() == REST:
            initial[name] = None
        else:
            initial[name] = symbols.read(f"initial.{name}", text, symbols.own[name], f"the initial value of {name}")
    for name in state:
        if name not in initial:
            raise source.fail(
                "initial",
                f"there is no initial value for {name}",
                expected=f"one each for {', '.join(state)}",
                found=f"one for {', '.join(initial)}" if initial else "none",
            )
    return initial


def _read_reset(text: str, state: list[str], symbols: Symbols, source: Source) -> tuple[Statement, ...]:
    place, statements = "spike.reset", []
    for row, line in enumerate(text.splitlines()):
        for code in filter(None, map(str.strip, line.split("#")[0].split(";"))):
            match = _STATEMENT.fullmatch(code)
            if match is None:
                raise source.fail(
                    place,
                    "a line of the reset cannot be read",
                    row=row,
                    expected="'variable = formula' or 'variable += formula'",
                    found=f"'{code}'",
                )
            target, operator = match["target"], match["operator"]
            if target not in state:
                raise source.fail(
                    place,
                    f"the reset sets {target}",
                    row=row,
                    expected=f"a state variable: {', '.join(state)}",
                    found=f"'{code}'",
                )
            wanted = symbols.own[target] if operator in ("=", "+=", "-=") else DIMENSIONLESS
            formula = symbols.read(place, match["formula"], wanted, f"'{code}'", row=row)
            statements.append(Statement(target, operator, formula))
    if not statements:
        raise source.fail(place, "the reset does nothing", expected="such as 'v = V_reset'", found="no statement")
    return tuple(statements)
