"""Pydantic's complaints about a template, in a template's own words and at their place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from neurofit.errors import TemplateError
from neurofit.families import PriorFamily
from neurofit.template.schema import (
    EquationsTable,
    IntegrationTable,
    ParameterTable,
    RigTables,
    SpikeTable,
    TemplateFile,
)
from neurofit.template.source import Source

_FAMILIES: dict[str, type[BaseModel]] = {
    get_args(table.model_fields["family"].annotation)[0]: table for table in get_args(get_args(PriorFamily)[0])
}
_TABLES: dict[str, type[BaseModel]] = {
    "equations": EquationsTable,
    "integration": IntegrationTable,
    "spike": SpikeTable,
}
_EXPECTED = {
    "string_type": "text in quotes",
    "float_type": "a number, without quotes",
    "finite_number": "a finite number",
    "dict_type": "a table",
    "model_type": "a table",
    "model_attributes_type": "a table",
    "list_type": "a list in square brackets",
    "string_too_short": "something between the quotes",
}


def first_complaint(error: ValidationError, source: Source) -> TemplateError:
    """The first of pydantic's complaints, unknown keys first: a misspelt key is also a missing one."""
    complaints = sorted(error.errors(), key=lambda complaint: complaint["type"] != "extra_forbidden")
    first = complaints[0]
    more = len(complaints) - 1
    # a misspelt key and the missing one it was meant to be are one mistake
    more -= sum(c["type"] == "missing" and c["loc"][:-1] == first["loc"][:-1] for c in complaints[1:])
    advice = f"There {'is 1 more mistake' if more == 1 else f'are {more} more mistakes'}." if more > 0 else None
    return _in_words(first, advice, source)


def _in_words(complaint: ErrorDetails, advice: str | None, source: Source) -> TemplateError:
    keys = _keys(complaint)
    place, kind, value = ".".join(keys) or "the file", complaint["type"], complaint["input"]
    name, limits = keys[-1] if keys else "the file", complaint.get("ctx", {})
    if kind == "extra_forbidden":
        allowed = _allowed(keys[:-1], complaint["loc"])
        return source.fail(
            place,
            f"unknown key {name}",
            expected=f"one of {', '.join(allowed)}",
            found=_shown(value, name),
            advice=advice,
        )
    if kind == "missing":
        what = (
            f"a table [{name}]" if len(keys) == 1 and name not in ("name", "title", "description") else f"a key {name}"
        )
        return source.fail(place, f"{name} is missing", expected=what, found="none", advice=advice)
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        has_family = isinstance(value, Mapping) and "family" in value
        return source.fail(
            place,
            "unknown prior family" if has_family else "the prior's family is missing",
            expected="family = " + " or ".join(f'"{family}"' for family in _FAMILIES),
            found=_shown(value["family"], "family") if has_family else _shown(value, "prior"),
            advice=advice,
        )
    if kind == "literal_error":
        return source.fail(
            place, f"unknown {name}", expected=f"one of {limits['expected']}", found=_shown(value, name), advice=advice
        )
    if "string_pattern_mismatch" in kind:
        return source.fail(
            place,
            f"{name if '[key]' in complaint['loc'] else value} is not a name",
            expected="a letter, then letters, digits and underscores",
            found=str(value),
            advice=advice,
        )
    bounds = {"greater_than": "above", "greater_than_equal": "from", "less_than": "below", "less_than_equal": "up to"}
    if kind in bounds:
        limit = next(iter(limits.values()))
        return source.fail(
            place,
            f"{name} is out of range",
            expected=f"a number {bounds[kind]} {limit:g}",
            found=_shown(value, name),
            advice=advice,
        )
    message = complaint["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    if kind == "value_error":
        return source.fail(place, message, expected="a prior with room in it", found=_shown(value, name), advice=advice)
    expected = _EXPECTED.get(kind, message)
    if kind == "float_type" and isinstance(value, int) and not isinstance(value, bool):
        expected = "a number of less than 300 digits"
    return source.fail(
        place, f"{name} has the wrong kind of value", expected=expected, found=_shown(value, name), advice=advice
    )


def _keys(complaint: ErrorDetails) -> list[str]:
    """The dotted place, without what pydantic puts into it: the family it chose, and a mark for keys."""
    loc: Sequence[int | str] = complaint["loc"]
    inside_prior = len(loc) > 3 and loc[0] in ("parameters", "rig") and loc[2] == "prior"
    return [str(key) for i, key in enumerate(loc) if key != "[key]" and not (inside_prior and i == 3)]


def _allowed(keys: Sequence[str], loc: Sequence[int | str]) -> list[str]:
    """The keys that may stand in a table."""
    if not keys:
        table: type[BaseModel] = TemplateFile
    elif len(keys) == 3 and keys[2] == "prior":
        table = _FAMILIES[str(loc[3])]
    elif keys == ["rig"]:
        table = RigTables
    else:
        table = _TABLES.get(keys[0], ParameterTable)
    return [field.alias or name for name, field in table.model_fields.items()]


def _shown(value: Any, name: str) -> str:
    """``name = value`` as TOML has it, more or less."""
    if isinstance(value, bool):
        return f"{name} = {str(value).lower()}"
    if isinstance(value, Mapping):
        return f"{name} = {{ {', '.join(_shown(inner, str(key)) for key, inner in value.items())} }}"
    return f"{name} = " + (f'"{value}"' if isinstance(value, str) else repr(value))
