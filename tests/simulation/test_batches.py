"""Simulated and measured in batches of any size, in any order, by any number of processes: the same to the last bit."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np
import pytest

from neurofit.errors import BadInput, RunFailed
from neurofit.features.simulated import Simulated, _packed, _unpacked, simulate_features
from neurofit.recording import Stimulus
from neurofit.simulation import draw_keys, simulate
from neurofit.template import Model
from neurofit.workers import Pool
from tests.simulation.conftest import steps

STIMULUS = steps(150)
N = 1000


def batches_of(size: int, rows: list[int]) -> list[slice]:
    """Whole batches of this size that hold these rows, in an order of their own."""
    starts = sorted({row - row % size for row in rows})
    return [slice(start, min(start + size, N)) for start in np.random.default_rng(size).permutation(starts).tolist()]


def found_by(pool: Pool, model: Model, batches: list[slice]) -> dict[int, tuple[bytes, bytes]]:
    """``{row: (features, voltage)}`` as bytes."""
    theta, keys = model.prior.sample(N, np.random.default_rng(0)), draw_keys(3, 0, N)
    parts: Iterator[Simulated] = simulate_features(
        model, STIMULUS, batches, theta.__getitem__, keys.__getitem__, sweep_numbers=[4], pool=pool, keep=N
    )
    return {
        row: (values.tobytes(), voltage.tobytes())
        for part in parts
        for row, values, voltage in zip(
            range(part.rows.start, part.rows.stop), part.values, part.voltage_mv, strict=True
        )
    }


@pytest.fixture(scope="module")
def whole(hh: Model) -> dict[int, tuple[bytes, bytes]]:
    return found_by(Pool(1), hh, batches_of(N, [0]))


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("size", [1, 7])
def test_the_size_of_a_batch_and_the_number_of_workers_change_nothing(
    hh: Model, whole: dict[int, tuple[bytes, bytes]], size: int, workers: int
) -> None:
    assert len(set(whole.values())) == N
    part = found_by(Pool(workers), hh, batches_of(size, [0, 1, 511, 512, 996, 999]))
    assert part.keys() >= {0, 1, 511, 512, 996, 999}
    assert part == {row: whole[row] for row in part}


def test_voltage_is_that_of_simulate(hh: Model, whole: dict[int, tuple[bytes, bytes]]) -> None:
    theta, keys = hh.prior.sample(N, np.random.default_rng(0)), draw_keys(3, 0, N)
    traces = simulate(hh, STIMULUS, theta[::100], keys=keys[::100])
    assert [v.tobytes() for v in traces.voltage_mv] == [whole[row][1] for row in range(0, N, 100)]


def test_only_what_is_asked_for_is_kept(lif: Model) -> None:
    theta, keys = lif.prior.sample(30, np.random.default_rng(0)), draw_keys(3, 0, 30)
    parts = simulate_features(
        lif,
        STIMULUS,
        [slice(0, 10), slice(10, 20), slice(20, 30)],
        theta.__getitem__,
        keys.__getitem__,
        sweep_numbers=[0],
        pool=Pool(1),
        keep=12,
        keep_every=5,
    )
    full = simulate(lif, STIMULUS, theta, keys=keys).voltage_mv
    kept = {part.rows.start: part.voltage_mv for part in parts}
    assert [len(kept[start]) for start in (0, 10, 20)] == [10, 2, 0]
    assert np.array_equal(np.concatenate([kept[0], kept[10]]), full[:12, :, ::5])
    assert kept[0].dtype == np.float32
    assert kept[0].base is None, "nothing holds on to the whole voltage"


@pytest.mark.parametrize("workers", [1, 2])
def test_no_more_is_under_way_than_there_is_room_for(workers: int) -> None:
    drawn, most = 0, 0

    def calls() -> Iterator[tuple[float]]:
        nonlocal drawn
        for _ in range(40):
            drawn += 1
            yield (0.001,)

    for taken, _ in enumerate(Pool(workers).unordered(time.sleep, calls())):
        # a slow reader: what is not taken must not pile up
        time.sleep(0.01)
        most = max(most, drawn - taken)
    assert drawn == 40
    assert most <= 2 * workers + 1


def fails(number: int) -> int:
    if number == 3:
        raise BadInput("the third", where="here")
    return number


@pytest.mark.parametrize("workers", [1, 2])
def test_an_exception_in_a_batch_is_raised_as_it_is(workers: int) -> None:
    with pytest.raises(BadInput, match="here: the third") as caught:
        list(Pool(workers).unordered(fails, ((i,) for i in range(10))))
    assert caught.value.where == "here"
    assert sorted(Pool(workers).unordered(fails, ((i,) for i in (1, 2)))) == [1, 2], "the pool is of use afterwards"


def test_a_worker_of_another_version_refuses(lif: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("neurofit.features.simulated.versions", lambda: {"neurofit": "0.0.1", "numpy": np.__version__})
    job = _packed(lif, STIMULUS, [0], 1)
    with pytest.raises(RunFailed, match=r"begun with neurofit 0\.0\.1"):
        _unpacked(job)


def test_a_job_is_small_and_whole(hh: Model) -> None:
    nine = Stimulus(np.repeat(STIMULUS.current_pa, 9, axis=0) * np.arange(9)[:, None], 0.1)
    job = _packed(hh.with_dt(0.05), nine, range(9), 5)
    assert len(job) < 20_000
    model, stimulus, numbers, every = _unpacked(job)
    assert (model.text, model.dt_ms, model.path) == (hh.text, 0.05, hh.path)
    assert np.array_equal(stimulus.current_pa, nine.current_pa)
    assert (stimulus.dt_ms, numbers, every) == (0.1, list(range(9)), 5)
