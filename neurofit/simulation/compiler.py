"""The C++ compiler: which one, with which flags, for which processor."""

from __future__ import annotations

import os
import platform
import shlex
import shutil
import subprocess
from functools import cache
from pathlib import Path

_ALWAYS = "-w -O3 -ffast-math -std=c++17"
# What makes gcc vectorise Brian2's neuron loop. Without peeling for alignment, every neuron goes through the same
# instructions wherever its arrays happen to lie in memory, so that its voltage is the same to the last bit in any run.
# Scheduling with an eye on the registers lets the many independent rates of a model overlap.
_GCC = (
    "-fopenmp-simd --param=vect-max-version-for-alias-checks=1000 --param=vect-max-peeling-for-alignment=0 "
    "-fschedule-insns -fsched-pressure"
)


def compiler() -> list[str]:
    """The command that ``make`` will use: ``CXX`` from the environment, or g++."""
    return shlex.split(os.environ.get("CXX", "")) or ["g++"]


def missing_tools() -> tuple[str, ...]:
    """What compiling needs and cannot be found: the compiler, ``make``, both or none."""
    return tuple(name for name in (compiler()[0], "make") if shutil.which(name) is None)


def compiler_version() -> str:
    """The first line of what the compiler says about itself; empty if there is none."""
    return "" if missing_tools() else _version(tuple(compiler()))


def compiler_flags() -> list[str]:
    """Flags for the compiler at hand and this processor."""
    intel = platform.machine().lower() in ("x86_64", "amd64")
    flags = [_ALWAYS, "-march=native" if intel else "-mcpu=native"]
    if is_gcc():
        flags.append(_GCC + (" -mprefer-vector-width=512" if intel else ""))
    return " ".join(flags).split()


def is_gcc() -> bool:
    """Is it gcc, rather than clang under the name of g++?"""
    return "clang" not in compiler_version()


@cache
def processor() -> str:
    """What ``-march=native`` would see, so that a cache on a shared disk serves machines of different kinds."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line for line in lines if line.startswith(("flags", "Features")))
    except (OSError, StopIteration):
        return f"{platform.machine()} {platform.processor()}"


@cache
def _version(command: tuple[str, ...]) -> str:
    done = subprocess.run([*command, "--version"], capture_output=True, text=True, check=False)
    return (done.stdout.splitlines() or [""])[0]
