"""Running another program so that nothing of it outlives an interruption."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path


def run_process(arguments: Sequence[str], cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a program to its end.

    It gets a process group of its own. On Ctrl-C, or any other exception, the whole group is killed: the program and
    whatever it started itself, such as the compilers under ``make``.

    Raises
    ------
    OSError
        If it cannot be started.
    """
    with subprocess.Popen(
        arguments,
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        process_group=0,
    ) as process:
        try:
            output, errors = process.communicate()
        except BaseException:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            raise
    return subprocess.CompletedProcess(arguments, process.returncode, output, errors)


def ending(returncode: int) -> str:
    """How a process ended, in words."""
    if returncode >= 0:
        return f"stopped with code {returncode}"
    try:
        name = signal.Signals(-returncode).name
    except ValueError:
        name = str(-returncode)
    return f"was killed by {name}"
