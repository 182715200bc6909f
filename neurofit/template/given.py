"""Values that a user gives for parameters -> plain numbers in the template's units."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from brian2.units.fundamentalunits import Quantity
from numpy.typing import NDArray

from neurofit.errors import ParameterError
from neurofit.template.units import Unit, parse_unit, unit_words


def numbers(values: Any, what: str) -> NDArray[np.float64]:
    """An array of real numbers.

    Raises
    ------
    ParameterError
        If ``values`` holds anything else.
    """
    if np.ma.is_masked(values):
        raise ParameterError(f"{what} has masked values", expected="an array without a mask", found="a masked array")
    try:
        # real numbers only: NumPy itself would drop an imaginary part with no more than a warning
        return np.asarray(values).astype(np.float64, casting="same_kind" if np.iscomplexobj(values) else "unsafe")
    except (TypeError, ValueError) as error:
        raise ParameterError(
            f"{what} is not made of numbers", expected="an array of numbers", found=str(error)
        ) from error


def in_unit(values: Any, name: str, unit: str) -> Any:
    """One parameter's values without their units: Brian2 quantities are converted, numbers are as they should be.

    NumPy would strip a quantity of its unit in silence and leave it in SI base units.

    Raises
    ------
    ParameterError
        For a quantity of another dimension, or of another package.
    """
    if isinstance(values, Quantity):
        meant = parse_unit(unit)
        if values.dimensions != meant.dimensions:
            raise ParameterError(
                f"{name} has the wrong dimension",
                expected=f"{_described(meant)}, or plain numbers, which are taken {_taken(meant)}",
                found=f"a quantity in {unit_words(values.dimensions)}",
            )
        return np.asarray(values) / meant.scale
    if hasattr(values, "dimensionality"):
        raise ParameterError(
            f"{name} is a quantity of a package that is not Brian2",
            expected=f"plain numbers {_taken(parse_unit(unit))}, or quantities of Brian2",
            found=type(values).__module__,
        )
    if _is_collection(values):
        return [in_unit(value, name, unit) for value in values]
    return values


def rows_in_units(theta: Any, names: Sequence[str], units: dict[str, str]) -> Any:
    """``[draw, parameter]`` without units, each column in its own."""
    if not _has_units(theta):
        return theta
    try:
        shape = np.shape(theta)
    except ValueError:
        # rows of different lengths, which are no array
        return theta
    if len(shape) not in (1, 2) or shape[-1] != len(names):
        return np.asarray(theta)
    rows = [theta] if len(shape) == 1 else theta
    return [[in_unit(value, name, units[name]) for value, name in zip(row, names, strict=True)] for row in rows]


def _has_units(values: Any) -> bool:
    if _is_collection(values):
        return any(_has_units(value) for value in values)
    return isinstance(values, Quantity) or hasattr(values, "dimensionality")


def _is_collection(values: Any) -> bool:
    """Something whose elements have to be looked at one by one; any other array holds plain numbers."""
    return isinstance(values, list | tuple) or (np.ndim(values) > 0 and getattr(values, "dtype", None) == np.dtype("O"))


def _described(unit: Unit) -> str:
    return f"a quantity in {unit}" if str(unit) else "a quantity without unit"


def _taken(unit: Unit) -> str:
    return f"in {unit}" if str(unit) else "as they are"
