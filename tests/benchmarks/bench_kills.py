"""One fit, killed at random moments over its whole duration, goes on each time and ends as if it never had been.

``python -m tests.benchmarks.bench_kills [KILLS [--no-report]]`` prints a line a kill. The moments are spread evenly
over what a fit writes, and each comes a random time later. Who is killed, and how, takes turns: every process of the
run; only the first one (its workers, which know nothing of it, may still be at work when the run goes on); one worker
(as for want of memory); all by Ctrl-C; the first one by SIGTERM.
"""

from __future__ import annotations

import os
import random
import re
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from neurofit.disk import HALF
from tests.kills import Attempt, begin, different, files, found, wait_until, without_report
from tests.tiny import write_cell

# Longest random time after a file.
LATER_S = 3.0
WAYS = ("all", "worker", "first", "Ctrl-C", "SIGTERM", "all", "first", "worker", "all")
_ENDS = re.compile("KeyboardInterrupt|RunFailed|SimulationError")
SENT = {"Ctrl-C": signal.SIGINT, "SIGTERM": signal.SIGTERM}


def main() -> None:
    kills = int(sys.argv[1]) if len(sys.argv) > 1 else 36
    with tempfile.TemporaryDirectory(prefix="neurofit-kills-") as name:
        before = without_report if "--no-report" in sys.argv else lambda: None
        at_random(write_cell(Path(name) / "cell.abf"), Path(name), kills, before, report)


def report(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def at_random(
    cell: Path, folder: Path, kills: int, before: Callable[[], None], log: Callable[[str], None], seed: int = 1
) -> None:
    """Raises an AssertionError if anything ends otherwise than it should."""
    rng = random.Random(seed)
    whole, run, started = folder / "whole", folder / "run", time.monotonic()
    uninterrupted = begin(cell, whole, folder / "whole-notes", before, workers=2)
    assert uninterrupted.wait() == 0, uninterrupted.said
    n_files, took = len(files(whole)), time.monotonic() - started
    log(f"uninterrupted: {took:.0f} s, {n_files} files")

    known, groups = set[str](), list[Attempt]()
    for kill in range(kills):
        attempt, began = begin(cell, run, folder / f"notes-{kill}", before, workers=2), time.monotonic()
        groups.append(attempt)

        def so_far(least: float = n_files * kill / kills) -> bool:
            known.update(files(run))
            return len(known) >= least

        later = rng.uniform(0, LATER_S)
        wait_until(so_far, attempt)
        moment = time.monotonic() + later
        wait_until(lambda moment=moment: time.monotonic() > moment, attempt)
        way, code = _kill(attempt, WAYS[kill % len(WAYS)])
        after = f"{time.monotonic() - began:5.1f} s after it began"
        log(f"{kill + 1:3d}  {way:22} {after}, {attempt.stage}; files there: {len(files(run))}")
        expected = {"Ctrl-C, all": 1, "SIGKILL, one worker": 1, "had ended": 0, "SIGTERM, the first": -signal.SIGTERM}
        assert code == expected.get(way, -signal.SIGKILL), f"{way}: {code}: {attempt.said}"
        if code == 1:
            log(f"     it said: {next(line for line in attempt.said.splitlines() if _ENDS.match(line))[:150]}")

    last = begin(cell, run, folder / "notes-last", before, workers=2)
    assert last.wait() == 0, last.said
    assert found(run) == found(whole), different(run, whole)
    assert not list(run.rglob(f"*{HALF}"))
    end = time.monotonic() + 60
    while left := [line for attempt in groups for line in attempt.group_left()]:
        assert time.monotonic() < end, f"processes were left behind: {left}"
        time.sleep(0.2)
    log(f"{kills} kills; then it ended, and all of its {len(files(run))} files equal the uninterrupted fit's")
    log("nothing half-written and no process was left behind")


def _kill(attempt: Attempt, way: str) -> tuple[str, int]:
    """What was done, and how the attempt ended."""
    if way == "worker":
        with suppress(AssertionError):
            wait_until(lambda: bool(attempt.workers()), attempt, seconds=10)
        for victim in attempt.workers()[:1]:
            with suppress(ProcessLookupError):
                os.kill(victim, signal.SIGKILL)
                # a worker that had nothing to do is missed by nobody until there is
                return _ended(attempt, "SIGKILL, one worker")
    with suppress(ProcessLookupError):
        if way == "Ctrl-C":
            os.killpg(attempt.pid, signal.SIGINT)
            return _ended(attempt, "Ctrl-C, all")
        if way in ("first", "SIGTERM"):
            os.kill(attempt.pid, SENT.get(way, signal.SIGKILL))
            return _ended(attempt, "SIGTERM, the first" if way == "SIGTERM" else "SIGKILL, the first")
        os.killpg(attempt.pid, signal.SIGKILL)
    return _ended(attempt, "SIGKILL, all")


def _ended(attempt: Attempt, way: str) -> tuple[str, int]:
    code = attempt.wait()
    return ("had ended" if code == 0 else way), code


if __name__ == "__main__":
    main()
