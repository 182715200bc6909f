"""A Dask cluster: reached, looked over before anything runs there, and its losses in words."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from neurofit.errors import BadInput, RunFailed

if TYPE_CHECKING:
    from distributed import Client

# How long to wait for the scheduler's answer, and for a first worker.
ANSWER_S, WORKER_S = 10, 60
# What decides a number on its way from parameters to features: these are to be the same everywhere.
PACKAGES = ("neurofit", "brian2", "efel", "numpy", "scipy")
# Calls to have under way where there are no workers yet, so that an adaptive cluster sees work to grow for.
_LEAST_ROOM = 4


@contextmanager
def connected(scheduler: str | Client) -> Iterator[Client]:
    """A client whose workers can simulate; one that was given stays open, one for an address is closed.

    Raises
    ------
    BadInput
        If Dask is not installed, nothing answers there, there are no workers, or one of them lacks a package or has
        another version of it.
    """
    if not isinstance(scheduler, str):
        _look_over(scheduler)
        yield scheduler
        return
    try:
        from distributed import Client
        from distributed.comm import get_address_host_port
    except ImportError as error:
        raise BadInput(
            "a scheduler needs Dask, which is not installed", advice="pip install 'neurofit[cluster]'"
        ) from error
    try:
        # a client that was given something else than an address takes its time to give up
        get_address_host_port(scheduler)
        client = Client(scheduler, timeout=ANSWER_S, set_as_default=False)
    except (OSError, ValueError) as error:
        raise BadInput(
            "no Dask scheduler answers at this address",
            where=scheduler,
            expected="an address such as tcp://node1:8786, which 'dask scheduler' prints when it starts",
            found=f"{type(error).__name__}: {error}",
        ) from error
    with client:
        _look_over(client)
        yield client


def _look_over(client: Client) -> None:
    where = address(client)
    try:
        client.wait_for_workers(1, timeout=WORKER_S)
    except TimeoutError as error:
        raise BadInput(
            f"no worker joined this scheduler within {WORKER_S} s",
            where=where,
            advice=f"Start workers, for example 'dask worker {where} --nthreads 1', and repeat the command.",
        ) from error
    found = client.get_versions(packages=list(PACKAGES))["workers"]
    for worker, about in sorted(found.items()):
        if different := differences(about["packages"]):
            raise BadInput(
                "this worker cannot be used",
                where=f"{worker}, of the scheduler {where}",
                expected=_listed({name: version(name) for name in different}),
                found=_listed(different),
                advice="Install the same versions there as here (pip install -c constraints.txt); nothing was run.",
            )


def versions() -> dict[str, str]:
    """Of :data:`PACKAGES`, here."""
    return {name: version(name) for name in PACKAGES}


def differences(found: dict[str, Any]) -> dict[str, str | None]:
    """``{package: version}`` of what is not as it is here; ``None`` where it is missing."""
    return {name: found.get(name) for name, here in versions().items() if found.get(name) != here}


def _listed(found: dict[str, Any]) -> str:
    return ", ".join(f"{name} {number or 'missing'}" for name, number in found.items())


def address(client: Client) -> str:
    """The scheduler's."""
    return str(client.scheduler.address) if client.scheduler is not None else "a scheduler that is gone"


def room(client: Client) -> int:
    """How many calls to have under way: two for each thread of the workers there are now."""
    return max(_LEAST_ROOM, 2 * sum(client.nthreads().values()))


@contextmanager
def losses(client: Client) -> Iterator[None]:
    """What a cluster can lose for good, in words."""
    from distributed import KilledWorker
    from distributed.comm import CommClosedError

    where = address(client)
    try:
        yield
    except KilledWorker as error:
        raise RunFailed(
            f"A batch of simulations has ended every worker of {where} that it was given to: perhaps there was not "
            f"enough memory. {error} What was finished is kept; run the same command again."
        ) from error
    except (CancelledError, CommClosedError) as error:
        raise RunFailed(
            f"The Dask scheduler at {where} was lost ({type(error).__name__}). What was finished is kept; "
            "run the same command again."
        ) from error
