"""A posterior's density along one parameter or over two, with the others held at a point."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from neurofit.errors import ParameterError
from neurofit.infer.valid import require_one, whole

if TYPE_CHECKING:
    from neurofit.infer.posterior import Posterior

Array = NDArray[np.float64]
Point = ArrayLike | pd.DataFrame | Mapping[str, ArrayLike]

# Grid points along one parameter, and along each of two.
_ALONG_ONE, _ALONG_TWO = 200, 60


def conditional(
    posterior: Posterior, at: Point | None, parameters: str | Sequence[str] | None, n: int | None
) -> pd.DataFrame:
    """As :meth:`neurofit.Posterior.conditional` says."""
    names = posterior.prior.names
    moving = list(names) if parameters is None else [parameters] if isinstance(parameters, str) else list(parameters)
    if not 1 <= len(set(moving)) == len(moving) <= 2 or not set(moving) <= set(names):
        raise ParameterError(
            "these parameters cannot be moved together",
            expected=f"one or two names among {', '.join(names)}",
            found=", ".join(map(str, moving)) or "none",
        )
    if n is not None:
        require_one("n", n, whole(2), "Posterior.conditional")
    point = _point(posterior, at, moving)
    columns = [names.index(name) for name in moving]
    axes = _axes(posterior, columns, n or (_ALONG_ONE if len(moving) == 1 else _ALONG_TWO))
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, len(moving))
    theta = np.repeat(point, len(grid), axis=0)
    theta[:, columns] = grid
    log_prob = posterior.log_prob(theta)
    if not np.isfinite(log_prob).any():
        raise ParameterError(
            "the posterior's density is 0 wherever these parameters go from this point",
            expected="a point among the posterior's draws",
            found=", ".join(f"{name} = {x:g}" for name, x in zip(names, point[0], strict=True)),
        )
    table = pd.DataFrame(grid, columns=moving)
    table["log_prob"] = log_prob
    table["density"] = _normalised(np.exp(log_prob - log_prob.max()), axes)
    table.attrs["units"] = {name: posterior.model.units[name] for name in moving}
    table.attrs["at"] = dict(zip(names, point[0].tolist(), strict=True))
    return table


def _point(posterior: Posterior, at: Point | None, moving: list[str]) -> Array:
    """``[1, parameter]``."""
    if at is None:
        return posterior.map().to_numpy()
    if isinstance(at, Mapping | pd.DataFrame | pd.Series):
        values = {str(name): at[name] for name in at.keys()}  # noqa: SIM118 (a Series' own iteration is over values)
        left_out = [name for name in posterior.prior.names if name not in values and name not in moving]
        if left_out:
            raise ParameterError(
                f"the point leaves out {', '.join(left_out)}",
                expected=f"a value for each of {', '.join(n for n in posterior.prior.names if n not in moving)}",
                found=f"values for {', '.join(values) or 'none'}",
            )
        at = values
    point = posterior.model.array(at)
    if len(point) != 1:
        raise ParameterError("a point is one value for each parameter", expected="one row", found=f"{len(point)} rows")
    return point


def _axes(posterior: Posterior, columns: list[int], n: int) -> list[Array]:
    """A grid over the draws along each column, evenly on the prior's own scale."""
    axes = []
    for j in columns:
        low, high = posterior.span[:, j]
        grid = (np.geomspace if posterior.prior.logarithmic[j] else np.linspace)(low, high, n)
        axes.append(grid.clip(low, high))  # its own rounding must not lead out of the range
    return axes


def _normalised(density: Array, axes: list[Array]) -> Array:
    """``[grid point]``, so that its integral over the axes is 1 (trapezium rule)."""
    total: Any = density.reshape([len(axis) for axis in axes])
    for axis in reversed(axes):
        total = np.trapezoid(total, axis, axis=-1)
    return density / float(total)
