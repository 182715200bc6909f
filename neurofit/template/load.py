"""Reading a template: TOML text -> :class:`Model`, with every mistake named where it stands."""

from __future__ import annotations

import re
import shutil
import tomllib
from pathlib import Path

from pydantic import ValidationError

from neurofit.errors import TemplateError
from neurofit.resources import resource_dir
from neurofit.template.complaints import first_complaint
from neurofit.template.consistency import check_together
from neurofit.template.dependent import read_families
from neurofit.template.equations import Parsed, read_formulas
from neurofit.template.model import Model, Parameter, Spike
from neurofit.template.names import PROVIDED
from neurofit.template.quantities import check_unit, check_values
from neurofit.template.rig import check_rig, with_rig
from neurofit.template.schema import SCHEMA_VERSION, TemplateFile
from neurofit.template.source import Source
from neurofit.template.symbols import REST


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
        # some editors put a mark in front of UTF-8 text
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise TemplateError(f"the template cannot be read ({error.strerror})", where=path) from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise TemplateError(
            "the template is not UTF-8 text",
            where=f"{path} (line {line})",
            expected="a text file in the UTF-8 encoding",
            found=f"the byte 0x{error.object[error.start]:02x}",
            advice="Save it again as UTF-8.",
        ) from error
    return parse_model(text.replace("\r\n", "\n"), str(path))


def find_model(name_or_path: str | Path) -> Path:
    """The file of a template given by name or path.

    Raises
    ------
    TemplateError
        If there is none.
    """
    shipped = resource_dir("models") / f"{name_or_path}.toml"
    if re.fullmatch(r"\w+", str(name_or_path)) and shipped.is_file():
        return shipped
    path = Path(name_or_path)
    if not path.is_file():
        raise TemplateError(
            "this is a directory" if path.is_dir() else "there is no such template",
            where=name_or_path,
            expected=f"a TOML file or one of {', '.join(list_models())}",
        )
    return path


def copy_model(name: str, to: str | Path) -> Path:
    """Copy a shipped template to a new file, the start of one's own.

    Raises
    ------
    TemplateError
        If the template is unknown, or the file exists or cannot be written.
    """
    source, copy = find_model(name), Path(to)
    try:
        # "x": never over a file that is there, not even one that was made this very moment
        with source.open("rb") as original, copy.open("xb") as new:
            shutil.copyfileobj(original, new)
    except FileExistsError as error:
        raise TemplateError(
            "the file exists and is left as it is", where=copy, advice="Choose another name."
        ) from error
    except OSError as error:
        raise TemplateError(f"the copy cannot be written ({error.strerror})", where=copy) from error
    return copy


def parse_model(text: str, path: str) -> Model:
    """A template's text as a :class:`Model`; ``path`` is only named in errors.

    Raises
    ------
    TemplateError
        For the first mistake in it.
    """
    source = Source(text, path)
    file = with_rig(_read_file(source), source)
    for name, parameter in file.parameters.items():
        check_unit(name, parameter, source)
    parsed = check_together(read_formulas(file, source), file.parameters, file.integration.method, source)
    if not any(p.prior for p in file.parameters.values()):
        raise source.fail(
            "parameters",
            "no parameter is free",
            expected="a prior on at least one of them",
            found=f"values for {', '.join(file.parameters)}",
        )
    families = read_families(file.parameters, [e.name for e in parsed.equations] + [*PROVIDED], source)
    model = Model(
        name=file.name,
        title=file.title,
        description=file.description.strip(),
        references=tuple(file.references),
        equations=file.equations.model,
        recorded=str(parsed.recorded),
        initial={name: REST if formula is None else str(formula) for name, formula in parsed.initial.items()},
        method=file.integration.method,
        dt_ms=file.integration.dt_ms,
        precision=file.integration.precision,
        spike=_spike(file, parsed),
        parameters=tuple(
            Parameter(name, p.unit, p.value, families.get(name), p.description, p.source)
            for name, p in file.parameters.items()
        ),
        parsed=parsed,
        path=path,
        text=text,
    )
    check_values(file.parameters, model.prior, source)
    check_rig(file, model.prior, source)
    return model


def _read_file(source: Source) -> TemplateFile:
    try:
        tables = tomllib.loads(source.text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        line = re.search(r"line (\d+)", str(error))
        raise TemplateError(
            "this is not TOML",
            where=source.path + (f" (line {line[1]})" if line else ""),
            expected="tables and 'key = value' lines; see a shipped template",
            found=str(error).rstrip("."),
        ) from error
    version = tables.get("schema")
    if type(version) is not int or version != SCHEMA_VERSION:
        raise source.fail(
            "schema",
            "the template's schema is not one that this version of neurofit knows",
            expected=f"schema = {SCHEMA_VERSION}",
            found=f"schema = {version!r}" if "schema" in tables else "no key schema",
        )
    try:
        return TemplateFile.model_validate(tables)
    except ValidationError as error:
        raise first_complaint(error, source) from error


def _spike(file: TemplateFile, parsed: Parsed) -> Spike | None:
    if file.spike is None:
        return None
    return Spike(
        threshold=str(parsed.threshold),
        reset="\n".join(map(str, parsed.reset)),
        refractory=str(parsed.refractory),
        drawn_peak_mv=file.spike.drawn_peak_mv,
        drawn_width_ms=file.spike.drawn_width_ms,
    )
