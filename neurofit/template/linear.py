"""``dx/dt = a x + b``: what exponential Euler schemes need, found with SymPy."""

from __future__ import annotations

from collections.abc import Mapping

import sympy
from brian2.parsing.sympytools import str_to_sympy


class NotLinear(ValueError):
    """A right-hand side that is not of the form ``a x + b``."""


def linear_coefficients(
    x: str, expression: str, terms: Mapping[str, str], *, hold: bool = False
) -> tuple[sympy.Expr, sympy.Expr]:
    """``a, b`` of ``dx/dt = a x + b``.

    A subexpression that does not contain ``x`` stays a named term, instead of being expanded: that keeps the
    generated code short enough for the compiler to vectorise.

    Parameters
    ----------
    x
        The variable.
    expression
        Its right-hand side.
    terms
        ``{name: expression}`` of the subexpressions.
    hold
        Keep a subexpression that is not linear in ``x`` as a named term too, such as a gate that follows the voltage
        at once: it is then held still over a time step like everything else.

    Raises
    ------
    NotLinear
        If the right-hand side is not linear in ``x``.
    """
    symbol = sympy.Symbol(x, real=True)

    def split(expr: sympy.Expr) -> tuple[sympy.Expr, sympy.Expr] | None:
        """``a, b`` of an expression, or None if it is not linear."""
        if symbol not in expr.free_symbols:
            return sympy.Integer(0), expr
        parts = sympy.collect(expr.expand(), symbol, evaluate=False)
        a, b = parts.pop(symbol, sympy.Integer(0)), parts.pop(sympy.Integer(1), sympy.Integer(0))
        return None if parts or a.has(symbol) or b.has(symbol) else (a, b)

    def opened(code: str) -> sympy.Expr:
        """An expression with every subexpression that contains ``x`` written out, or held."""
        expr = str_to_sympy(code)
        for inner in sorted(expr.free_symbols, key=str):
            if inner.name in terms and contains(inner.name):
                full = opened(terms[inner.name])
                if not (hold and split(full) is None):
                    expr = expr.subs(inner, full)
        return expr

    def contains(name: str) -> bool:
        symbols = str_to_sympy(terms[name]).free_symbols
        return symbol in symbols or any(s.name in terms and contains(s.name) for s in symbols)

    result = split(opened(expression))
    if result is None:
        raise NotLinear(f"not of the form a*{x} + b")
    return result
