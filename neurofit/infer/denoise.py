"""Which of a cell's summaries are off, and what they would be if none were: after robust NPE (Ward et al. 2022).

Every observed summary is what the simulator would have made plus an error, in quantile scores. The error is tiny
(:data:`SPIKE`) or, where the summary is off, Cauchy of scale :data:`SLAB`. In one half of all cells none is off; in the
others one, two or all of them are equally often, which corrects for looking at many (Scott and Berger 2010). What the
simulator would have made has the density of an :class:`~neurofit.infer.emulator.Emulator` averaged over its parameters.

A Cauchy is a mixture of normals, so given parameters and one of a few variances for every error all is Gaussian, and
the summaries themselves are integrated out. Chains in parallel draw the variances one after the other (Gibbs) and the
parameters by elliptical slices. They start at simulations in proportion to how well each explains the cell with its
own errors left open, so that different accounts of the cell are all begun with.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import log_expit, logsumexp, softmax
from scipy.stats import chi2

from neurofit.infer.emulator import Emulator
from neurofit.infer.truncated import Ellipses, Inside, slice_steps

Array = NDArray[np.float64]
# Of points [m, parameter] and the chains [m] that ask.
Weight = Callable[[Array, NDArray[np.intp]], Array]

# In quantile scores: the standard deviation of an error where a summary is not off, the scale of one where it is.
SPIKE, SLAB = 0.05, 0.25
# Normals that stand for the Cauchy.
NORMALS = 16
# Passes over variances and parameters, steps of the parameters in each, and how often all passes are gone through at
# the most while the chains still move.
PASSES, STEPS, TIMES = 20, 2, 5
# The variance of a value that was not observed.
UNKNOWN = 1e6


@dataclass(frozen=True, eq=False)
class Denoised:
    """Draws of what the summaries would be without their errors.

    Attributes
    ----------
    scores
        ``[chain, summary]`` in quantile scores; NaN where undefined.
    off
        ``[chain, summary]``: is it off?
    unsettled
        The largest change of a parameter's mean over the second half of the last passes, in standard deviations of the
        chains; up to :func:`chance` it means nothing.
    """

    scores: Array
    off: NDArray[np.bool_]
    unsettled: float


def denoise(
    observed: Array, emulator: Emulator, z: Array, chains: int, rng: np.random.Generator, inside: Inside | None = None
) -> Denoised:
    """Draw errors and denoised summaries of one observation.

    Parameters
    ----------
    observed
        ``[summary]`` in quantile scores, NaN where undefined.
    z
        ``[simulation, parameter]`` to start from, of a standard normal prior inside the region.
    inside
        ``[m, parameter] -> [m]``: the region; everywhere by default.
    """
    model = _Model(observed, emulator)
    z, kind = model.start(z, chains, rng)
    for _ in range(TIMES):
        halfway = z
        for number in range(PASSES):
            kind = model.errors(z, kind, rng)
            z = slice_steps(z, model.log_weight(kind, inside), Ellipses.around(z), STEPS, rng)
            if number == PASSES // 2:
                halfway = z
        spread = np.maximum(z.std(axis=0), 1e-9)
        unsettled = float((np.abs(z.mean(axis=0) - halfway.mean(axis=0)) / spread).max())
        if unsettled <= chance(chains):
            break
    return Denoised(model.without_errors(z, kind, rng), kind > 0, unsettled)


def chance(chains: float) -> float:
    """How far the means of settled chains may lie apart: four standard errors of a difference."""
    return float(4 * np.sqrt(2 / chains))


class _Model:
    """The joint density of parameters, kinds of error and one observation.

    ``kind`` ``[chain, summary]`` is 0 where a summary is not off, else the number of a normal of the Cauchy.
    """

    def __init__(self, observed: Array, emulator: Emulator) -> None:
        self.emulator = emulator
        self.defined = np.isfinite(observed)
        self.observed = np.where(self.defined, observed, 0.0)
        variances, shares = _cauchy()
        self.variances = np.concatenate([[SPIKE**2], SLAB**2 * variances])
        self.log_shares = np.log(shares)
        # a flag that several summaries have in common counts once
        self.weight = 1 / emulator.alike

    def start(self, z: Array, chains: int, rng: np.random.Generator) -> tuple[Array, NDArray[np.intp]]:
        """Simulations, drawn by their weight with every summary judged by itself, and kinds of error with them."""
        mean, sd, odds = self.emulator(z)
        variance = (sd**2)[:, :, None] + self.variances
        log_prior = np.concatenate([[0.0], self.log_shares]) - np.log(2)
        each = log_prior - 0.5 * np.log(variance) - 0.5 * ((self.observed - mean) ** 2)[:, :, None] / variance
        each = np.where(self.defined[:, None], each, log_prior)
        each[:, :, 0] += self._log_flags(odds)
        chosen = rng.choice(len(z), size=chains, p=softmax(logsumexp(each, axis=2).sum(axis=1)))
        return z[chosen], _categorical(each[chosen], rng)

    def errors(self, z: Array, kind: NDArray[np.intp], rng: np.random.Generator) -> NDArray[np.intp]:
        """Draw the kinds anew, one summary after the other, given all others."""
        kind, d = kind.copy(), len(self.observed)
        left, covariance, odds = self._left(z, kind)
        flags = self._log_flags(odds)
        inverse = torch.linalg.inv(covariance)
        precision = inverse.numpy()
        for j in rng.permutation(d):
            now, own = self._variance(kind)[:, j], precision[:, j, j]
            # of the observation given all others, without its own error
            variance = np.maximum(1 / own - now, 1e-12)[:, None] + self.variances
            distance = (precision[:, j] * left).sum(axis=1) / own
            others = (kind > 0).sum(axis=1) - (kind[:, j] > 0)
            log_each = np.column_stack([flags[:, j], _log_odds_off(others, d)[:, None] + self.log_shares])
            if self.defined[j]:
                log_each += -0.5 * np.log(variance) - 0.5 * distance[:, None] ** 2 / variance
            kind[:, j] = _categorical(log_each, rng)
            change = self._variance(kind)[:, j] - now
            column = inverse[:, :, j].clone()
            shrink = torch.as_tensor(change / (1 + change * own))[:, None]
            # in place, and so of `precision` too
            inverse.baddbmm_((shrink * column)[:, :, None], column[:, None], alpha=-1)
        return kind

    def log_weight(self, kind: NDArray[np.intp], inside: Inside | None) -> Weight:
        """What the standard normal of the parameters is multiplied by, given the kinds of error."""

        def weight(points: Array, asking: NDArray[np.intp]) -> Array:
            left, covariance, odds = self._left(points, kind[asking])
            lower = torch.linalg.cholesky(covariance)
            white = torch.linalg.solve_triangular(lower, torch.as_tensor(left)[:, :, None], upper=False)[:, :, 0]
            log_det = lower.diagonal(dim1=1, dim2=2).log().sum(dim=1)
            found = (-0.5 * (white**2).sum(dim=1) - log_det).numpy()
            found += np.where(kind[asking] == 0, self._log_flags(odds), 0.0).sum(axis=1)
            return found if inside is None else np.where(inside(points), found, -np.inf)

        return weight

    def without_errors(self, z: Array, kind: NDArray[np.intp], rng: np.random.Generator) -> Array:
        """Denoised scores ``[chain, summary]``: drawn from the model, then moved by what the observation adds."""
        mean, sd, odds = self.emulator(z)
        error = self._variance(kind)
        lower = np.linalg.cholesky(self.emulator.correlation)
        drawn = mean + sd * (rng.standard_normal(z.shape[:1] + mean.shape[1:]) @ lower.T)
        seen = drawn + np.sqrt(error) * rng.standard_normal(mean.shape)
        covariance = self._left(z, kind)[1]
        gain = np.linalg.solve(covariance.numpy(), (self.observed - seen)[:, :, None])[:, :, 0]
        found = drawn + (gain * sd) @ self.emulator.correlation * sd
        defined = rng.random(mean.shape) < np.exp(log_expit(odds))
        return np.where(np.where(kind == 0, self.defined, defined), found, np.nan)

    def _variance(self, kind: NDArray[np.intp]) -> Array:
        """``[chain, summary]``: of the errors."""
        return np.where(self.defined, self.variances[kind], UNKNOWN)

    def _left(self, z: Array, kind: NDArray[np.intp]) -> tuple[Array, torch.Tensor, Array]:
        """The observation less the emulator's mean, its covariance, and the log odds of every flag."""
        mean, sd, odds = self.emulator(z)
        covariance = sd[:, :, None] * sd[:, None, :] * self.emulator.correlation
        error = torch.diag_embed(torch.as_tensor(self._variance(kind)))
        return self.observed - mean, torch.as_tensor(covariance) + error, odds

    def _log_flags(self, odds: Array) -> Array:
        """``[row, summary]``: log of how likely it is to be defined, or undefined, as observed; over one half."""
        log_probability = log_expit(np.where(self.defined, odds, -odds)) + np.log(2) * np.isfinite(odds)
        return np.asarray(self.weight * np.maximum(log_probability, -50.0))


def _log_odds_off(others: NDArray[np.intp], d: int) -> Array:
    """Log prior odds of a summary to be off, given how many of the ``d - 1`` others are."""
    return np.where(others > 0, np.log1p(others) - np.log(d - others), -2 * np.log(d))


def _cauchy() -> tuple[Array, Array]:
    """Variances and shares of normals that together make the standard Cauchy distribution, nearly."""
    edges = np.geomspace(1e-6, 12.0, NORMALS + 1)
    shares = np.diff(np.concatenate([[0.0], chi2.cdf(edges[1:-1], 1), [1.0]]))
    return 1 / np.sqrt(edges[:-1] * edges[1:]), shares


def _categorical(log_each: Array, rng: np.random.Generator) -> NDArray[np.intp]:
    """One draw for each row of logarithms of what the last axis is in proportion to."""
    below = softmax(log_each, axis=-1).cumsum(axis=-1)
    drawn = (rng.random((*log_each.shape[:-1], 1)) > below).sum(axis=-1)
    return np.minimum(drawn, log_each.shape[-1] - 1)
