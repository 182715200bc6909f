"""Ways to learn a posterior from simulations, all of one form: ``(problem, budget, seed) -> Answer``.

Those that draw once from the prior are given the same simulations for the same budget and seed.
"""

from __future__ import annotations

import contextlib
import io
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from sbi.inference import NPE

from neurofit.infer import Method, Schedule
from neurofit.threads import one_thread
from tests.infer.loop import infer
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
    started = time.process_time()
    z = np.random.default_rng([seed, 1]).standard_normal((n, problem.d))
    deviations = problem.deviations(z, seed)
    return z, deviations, time.process_time() - started


def by(name: str, rounds: int = 3, members: int = 3, schedule: Schedule | None = None) -> Way:
    """A method of neurofit, with its default networks or others; one round of NPE, else ``rounds``.

    To the budget come the simulations that the flows' base is fitted to (none for NLE and NRE).
    """

    def way(problem: Problem, budget: int, seed: int) -> Answer:
        method = replace(Method.named(name, rounds, budget), members=members, schedule=schedule or Schedule())
        with one_thread():
            found = infer(method, problem.deviations, problem.summaries, problem.d, seed)
            draws = found.draws(DRAWS, seed)
        return Answer(draws, found.simulating, found.proposing + found.training + found.calibrating)

    return way


def sbi_npe(problem: Problem, budget: int, seed: int) -> Answer:
    """sbi's own: ``NPE`` and ``train()`` with their defaults, on the same simulations, noise added once.

    Simulations with an undefined summary are left out, as sbi does: they cannot have made an observation that has it.
    """
    z, deviations, simulating_s = prior_simulations(problem, budget, seed)
    started = time.process_time()
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
    return Answer(draws.numpy().astype(np.float64), simulating_s, time.process_time() - started)


def _tensor(values: Array) -> torch.Tensor:
    return torch.as_tensor(values, dtype=torch.float32)


@contextlib.contextmanager
def _quiet():  # type: ignore[no-untyped-def]
    """sbi prints how it gets on, and writes logs into the working directory."""
    with tempfile.TemporaryDirectory() as name, contextlib.chdir(name), contextlib.redirect_stdout(io.StringIO()):
        yield


WAYS: dict[str, Way] = {
    **{name: by(name) for name in ("npe", "tsnpe", "npe-c", "nle", "nre")},
    "tsnpe nsf": by("tsnpe", schedule=Schedule(density="nsf")),
    "tsnpe long": by("tsnpe", schedule=Schedule(epochs=72)),
    "sbi": sbi_npe,
}

# Simulations, in all rounds together, and what learns from them: one round where that is enough, splines where the
# posterior is far from normal, more epochs where there is much to learn.
BUDGETS = {"linear_4": 2000, "crescents": 9000, "hh_tutorial": 3000, "lif": 12000, "linear_12": 9000, "bent_12": 18000}
STATED = {
    "linear_4": "npe",
    "crescents": "tsnpe nsf",
    "hh_tutorial": "tsnpe",
    "lif": "tsnpe long",
    "linear_12": "npe",
    "bent_12": "tsnpe long",
}
