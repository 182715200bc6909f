"""The cache of compiled programs: found whole, or built once however many processes ask for it."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import sys
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any
from uuid import uuid4

import platformdirs
from filelock import FileLock

from neurofit.errors import CompileError
from neurofit.simulation.build import digest
from neurofit.simulation.compiler import compiler_flags, compiler_version, processor
from neurofit.simulation.process import ending, run_process

# Whatever these say decides what is compiled.
_SOURCES = ("build.py", "updater.py", "vector_math.h", "../template/linear.py")
_BUILD = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from neurofit.simulation.build import main; main(sys.argv[2])"
)


def cache_dir() -> Path:
    """Where compiled programs are kept: ``NEUROFIT_CACHE`` or the user's cache folder."""
    chosen = os.environ.get("NEUROFIT_CACHE")
    return (
        Path(chosen).expanduser() if chosen else Path(platformdirs.user_cache_dir("neurofit")) / "programs"
    ).absolute()


def find_or_build(description: dict[str, Any]) -> tuple[Path, dict[str, Any]]:
    """The directory of a description's program and its manifest, from the cache or compiled now.

    Two processes that want the same program build it once; an entry that is damaged is built again, and a build that
    was interrupted leaves nothing that could be taken for a program.

    Raises
    ------
    CompileError
        If the C++ compiler fails, or the cache cannot be used.
    """
    where = cache_dir() / _name(description)
    manifest = manifest_of(where)
    if manifest is not None:
        with suppress(OSError):
            # says when it was used last, where the cache may be written to
            os.utime(where / "manifest.json")
        return where, manifest
    try:
        where.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{where}.lock"):
            manifest = manifest_of(where)
            if manifest is None:
                _build(description, where)
                manifest = manifest_of(where)
    except (OSError, NotImplementedError) as error:
        raise CompileError(
            f"The folder for compiled programs, {where.parent}, cannot be used: {error}. "
            "Set NEUROFIT_CACHE to a folder that can be written to."
        ) from error
    if manifest is None:
        raise CompileError(f"The program in {where} was damaged as soon as it was built: is the disk full?")
    return where, manifest


def manifest_of(where: Path) -> dict[str, Any] | None:
    """What the program's directory says about itself, or None if anything in it is missing or damaged."""
    try:
        manifest = json.loads((where / "manifest.json").read_text())
        whole = all(digest(where / name) == expected for name, expected in manifest["files"].items())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return manifest if whole else None


def _build(description: dict[str, Any], where: Path) -> None:
    """Build into a folder beside, and move it into place when it is finished; the lock is held."""
    shutil.rmtree(where, ignore_errors=True)
    _remove_left(where)
    project, log = where.with_name(f"{where.name}.building-{uuid4().hex[:8]}"), where.with_name(f"{where.name}.log")
    try:
        project.mkdir()
        (project / "description.json").write_text(json.dumps(description, indent=1))
        # the same modules as in this process, wherever it found them, and nothing of the user's folder
        paths = json.dumps([path or os.getcwd() for path in sys.path])
        done = run_process([sys.executable, "-c", _BUILD, paths, str(project)], cwd=project)
        if done.returncode:
            log.write_text(done.stdout + done.stderr)
            raise CompileError(
                f"The model could not be compiled ({ending(done.returncode)}): "
                f"{_reason(done.stdout + done.stderr)}. All of it: {log}"
            )
        for leftover in project.rglob("*.o"):
            leftover.unlink()
        project.rename(where)
        log.unlink(missing_ok=True)
    finally:
        # once more, and this one too: compilers that outlive a killed build may write where it is being removed
        _remove_left(where)


def _remove_left(where: Path) -> None:
    """Remove what killed builds of a program left beside it, each in a folder of its own; the lock is held."""
    for left in where.parent.glob(f"{where.name}.building*"):
        shutil.rmtree(left, ignore_errors=True)


def _reason(output: str) -> str:
    """The line of a compiler's or Python's output that says most: the first error, or else the last line."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if re.search(r"\berror\b.*:", line)]
    return (errors or lines[-1:] or ["no message"])[0][:500].rstrip(".")


def _name(description: dict[str, Any]) -> str:
    """The program's folder: everything that goes into a binary as a hash."""
    here = Path(__file__).parent
    parts = {
        "description": description,
        "sources": [digest(here / source) for source in _SOURCES],
        "brian2": version("brian2"),
        "compiler": compiler_version(),
        "flags": compiler_flags(),
        "processor": processor(),
    }
    return f"{description['name']}-{hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:20]}"
