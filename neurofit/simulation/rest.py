"""Where a simulation starts: at the resting potential under the holding current, with every gate in equilibrium.

A slow current settles over seconds; starting in equilibrium costs no simulated time at all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import sympy
from brian2.parsing.sympytools import str_to_sympy
from numpy.typing import NDArray
from scipy.special import exprel

from neurofit.template import Model
from neurofit.template.units import UNITS, parse_unit

Array = NDArray[np.float64]
Start = Callable[[dict[str, Array], float], Array]

# The lowest rest is looked for here.
SEARCH_MV = np.arange(-200.0, -19.0, 1.0)
# A cell without a stable one fires by itself. It starts below this, where it lingers between its spikes.
LINGERS_MV = -45.0
# Steps of the derivatives that tell stable from unstable: in volts for v, without unit for gates.
_SMALL = 1e-6
# Brian2's own value for a neuron that never spiked.
_NEVER_S = -1e4

# Names of Brian2's functions that NumPy does not know or knows as something else, as SymPy prints them.
_FUNCTIONS = {
    "exprel": exprel,
    "int_": lambda x: np.trunc(np.asarray(x, dtype=np.float64)),
    "clip": np.clip,
    "timestep": lambda t, dt: np.trunc((t + 1e-3 * dt) / dt),
}

_starts: dict[tuple[str, float], Start] = {}


def initial_voltage_mv(model: Model, theta: Array, holding_pa: Array) -> Array:
    """Starting membrane potential, ``[draw, sweep]``.

    Parameters
    ----------
    theta
        ``[draw, parameter]`` in the template's units.
    holding_pa
        ``[sweep]``, the current at the first sample.
    """
    key = (model.sha256, model.dt_ms)
    if key not in _starts:
        _starts[key] = _at_rest(model) if model.parsed.initial["v"] is None else _as_stated(model)
    start = _starts[key]
    levels, which = np.unique(holding_pa, return_inverse=True)
    values = {name: theta[:, j, None] * parse_unit(model.units[name]).scale for j, name in enumerate(model.free)}
    return np.stack([start(values, level * 1e-12) for level in levels], axis=1)[:, which] * 1e3


def _as_stated(model: Model) -> Start:
    """The template's own expression for the starting voltage."""
    function, names = _numpy_function(model, model.initial["v"])

    def start(values: dict[str, Array], current: float) -> Array:
        given = {**values, "I_inj": np.float64(current)}
        result = np.asarray(function(*[given[name] for name in names]), dtype=np.float64)
        return np.broadcast_to(result, (_rows(values), 1))[:, 0]

    return start


def _at_rest(model: Model) -> Start:
    """The lowest voltage at which the current through the membrane turns from depolarising to hyperpolarising.

    Where that is no stable state, because the cell fires by itself, the voltage at which it changes least.
    """
    function, names = _numpy_function(model, model.parsed.derivatives["v"])
    stable = _stable(model)

    def slope(v: Array, values: dict[str, Array], current: float) -> Array:
        given = {**values, "v": v, "I_inj": np.float64(current)}
        return np.broadcast_to(function(*[given[name] for name in names]), v.shape)

    def start(values: dict[str, Array], current: float) -> Array:
        grid = np.broadcast_to(SEARCH_MV * 1e-3, (_rows(values), len(SEARCH_MV)))
        with np.errstate(all="ignore"):
            slopes = slope(grid, values, current)
            crossing = (slopes[:, :-1] > 0) & (slopes[:, 1:] <= 0)
            first = crossing.argmax(axis=1)
            low, high = grid[0, first][:, None], grid[0, first + 1][:, None]
            for _ in range(40):
                middle = (low + high) / 2
                up = slope(middle, values, current) > 0
                low, high = np.where(up, middle, low), np.where(up, high, middle)
        rests = crossing.any(axis=1) & stable(low[:, 0], values, current)
        slow = np.where(np.isfinite(slopes) & (SEARCH_MV <= LINGERS_MV), np.abs(slopes), np.inf).argmin(axis=1)
        return np.where(rests, low[:, 0], grid[0, slow])

    return start


def _stable(model: Model) -> Callable[[Array, dict[str, Array], float], NDArray[np.bool_]]:
    """Does the model return to a voltage at which its currents balance, ``[draw]``, when it is pushed off a little?

    It does if no eigenvalue of its equations there, linearised in all state variables, has a positive real part.
    """
    states = ["v", *(name for name in model.parsed.state if name != "v")]
    equations = [_numpy_function(model, model.parsed.derivatives[name], states) for name in states]
    gates = [_numpy_function(model, model.initial[name]) for name in states[1:]]

    def changes(at: list[Array], given: dict[str, Any]) -> Array:
        """``[state, draw]``: time derivatives at a state."""
        known = given | dict(zip(states, at, strict=True))
        return np.stack(
            [np.broadcast_to(function(*[known[name] for name in names]), at[0].shape) for function, names in equations]
        )

    def stable(v: Array, values: dict[str, Array], current: float) -> NDArray[np.bool_]:
        given: dict[str, Any] = {name: column[:, 0] for name, column in values.items()} | {
            "v": v,
            "I_inj": np.float64(current),
        }
        at = [v, *(np.broadcast_to(f(*[given[n] for n in names]), v.shape) for f, names in gates)]
        columns = []
        with np.errstate(all="ignore"):
            for j in range(len(states)):
                up, down = ([x + sign * _SMALL * (i == j) for i, x in enumerate(at)] for sign in (1, -1))
                columns.append((changes(up, given) - changes(down, given)) / (2 * _SMALL))
        jacobian = np.moveaxis(np.stack(columns, axis=1), 2, 0)
        finite = np.isfinite(jacobian).all(axis=(1, 2))
        # what cannot be judged keeps its balance point
        result = np.ones(len(v), dtype=bool)
        result[finite] = np.linalg.eigvals(jacobian[finite]).real.max(axis=1) <= 0
        return result

    return stable


def _rows(values: dict[str, Array]) -> int:
    return max((len(v) for v in values.values()), default=1)


def _numpy_function(
    model: Model, expression: str, states: Sequence[str] = ("v",)
) -> tuple[Callable[..., Array], list[str]]:
    """An expression of the template as a NumPy function of the free parameters, states and ``I_inj``, in SI units.

    Every other state variable stands at its initial value.
    """
    symbols: dict[str, sympy.Expr] = {
        p.name: sympy.Float(p.value * parse_unit(p.unit).scale) for p in model.parameters if p.prior is None
    }
    symbols |= {"white_noise": sympy.Integer(0), "t": sympy.Integer(0), "lastspike": sympy.Float(_NEVER_S)}
    symbols |= {"dt": sympy.Float(model.dt_ms * 1e-3)}
    symbols |= {name: str_to_sympy(code) for name, code in model.parsed.subexpressions.items()}
    symbols |= {name: str_to_sympy(code) for name, code in model.initial.items() if name not in states}
    arguments = [*model.free, *states, "I_inj"]
    symbols |= {name: sympy.Float(float(unit)) for name, unit in UNITS.items() if name not in arguments}
    result = str_to_sympy(expression)
    while inner := {s for s in result.free_symbols if s.name in symbols}:
        result = result.subs({s: symbols[s.name] for s in inner})
    used = [name for name in arguments if name in {s.name for s in result.free_symbols}]
    function = sympy.lambdify(
        [sympy.Symbol(name, real=True) for name in used], result, modules=[_FUNCTIONS, "numpy"], cse=True
    )
    return function, used
