"""Ways to find a posterior that share nothing with the networks: all they need is the likelihood of the observation.

The likelihood given one simulation, :meth:`Problem.log_likelihood`, is exact: it is that of the noise of one tolerance.
Where simulations have noise of their own it is an unbiased estimate, and each of these ways is exact all the same.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln, logsumexp
from sklearn.mixture import GaussianMixture

from tests.infer import toys
from tests.references.problems import Problem

Array = NDArray[np.float64]
Found = tuple[Array, dict[str, Any]]
BLOCK = 50_000
# Of importance weights, the share that is cut off at the largest ones.
CUT_OFF = 0.01
# Every so many-th state of a chain goes into R-hat.
THIN = 10


def closed_form(problem: Problem, n: int, seed: int) -> Found:
    """Draws of the Gaussian that the posterior is."""
    mean, covariance = toys.Problem(**problem.about["gaussian"]).exact()
    return np.random.default_rng(seed).multivariate_normal(mean, covariance, n), {}


def brute_force(problem: Problem, n: int, seed: int, simulations: int = 1_000_000) -> Found:
    """Simulate the prior and keep each simulation with the probability of the observation given it.

    What is kept are independent draws of the posterior.
    """
    rng = np.random.default_rng(seed)
    kept, squares, total = [], 0.0, 0.0
    for start in range(0, simulations, BLOCK):
        z = rng.standard_normal((min(BLOCK, simulations - start), problem.d))
        likelihood = np.exp(problem.log_likelihood(z, seed + start))
        kept.append(z[rng.random(len(z)) < likelihood])
        squares, total = squares + (likelihood**2).sum(), total + likelihood.sum()
    z = np.concatenate(kept)
    assert len(z) >= n, f"only {len(z)} of {simulations} were kept"
    return z[:n], {"simulations": simulations, "kept": len(z), "effective_sample_size": total**2 / squares}


def importance(
    problem: Problem, n: int, seed: int, simulations: int = 200_000, chains: int = 1000, steps: int = 300
) -> Found:
    """Importance sampling from a mixture that is fitted to a first run of :func:`walkers`, and again to what it finds.

    A simulation is kept with a probability proportional to its weight, so that what is kept are independent draws of
    the posterior, whatever the mixture; of the weight, 1 % is cut off at its largest.
    """
    rng = np.random.default_rng(seed)
    pilot, _ = walkers(problem, chains, seed, steps)
    first = Mixture(pilot, rng)
    z, log_weight = _weighted(problem, first, simulations // 5, seed + 100_000, rng)
    weight = np.exp(log_weight - logsumexp(log_weight))
    z, log_weight = _weighted(problem, Mixture(z[rng.choice(len(z), 4000, p=weight)], rng), simulations, seed, rng)
    weight = np.exp(log_weight - log_weight.max())
    largest = np.sort(weight)[::-1]
    # of all ceilings the lowest that cuts off no more
    above = np.cumsum(largest) - largest * np.arange(1, len(largest) + 1)
    ceiling = largest[np.flatnonzero(above <= CUT_OFF * weight.sum())[-1]]
    kept = z[rng.random(len(z)) < weight / ceiling]
    assert len(kept) >= n / 4, f"only {len(kept)} of {simulations} were kept"
    return kept[:n], {
        "simulations": simulations + simulations // 5 + chains * (steps + 1),
        "kept": len(kept),
        "effective_sample_size": effective(log_weight),
    }


def _weighted(problem: Problem, proposal: Mixture, n: int, seed: int, rng: np.random.Generator) -> tuple[Array, Array]:
    z = proposal.draw(n, rng)
    found = [problem.log_likelihood(z[i : i + BLOCK], seed + 100 + i) for i in range(0, n, BLOCK)]
    return z, np.concatenate(found) + proposal.log_prior_ratio(z)


def effective(log_weight: Array) -> float:
    """Effective sample size of importance weights."""
    return float(np.exp(2 * logsumexp(log_weight) - logsumexp(2 * log_weight)))


class Mixture:
    """A tenth of the prior, and t distributions of four degrees of freedom where a Gaussian mixture fits ``z``."""

    FREEDOM, PRIOR, PARTS, WIDER = 4.0, 0.1, 4, 1.1

    def __init__(self, z: Array, rng: np.random.Generator) -> None:
        self.d = z.shape[1]
        self.fitted = GaussianMixture(self.PARTS, reg_covar=1e-5, random_state=int(rng.integers(2**31))).fit(z)

    def draw(self, n: int, rng: np.random.Generator) -> Array:
        z = rng.standard_normal((n, self.d))
        part = rng.choice(self.PARTS, n, p=self.fitted.weights_)
        stretch = self.WIDER / np.sqrt(rng.chisquare(self.FREEDOM, (n, 1)) / self.FREEDOM)
        lower = np.linalg.cholesky(self.fitted.covariances_)
        t = self.fitted.means_[part] + stretch * np.einsum("nij,nj->ni", lower[part], z)
        return np.where(rng.random((n, 1)) < self.PRIOR, rng.standard_normal((n, self.d)), t)

    def log_prior_ratio(self, z: Array) -> Array:
        """Log density of the prior over that of this, ``[row]``."""
        nu, d = self.FREEDOM, self.d
        prior = -0.5 * (z**2).sum(axis=1) - 0.5 * d * np.log(2 * np.pi)
        constant = gammaln((nu + d) / 2) - gammaln(nu / 2) - 0.5 * d * np.log(nu * np.pi)
        parts = [np.log(self.PRIOR) + prior]
        for weight, mean, covariance in zip(
            self.fitted.weights_, self.fitted.means_, self.fitted.covariances_, strict=True
        ):
            lower = self.WIDER * np.linalg.cholesky(covariance)
            white = np.linalg.solve(lower, (z - mean).T)
            kernel = -0.5 * (nu + d) * np.log1p((white**2).sum(axis=0) / nu) - np.log(np.diag(lower)).sum()
            parts.append(np.log(weight * (1 - self.PRIOR)) + constant + kernel)
        return np.asarray(prior - logsumexp(parts, axis=0))


def walkers(problem: Problem, n: int, seed: int, steps: int = 2000) -> Found:
    """Differential evolution Monte Carlo (ter Braak 2006): ``n`` chains that step along each other's differences.

    Each half moves along differences of the other, every tenth time by a whole one, which leads from mode to mode. A
    chain keeps the likelihood of the simulation it stands on. The last state of each chain is a draw. Chains start at
    draws of the prior; in the first steps the likelihood is let in by growing powers, and each time the likelier chains
    are taken more often.
    """
    rng = np.random.default_rng(seed)
    z = rng.standard_normal((n, problem.d))
    likelihood, power = problem.log_likelihood(z, seed), 0.0
    halves = np.arange(n // 2), np.arange(n // 2, n)
    taken, history = 0.0, []
    for step in range(steps):
        if power < 1:
            more = max(p for p in np.geomspace(1e-6, 1 - power, 100) if effective(p * likelihood) >= n / 3)
            power, weight = power + more, more * likelihood
            chosen = rng.choice(n, n, p=np.exp(weight - logsumexp(weight)))
            z, likelihood = z[chosen], likelihood[chosen]
        for k, (mine, others) in enumerate((halves, halves[::-1])):
            a, b = rng.choice(others, len(mine)), rng.choice(others, len(mine))
            scale = 1.0 if step % 10 == 9 else 2.38 / np.sqrt(2 * problem.d) * rng.uniform(0.3, 1.0, (len(mine), 1))
            there = z[mine] + scale * (z[a] - z[b]) + 1e-4 * rng.standard_normal((len(mine), problem.d))
            value = problem.log_likelihood(there, seed + 2 * step + k + 1)
            gain = power * (value - likelihood[mine]) + 0.5 * ((z[mine] ** 2).sum(axis=1) - (there**2).sum(axis=1))
            yes = np.log(rng.random(len(mine))) < gain
            z[mine[yes]], likelihood[mine[yes]] = there[yes], value[yes]
            taken += yes.mean() / 2
        if step >= steps // 2 and step % THIN == 0:
            history.append(z.copy())
    assert power == 1, "too few steps to come to the posterior"
    facts = {"chains": n, "steps": steps, "simulations": n * (steps + 1), "accepted": taken / steps}
    # with few steps a chain says nothing of its own; many chains from different starts do
    return z, facts | ({"r_hat": split_r_hat(np.stack(history))} if len(history) >= 20 else {})


def split_r_hat(history: Array) -> float:
    """Largest over the parameters, of ``[step, chain, parameter]``, each chain split in two."""
    half = len(history) // 2
    parts = np.concatenate([history[:half], history[half : 2 * half]], axis=1)
    within, between = parts.var(axis=0, ddof=1).mean(axis=0), parts.mean(axis=0).var(axis=0, ddof=1)
    return float(np.sqrt((half - 1) / half + between / within).max())
