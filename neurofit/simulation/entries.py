"""What the cache of compiled programs holds, and emptying it."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from neurofit.simulation.cache import cache_dir, manifest_of

# A program's folder is its template's name and a hash; its lock, its log and its unfinished builds stand beside it.
_OURS = re.compile(r"(.+-[0-9a-f]{20})(\.lock|\.log|\.building.*)?")


@dataclass(frozen=True)
class Entry:
    """A compiled program, or what is left of one.

    Attributes
    ----------
    template, protocol
        What it simulates, and the sweeps that it was compiled for, in words.
    size_bytes
        Of all its files.
    used
        When it was last built or asked for, in seconds since 1970.
    state
        ``"whole"``, ``"damaged"`` (it will be built again when it is asked for) or ``"being built"``.
    """

    path: Path
    template: str
    protocol: str
    size_bytes: int
    used: float
    state: str


def entries() -> list[Entry]:
    """The programs in the cache, the one that was used last first."""
    found = [_entry(program) for program in _programs()]
    return sorted((entry for entry in found if entry.size_bytes), key=lambda entry: -entry.used)


def clear() -> tuple[list[Entry], list[Entry]]:
    """Remove every program: those that were removed, and those that were left because one is being built just now.

    Nothing else in the folder is touched. A run that is using a program stops; the same command goes on from there.
    """
    removed, left = list[Entry](), list[Entry]()
    for program in _programs():
        entry = _entry(program)
        try:
            with FileLock(f"{program}.lock", timeout=0):
                for part in _parts(program):
                    shutil.rmtree(part, ignore_errors=True)
                    with suppress(OSError):
                        part.unlink(missing_ok=True)
        except (Timeout, OSError):
            pass
        if entry.size_bytes:
            (left if any(_files(program)) else removed).append(entry)
    return removed, left


def _programs() -> list[Path]:
    """The folders that programs have or would have: known by a lock beside them or their description inside."""
    folder = cache_dir()
    matches = [_OURS.fullmatch(path.name) for path in folder.iterdir()] if folder.is_dir() else []
    programs = {folder / match[1] for match in matches if match}
    return sorted(p for p in programs if Path(f"{p}.lock").is_file() or (p / "description.json").is_file())


def _parts(program: Path) -> list[Path]:
    """A program's folder and what stands beside it; the lock comes last."""
    parts = [
        path for path in program.parent.iterdir() if (match := _OURS.fullmatch(path.name)) and match[1] == program.name
    ]
    return sorted(parts, key=lambda path: path.suffix == ".lock")


def _files(program: Path) -> Iterator[Path]:
    for part in _parts(program):
        yield from (file for file in [part, *part.rglob("*")] if file.is_file() and file.suffix != ".lock")


def _entry(program: Path) -> Entry:
    size, used, protocol = 0, 0.0, "unknown"
    for file in _files(program):
        with suppress(OSError):
            size, used = size + file.stat().st_size, max(used, file.stat().st_mtime)
    with suppress(OSError, ValueError, KeyError, TypeError):
        about = json.loads((program / "description.json").read_text())
        duration_ms = about["n_samples"] * about["sample_dt_ms"]
        protocol = f"{duration_ms:g} ms at {about['sample_dt_ms']:g} ms, {about['n_sweeps']}"
    state = "whole" if manifest_of(program) else "being built" if _is_locked(program) else "damaged"
    return Entry(program, program.name[:-21], protocol, size, used, state)


def _is_locked(program: Path) -> bool:
    lock = Path(f"{program}.lock")
    if not lock.is_file():
        return False
    try:
        with FileLock(lock, timeout=0):
            return False
    except (Timeout, OSError):
        return True
