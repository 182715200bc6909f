"""A staggered exponential Euler scheme, registered with Brian2 as ``staggered_exponential_euler``.

Brian2's own ``exponential_euler`` takes every right-hand side from the old state. Here the voltage steps first, from
the old gates, and then every other variable steps from the new voltage, each of them exactly over the time step with
the rest held still. The cost is the same and the error far smaller: the two half-systems are solved half a step apart,
as in a leapfrog scheme (Hines 1984, Int. J. Biomed. Comput. 15:69-76).

Importing this module changes Brian2's list of schemes, so only the process that builds a program does.
"""

from __future__ import annotations

from typing import Any

import sympy
from brian2.parsing.sympytools import sympy_to_str
from brian2.stateupdaters.base import StateUpdateMethod

from neurofit.template.linear import linear_coefficients

NAME = "staggered_exponential_euler"


# Taken from an a, in 1/s, that b is divided by, so that one that happens to be zero (a conductance of 0) divides
# nothing by zero. Its time constant is 12 days, and what it loses of a step's digits is far below a nanovolt.
_TINY = "1e-6"


class StaggeredExponentialEuler(StateUpdateMethod):
    """``x <- x + (x + b/a) (exp(a dt) - 1)`` for every ``dx/dt = a x + b``, the voltage first."""

    def __call__(self, equations: Any, variables: Any = None, method_options: dict[str, Any] | None = None) -> str:
        terms = {name: e.code for name, e in equations.eq_expressions if name in equations.subexpr_names}
        order = sorted(equations.diff_eq_names, key=lambda name: (name != "v", name))
        return "\n".join(
            line for x in order for line in _step(x, *linear_coefficients(x, equations[x].expr.code, terms, hold=True))
        )


def _step(x: str, a: sympy.Expr, b: sympy.Expr) -> list[str]:
    """One step of ``dx/dt = a x + b`` in Brian2's abstract code."""
    if a == 0:
        return [f"{x} = {x} + time_step*({sympy_to_str(b)})"]
    rate = sympy_to_str(sympy.factor_terms(a))
    if b == 0:
        return [f"{x} = {x}*exp(time_step*({rate}))"]
    ratio = sympy.cancel(b / a)
    if sympy.denom(ratio).is_number:
        # (x_inf - x)/tau: -b/a is x_inf, without a division
        lines = [f"_a_{x} = {rate}", f"_b_{x} = {sympy_to_str(ratio)}"]
    else:
        lines = [f"_a_{x} = {rate} - {_TINY}", f"_b_{x} = ({sympy_to_str(sympy.factor_terms(b))})/_a_{x}"]
    return [*lines, f"{x} = {x} + ({x} + _b_{x})*expm1(time_step*_a_{x})"]


StateUpdateMethod.register(NAME, StaggeredExponentialEuler())
