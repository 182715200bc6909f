"""Long jobs side by side in worker processes, each of which says how far it is."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import joblib

from neurofit.threads import one_thread

# Called with the share done, 0 to 1, and a note.
Report = Callable[[float, str], None]


def side_by_side(
    job: Callable[..., Any], arguments: Sequence[tuple[Any, ...]], workers: int, report: Report | None = None
) -> list[Any]:
    """``[job(*a, report) for a in arguments]`` in worker processes.

    Every job runs in a process of its own kind whatever ``workers`` is, so that results do not depend on it.

    Parameters
    ----------
    job
        Takes the arguments and, last, a :data:`Report` of its own.
    report
        Hears the mean share of all jobs, a few times a second.
    """
    with tempfile.TemporaryDirectory(prefix="neurofit-progress-") as name:
        notes = [Path(name) / f"{i}" for i in range(len(arguments))]
        done = threading.Event()
        watcher = threading.Thread(target=_watch, args=(notes, report, done), daemon=True)
        watcher.start()
        try:
            with joblib.parallel_config(backend="loky", inner_max_num_threads=1):
                results = joblib.Parallel(n_jobs=max(1, min(workers, len(arguments))))(
                    joblib.delayed(_noted)(job, a, note) for a, note in zip(arguments, notes, strict=True)
                )
        finally:
            done.set()
            watcher.join()
    if report is not None:
        report(1.0, "")
    return list(results)


def _noted(job: Callable[..., Any], arguments: tuple[Any, ...], note: Path) -> Any:
    def report(share: float, text: str) -> None:
        note.write_text(f"{share:.4f} {text}")

    with one_thread():
        return job(*arguments, report)


def _watch(notes: Sequence[Path], report: Report | None, done: threading.Event) -> None:
    while report is not None and not done.wait(0.3):
        shares, text = 0.0, ""
        for note in notes:
            share, _, words = note.read_text().partition(" ") if note.is_file() else ("", "", "")
            if share:
                shares, text = shares + float(share), words
        report(shares / len(notes), text)
