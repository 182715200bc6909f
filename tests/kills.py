"""Fits that are killed, again and again, until they have ended: what is left must equal an uninterrupted one's.

Run as a program (``python -m tests.kills CELL.abf FOLDER``) it kills before every file that a fit writes;
``tests/benchmarks/bench_kills.py`` kills at random moments. Attempts are forked from a process that has imported
everything, so that each begins at once.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import neurofit as nf
import neurofit.fitting
import neurofit.report.netcdf
import neurofit.report.page
from neurofit.disk import HALF, LOCK
from neurofit.errors import RunFailed
from neurofit.progress import Advance, Silent
from tests.tiny import tiny_fit

SMALL = nf.Schedule(epochs=3, transforms=2, hidden=16)
METHOD = nf.Method(rounds=2, simulations=240, members=2, schedule=SMALL, cases=240)


class Stages(Silent):
    """Writes into a file what the run is at."""

    def __init__(self, file: Path) -> None:
        self.file = file

    @contextmanager
    def bar(self, text: str, total: float, begun: int = 0) -> Iterator[Advance]:
        self.file.write_text(f"in '{text}'")
        yield lambda done, note: None
        self.file.write_text(f"after '{text}'")


@dataclass(frozen=True)
class Attempt:
    """A fit in a process, and process group, of its own."""

    pid: int
    notes: Path

    @property
    def stage(self) -> str:
        return self.notes.with_suffix(".stage").read_text() or "at its beginning"

    @property
    def said(self) -> str:
        """Everything that it wrote to the terminal."""
        return self.notes.with_suffix(".said").read_text()

    def ended(self) -> int | None:
        """Its exit code, negative for a signal; ``None`` while it runs."""
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        return None if pid == 0 else os.waitstatus_to_exitcode(status)

    def wait(self) -> int:
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def workers(self) -> list[int]:
        """Processes that it began and that simulate or train for it now."""
        table = subprocess.run(
            ["ps", "-o", "pid=,args=", "--ppid", str(self.pid)], capture_output=True, text=True, check=False
        )
        rows = [line.split(maxsplit=1) for line in table.stdout.splitlines()]
        return [int(pid) for pid, arguments in rows if "popen_loky" in arguments or "--results_dir" in arguments]

    def group_left(self) -> list[str]:
        """What is left of its process group."""
        table = subprocess.run(["pgrep", "-a", "-g", str(self.pid)], capture_output=True, text=True, check=False)
        return table.stdout.splitlines()


def begin(
    cell: Path, out: Path, notes: Path, before: Callable[[], object] = lambda: None, **changed: object
) -> Attempt:
    """Fit in a fork of this process: exit code 0 if it ended, 1 if it stopped in words, 3 if it broke.

    Parameters
    ----------
    notes
        Where it says what it does, in files of this name.
    before
        Called in the new process.
    """
    notes.with_suffix(".stage").write_text("")
    notes.with_suffix(".said").write_text("")
    pid = os.fork()
    if pid:
        return Attempt(pid, notes)
    code = 3
    try:
        os.setsid()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        said = os.open(notes.with_suffix(".said"), os.O_WRONLY | os.O_APPEND)
        os.dup2(said, 1)
        os.dup2(said, 2)
        before()
        tiny_fit(cell, out, progress=Stages(notes.with_suffix(".stage")), **{"method": METHOD, **changed})
        code = 0
    except (RunFailed, KeyboardInterrupt) as error:
        os.write(2, f"{type(error).__name__}: {error}".encode())
        code = 1
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stderr.flush()
        os._exit(code)


def die_at_file(number: int) -> None:
    """Kill this process just before the so-manieth file from now gets its name."""
    replace, left = os.replace, [number]

    def counted(*arguments: str) -> None:
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        replace(*arguments)

    os.replace = counted  # type: ignore[assignment]


def files(out: Path) -> set[str]:
    """Files that have their names."""
    found = (path for path in out.rglob("*") if path.is_file())
    return {str(path.relative_to(out)) for path in found if path.name != LOCK and not path.name.endswith(HALF)}


def found(out: Path) -> dict[str, object]:
    """What a run found, without what depends on when it ran: the same in two runs if these are equal."""
    result: dict[str, object] = {}
    for path in sorted(out.rglob("*")):
        name = str(path.relative_to(out))
        if path.suffix in (".npy", ".npz", ".safetensors", ".csv") or path.parent.name == "checks":
            result[name] = path.read_bytes()
        elif path.suffix == ".json":
            values = json.loads(path.read_text())
            result[name] = {key: value for key, value in values.items() if not key.startswith("seconds")}
        elif path.suffix in (".html", ".nc"):
            result[name] = "there"
    return result


def without_report() -> None:
    """The page takes longer than all the rest of such a small fit, and is one file."""
    nf.Fit.report = lambda self, progress: self.run.write(self.run / "report.html", b"a page")  # type: ignore[method-assign, assignment, misc]


def before_every_file(cell: Path, folder: Path, log: Callable[[str], object] = print) -> None:
    """Kill a fit in one process before each file that it writes is given its name, and go on.

    Raises
    ------
    AssertionError
        If an attempt ends otherwise than killed, or what was found at the end is not what an uninterrupted fit finds.
    """
    whole, parts = folder / "whole", folder / "parts"
    uninterrupted = begin(cell, whole, folder / "whole-notes", without_report, workers=1)
    assert uninterrupted.wait() == 0, uninterrupted.said

    def dying(number: int) -> Callable[[], None]:
        def before() -> None:
            without_report()
            die_at_file(number)

        return before

    known, passed, kills = set[str](), 2, 0
    while True:
        attempt = begin(cell, parts, folder / "parts-notes", dying(passed), workers=1)
        code, there = attempt.wait(), files(parts)
        if code == 0:
            break
        assert code == -signal.SIGKILL, f"{attempt.stage}: ended with {code}: {attempt.said}"
        kills += 1
        log(f"{kills:3d}  killed before a file got its name, {attempt.stage}; files there: {len(there)}")
        # what is put together from batches is written anew by every attempt: those files must be passed at once
        passed = 2 if there - known else passed + 1
        known |= there
    assert found(parts) == found(whole), different(parts, whole)
    assert not list(parts.rglob(f"*{HALF}"))
    log(f"{kills} kills, {len(files(parts))} files, each equal to the uninterrupted fit's")


def different(a: Path, b: Path) -> list[str]:
    """Names of the files that differ."""
    one, two = found(a), found(b)
    return sorted(name for name in one.keys() | two.keys() if one.get(name) != two.get(name))


def wait_until(condition: Callable[[], bool], attempt: Attempt, seconds: float = 300) -> bool:
    """Wait for a condition or the attempt's end; is the condition met?  It is left for :meth:`Attempt.wait` to reap."""
    end = time.monotonic() + seconds
    while not condition():
        if os.waitid(os.P_PID, attempt.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
            return condition()
        if time.monotonic() > end:
            raise AssertionError(f"nothing happened for {seconds} s, {attempt.stage}")
        time.sleep(0.01)
    return True


if __name__ == "__main__":
    before_every_file(Path(sys.argv[1]), Path(sys.argv[2]))
