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


# Taken from every a, in 1/s, so that one that happens to be zero (a conductance of 0) divides nothing by zero. Its time
# constant is 12 days, and what it loses of a step's digits is far below a nanovolt.
_TINY = "1e-6"


class StaggeredExponentialEuler(StateUpdateMethod):
    """``x <- (x + b/a) exp(a dt) - b/a`` for every ``dx/dt = a x + b``, the voltage first."""

    def __call__(self, equations: Any, variables: Any = None, method_options: dict[str, Any] | None = None) -> str:
        terms = {name: e.code for name, e in equations.eq_expressions if name in equations.subexpr_names}
        order = sorted(equations.diff_eq_names, key=lambda name: (name != "v", name))
        code = []
        for x in order:
            a, b = linear_coefficients(x, equations[x].expr.code, terms, hold=True)
            if a == 0:
                code.append(f"{x} = {x} + dt*({sympy_to_str(b)})")
                continue
            code += [
                f"_a_{x} = {sympy_to_str(sympy.factor_terms(a))} - {_TINY}",
                f"_b_{x} = ({sympy_to_str(sympy.factor_terms(b))})/_a_{x}",
                f"{x} = ({x} + _b_{x})*exp(dt*_a_{x}) - _b_{x}",
            ]
        return "\n".join(code)


StateUpdateMethod.register(NAME, StaggeredExponentialEuler())
