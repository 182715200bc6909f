"""Ways to learn a posterior from simulations, all of one form: ``(problem, budget, seed) -> Answer``.

Ways that draw from the prior are given the same simulations for the same budget and seed.
"""

from __future__ import annotations

import contextlib
import io
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from sbi.inference import NPE

from neurofit.infer import Method, Region, Schedule, train_ensemble, usable
from neurofit.threads import one_thread
from tests.references.problems import Problem

Array = NDArray[np.float64]
DRAWS = 3000


@dataclass(frozen=True, eq=False)
class Answer:
    """What a way came to.

    Attributes
    ----------
    draws
        ``[draw, parameter]`` in the space in which the prior is standard normal.
    simulating_s, training_s
        Seconds; the second has everything but simulations in it.
    """

    draws: Array
    simulating_s: float
    training_s: float


Way = Callable[[Problem, int, int], Answer]


@lru_cache(maxsize=2)
def prior_simulations(problem: Problem, n: int, seed: int) -> tuple[Array, Array, float]:
    """``z``, deviations, and the seconds they took."""
    started = time.perf_counter()
    z = np.random.default_rng([seed, 1]).standard_normal((n, problem.d))
    deviations = problem.deviations(z, seed)
    return z, deviations, time.perf_counter() - started


def npe(problem: Problem, budget: int, seed: int, schedule: Schedule | None = None, members: int = 3) -> Answer:
    """One round of neurofit."""
    z, deviations, simulating_s = prior_simulations(problem, budget, seed)
    started = time.perf_counter()
    valid = np.isfinite(deviations).any(axis=1)
    z, deviations = z[valid], deviations[valid]
    with one_thread():
        ensemble = train_ensemble(
            z, deviations, problem.summaries.seen_in(deviations), schedule or Schedule(),
            seed=seed, members=members, workers=1,
        )  # fmt: skip
        draws = ensemble.density.sample(DRAWS, seed)
    return Answer(draws, simulating_s, time.perf_counter() - started)


def tsnpe(problem: Problem, budget: int, seed: int, method: Method | None = None, rounds: int = 3) -> Answer:
    """Truncated rounds of neurofit, as a fit goes through them, ``budget`` simulations in all."""
    method = method or Method()
    started, simulating_s = time.perf_counter(), 0.0
    z, deviations, region = np.empty((0, problem.d)), np.empty((0, len(problem.summaries))), Region()
    density = None
    with one_thread():
        for number in range(1, rounds + 1):
            n = budget * number // rounds - len(z)
            if density is None:
                proposed, new, seconds = prior_simulations(problem, n, seed)
            else:
                region = region.cut(density, method.truncation, method.margin, seed + number)
                proposed = region.propose(n, seed + number)
                before = time.perf_counter()
                new = problem.deviations(proposed, 1000 * seed + number)
                seconds = time.perf_counter() - before
            simulating_s += seconds
            z, deviations = np.concatenate([z, proposed]), np.concatenate([deviations, new])
            chosen = usable(z, np.isfinite(deviations).any(axis=1), region)
            density = train_ensemble(
                z[chosen], deviations[chosen], problem.summaries.seen_in(deviations[chosen]), method.schedule,
                seed=seed + number, members=method.members, workers=1,
            ).density  # fmt: skip
        draws = density.sample(2 * DRAWS, seed)
        draws = draws[region(draws)][:DRAWS]
    return Answer(draws, simulating_s, time.perf_counter() - started - simulating_s)


def sbi_npe(problem: Problem, budget: int, seed: int) -> Answer:
    """sbi's own: ``NPE`` and ``train()`` with their defaults, on the same simulations, noise added once.

    Simulations with an undefined summary are left out, as sbi does: they cannot have made an observation that has it.
    """
    z, deviations, simulating_s = prior_simulations(problem, budget, seed)
    started = time.perf_counter()
    x = deviations + np.random.default_rng([seed, 2]).standard_normal(deviations.shape)
    defined = np.isfinite(x).all(axis=1)
    prior = torch.distributions.MultivariateNormal(torch.zeros(problem.d), torch.eye(problem.d))
    with one_thread(), torch.random.fork_rng(devices=[]), _quiet():
        torch.manual_seed(seed)
        inference = NPE(prior, show_progress_bars=False)
        inference.append_simulations(_tensor(z[defined]), _tensor(x[defined])).train()
        draws = inference.build_posterior().sample(
            (DRAWS,), x=torch.zeros(1, x.shape[1]), show_progress_bars=False
        )  # fmt: skip
    return Answer(draws.numpy().astype(np.float64), simulating_s, time.perf_counter() - started)


def _tensor(values: Array) -> torch.Tensor:
    return torch.as_tensor(values, dtype=torch.float32)


@contextlib.contextmanager
def _quiet():  # type: ignore[no-untyped-def]
    """sbi prints how it gets on, and writes logs into the working directory."""
    with tempfile.TemporaryDirectory() as name, contextlib.chdir(name), contextlib.redirect_stdout(io.StringIO()):
        yield


WAYS: dict[str, Way] = {"neurofit NPE": npe, "neurofit TSNPE": tsnpe, "sbi NPE": sbi_npe}
