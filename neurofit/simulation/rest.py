"""Where a simulation starts: at the resting potential under the holding current, with every gate in equilibrium.

A slow current settles over seconds; starting in equilibrium costs no simulated time at all.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import sympy
from brian2.parsing.sympytools import str_to_sympy
from numpy.typing import NDArray
from scipy.special import exprel

from neurofit.template import Model
from neurofit.template.units import UNITS, parse_unit

# The lowest stable rest is looked for here; a cell that fires by itself has none.
SEARCH_MV = np.arange(-120.0, -19.0, 1.0)


def initial_voltage_mv(
    model: Model, theta: NDArray[np.float64], holding_pa: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Starting membrane potential, ``[draw, sweep]``.

    Parameters
    ----------
    theta
        ``[draw, parameter]`` in the template's units.
    holding_pa
        ``[sweep]``, the current at the first sample.
    """
    start = _compiled(model, "v")
    levels, which = np.unique(holding_pa, return_inverse=True)
    values = {name: theta[:, j, None] * parse_unit(model.units[name]).scale for j, name in enumerate(model.free)}
    columns = [start(values, level * 1e-12) for level in levels]
    return np.stack(columns, axis=1)[:, which] * 1e3


def _compiled(model: Model, variable: str) -> Callable[..., NDArray[np.float64]]:
    expression = model.initial[variable]
    if expression != "rest":
        function, names = _numpy_function(model, expression, with_gates=False)

        def evaluated(values: dict[str, NDArray[np.float64]], current: float) -> NDArray[np.float64]:
            result = function(*[values.get(n, current) for n in names])
            return np.broadcast_to(np.asarray(result, dtype=np.float64), (_rows(values), 1))[:, 0]

        return evaluated

    function, names = _numpy_function(model, model.parsed.derivatives["v"], with_gates=True)

    def slope(v: NDArray[np.float64], values: dict[str, NDArray[np.float64]], current: float) -> NDArray[np.float64]:
        given = {**values, "v": v, "I_inj": np.float64(current)}
        return np.broadcast_to(function(*[given[n] for n in names]), v.shape)

    def at_rest(values: dict[str, NDArray[np.float64]], current: float) -> NDArray[np.float64]:
        n = _rows(values)
        grid = np.broadcast_to(SEARCH_MV * 1e-3, (n, len(SEARCH_MV)))
        with np.errstate(over="ignore", invalid="ignore"):
            rising = slope(grid, values, current) > 0
        crossing = rising[:, :-1] & ~rising[:, 1:]
        first = crossing.argmax(axis=1)
        low, high = grid[0, first][:, None], grid[0, first + 1][:, None]
        for _ in range(40):
            middle = (low + high) / 2
            up = slope(middle, values, current) > 0
            low, high = np.where(up, middle, low), np.where(up, high, middle)
        # with no rest in reach, start where the inward and outward currents differ least
        nearest = np.abs(slope(grid, values, current)).argmin(axis=1)
        return np.where(crossing.any(axis=1), low[:, 0], grid[0, nearest])

    return at_rest


def _rows(values: dict[str, NDArray[np.float64]]) -> int:
    return max((len(v) for v in values.values()), default=1)


def _numpy_function(
    model: Model, expression: str, *, with_gates: bool
) -> tuple[Callable[..., NDArray[np.float64]], list[str]]:
    """An expression of the template as a NumPy function of the free parameters, ``v`` and ``I_inj``, in SI units."""
    symbols: dict[str, sympy.Expr] = {
        p.name: sympy.Float(p.value * parse_unit(p.unit).scale) for p in model.parameters if p.prior is None
    }
    symbols |= {name: sympy.Float(float(unit)) for name, unit in UNITS.items()}
    symbols |= {"white_noise": sympy.Integer(0), "t": sympy.Integer(0)}
    symbols |= {name: str_to_sympy(code) for name, code in model.parsed.subexpressions.items()}
    if with_gates:
        symbols |= {name: str_to_sympy(code) for name, code in model.initial.items() if name != "v"}
    arguments = [*model.free, "v", "I_inj"]
    result = str_to_sympy(expression)
    while inner := {s for s in result.free_symbols if s.name in symbols and s.name not in arguments}:
        result = result.subs({s: symbols[s.name] for s in inner})
    unknown = sorted(s.name for s in result.free_symbols if s.name not in arguments)
    if unknown:
        raise ValueError(f"the starting value of v cannot depend on {', '.join(unknown)}")
    used = [name for name in arguments if name in {s.name for s in result.free_symbols}]
    function = sympy.lambdify(
        [sympy.Symbol(name, real=True) for name in used],
        result,
        modules=[{"exprel": exprel}, "numpy"],
        cse=True,
    )
    return function, used
