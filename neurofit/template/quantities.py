"""Is a parameter's number one that such a quantity can have?"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from brian2.units.fundamentalunits import Dimension
from numpy.typing import NDArray

from neurofit.template.names import why_taken
from neurofit.template.prior import Prior, values_in_words
from neurofit.template.schema import ParameterTable
from neurofit.template.source import Source
from neurofit.template.units import Unit, meant_unit, parse_unit


def _dimensions(*units: str) -> list[Dimension]:
    return [parse_unit(unit).dimensions for unit in units]


_NOT_NEGATIVE = _dimensions("farad", "siemens", "second", "siemens/farad", "siemens/meter**2", "farad/meter**2")
_NOT_ZERO = _dimensions("farad", "farad/meter**2")
_VOLT = parse_unit("volt").dimensions
# Volts from here on are no membrane potential, and neither are negative millivolts below this.
_LARGEST_V, _SMALLEST_V = 1.0, 2e-4


def check_unit(name: str, parameter: ParameterTable, source: Source) -> None:
    """Check one parameter's name and unit.

    Raises
    ------
    TemplateError
        For the first mistake.
    """
    place = f"parameters.{name}"
    reason = why_taken(name)
    if reason:
        raise source.fail(
            place,
            f"the name {name} already means {reason}",
            expected="a name that is free",
            found=f"[{place}]",
            advice="Choose another name.",
        )
    _unit(place, parameter, source)


def check_values(parameters: Mapping[str, ParameterTable], prior: Prior, source: Source) -> None:
    """Check all parameters' values and priors.

    Raises
    ------
    TemplateError
        For the first mistake.
    """
    at = np.array([[parameters[name].value for name in prior.names]])
    supports = {prior.names[j]: [float(np.ravel(end)[0]) for end in d.support()] for j, d in prior.given(at)}
    reaches = dict(zip(prior.names, prior.bounds.tolist(), strict=True))
    parents = {name: family.parents for name, family in zip(prior.names, prior.families, strict=True)}
    for name, parameter in parameters.items():
        unit = parse_unit(parameter.unit)
        if name in supports:
            low, high = supports[name]
            others = values_in_words(
                {parent: parameters[parent].value for parent in parents[name]},
                {parent: parameters[parent].unit for parent in parents[name]},
            )
            if not low <= parameter.value <= high:
                raise source.fail(
                    f"parameters.{name}.value",
                    f"the value of {name} lies outside its prior",
                    expected=f"{low:g} to {high:g} {unit}".strip() + (f", with {others}" if others else ""),
                    found=f"value = {parameter.value:g}",
                )
        _check_reach(name, parameter, unit, reaches.get(name, [parameter.value] * 2), source)


def _check_reach(name: str, parameter: ParameterTable, unit: Unit, reach: list[float], source: Source) -> None:
    place = f"parameters.{name}"
    low, high = reach
    numbers = f"{place}.prior" if parameter.prior else f"{place}.value"
    found = str(parameter.prior) if parameter.prior else f"value = {parameter.value:g}"
    if low < 0 and unit.dimensions in _NOT_NEGATIVE:
        raise source.fail(
            numbers,
            f"{name} could be negative, which a quantity in {unit} cannot be",
            expected="a prior that is limited to positive values" if parameter.prior else "a positive value",
            found=found,
        )
    if parameter.value == 0 and unit.dimensions in _NOT_ZERO:
        raise source.fail(f"{place}.value", f"the capacitance {name} is zero", expected="a value above 0", found=found)
    if unit.dimensions == _VOLT:
        _check_voltage(name, [parameter.value, low, high], unit, numbers, found, source)


def impossible(values: NDArray[np.float64], unit: Unit) -> NDArray[np.bool_]:
    """Which values no quantity in a unit can have: capacitances, conductances and times below 0, capacitances of 0."""
    negative = (values < 0) & (unit.dimensions in _NOT_NEGATIVE)
    return np.asarray(negative | ((values == 0) & (unit.dimensions in _NOT_ZERO)))


def _unit(place: str, parameter: ParameterTable, source: Source) -> Unit:
    try:
        unit = parse_unit(parameter.unit)
    except ValueError as error:
        meant = meant_unit(parameter.unit)
        raise source.fail(
            f"{place}.unit",
            "this is not a unit",
            expected="products of powers of Brian2's units, such as mV, nS, mS/uF, pA*ms**0.5, or 1 for none",
            found=f'unit = "{parameter.unit}"',
            advice=f'Did you mean "{meant}"?' if meant else None,
        ) from error
    if unit.dimensions.is_dimensionless and unit.scale != 1:
        raise source.fail(
            f"{place}.unit",
            "a parameter without dimensions has a unit",
            expected='unit = "1"',
            found=f'unit = "{parameter.unit}"',
        )
    return unit


def _check_voltage(name: str, values: list[float], unit: Unit, place: str, found: str, source: Source) -> None:
    largest = max((value for value in values if math.isfinite(value)), key=abs)
    if abs(largest) * unit.scale > _LARGEST_V:
        raise source.fail(
            place,
            f"{name} could reach {largest:g} {unit}",
            expected="a voltage within 1 V of 0",
            found=found,
            advice="Is the unit right?",
        )
    if values[0] < 0 and abs(largest) * unit.scale < _SMALLEST_V:
        raise source.fail(
            place,
            f"{name} is nearly nothing, {values[0]:g} {unit}",
            expected="a membrane potential",
            found=found,
            advice="Were volts written for millivolts?",
        )
