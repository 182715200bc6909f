"""Do a template's formulas make sense together? Circles, what nothing depends on, noise where there can be none."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from neurofit.template.equations import Parsed
from neurofit.template.formula import Formula
from neurofit.template.linear import NotLinear, linear_coefficients
from neurofit.template.lines import PLACE, Equation
from neurofit.template.reach import circle, ordered, reached
from neurofit.template.source import Source

EXPONENTIAL = ("staggered_exponential_euler", "exponential_euler")


def check_together(parsed: Parsed, parameters: Iterable[str], method: str, source: Source) -> Parsed:
    """Check what no formula shows alone; the same formulas, initial values in the order in which to set them.

    Raises
    ------
    TemplateError
        For the first mistake.
    """
    _check_circles(parsed, source)
    parsed = _with_initial_in_order(parsed, source)
    _check_noise(parsed, source)
    _check_effect(parsed, parameters, source)
    _check_method(parsed, method, source)
    return parsed


def _definitions(parsed: Parsed) -> dict[str, frozenset[str]]:
    """``{subexpression: names in it}``."""
    return {equation.name: equation.formula.names for equation in parsed.equations if not equation.is_state}


def _equation(parsed: Parsed, name: str) -> Equation:
    return next(equation for equation in parsed.equations if equation.name == name)


def _check_circles(parsed: Parsed, source: Source) -> None:
    chain = circle(_definitions(parsed))
    if chain:
        raise source.fail(
            PLACE,
            f"{chain[0]} is defined by itself",
            row=_equation(parsed, chain[0]).row,
            expected="formulas that come down to parameters and state variables",
            found=" -> ".join(chain),
        )


def _with_initial_in_order(parsed: Parsed, source: Source) -> Parsed:
    """Initial values, each after those it depends on, through subexpressions too."""
    definitions = _definitions(parsed)
    depends: dict[str, list[str]] = {}
    for name, formula in parsed.initial.items():
        names = reached(formula.names, definitions) if formula else set()
        forbidden = sorted(names & {"white_noise", "observation_noise", "lastspike"})
        if name == "v":
            forbidden += [state for state in parsed.state if state in names]
        if forbidden:
            raise source.fail(
                f"initial.{name}",
                f"the initial value of {name} cannot depend on {forbidden[0]}",
                expected="parameters and the injected current" if name == "v" else "parameters and state variables",
                found=f"'{formula}'",
            )
        depends[name] = [state for state in parsed.state if state in names]
    chain = circle(depends)
    if chain:
        raise source.fail(
            f"initial.{chain[0]}",
            f"the initial value of {chain[0]} depends on itself",
            expected="initial values that can be computed one after the other",
            found=" -> ".join(chain),
        )
    return replace(parsed, initial={name: parsed.initial[name] for name in ordered(depends)})


def _check_noise(parsed: Parsed, source: Source) -> None:
    """White noise is a rate: only a differential equation can add it up, and only once. Observation noise is none."""
    definitions = _definitions(parsed)
    in_the_cell: list[tuple[str, int | None, Formula | None]] = [
        *((PLACE, equation.row, equation.formula) for equation in parsed.equations if equation.is_state),
        ("spike.threshold", None, parsed.threshold),
        ("spike.refractory", None, parsed.refractory),
        *(("spike.reset", row, statement.formula) for row, statement in enumerate(parsed.reset)),
    ]
    for place, row, formula in in_the_cell:
        if formula and "observation_noise" in reached(formula.names, definitions):
            raise source.fail(
                place,
                "observation_noise stands outside the recorded voltage",
                row=row,
                expected="noise that is added to what is recorded, as in recorded = 'v + noise_sd*observation_noise'",
                found=f"'{formula}'",
                advice="The noise that drives the cell is white_noise.",
            )
    elsewhere: list[tuple[str, Formula | None]] = [
        ("equations.recorded", parsed.recorded),
        ("spike.threshold", parsed.threshold),
        ("spike.refractory", parsed.refractory),
        *(("spike.reset", statement.formula) for statement in parsed.reset),
    ]
    for place, formula in elsewhere:
        if formula and "white_noise" in reached(formula.names, definitions):
            raise source.fail(
                place,
                "white_noise stands outside the differential equations",
                expected="noise that drives a differential equation, as in 'dv/dt = (... + sigma*white_noise)/C'",
                found=f"'{formula}'",
                advice="Its strength would depend on the time step here.",
            )
    for name, expression in parsed.derivatives.items():
        try:
            linear_coefficients("white_noise", expression, parsed.subexpressions)
        except NotLinear as error:
            raise source.fail(
                PLACE,
                f"white_noise enters the equation for {name} in a nonlinear way",
                row=_equation(parsed, name).row,
                expected="a strength times white_noise, added",
                found=f"'{expression}'",
                advice="Its strength would depend on the time step.",
            ) from error


def _check_effect(parsed: Parsed, parameters: Iterable[str], source: Source) -> None:
    """Does everything in the template have an effect on the recorded voltage?"""
    graph: dict[str, set[str]] = {e.name: set(e.formula.names) for e in parsed.equations}
    for name, formula in parsed.initial.items():
        graph[name] |= formula.names if formula else set()
    for statement in parsed.reset:
        graph[statement.target] |= statement.formula.names
    roots = set(parsed.recorded.names)
    if parsed.threshold and parsed.refractory:
        roots |= parsed.threshold.names | parsed.refractory.names
    effective = reached(roots, graph)
    if "v" not in reached(parsed.recorded.names, graph):
        raise source.fail(
            "equations.recorded",
            "the recorded voltage does not depend on v",
            expected="such as 'v' or 'v + R_s*I_inj'",
            found=f"'{parsed.recorded}'",
        )
    if "I_inj" not in reached(["v"], graph):
        raise source.fail(
            PLACE,
            "the injected current has no effect on v",
            row=_equation(parsed, "v").row,
            expected="I_inj in the equation for v, such as 'dv/dt = (... + I_inj)/C'",
            found=f"'{_equation(parsed, 'v').formula}'",
        )
    for equation in parsed.equations:
        if equation.name not in effective:
            raise source.fail(
                PLACE,
                f"{equation.name} has no effect on the recorded voltage",
                row=equation.row,
                expected="its name in an equation that does have one",
                found=f"'{equation.left} = {equation.formula}'",
                advice="Was a current added but not to dv/dt?",
            )
    for name in parameters:
        if name not in effective:
            raise source.fail(
                f"parameters.{name}",
                f"the parameter {name} is never used",
                expected="its name in the equations, the recorded voltage, the spike or the initial values",
                found=f"a table [parameters.{name}] only",
                advice="Delete its table or use it.",
            )


def _check_method(parsed: Parsed, method: str, source: Source) -> None:
    if method not in EXPONENTIAL:
        return
    for name, expression in parsed.derivatives.items():
        try:
            linear_coefficients(name, expression, parsed.subexpressions, hold=method == EXPONENTIAL[0])
        except NotLinear as error:
            raise source.fail(
                "integration.method",
                f"{method} cannot step the equation for {name}",
                expected=f"d{name}/dt = a*{name} + b, with a and b free of {name}",
                found=f"'{expression}'",
                advice="Give the nonlinear factor a name and a line of its own in the equations, or write"
                ' method = "rk4".',
            ) from error
