"""Several networks as one density: the same for any number of workers, and on file."""

from __future__ import annotations

import json
import pickle
import struct
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from neurofit.errors import BadInput, TrainingError
from neurofit.infer import Density, Schedule, load_density, train_ensemble
from neurofit.infer.base import Base
from neurofit.infer.ensemble import posterior_of
from neurofit.infer.networks import Networks, build_network
from tests.infer.toys import Problem, plain_summaries

PROBLEM = Problem(d=3, s=5, gain=5.0)
QUICK = Schedule(epochs=2, transforms=2, hidden=16)


def simulations(n=200, seed=0):
    z = np.random.default_rng(seed).standard_normal((n, PROBLEM.d))
    return z, PROBLEM.deviations(z)


def ensemble(z, deviations, *, workers=1, schedule=QUICK, members=2, seed=1, **others):
    summaries = plain_summaries(deviations.shape[1]).seen_in(deviations)
    return train_ensemble(z, deviations, summaries, schedule, seed=seed, members=members, workers=workers, **others)


@pytest.fixture(scope="module")
def small():
    return ensemble(*simulations())


def weights(found):
    return [t for member in found.density.networks.members for t in member.state_dict().values()]


def test_the_number_of_workers_changes_nothing(small):
    both = ensemble(*simulations(), workers=2)
    assert all(torch.equal(a, b) for a, b in zip(weights(small), weights(both), strict=True))
    np.testing.assert_array_equal(small.losses, both.losses)
    np.testing.assert_array_equal(small.held_out, both.held_out)


def test_members_differ_and_are_averaged(small):
    first, second = small.density.networks.members
    assert not all(map(torch.equal, first.state_dict().values(), second.state_dict().values()))
    z = np.random.default_rng(0).standard_normal((50, 3))
    networks = small.density.networks
    each = [Density(replace(networks, members=(m,))).log_prob(z) for m in networks.members]
    np.testing.assert_allclose(np.exp(small.density.log_prob(z)), np.exp(each).mean(axis=0), rtol=1e-5)


def test_held_out_simulations_are_never_trained_on(small):
    """After one epoch the weights are the same whatever the held-out simulations hold."""
    z, deviations = simulations()
    once = Schedule(epochs=1, transforms=2, hidden=16)
    first = ensemble(z, deviations, schedule=once, members=1)
    assert len(first.held_out) == 20 == len(set(first.held_out.tolist()))
    spoilt = z.copy()
    spoilt[first.held_out] += 3.0
    again = ensemble(spoilt, deviations, schedule=once, members=1)
    assert all(torch.equal(a, b) for a, b in zip(weights(first), weights(again), strict=True))
    assert again.losses[0, 0, 1] > first.losses[0, 0, 1] + 1
    spoilt = z.copy()
    spoilt[np.setdiff1d(np.arange(200), first.held_out)[0]] += 3.0
    other = ensemble(spoilt, deviations, schedule=once, members=1)
    assert not all(torch.equal(a, b) for a, b in zip(weights(first), weights(other), strict=True))


def test_progress_is_told_and_the_story_kept(small):
    told = []
    found = ensemble(*simulations(), report=lambda done, text: told.append((done, text)))
    assert found.losses.shape == (2, 2, 2)
    assert len(found.readings) == 2
    assert all(0 <= done <= 1 for done, _ in told)


def test_the_callers_threads_are_put_back(small):
    before = torch.get_num_threads()
    ensemble(*simulations(), members=1)
    assert torch.get_num_threads() == before


def test_too_few_simulations_are_said():
    for n in (0, 5, 49):
        with pytest.raises(TrainingError, match=f"{n} usable simulations are too few"):
            train_ensemble(*simulations(n), plain_summaries(5), QUICK, seed=1, members=1, workers=1)


def test_simulations_that_define_nothing_are_said():
    z, deviations = simulations()
    with pytest.raises(TrainingError, match="nothing to learn"):
        ensemble(z, np.full_like(deviations, np.nan))


def test_a_summary_that_no_simulation_defines_drowns_no_other():
    """Without leaving it out the observation lies 1e8 standard deviations away, and the posterior is the prior's."""
    z, deviations = simulations(2000)
    lacking = np.column_stack([deviations, np.full(len(z), np.nan)])
    schedule = Schedule(epochs=15, transforms=3, hidden=32)
    found = ensemble(z, lacking, schedule=schedule, members=1)
    mean, covariance = PROBLEM.exact()
    draws = found.density.sample(3000, 1)
    assert np.abs(draws.mean(axis=0) - mean).max() < 0.5 * np.sqrt(np.diag(covariance)).max()
    assert found.density.networks.x.shape == (1, 5)


def test_all_simulations_silent_is_no_error():
    """Only the count is defined, and always 0: the posterior is then near the prior."""
    z = np.random.default_rng(0).standard_normal((300, 3))
    deviations = np.full((300, 5), np.nan)
    deviations[:, 0] = -10.0
    found = ensemble(z, deviations)
    assert np.isfinite(found.density.sample(100, 1)).all()


@pytest.mark.parametrize("n", [1, 2, 7, 100])
def test_draws_come_from_every_member_and_depend_on_the_seed_alone(small, n):
    draws = small.density.sample(n, 3)
    assert draws.shape == (n, 3)
    np.testing.assert_array_equal(draws, small.density.sample(n, 3))
    assert not np.array_equal(draws, small.density.sample(n, 4))


def test_many_inputs_at_once_are_one_by_one(small):
    x = torch.randn(4, 5, generator=torch.Generator().manual_seed(0))
    z = np.random.default_rng(1).standard_normal((4, 3))
    together = small.density.log_prob(z, x)
    for i in range(4):
        alone = Density(replace(small.density.networks, x=x[i : i + 1]))
        assert alone.log_prob(z[i : i + 1])[0] == pytest.approx(together[i], abs=1e-5)
    draws = small.density.sample(600, 2, x)
    assert draws.shape == (600, 4, 3)
    for i in range(4):
        alone = Density(replace(small.density.networks, x=x[i : i + 1])).sample(600, 5)
        assert np.abs(draws[:, i].mean(axis=0) - alone.mean(axis=0)).max() < 0.3
    assert small.density.log_prob(np.zeros((0, 3))).shape == (0,)


# One process for all of them: it loads torch and sbi.
AGAIN = """
import sys, numpy as np
from pathlib import Path
from neurofit.infer import load_density
folder = Path(sys.argv[1])
for file in sorted(folder.glob("*.safetensors")):
    density = load_density(file)
    z = density.sample(20, 5)
    np.savez(folder / f"{file.stem}.npz", z=z, log_prob=density.log_prob(z))
"""


def test_a_density_on_file_is_the_same_in_another_process(tmp_path):
    rng = torch.Generator().manual_seed(0)
    found = {}
    kinds = [(task, kind) for task in ("density", "likelihood") for kind in ("maf", "nsf", "mdn")]
    for task, kind in [*kinds, ("atomic", "maf"), ("ratio", "maf")]:
        schedule = Schedule(density=kind, transforms=2, hidden=16)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(1)
            built = [build_network(task, schedule, torch.randn(64, 3), torch.randn(64, 5)).eval() for _ in range(2)]
        x, z = torch.randn(1, 5, generator=rng), torch.randn(100, 3, generator=rng)
        density = posterior_of(Networks(tuple(built), x, z, task, schedule))
        name = f"{task}-{kind}"
        density.networks.save(tmp_path / f"{name}.safetensors")
        found[name] = density
    subprocess.run([sys.executable, "-c", AGAIN, str(tmp_path)], check=True, capture_output=True)
    for name, density in found.items():
        with np.load(tmp_path / f"{name}.npz") as other:
            z = density.sample(20, 5)
            np.testing.assert_array_equal(other["z"], z, err_msg=name)
            np.testing.assert_allclose(other["log_prob"], density.log_prob(z), rtol=1e-6)


def test_the_file_holds_numbers_and_a_description_and_runs_nothing(tmp_path, small, monkeypatch):
    path = tmp_path / "network.safetensors"
    small.density.networks.save(path)
    content = path.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])  # safetensors: a length, JSON, then raw numbers
    description = json.loads(header.pop("__metadata__")["neurofit"])
    assert description["schedule"] == QUICK.to_dict()
    assert all(set(entry) == {"dtype", "shape", "data_offsets"} for entry in header.values())
    assert max(entry["data_offsets"][1] for entry in header.values()) == len(content) - 8 - length

    def never(*_, **__):
        raise AssertionError("something was unpickled")

    for owner, name in ((pickle, "load"), (pickle, "loads"), (pickle, "Unpickler"), (torch, "load")):
        monkeypatch.setattr(owner, name, never)
    np.testing.assert_array_equal(load_density(path).sample(10, 1), small.density.sample(10, 1))


def test_other_files_are_refused(tmp_path):
    other = tmp_path / "other.safetensors"
    save_file({"x": torch.zeros(1)}, other)
    with pytest.raises(BadInput, match="another version"):
        load_density(other)
    save_file({"x": torch.zeros(1)}, other, metadata={"neurofit": json.dumps({"format": 99})})
    with pytest.raises(BadInput, match="format 99"):
        load_density(other)
    text = tmp_path / "text.safetensors"
    text.write_bytes(pickle.dumps({"not": "weights"}))
    with pytest.raises(BadInput, match="not a file of network weights"):
        load_density(text)
    with pytest.raises(BadInput, match="not a file of network weights"):
        load_density(tmp_path / "absent.safetensors")


@pytest.mark.parametrize("kind", ["maf", "nsf"])
def test_a_flow_from_another_base_is_still_a_density(tmp_path, kind):
    """Draws of one, weighted by the ratio of densities, are those of the other: the weights' mean is 1."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(2)
        schedule = Schedule(density=kind, transforms=2, hidden=16)
        built = build_network("density", schedule, torch.randn(64, 2), torch.randn(64, 5)).eval()
    narrow = Density(Networks((built, built), torch.randn(1, 5), torch.zeros(0, 2), "density", schedule))
    base = Base(((0.2, 0.0), (0.0, -0.1)), 1.3)
    wide = narrow.rebased(base)
    draws = wide.sample(4000, 1)
    weights = np.exp(narrow.log_prob(draws) - wide.log_prob(draws))
    assert weights.mean() == pytest.approx(1, abs=4 * weights.std() / np.sqrt(len(weights)))
    assert (draws.std(axis=0) > 1.15 * narrow.sample(4000, 1).std(axis=0)).all()
    wide.networks.save(tmp_path / "wide.safetensors")
    again = load_density(tmp_path / "wide.safetensors")
    np.testing.assert_array_equal(again.sample(50, 3), wide.sample(50, 3))
    assert again.networks.base == base


def test_mixtures_and_likelihoods_have_no_base():
    for task, kind in (("density", "mdn"), ("likelihood", "maf"), ("ratio", "maf")):
        assert not Networks((), torch.zeros(1, 5), torch.zeros(0, 2), task, Schedule(density=kind)).are_flows
