"""Work side by side: in this process, in processes beside it, or on the machines of a Dask cluster.

:class:`Pool` is the one place that knows where work runs. What it is given must not care: results come back in any
order, and every number is the same wherever it was computed.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from itertools import chain, islice, starmap
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from joblib.externals.loky import get_reusable_executor

from neurofit.disk import scratch
from neurofit.errors import BadInput, RunFailed
from neurofit.threads import one_thread

if TYPE_CHECKING:
    from distributed import Client

T = TypeVar("T")

# Called with the share done, 0 to 1, and a note.
Report = Callable[[float, str], None]

# A local process that has nothing to do ends after this long.
IDLE_S = 300
_ONE_THREAD = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL", "BLIS", "NUMEXPR")}


@dataclass(frozen=True)
class Pool:
    """Where calls run.

    Attributes
    ----------
    workers
        Processes on this machine; with one, calls run in this process.
    client
        Of a Dask cluster, which takes the calls instead.
    """

    workers: int
    client: Client | None = None

    def unordered(self, job: Callable[..., T], calls: Iterable[tuple[Any, ...]]) -> Iterator[T]:
        """``job(*call)`` for every call, as they end.

        Two calls a worker, no more, are drawn from ``calls`` and not yet taken back at any time, so that memory does
        not grow with their number. A call whose worker was lost is run again on a cluster.

        Raises
        ------
        RunFailed
            If workers are lost for good. An exception in a call is raised as it is, and the other calls are given up.
        """
        calls = iter(calls)
        if self.client is not None:
            from neurofit.cluster import losses, room

            executor = self.client.get_executor(pure=False)
            with losses(self.client):
                yield from _as_they_end(
                    executor, partial(room, self.client), partial(executor.shutdown, wait=False), job, calls
                )
            return
        first = list(islice(calls, 2))
        calls = chain(first, calls)
        if self.workers == 1 or len(first) < 2:
            yield from starmap(job, calls)
            return
        executor = get_reusable_executor(
            max_workers=self.workers, timeout=IDLE_S, env=_ONE_THREAD, initializer=end_with, initargs=(os.getpid(),)
        )
        try:
            yield from _as_they_end(
                executor, lambda: 2 * self.workers, partial(executor.shutdown, kill_workers=True), job, calls
            )
        except BrokenExecutor as error:
            raise RunFailed(
                f"A worker process was lost ({type(error).__name__}): if nobody killed it, perhaps there was not "
                "enough memory. What was finished is kept; run the same command again, with fewer workers."
            ) from error


def _as_they_end(
    executor: Executor,
    room: Callable[[], int],
    give_up: Callable[[], None],
    job: Callable[..., T],
    calls: Iterator[tuple[Any, ...]],
) -> Iterator[T]:
    """Results as they end, with as many calls under way as there is room for."""
    pending: set[Future[T]] = set()
    try:
        while True:
            pending |= {executor.submit(job, *call) for call in islice(calls, max(0, room() - len(pending)))}
            if not pending:
                return
            done, pending = wait(pending, return_when=FIRST_COMPLETED)
            while done:
                yield done.pop().result()
    except BaseException:
        give_up()
        raise


def end_with(parent: int) -> None:
    """In a worker process: end as soon as the process that started it has ended, however that was."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


@contextmanager
def open_pool(workers: int | None, scheduler: str | Client | None = None) -> Iterator[Pool]:
    """The pool for a run: processes here, or the cluster of a Dask scheduler.

    Parameters
    ----------
    workers
        Processes on this machine; one for each processor by default.
    scheduler
        A Dask scheduler's address, or a client that is connected to one.

    Raises
    ------
    BadInput
        If the number of workers is none, the scheduler cannot be reached, or its workers cannot be used.
    """
    if workers is not None and (not isinstance(workers, int) or workers < 1):
        raise BadInput(f"workers = {workers!r} cannot be used", expected="a whole number, 1 or more")
    here = workers or os.cpu_count() or 1
    if scheduler is None:
        yield Pool(here)
        return
    from neurofit.cluster import connected

    with connected(scheduler) as client:
        yield Pool(here, client)


def side_by_side(
    job: Callable[..., T],
    arguments: Sequence[tuple[Any, ...]],
    workers: int,
    report: Report | None = None,
    ended: Callable[[T], None] | None = None,
) -> list[T]:
    """``[job(*a, report) for a in arguments]`` in worker processes of this machine.

    Parameters
    ----------
    job
        Takes the arguments and, last, a :data:`Report` of its own.
    report
        Hears the mean share of all jobs, a few times a second.
    ended
        Called with each result, as the jobs end.
    """
    with scratch("neurofit-progress-") as folder:
        notes = [folder / f"{i}" for i in range(len(arguments))]
        done = threading.Event()
        watcher = threading.Thread(target=_watch, args=(notes, report, done), daemon=True)
        watcher.start()
        try:
            calls = [(i, job, a, note) for i, (a, note) in enumerate(zip(arguments, notes, strict=True))]
            results: dict[int, T] = {}
            for number, result in Pool(max(1, min(workers, len(calls)))).unordered(_noted, calls):
                results[number] = result
                if ended is not None:
                    ended(result)
        finally:
            done.set()
            watcher.join()
    if report is not None:
        report(1.0, "")
    return [results[i] for i in range(len(arguments))]


def _noted(number: int, job: Callable[..., Any], arguments: tuple[Any, ...], note: Path) -> tuple[int, Any]:
    def report(share: float, text: str) -> None:
        # no work is lost for a note on its progress, on a full disk, say
        with suppress(OSError):
            note.write_text(f"{share:.4f} {text}")

    with one_thread():
        return number, job(*arguments, report)


def _watch(notes: Sequence[Path], report: Report | None, done: threading.Event) -> None:
    while report is not None and not done.wait(0.3):
        shares, text = 0.0, ""
        for note in notes:
            share, _, words = note.read_text().partition(" ") if note.is_file() else ("", "", "")
            if share:
                shares, text = shares + float(share), words
        report(shares / len(notes), text)
