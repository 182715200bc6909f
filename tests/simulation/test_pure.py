"""A simulation is a pure function of model, stimulus, parameters and its own key."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from neurofit.errors import ParameterError, StimulusError
from neurofit.recording import Stimulus
from neurofit.simulation import draw_keys, simulate, sweep_keys
from neurofit.template import Model
from tests.simulation.conftest import N_SAMPLES, steps

STIMULUS = steps(0, 150, 300)


def test_the_same_to_the_last_bit_in_any_batch_and_order(hh: Model) -> None:
    rng = np.random.default_rng(0)
    # 400 draws of 3 sweeps are more than one run of the program holds
    theta, keys = hh.prior.sample(400, rng), draw_keys(3, 0, 400)
    whole = simulate(hh, STIMULUS, theta, keys=keys)
    assert whole.valid.all()
    assert (np.ptp(whole.voltage_mv, axis=2) > 80).any(), "some of them fire"
    for rows in ([0], [341], [399], [5, 8, 2, 399, 0, 340, 341], rng.permutation(400)[:200]):
        part = simulate(hh, STIMULUS, theta[rows], keys=keys[rows])
        assert np.array_equal(part.voltage_mv, whole.voltage_mv[rows]), rows
    assert not np.array_equal(simulate(hh, STIMULUS, theta[:1], keys=keys[1:2]).voltage_mv, whole.voltage_mv[:1])


def test_the_same_whatever_sweeps_are_beside_it(hh: Model) -> None:
    theta = hh.prior.sample(4, np.random.default_rng(1))
    three = simulate(hh, STIMULUS, theta, seed=1).voltage_mv
    one = simulate(hh, Stimulus(STIMULUS.current_pa[:1], 0.1), theta, seed=1).voltage_mv
    many = simulate(hh, steps(0, *np.linspace(-200, 500, 16)), theta, seed=1).voltage_mv
    other = simulate(hh, steps(0, -50, 300), theta, seed=1).voltage_mv
    assert np.array_equal(one[:, 0], three[:, 0])
    assert np.array_equal(many[:, 0], three[:, 0])
    assert np.array_equal(other[:, [0, 2]], three[:, [0, 2]])


def test_the_same_in_another_process(lif: Model, programs: Path) -> None:
    theta = np.round(lif.prior.sample(5, np.random.default_rng(2)), 3)
    code = (
        "import sys, json, hashlib, numpy as np, neurofit as nf\n"
        "theta, current = json.load(sys.stdin)\n"
        "stimulus = nf.Stimulus(np.array(current), 0.1)\n"
        "traces = nf.simulate(nf.load_model('lif'), stimulus, np.array(theta), seed=9)\n"
        "print(hashlib.sha256(traces.voltage_mv.tobytes()).hexdigest())"
    )
    import json

    done = subprocess.run(
        [sys.executable, "-c", code],
        input=json.dumps([theta.tolist(), STIMULUS.current_pa.tolist()]),
        # a name of another length moves everything in the other process's memory
        env={**os.environ, "NEUROFIT_CACHE": str(programs), "X" * 333: "x"},
        capture_output=True,
        text=True,
        check=True,
    )
    here = simulate(lif, STIMULUS, theta, seed=9).voltage_mv
    assert done.stdout.strip() == hashlib.sha256(here.tobytes()).hexdigest()


def test_a_seed_gives_the_keys_and_the_keys_give_the_same(lif: Model) -> None:
    theta = lif.prior.sample(3, np.random.default_rng(3))
    first = simulate(lif, STIMULUS, theta, seed=4)
    assert np.array_equal(simulate(lif, STIMULUS, theta, seed=4).voltage_mv, first.voltage_mv)
    assert np.array_equal(simulate(lif, STIMULUS, theta, keys=first.keys).voltage_mv, first.voltage_mv)
    assert not np.array_equal(simulate(lif, STIMULUS, theta, seed=5).voltage_mv, first.voltage_mv)
    assert first.voltage_mv.shape == (3, 3, N_SAMPLES)
    assert first.voltage_mv.dtype == np.float32
    assert first.dt_ms == 0.1


def test_by_name_is_by_column(lif: Model) -> None:
    values = {p.name: p.value for p in lif.parameters}
    by_column = simulate(lif, STIMULUS, [[values[name] for name in lif.free]], seed=1)
    assert np.array_equal(simulate(lif, STIMULUS, {}, seed=1).voltage_mv, by_column.voltage_mv)
    two = simulate(lif, STIMULUS, {"V_th": [-50.0, -45.0]}, seed=1)
    assert np.array_equal(two.voltage_mv[:1], by_column.voltage_mv)


def test_keys_are_never_shared() -> None:
    keys = draw_keys(1, 0, 200_000)
    assert keys.dtype == np.uint64
    assert keys.max() < 2**53
    assert len(np.unique(keys)) == len(keys), "a repeat has a chance of 2e-6"
    assert np.array_equal(draw_keys(1, 0, 10, start=100), keys[100:110])
    assert not np.intersect1d(keys, draw_keys(1, 1, 200_000)).size
    assert not np.intersect1d(keys, draw_keys(2, 0, 200_000)).size
    each = sweep_keys(keys[:10_000], 20)
    assert each.shape == (10_000, 20)
    assert len(np.unique(each)) == each.size
    assert np.array_equal(sweep_keys(keys[:7], 3), each[:7, :3]), "a sweep's key does not depend on the others"
    # a double holds them exactly, which is how they reach the program
    assert np.array_equal(each.astype(np.float64).astype(np.uint64), each)


@pytest.mark.parametrize("seed", [-1, 1.5, "1", None, True])
def test_a_seed_that_is_none(lif: Model, seed: object) -> None:
    with pytest.raises(ParameterError, match="this is not a seed"):
        simulate(lif, STIMULUS, {}, seed=seed)  # type: ignore[arg-type]


@pytest.mark.parametrize("keys", [[1, 2], [1.5], [-1], [[1]], ["a"], 5, [None], []])
def test_keys_that_cannot_be_used(lif: Model, keys: object) -> None:
    with pytest.raises(ParameterError, match="one key per draw is needed"):
        simulate(lif, STIMULUS, {}, keys=keys)  # type: ignore[arg-type]


@pytest.mark.parametrize("dt_ms", [0.04, 0.06, 0.01, 0.1234])
def test_a_time_step_that_does_not_divide(lif: Model, dt_ms: float) -> None:
    assert lif.dt_ms == 0.0125
    with pytest.raises(StimulusError, match="does not divide") as caught:
        simulate(lif, Stimulus(np.zeros(100), dt_ms), {})
    assert "dt_ms under [integration]" in str(caught.value)


def test_more_sweeps_than_one_run_holds(lif: Model) -> None:
    with pytest.raises(StimulusError, match="1025 sweeps are more than one run of a program"):
        simulate(lif, Stimulus(np.zeros((1025, 10)), 0.1), {})
