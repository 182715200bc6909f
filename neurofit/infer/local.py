"""Can a classifier tell true parameters from posterior draws, near the observation?

A local classifier two-sample test after Linhart et al. 2023 (L-C2ST), with three things of its own. The classifier is
least squares on the values, squares and products of the parameters, each case's first whitened by its own draws: a few
hundred cases train it, which are too few for a network (sbi's misses at that number what this one finds in a hundredth
of the time). It is trained on the cases nearest to the observation, rather than on all of them with the data among its
inputs. And its null is exact: under a right posterior a case's truth is one more draw, so any draw of the same case may
take its place, and a thousand classifiers cost one matrix.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
# Classifiers trained with a draw in the truth's place.
TRIALS = 999
# Whitened values are cut off here: one stray draw must not drown the rest.
FARTHEST = 5.0


@dataclass(frozen=True, eq=False)
class LocalTest:
    """How well truths are told from draws among the cases nearest to the observation.

    Attributes
    ----------
    statistic
        Mean square of the classifier's answer (truth 1, draw -1).
    null
        ``[trial]``: the same with a draw in the truth's place.
    near
        Positions of the cases that were asked.
    """

    statistic: float
    null: Array
    near: NDArray[np.intp]

    @property
    def p_value(self) -> float:
        """At least one in the number of trials plus one."""
        return float((1 + (self.null >= self.statistic).sum()) / (1 + len(self.null)))

    def sentence(self, level: float) -> str:
        """In plain words, judged at this level."""
        told = "cannot be told" if self.p_value > level else "can be told"
        return (
            f"In the {len(self.near)} simulations nearest to the observation true parameters {told} from draws of the "
            f"posterior (p = {self.p_value:.2g})."
        )


def local_test(draws: Array, truths: Array, near: NDArray[np.intp], rng: np.random.Generator) -> LocalTest:
    """Test the cases ``near`` of ``draws`` ``[draw, case, parameter]`` and ``truths`` ``[case, parameter]``."""
    features = _features(whitened(np.concatenate([truths[None, near], draws[:, near]])))
    n_values, n_cases, n_features = features.shape
    # the same whichever value of a case is called its truth, so the null may use it
    flat = (features - features.mean(axis=0)).reshape(-1, n_features)
    moment = flat.T @ flat / len(flat) + 1e-6 * np.eye(n_features)
    white = np.linalg.solve(np.linalg.cholesky(moment), flat.T).T.reshape(features.shape)

    def score(chosen: NDArray[np.intp]) -> float:
        return float((white[chosen, np.arange(n_cases)].mean(axis=0) ** 2).sum())

    null = np.array([score(chosen) for chosen in rng.integers(n_values, size=(TRIALS, n_cases))])
    return LocalTest(score(np.zeros(n_cases, dtype=np.intp)), null, near)


def whitened(values: Array) -> Array:
    """``[value, case, parameter]`` with each case's mean and covariance taken out."""
    centred = values - values.mean(axis=0)
    covariance = np.einsum("vcp,vcq->cpq", centred, centred, optimize=True) / len(values)
    scale = np.einsum("cpp->cp", covariance).clip(min=1e-24)
    ridge = 1e-6 * scale[:, :, None] * np.eye(values.shape[2])
    lower = np.linalg.cholesky(covariance + ridge)
    return np.einsum("cpq,vcq->vcp", np.linalg.inv(lower), centred, optimize=True)


def _features(u: Array) -> Array:
    """``[..., feature]``: each value, and the products of every two, of ``[..., parameter]``."""
    u = np.clip(u, -FARTHEST, FARTHEST)
    first, second = np.triu_indices(u.shape[-1])
    return np.concatenate([u, u[..., first] * u[..., second]], axis=-1)
