"""``[rig.NAME]``: what a rig adds to any template's recorded voltage, as parameters like the others.

The tables are written into the template: ``[rig.noise]`` becomes the parameter ``rig_noise`` and a term of the recorded
voltage. In the order of a rig, that is filter(recorded + resistance*current + junction potential + offset) + noise.
"""

from __future__ import annotations

from neurofit.template.prior import Prior
from neurofit.template.quantities import check_unit
from neurofit.template.schema import EquationsTable, ParameterTable, TemplateFile
from neurofit.template.source import Source
from neurofit.template.units import parse_unit, unit_words

PREFIX = "rig_"
# What each is measured in, and what it adds before the filter.
_UNITS = {"series_resistance": "ohm", "junction_potential": "volt", "offset": "volt", "filter": "Hz", "noise": "volt"}
_ADDED = {"series_resistance": "rig_series_resistance*I_inj", "junction_potential": "", "offset": ""}
_FILTERED = "rig_recorded"


def with_rig(file: TemplateFile, source: Source) -> TemplateFile:
    """The template with its rig among its parameters and equations.

    Raises
    ------
    TemplateError
        For a rig's parameter in a unit of something else, or a name that the template has taken.
    """
    tables = file.rig.given
    for name, table in tables.items():
        _check(name, table, file, source)
    if not tables:
        return file
    added = [_ADDED[name] or f"{PREFIX}{name}" for name in _ADDED if name in tables]
    recorded, model, initial = " + ".join([f"({file.equations.recorded})", *added]), file.equations.model, file.initial
    if "filter" in tables:
        model += f"\nd{_FILTERED}/dt = 2*pi*rig_filter*({recorded} - {_FILTERED}) : volt\n"
        initial = initial | {_FILTERED: recorded}
        recorded = _FILTERED
    if "noise" in tables:
        recorded += " + rig_noise*observation_noise"
    parameters = {f"{PREFIX}{name}": table for name, table in tables.items()}
    return file.model_copy(
        update={
            "equations": EquationsTable(model=model, recorded=recorded),
            "initial": initial,
            "parameters": file.parameters | parameters,
        }
    )


def check_rig(file: TemplateFile, prior: Prior, source: Source) -> None:
    """Check that noise is not negative and that a filter lets something through.

    Raises
    ------
    TemplateError
        For the first of them that could be.
    """
    lows = dict(zip(prior.names, prior.bounds[:, 0].tolist(), strict=True))
    for name, table in file.rig.given.items():
        low = lows.get(f"{PREFIX}{name}", table.value)
        if (name == "noise" and low < 0) or (name == "filter" and low <= 0):
            raise source.fail(
                f"rig.{name}.{'prior' if table.prior else 'value'}",
                "noise cannot be negative" if name == "noise" else "a filter's corner lies above 0",
                expected="a standard deviation from 0 mV" if name == "noise" else "a corner frequency in kHz",
                found=str(table.prior or f"value = {table.value:g}"),
            )


def _check(name: str, table: ParameterTable, file: TemplateFile, source: Source) -> None:
    check_unit(f"{PREFIX}{name}", table, source)
    wanted, found = parse_unit(_UNITS[name]).dimensions, parse_unit(table.unit).dimensions
    if found != wanted:
        raise source.fail(
            f"rig.{name}.unit",
            f"the unit is not that of a {name.replace('_', ' ')}",
            expected=unit_words(wanted),
            found=f'unit = "{table.unit}"',
        )
    if name == "filter" and "observation_noise" in file.equations.recorded:
        raise source.fail(
            "rig.filter",
            "the noise of the recorded voltage would pass the filter",
            expected="a table [rig.noise], which comes after the filter",
            found=f"recorded = '{file.equations.recorded}'",
        )
    if f"{PREFIX}{name}" in file.parameters:
        raise source.fail(
            f"rig.{name}",
            f"{PREFIX}{name} is a parameter already",
            expected="one of the two",
            found=f"[rig.{name}] and [parameters.{PREFIX}{name}]",
        )
