"""A model: equations, parameters with units and priors, and how to integrate them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from neurofit.errors import ParameterError
from neurofit.template.equations import Parsed
from neurofit.template.given import in_unit, numbers, rows_in_units
from neurofit.template.prior import Family, Prior
from neurofit.template.quantities import impossible
from neurofit.template.units import parse_unit


@dataclass(frozen=True)
class Parameter:
    """One parameter of a template, in its own unit; free if it has a prior."""

    name: str
    unit: str
    value: float
    prior: Family | None
    description: str
    source: str


@dataclass(frozen=True)
class Spike:
    """Threshold, reset and refractory period, and the action potential drawn in place of a real one."""

    threshold: str
    reset: str
    refractory: str
    drawn_peak_mv: float
    drawn_width_ms: float


@dataclass(frozen=True)
class Model:
    """A template that has been read and checked.

    Attributes
    ----------
    equations
        The text as it stands in the template; ``parsed.text`` is what Brian2 gets.
    recorded
        Expression for the voltage that the electrode reports.
    initial
        ``{state variable: expression}``; ``"rest"`` for ``v`` means the resting potential.
    method, dt_ms, precision
        State updater, time step, and the arithmetic: ``"double"`` or ``"single"``.
    spike
        For threshold-and-reset models, otherwise ``None``.
    parsed
        The equations after their dry run.
    path, text
        Where the template was read and exactly what stood there.
    """

    name: str
    title: str
    description: str
    references: tuple[str, ...]
    equations: str
    recorded: str
    initial: Mapping[str, str]
    method: str
    dt_ms: float
    precision: str
    spike: Spike | None
    parameters: tuple[Parameter, ...]
    parsed: Parsed
    path: str
    text: str

    def __repr__(self) -> str:
        return f"Model({self.name}: {len(self.free)} free parameters: {', '.join(self.free)})"

    @property
    def sha256(self) -> str:
        """Of the template's text."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def free(self) -> tuple[str, ...]:
        """Names of the free parameters, in the order of theta's columns."""
        return tuple(p.name for p in self.parameters if p.prior is not None)

    @property
    def units(self) -> dict[str, str]:
        """``{parameter: unit}`` of all parameters."""
        return {p.name: p.unit for p in self.parameters}

    @property
    def prior(self) -> Prior:
        """Joint prior of the free parameters."""
        free = [(p.name, p.unit, p.prior) for p in self.parameters if p.prior is not None]
        names, units, families = zip(*free, strict=True) if free else ((), (), ())
        return Prior(names, units, families)

    def with_dt(self, dt_ms: float) -> Model:
        """The same model at another time step."""
        return replace(self, dt_ms=dt_ms)

    def table(self, theta: ArrayLike) -> pd.DataFrame:
        """Parameter values ``[n, parameter]`` as a table with named columns, units in ``.attrs["units"]``."""
        frame = pd.DataFrame(np.atleast_2d(np.asarray(theta, dtype=np.float64)), columns=list(self.free))
        frame.attrs["units"] = {name: self.units[name] for name in self.free}
        return frame

    def array(self, theta: ArrayLike | pd.DataFrame | Mapping[str, ArrayLike]) -> NDArray[np.float64]:
        """``theta`` as ``[n, parameter]`` in the order of :attr:`free`, from an array or a table by name.

        Parameters missing from a table stand at the template's own value. Numbers are in the template's units; Brian2
        quantities are converted to them.

        Raises
        ------
        ParameterError
            For a wrong number of columns, an unknown name, a quantity of another dimension, or a value that is not
            finite or that no such quantity can have.
        """
        if isinstance(theta, pd.DataFrame | Mapping):
            array = self._array_by_name(theta)
        else:
            array = np.atleast_2d(numbers(rows_in_units(theta, self.free, self.units), "theta"))
        if array.ndim != 2 or array.shape[1] != len(self.free):
            raise ParameterError(
                "theta has the wrong shape",
                expected=f"[draw, {len(self.free)}] with the columns {', '.join(self.free)}",
                found=f"{array.shape}",
            )
        if len(array) == 0:
            raise ParameterError("theta holds no draws", expected="at least one row", found=f"{array.shape}")
        if not np.isfinite(array).all():
            row, column = np.argwhere(~np.isfinite(array))[0]
            raise ParameterError(
                f"theta is not finite in row {row}, {self.free[column]}",
                expected="finite numbers",
                found=f"{array[row, column]}",
            )
        for column, name in enumerate(self.free):
            unit = parse_unit(self.units[name])
            wrong = impossible(array[:, column], unit)
            if wrong.any():
                row = int(wrong.argmax())
                raise ParameterError(
                    f"{name} in row {row} is no value that a quantity in {unit} can have",
                    expected="a positive value",
                    found=f"{array[row, column]:g} {unit}",
                )
        return array

    def _array_by_name(self, theta: pd.DataFrame | Mapping[str, ArrayLike]) -> NDArray[np.float64]:
        unknown = [str(name) for name in theta if name not in self.free]
        if unknown:
            raise ParameterError(
                f"{self.name} has no free parameter {', '.join(unknown)}",
                expected=f"names among {', '.join(self.free)}",
                found=f"the columns {', '.join(map(str, theta))}",
            )
        columns = {
            name: np.atleast_1d(numbers(in_unit(theta[name], name, self.units[name]), name)) for name in map(str, theta)
        }
        lengths = {name: len(column) for name, column in columns.items() if column.shape != (1,)}
        if any(column.ndim != 1 for column in columns.values()) or len(set(lengths.values())) > 1:
            raise ParameterError(
                "the table's columns do not fit together",
                expected="one value a draw in every column, or a single value for all draws",
                found=", ".join(f"{name} {column.shape}" for name, column in columns.items()),
            )
        n = next(iter(lengths.values()), 1)
        values = {p.name: p.value for p in self.parameters}
        return np.column_stack([np.broadcast_to(columns.get(k, values[k]), n) for k in self.free])
