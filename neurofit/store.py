"""The run directory: everything a run decided and found, written as it goes, so that the same command resumes.

Files appear whole or not at all (written beside their place and renamed). A result that is there is used as it is; one
that is not is computed. So a killed run loses what it was computing and nothing else. ::

    run.toml                 what was decided, and the versions of what ran
    model.toml               the template, as it was
    data.npz                 the sweeps that were fitted and held out
    simulations/NAME/        z.npy, features.npy, reason.npy, voltage_mv.npy, a row a simulation; summary.json
                             (batches/ONE.npz while it is being simulated)
    rounds/N/                network, losses, region
    calibration/             the last round's network, put right around the cell, and the region that the cell's fills
    checks/                  every check and its numbers
    robust/                  the robust posterior, where it was asked for: its draws, tables and figure
    posterior.csv  posterior.nc  parameters.csv  report.html
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from itertools import chain
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import tomli_w
from numpy.typing import NDArray

from neurofit.disk import HALF, LOCK, locked, replacing, writing
from neurofit.errors import RunDirectoryError

FORMAT = 5
_PACKAGES = ("neurofit", "brian2", "sbi", "torch", "efel", "neo", "numpy", "scipy")

# What may be another although the command is the same.
_CHANGED = {"recording": "the recording's file has", "model": "the template's text has"}

Arrays = dict[str, NDArray[Any]]


class Run:
    """One run directory.

    Parameters
    ----------
    path
        The directory.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    def __repr__(self) -> str:
        return f"Run({self.path})"

    def __truediv__(self, name: str) -> Path:
        return self.path / name

    @contextmanager
    def started(self, decisions: Mapping[str, Any]) -> Iterator[None]:
        """Hold the directory for this process, new or with a run of the same decisions in it.

        Raises
        ------
        RunDirectoryError
            If it holds something else, a run with other decisions, or is in use by another process.
        """
        file = self / "run.toml"
        if self.path.exists() and not self.path.is_dir():
            raise RunDirectoryError("the output is a file, not a directory", where=self.path)
        if self.path.is_dir() and not file.is_file() and any(map(_foreign, self.path.iterdir())):
            raise RunDirectoryError(
                "the output directory holds something that is not a run of neurofit",
                where=self.path,
                advice="Choose another directory; nothing was changed.",
            )
        if file.is_file():
            _check_same(decisions, self.decisions(), self.path)
        with writing(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
        with locked(self.path):
            if file.is_file():
                # it may have been begun since
                _check_same(decisions, self.decisions(), self.path)
            with writing(self.path):
                for left in self.path.rglob(f".*{HALF}"):
                    left.unlink()
            if not file.is_file():
                versions = {name: version(name) for name in _PACKAGES}
                content = {"format": FORMAT, "versions": versions, "decisions": _plain(decisions)}
                self.write(file, tomli_w.dumps(content).encode())
            yield

    def decisions(self) -> dict[str, Any]:
        """What the run decided.

        Raises
        ------
        RunDirectoryError
            If there is no run here, or one of another format.
        """
        file = self / "run.toml"
        if not file.is_file():
            raise RunDirectoryError("there is no run here", where=self.path, expected="a directory with a run.toml")
        try:
            content = tomllib.loads(file.read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise RunDirectoryError("run.toml cannot be read", where=file, found=str(error)) from error
        if content.get("format") != FORMAT:
            raise RunDirectoryError(
                "the run was written by another version of neurofit",
                where=file,
                expected=f"format = {FORMAT}",
                found=f"format = {content.get('format')}",
            )
        if not isinstance(content.get("decisions"), dict):
            raise RunDirectoryError("run.toml does not say what was decided: was it edited?", where=file)
        return dict(content["decisions"])

    def must_have(self, name: str) -> None:
        """Raise if the run has not got so far."""
        if not (self / name).is_file():
            raise RunDirectoryError(
                "the run is not finished",
                where=self.path,
                advice="Repeat the command that started it: it goes on.",
            )

    def versions(self) -> dict[str, str]:
        """Versions of the packages that started the run."""
        return dict(tomllib.loads((self / "run.toml").read_text(encoding="utf-8"))["versions"])

    def arrays(self, name: str, compute: Callable[[], Arrays]) -> Arrays:
        """Arrays from ``name``, computed and written if they are not there."""
        file = self / name
        if not file.is_file():
            self.write_arrays(name, compute())
        return self.read_arrays(name)

    def read_arrays(self, name: str) -> Arrays:
        with _reading(self / name), np.load(self / name, allow_pickle=False) as found:
            return {key: found[key] for key in found.files}

    def read_array(self, name: str, key: str) -> NDArray[Any]:
        """One of the arrays of :meth:`write_arrays`, without reading the others."""
        with _reading(self / name), np.load(self / name, allow_pickle=False) as found:
            return np.asarray(found[key])

    def write_arrays(self, name: str, arrays: Arrays) -> None:
        with replacing(self / name) as temporary, temporary.open("wb") as out:
            np.savez(out, allow_pickle=False, **arrays)

    def write_rows(self, name: str, n: int, blocks: Iterable[NDArray[Any]]) -> None:
        """A plain ``.npy`` file of ``n`` rows, written block by block, so that they are never in memory together."""
        rest = iter(blocks)
        first = next(rest)
        header = {
            "descr": np.lib.format.dtype_to_descr(first.dtype),
            "fortran_order": False,
            "shape": (n, *first.shape[1:]),
        }
        with replacing(self / name) as temporary, temporary.open("wb") as out:
            np.lib.format.write_array_header_1_0(out, header)
            for block in chain([first], rest):
                out.write(np.ascontiguousarray(block, dtype=first.dtype).tobytes())

    def rows(self, name: str) -> NDArray[Any]:
        """What :meth:`write_rows` wrote, read from the disk as it is used; not to be written to."""
        with _reading(self / name):
            return np.load(self / name, mmap_mode="r", allow_pickle=False).view(np.ndarray)

    def json(self, name: str, compute: Callable[[], Any]) -> Any:
        """Plain values from ``name``, computed and written if they are not there."""
        file = self / name
        if not file.is_file():
            self.write_json(name, compute())
        return self.read_json(name)

    def read_json(self, name: str) -> Any:
        with _reading(self / name):
            return json.loads((self / name).read_text(encoding="utf-8"))

    def write_json(self, name: str, values: Any) -> None:
        self.write(self / name, json.dumps(_plain(values), indent=1, allow_nan=False).encode())

    def write(self, file: Path, content: bytes) -> None:
        """A whole file or none."""
        with replacing(file) as temporary:
            temporary.write_bytes(content)

    def file(self, name: str, make: Callable[[Path], object]) -> Path:
        """A file that ``make(path)`` writes, if it is not there."""
        path = self / name
        if not path.is_file():
            with replacing(path) as temporary:
                make(temporary)
        return path


@contextmanager
def _reading(file: Path) -> Iterator[None]:
    """A file that is not what was written, in words."""
    try:
        yield
    except (ValueError, KeyError, EOFError, BadZipFile) as error:
        raise RunDirectoryError(
            "this file is damaged",
            where=file,
            found=str(error),
            advice="Delete it and repeat the command that started the run: what is missing is computed again.",
        ) from error


def _foreign(path: Path) -> bool:
    """Is this nothing that a run leaves which was killed before it had its run.toml?"""
    return path.name != LOCK and not (path.name.startswith(".run.toml.") and path.name.endswith(HALF))


def _check_same(wanted: Mapping[str, Any], found: Mapping[str, Any], path: Path) -> None:
    a, b = _flat(_plain(wanted)), _flat(found)
    different = sorted(key for key in a.keys() | b.keys() if a.get(key) != b.get(key))
    if different:
        key = different[0]
        since = [
            words
            for what, words in _CHANGED.items()
            if f"{what}.sha256" in different and f"{what}.path" not in different
        ]
        more = f" and {len(different) - 1} more" if len(different) > 1 else ""
        raise RunDirectoryError(
            f"the output directory holds another run{f': since then {since[0]} changed' if since else ''}",
            where=path,
            expected=f"the same decisions as before, {key} = {_short(b.get(key))}",
            found=f"{key} = {_short(a.get(key))}{more}",
            advice="Choose another directory, or repeat the old command to resume; nothing was changed.",
        )


def _flat(values: Any, prefix: str = "") -> dict[str, Any]:
    if isinstance(values, dict):
        return {k: v for key, value in values.items() for k, v in _flat(value, f"{prefix}{key}.").items()}
    return {prefix.rstrip("."): values}


def _short(value: Any) -> str:
    text = "nothing" if value is None else str(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _plain(values: Any) -> Any:
    """Nested plain values that TOML and JSON know."""
    if isinstance(values, Mapping):
        return {str(k): _plain(v) for k, v in values.items()}
    if isinstance(values, list | tuple):
        return [_plain(v) for v in values]
    if isinstance(values, np.ndarray):
        return _plain(values.tolist())
    if isinstance(values, np.generic):
        return values.item()
    return values
