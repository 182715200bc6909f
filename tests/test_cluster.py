"""Simulations on a Dask cluster: the numbers of this machine, workers that are lost, workers that must not be used."""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dask
import pytest
from distributed import Client, LocalCluster

import neurofit as nf
from neurofit import cluster as clusters
from neurofit.errors import BadInput, RunFailed
from neurofit.progress import Advance, Silent
from neurofit.workers import Pool, open_pool
from tests.tiny import CELL, METHOD

# It has processes of its own and takes a good part of the machine: one worker of xdist runs all of it.
pytestmark = pytest.mark.xdist_group("cluster")

N = 1500


def local_cluster(n_workers: int) -> LocalCluster:
    return LocalCluster(
        n_workers=n_workers, threads_per_worker=1, host="127.0.0.1", dashboard_address=":0", silence_logs=50
    )


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    with local_cluster(2) as found:
        yield found


@pytest.fixture
def client(cluster: LocalCluster) -> Iterator[Client]:
    with Client(cluster, set_as_default=False) as found:
        found.wait_for_workers(2, timeout=60)
        yield found


def short_recording() -> nf.Recording:
    """Six sweeps of 60 ms."""
    recording = CELL.record()
    step = recording.stimulus.test_step
    return recording.select(window_ms=(step.start_ms - 10, step.start_ms + 50))


class Killer(Silent):
    """Kills a process once some simulations are there, but not all."""

    def __init__(self, pid: int) -> None:
        self.pid, self.killed_at = pid, 0.0

    @contextmanager
    def bar(self, text: str, total: float, begun: int = 0) -> Iterator[Advance]:
        def advance(done: float, note: str) -> None:
            if not self.killed_at and text.startswith("Simulating") and done < total:
                os.kill(self.pid, signal.SIGKILL)
                self.killed_at = done

        yield advance


def test_a_worker_is_killed_and_every_number_is_that_of_this_machine(client: Client, tmp_path: Path) -> None:
    recording, model = short_recording(), nf.load_model("lif")
    options = {"simulations": N, "keep_voltage": N}
    here = nf.simulate_prior(recording, model, tmp_path / "here", workers=1, **options)
    before = client.run(os.getpid)
    killer = Killer(next(iter(before.values())))
    there = nf.simulate_prior(recording, model, tmp_path / "there", scheduler=client, progress=killer, **options)
    assert 0 < killer.killed_at < N
    for name in ("parameters", "features", "reason", "voltage_mv"):
        files = [(found.path / f"{name}.npy").read_bytes() for found in (here, there)]
        assert files[0] == files[1], name
    assert set(client.run(os.getpid).values()) != set(before.values())


@pytest.mark.slow
def test_a_fit_on_a_cluster_is_the_fit_on_this_machine(cluster: LocalCluster, tmp_path: Path) -> None:
    recording, model = CELL.record(), nf.load_model("lif")
    nf.fit(recording, model, tmp_path / "here", method=METHOD, workers=1, anyway=True)
    there = {"workers": 1, "scheduler": cluster.scheduler_address, "anyway": True}
    nf.fit(recording, model, tmp_path / "there", method=METHOD, **there)
    for name in ("posterior.csv", "checks/fit.json", "checks/fit-raw.json"):
        assert (tmp_path / "here" / name).read_bytes() == (tmp_path / "there" / name).read_bytes(), name


def fails(number: int) -> int:
    if number == 3:
        raise BadInput("the third", where="here")
    return number


def test_an_exception_in_a_batch_is_raised_as_it_is(client: Client) -> None:
    pool = Pool(1, client)
    with pytest.raises(BadInput, match="here: the third") as caught:
        list(pool.unordered(fails, ((i,) for i in range(20))))
    assert caught.value.where == "here"
    assert sorted(pool.unordered(fails, ((i,) for i in (1, 2, 4)))) == [1, 2, 4]


def test_no_more_is_under_way_than_there_is_room_for(client: Client) -> None:
    drawn = 0

    def calls() -> Iterator[tuple[int]]:
        nonlocal drawn
        for _ in range(60):
            drawn += 1
            yield (1,)

    most = max(drawn - taken for taken, _ in enumerate(Pool(1, client).unordered(fails, calls())))
    assert drawn == 60
    assert most <= clusters.room(client) + 1
    # what was taken is let go on the cluster too
    assert not client.futures


def ends_its_worker(number: int) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_batch_that_ends_every_worker_is_said_so() -> None:
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 0}),
        local_cluster(1) as cluster,
        Client(cluster, set_as_default=False) as client,
        pytest.raises(RunFailed, match="ended every worker"),
    ):
        list(Pool(1, client).unordered(ends_its_worker, [(1,)]))


def unused_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def test_a_scheduler_that_does_not_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clusters, "ANSWER_S", 0.5)
    for address in (f"tcp://127.0.0.1:{unused_port()}", "nonsense"):
        with pytest.raises(BadInput, match="no Dask scheduler answers") as caught:
            nf.simulate_prior(CELL.record(), nf.load_model("lif"), tmp_path / "run", scheduler=address)
        assert caught.value.where == address
    assert not (tmp_path / "run").exists()


def test_a_scheduler_without_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clusters, "WORKER_S", 0.5)
    with (
        local_cluster(0) as cluster,
        pytest.raises(BadInput, match="no worker joined"),
        open_pool(1, cluster.scheduler_address),
    ):
        pass


@pytest.mark.parametrize(("says", "told"), [("Version: 9.9", "neurofit 9.9"), ("", "neurofit missing")])
def test_a_worker_that_is_not_like_this_machine_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, says: str, told: str
) -> None:
    """Its processes find another neurofit than this one does."""
    other = tmp_path / "site" / "neurofit-9.9.dist-info"
    other.mkdir(parents=True)
    (other / "METADATA").write_text(f"Metadata-Version: 2.1\nName: neurofit\n{says}\n")
    with monkeypatch.context() as patched:
        patched.syspath_prepend(str(other.parent))
        cluster = local_cluster(1)
    assert str(other.parent) not in sys.path
    with cluster, pytest.raises(BadInput, match="cannot be used") as caught:
        nf.simulate_prior(CELL.record(), nf.load_model("lif"), tmp_path / "run", scheduler=cluster.scheduler_address)
    assert caught.value.found == told
    assert not (tmp_path / "run").exists()
