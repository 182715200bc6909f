"""Columns of numbers from text tables (CSV, TSV, ATF) and NumPy files, with the units that their names state.

Nothing is unpickled, and no file is believed about its size: what an archive or a header asks for is checked first.
"""

from __future__ import annotations

import re
import zipfile
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from neurofit.errors import RecordingError
from neurofit.recording.units import current_scale_pa, printable, time_scale_ms, voltage_scale_mv

LARGEST_BYTES = 2**31
ATF, NPY, ZIP = b"ATF\t", b"\x93NUMPY", b"PK\x03\x04"
# "voltage (mV)", "V [mV]", "Time/ms", "v1_mV", "current_pA"; in lower case only after an underscore, as a Python name
_UNIT = re.compile(r"^(?P<name>.*?)\s*(?:[(\[](?P<in>[^)\]]*)[)\]]|[/_ ](?P<after>[a-zA-Zµμ]+))\s*$")
_LOWER = {"mv": "mV", "uv": "uV", "pa": "pA", "na": "nA", "ua": "uA", "ms": "ms", "us": "us", "s": "s"}
_SEPARATORS = ("\t", ";", ",")


@dataclass(frozen=True)
class Column:
    """A named signal.

    Attributes
    ----------
    name, unit
        As the file has them, the unit apart; empty where there is none.
    values
        ``[sweep, time]``; one row for a column of a text table.
    """

    name: str
    unit: str
    values: NDArray[np.float64]

    def __str__(self) -> str:
        return f"'{self.name}' ({self.unit or 'no unit'})"

    @property
    def is_time(self) -> bool:
        return time_scale_ms(self.unit) is not None


def is_table(head: bytes) -> bool:
    """Do a file's first bytes look like a table of numbers?"""
    if head.startswith((NPY, ATF)):
        return True
    try:
        text = head.decode("utf-8-sig", errors="strict" if len(head) < 512 else "ignore")
    except UnicodeDecodeError:
        return False
    lines = [line for line in text.splitlines()[:-1] or text.splitlines() if line.strip() and line[0] not in "#%"]
    return "\0" not in text and any(_numbers(line) for line in lines[1:3])


def is_npz(path: Path) -> bool:
    """Is a zip archive one of arrays?"""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return False
    return bool(names) and all(name.endswith(".npy") for name in names)


def read_columns(path: Path) -> list[Column]:
    """Every column of a text table, or array of a NumPy file.

    Raises
    ------
    RecordingError
        If the file is damaged, holds anything but numbers, or asks for more memory than any recording does.
    """
    if path.stat().st_size > LARGEST_BYTES:
        raise _too_large(path, path.stat().st_size)
    with path.open("rb") as file:
        head = file.read(512)
    if head.startswith(ZIP):
        return _from_npz(path)
    if head.startswith(NPY):
        with path.open("rb") as file:
            return _from_array(path, path.stem, _array(path, file, path.stat().st_size))
    return _from_text(path)


def _too_large(path: Path, size: float) -> RecordingError:
    return RecordingError(
        "the file asks for more memory than a recording needs",
        where=path,
        expected=f"at most {LARGEST_BYTES / 2**30:g} GB",
        found=f"{size / 2**30:.3g} GB",
    )


def _from_npz(path: Path) -> list[Column]:
    columns: list[Column] = []
    try:
        with zipfile.ZipFile(path) as archive:
            total = sum(entry.file_size for entry in archive.infolist())
            if total > LARGEST_BYTES:
                raise _too_large(path, total)
            for entry in archive.infolist():
                with archive.open(entry) as file:
                    content = BytesIO(file.read(entry.file_size + 1))
                array = _array(path, content, len(content.getbuffer()))
                columns += _from_array(path, entry.filename.removesuffix(".npy"), array)
    except (zipfile.BadZipFile, NotImplementedError, EOFError, RuntimeError, ValueError, OSError) as error:
        if isinstance(error, RecordingError):
            raise
        raise _damaged(path, str(error)) from error
    except Exception as error:  # zlib, lzma and bz2 each have their own
        raise _damaged(path, type(error).__name__) from error
    return columns


def _array(path: Path, file: IO[bytes], size: int) -> NDArray[Any]:
    """One ``.npy`` array, if it is as long as its header says and holds no objects."""
    read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    try:
        version = np.lib.format.read_magic(file)
        shape, fortran, dtype = read[version](file)
        count = int(np.prod(shape, dtype=object))
    except Exception as error:  # a damaged header is evaluated as a literal, which fails in many ways
        raise _damaged(path, f"an array's header that makes no sense ({type(error).__name__})") from error
    if dtype.hasobject:
        raise RecordingError(
            "the file holds Python objects, which could run code and are not loaded",
            where=path,
            expected="arrays of numbers",
            advice="Save plain arrays: numpy.asarray(..., dtype=float).",
        )
    needed = count * dtype.itemsize
    if min((*shape, 0)) < 0 or needed != size - file.tell():
        raise _damaged(path, f"an array of {needed} bytes in {size - file.tell()}")
    flat = np.frombuffer(file.read(needed), dtype=dtype, count=count)
    return flat.reshape(shape[::-1]).T if fortran else flat.reshape(shape)


def _damaged(path: Path, found: str) -> RecordingError:
    return RecordingError(
        "the file is cut short or damaged",
        where=path,
        expected="a whole NumPy file",
        found=printable(" ".join(found.split())),
        advice="Copy the file again, or save it once more.",
    )


def _from_array(path: Path, name: str, array: NDArray[Any]) -> list[Column]:
    """A column, or one for each field of a structured array."""
    if array.dtype.names is not None:
        return [column for field in array.dtype.names for column in _from_array(path, field, array[field])]
    if array.dtype.kind not in "fiu" or array.ndim > 2 or array.size == 0:
        raise RecordingError(
            f"the array '{printable(name)}' is no signal",
            where=path,
            expected="real numbers, [time] or [sweep, time]",
            found=f"{array.dtype.name} of shape {array.shape}",
        )
    return [_column(name, np.atleast_2d(array.astype(np.float64)))]


def _column(title: str, values: NDArray[np.float64]) -> Column:
    title = printable(title.strip().strip("\"'").strip())
    match = _UNIT.match(title)
    if match:
        unit = (match["in"] or match["after"] or "").strip()
        unit = _LOWER.get(unit, unit) if match["after"] and "_" in title else unit
        if any(scale(unit) is not None for scale in (voltage_scale_mv, current_scale_pa, time_scale_ms)):
            return Column(match["name"].strip(), unit, values)
    return Column(title, "", values)


def _from_text(path: Path) -> list[Column]:
    import pandas as pd

    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        text = path.read_bytes().decode("latin1")
    lines = [line for line in text.splitlines() if line.strip() and line.lstrip()[0] not in "#%"]
    is_atf = text.startswith("ATF\t")
    lines = lines[_after_atf(path, lines) :] if is_atf else lines
    title, sample = "".join(lines[:1]), lines[1:2]
    separator = "\t" if is_atf else next((s for s in _SEPARATORS if s in title), r"\s+")
    comma = separator != "," and any("," in line for line in sample)
    has_names = not _numbers(title)
    try:
        table = pd.read_csv(
            BytesIO("\n".join(lines).encode()),
            sep=separator,
            decimal="," if comma else ".",
            header=0 if has_names else None,
            skipinitialspace=True,
            index_col=False,
            dtype=np.float64,
        )
    except Exception as error:  # pandas raises its own, and value, unicode and overflow errors
        raise RecordingError(
            "this is a text file, but not a table of numbers",
            where=path,
            expected="columns of numbers, with a line of names such as time_ms, voltage_mV, current_pA",
            found=printable(" ".join(str(error).split()))[:200],
        ) from error
    if table.shape[0] < 2 or table.shape[1] == 0:
        raise RecordingError("this is a text file, but its table holds no samples", where=path, found=f"{table.shape}")
    return [_column(str(name) if has_names else "", table[name].to_numpy()[None, :]) for name in table.columns]


def _after_atf(path: Path, lines: list[str]) -> int:
    """The line of an Axon text file that holds its columns' names."""
    try:
        return 2 + int(lines[1].split()[0])
    except (IndexError, ValueError) as error:
        raise RecordingError("this Axon text file has no whole header", where=path) from error


def _numbers(line: str) -> bool:
    """Is every field of a line a number?"""
    fields = [field for field in re.split(r"[;\t ]+|,\s*(?![0-9]*[;\t])", line.strip()) if field]
    try:
        return bool([float(field.replace(",", ".")) for field in fields])
    except ValueError:
        return False
