"""Reading a template: TOML text -> :class:`Model`, with every mistake named where it stands."""

from __future__ import annotations

import re
import shutil
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
from brian2.units.fundamentalunits import DIMENSIONLESS
from pydantic import ValidationError

from neurofit.errors import TemplateError
from neurofit.resources import resource_dir
from neurofit.template.equations import check_equations
from neurofit.template.model import Model, Parameter, Spike
from neurofit.template.schema import (
    SCHEMA_VERSION,
    EquationsTable,
    IntegrationTable,
    ParameterTable,
    SpikeTable,
    TemplateFile,
)
from neurofit.template.units import parse_unit


def list_models() -> tuple[str, ...]:
    """Names of the templates that come with neurofit."""
    return tuple(sorted(path.stem for path in resource_dir("models").glob("*.toml")))


def load_model(name_or_path: str | Path) -> Model:
    """Read and check a template.

    Parameters
    ----------
    name_or_path
        The name of a shipped template (see :func:`list_models`) or the path of a TOML file.

    Raises
    ------
    TemplateError
        For a missing file or any mistake in it: with file, place, what was expected and what was found.

    Examples
    --------
    >>> model = load_model("lif")
    >>> model.free[:3]
    ('C', 'g_leak', 'E_leak')
    """
    path = find_model(name_or_path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise TemplateError(f"the template cannot be read ({error})", where=path) from error
    return parse_model(text, str(path))


def find_model(name_or_path: str | Path) -> Path:
    """The file of a template given by name or path."""
    shipped = resource_dir("models") / f"{name_or_path}.toml"
    if re.fullmatch(r"\w+", str(name_or_path)) and shipped.is_file():
        return shipped
    path = Path(name_or_path)
    if not path.is_file():
        raise TemplateError(
            "there is no such template",
            where=name_or_path,
            expected=f"a TOML file or one of {', '.join(list_models())}",
        )
    return path


def copy_model(name: str, to: Path) -> Path:
    """Copy a shipped template to a new file, the start of one's own.

    Raises
    ------
    TemplateError
        If the template is unknown or the file exists.
    """
    source = find_model(name)
    if to.exists():
        raise TemplateError("the file exists and is left as it is", where=to, advice="Choose another name.")
    shutil.copyfile(source, to)
    return to


def parse_model(text: str, path: str) -> Model:
    """A template's text as a :class:`Model`; ``path`` is only named in errors."""

    def fail(place: str, message: str, **more: Any) -> TemplateError:
        line = _line_of(text, place)
        return TemplateError(message, where=f"{path}: {place}" + (f" (line {line})" if line else ""), **more)

    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise TemplateError(
            "this is not TOML", where=path, expected="TOML text", found=str(error).rstrip(".")
        ) from error
    if tables.get("schema") != SCHEMA_VERSION:
        raise fail(
            "schema",
            "the template's schema is not one this version of neurofit knows",
            expected=f"schema = {SCHEMA_VERSION}",
            found=f"schema = {tables['schema']!r}" if "schema" in tables else "no schema key",
        )
    try:
        file = TemplateFile.model_validate(tables)
    except ValidationError as error:
        raise _explain(error, fail) from error

    for name, parameter in file.parameters.items():
        _check_parameter(name, parameter, fail)
    parsed = check_equations(
        file.equations.model,
        units={name: p.unit for name, p in file.parameters.items()},
        initial=file.initial,
        recorded=file.equations.recorded,
        threshold=file.spike.threshold if file.spike else None,
        reset=file.spike.reset if file.spike else None,
        refractory=file.spike.refractory if file.spike else None,
        fail=fail,
    )
    if not any(p.prior for p in file.parameters.values()):
        raise fail("parameters", "no parameter is free", expected="a prior on at least one of them")
    model = Model(
        name=file.name,
        title=file.title,
        description=file.description.strip(),
        references=tuple(file.references),
        equations=file.equations.model,
        recorded=file.equations.recorded,
        initial=dict(file.initial),
        method=file.integration.method,
        dt_ms=file.integration.dt_ms,
        spike=Spike(**file.spike.model_dump()) if file.spike else None,
        parameters=tuple(
            Parameter(name, p.unit, p.value, p.prior, p.description, p.source) for name, p in file.parameters.items()
        ),
        parsed=parsed,
        path=path,
        text=text,
    )
    return model


# Quantities that cannot be negative, by dimension.
_POSITIVE = ("farad", "siemens", "second", "siemens/farad", "siemens/meter**2", "farad/meter**2")


def _check_parameter(name: str, parameter: ParameterTable, fail: Any) -> None:
    place = f"parameters.{name}"
    try:
        unit = parse_unit(parameter.unit)
    except ValueError as error:
        raise fail(
            f"{place}.unit",
            f"{parameter.unit!r} is not a unit",
            expected="products of powers of Brian2's units, such as mV, nS, mS/uF, pA*ms**0.5, or 1 for none",
        ) from error
    low, high = (parameter.value, parameter.value)
    if parameter.prior is not None:
        low, high = map(float, parameter.prior.distribution.support())
        if not low <= parameter.value <= high:
            raise fail(
                f"{place}.value",
                f"the value of {name} lies outside its prior",
                expected=f"{low:g} to {high:g} {unit}",
                found=f"{parameter.value:g}",
            )
    if low < 0 and unit.dimensions in [parse_unit(u).dimensions for u in _POSITIVE]:
        raise fail(
            f"{place}.prior" if parameter.prior else f"{place}.value",
            f"{name} could be negative, which a quantity in {unit} cannot be",
            expected="a prior or a value above 0",
            found=f"down to {low:g} {unit}",
        )
    volts = unit.dimensions == parse_unit("volt").dimensions
    if volts and any(np.isfinite(b) and abs(b) * unit.scale > 1 for b in (low, high)):
        raise fail(
            f"{place}.prior" if parameter.prior else f"{place}.value",
            f"{name} could reach {max(low, high, key=abs):g} {unit}",
            expected="membrane potentials within a volt of 0",
            advice="Is the unit right?",
        )
    if unit.dimensions is DIMENSIONLESS and unit.scale != 1:
        raise fail(f"{place}.unit", "a dimensionless parameter needs the unit 1", found=parameter.unit)


def _explain(error: ValidationError, fail: Any) -> TemplateError:
    """The first of pydantic's complaints, in words, at its place."""
    first = error.errors()[0]
    families = ("uniform", "log_uniform", "normal", "truncated_normal", "log_normal")
    keys = [str(k) for k in first["loc"] if k not in families and k != "[key]"]
    place, kind, found = ".".join(keys) or "the file", first["type"], repr(first["input"])
    more = len(error.errors()) - 1
    advice = f"There are {more} more mistakes after this one." if more > 1 else None
    name = keys[-1] if keys else ""
    if kind == "extra_forbidden":
        return fail(
            place,
            f"unknown key {name}",
            expected=_keys_at(keys[:-1]),
            found=f"{name} = {found}",
            advice=advice,
        )
    if kind == "missing":
        return fail(place, f"{name} is missing", expected=f"a key {name}", advice=advice)
    if kind == "union_tag_invalid" or kind == "union_tag_not_found":
        return fail(
            place,
            "unknown prior family",
            expected=f"family = one of {', '.join(families)}",
            found=found,
            advice=advice,
        )
    message = first["msg"].removeprefix("Value error, ")
    return fail(place, message[0].lower() + message[1:], found=found if len(found) < 200 else None, advice=advice)


def _keys_at(keys: list[str]) -> str:
    tables: dict[tuple[str, ...], Any] = {
        (): TemplateFile,
        ("equations",): EquationsTable,
        ("integration",): IntegrationTable,
        ("spike",): SpikeTable,
    }
    table: Any = tables.get(tuple(keys))
    if len(keys) == 2 and keys[0] == "parameters":
        table = ParameterTable
    if table is None:
        return "only the keys that the reference of the template format lists"
    return "one of " + ", ".join(field.alias or name for name, field in table.model_fields.items())


def _line_of(text: str, place: str) -> int | None:
    """The line on which a dotted place such as ``parameters.C.prior`` stands, as well as text can tell."""
    *tables, key = place.split(".")
    lines = text.splitlines()
    for depth in range(len(tables) + 1, 0, -1):
        header = ".".join([*tables, key][:depth])
        for number, line in enumerate(lines, 1):
            if line.strip() == f"[{header}]":
                rest = [*tables, key][depth:]
                if not rest:
                    return number
                for offset, following in enumerate(lines[number:], number + 1):
                    if following.strip().startswith("["):
                        break
                    if re.match(rf"\s*{re.escape(rest[0])}\s*=", following):
                        return offset
                return number
    for number, line in enumerate(lines, 1):
        if re.match(rf"{re.escape((tables or [key])[0])}\s*=", line):
            return number
    return None
