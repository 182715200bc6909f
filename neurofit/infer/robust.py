"""A posterior for a cell whose summaries the model cannot make exactly: a hedge, to stand beside the plain one.

A network that is asked about summaries unlike all that it was trained on extrapolates. Here it is asked about summaries
that the model could have made instead, weighted by how well they go with the cell's if any of those may be off. Two
ways to find them:

``"noise"``
    Summaries are denoised (:mod:`~neurofit.infer.denoise`), after Ward et al. 2022.
``"weights"``
    The simulations themselves stand for them, each weighted by the product over the summaries of a narrow normal and a
    Cauchy, half and half, in quantile scores. Nothing is learned, and where no simulation has most of the cell's
    summaries hardly any of them counts.

Neither corrects the model, or a verdict on it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import softmax
from scipy.stats import cauchy, norm

from neurofit.errors import BadInput, TrainingError
from neurofit.infer.denoise import SLAB, denoise
from neurofit.infer.emulator import FEWEST, Emulator, train_emulator
from neurofit.infer.truncated import Inside
from neurofit.infer.valid import SEED, one_of, require_one, whole
from neurofit.scores import QuantileScores
from neurofit.threads import one_thread

Array = NDArray[np.float64]
Way = Literal["noise", "weights"]

# Rows of denoised summaries that the posterior is asked about.
ROWS = 500
# The width of the light form's normal, in quantile scores.
NARROW = 0.1
# A summary that fewer simulations define takes no part.
FEWEST_DEFINED = 20
# What share of the draws that were asked for a posterior must have.
MOSTLY = 0.2


# (n, seed, x [row, summary], NaN where undefined) -> [n, row, parameter]; draws of NaN where there are none.
Sampler = Callable[[int, int, Array], Array]


class Samples(Protocol):
    """A posterior as an object."""

    def sample(self, n: int, seed: int, x: Array, /) -> Array:
        """As :data:`Sampler`."""


@dataclass(frozen=True, eq=False)
class Robust:
    """A robust posterior, and which summaries it sets aside.

    Attributes
    ----------
    method
        ``"noise"`` or ``"weights"``.
    draws
        ``[draw, parameter]``.
    denoised
        ``[row, summary]``: what the posterior was asked about, in the summaries' units; NaN where undefined.
    off
        ``[summary]``: probability that it is off.
    off_by
        ``[3, summary]``: 5 %, median and 95 % of how far it is off where it is; NaN where it never is, or is undefined.
    effective
        Effective number of simulations under the weights, or of chains.
    unsettled
        How far the chains still moved, in their standard deviations; 0 with weights.
    """

    method: Way
    draws: Array
    denoised: Array
    off: Array
    off_by: Array
    effective: float
    unsettled: float


@dataclass(frozen=True, eq=False)
class Hedge:
    """Robust posteriors of any observation, from simulations that are learned from once (:meth:`of`)."""

    method: Way
    z: Array
    summaries: Array
    sampler: Sampler
    inside: Inside | None
    used: NDArray[np.bool_]
    scores: QuantileScores
    simulated: Array
    emulator: Emulator | None

    @staticmethod
    def of(
        z: ArrayLike,
        summaries: ArrayLike,
        posterior: Sampler | Samples,
        *,
        method: Way = "noise",
        seed: int = 1,
        inside: Inside | None = None,
    ) -> Hedge:
        """As :func:`robust_posterior` says."""
        require_one("method", method, one_of(*get_args(Way)), "robust posterior")
        require_one("seed", seed, SEED, "robust posterior")
        z, x = np.asarray(z, dtype=np.float64), np.asarray(summaries, dtype=np.float64)
        _refuse(z, x)
        used = np.isfinite(x).sum(axis=0) >= FEWEST_DEFINED
        if not used.any():
            raise BadInput(
                "the simulations define hardly any summary", where="robust posterior",
                expected=f"at least one that {FEWEST_DEFINED} of them define",
            )  # fmt: skip
        with one_thread():
            scores = QuantileScores(x[:, used])
            simulated = _scored(scores, x[:, used])
            emulator = train_emulator(z, simulated, seed) if method == "noise" else None
        sampler = posterior if callable(posterior) else posterior.sample
        return Hedge(method, z, x, sampler, inside, used, scores, simulated, emulator)

    def __call__(self, observed: ArrayLike, n: int = 5000, seed: int = 1, rows: int = ROWS) -> Robust:
        """The robust posterior of one observation ``[summary]``, as :func:`robust_posterior` says."""
        for name, value, least in (("n", n, 1), ("rows", rows, 10)):
            require_one(name, value, whole(least), "robust posterior")
        require_one("seed", seed, SEED, "robust posterior")
        y, used = np.asarray(observed, dtype=np.float64), self.used
        if y.shape != used.shape or np.isinf(y).any() or not np.isfinite(y[used]).any():
            raise BadInput(
                "this observation cannot be used", where="robust posterior",
                expected=f"{len(used)} numbers, NaN where a summary is undefined, not all of them",
                found=f"{np.isfinite(y).sum()} finite numbers in {y.shape}",
            )  # fmt: skip
        rng = np.random.default_rng(seed)
        denoised, off = np.full((rows, len(y)), np.nan), np.zeros((rows, len(y)), dtype=bool)
        effective, unsettled = float(rows), 0.0
        with one_thread():
            own = _scored(self.scores, y[None, used])[0]
            if self.emulator is not None:
                found = denoise(own, self.emulator, self.z, rows, rng, self.inside)
                denoised[:, used], off[:, used] = self.scores.values(found.scores), found.off
                unsettled = found.unsettled
            else:
                chosen, off[:, used], effective = _weighed(own, self.simulated, rows, rng)
                denoised = self.summaries[chosen]
            draws = np.asarray(self.sampler(-(-n // rows), seed, denoised))
        draws = draws.reshape(-1, draws.shape[-1])
        draws = rng.permutation(draws[np.isfinite(draws).all(axis=1)])[:n]
        if len(draws) < MOSTLY * n:
            raise TrainingError(
                "The posterior has hardly a draw at summaries that the model could have made: its network is not to be "
                "trusted. Try more simulations in a round."
            )
        probability = np.where(used, off.mean(axis=0), np.nan)
        return Robust(self.method, draws, denoised, probability, _off_by(y, denoised, off), effective, unsettled)


def robust_posterior(
    observed: ArrayLike,
    z: ArrayLike,
    summaries: ArrayLike,
    posterior: Sampler | Samples,
    *,
    method: Way = "noise",
    n: int = 5000,
    seed: int = 1,
    inside: Inside | None = None,
) -> Robust:
    """The posterior averaged over summaries that the model could have made in place of the observed ones.

    Parameters
    ----------
    observed
        ``[summary]``, in any units; NaN where undefined.
    z, summaries
        ``[simulation, parameter]``, drawn from a standard normal prior (map yours through its cumulative distribution
        function), and ``[simulation, summary]``, in the units of ``observed``, with whatever noise ``posterior`` was
        trained with; NaN where undefined.
    posterior
        ``(n, seed, x) -> [n, row, parameter]``: a function, or an object with such a method ``sample``. Its draws
        may be in any units.
    method
        ``"noise"`` or ``"weights"``.
    n
        Draws.
    inside
        ``[m, parameter] -> [m]``: the region that ``z`` was drawn from, out of the prior.

    Raises
    ------
    BadInput
        For shapes that do not belong together, values that are infinite, or an unknown method.
    TrainingError
        If there are too few simulations, or the posterior has hardly a draw.
    """
    return Hedge.of(z, summaries, posterior, method=method, seed=seed, inside=inside)(observed, n, seed)


def _scored(scores: QuantileScores, x: Array) -> Array:
    return np.where(np.isfinite(x), scores(x), np.nan)


def _weighed(
    y: Array, x: Array, rows: int, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.bool_], float]:
    """Simulations drawn by their weights, which of their summaries are off, and how many the weights leave."""
    apart = np.abs(y - x)
    one_undefined = np.isfinite(y) != np.isfinite(x)
    # a summary that only one of the two has is off by as much as the farthest simulation
    farthest = np.nan_to_num(apart, nan=0.0).max(axis=0)
    apart = np.where(one_undefined, farthest, np.nan_to_num(apart, nan=0.0))
    narrow = np.where(one_undefined, -np.inf, norm.logpdf(apart, scale=NARROW))
    wide = cauchy.logpdf(apart, scale=SLAB)
    both_undefined = ~np.isfinite(y) & ~np.isfinite(x)
    log_each = np.where(both_undefined, 0.0, np.logaddexp(narrow, wide))
    weight = softmax(log_each.sum(axis=1))
    chosen = rng.choice(len(x), size=rows, p=weight)
    off = rng.random((rows, len(y))) < np.where(both_undefined, 0.0, np.exp(wide - np.logaddexp(narrow, wide)))[chosen]
    return chosen, off, float(1 / (weight**2).sum())


def _off_by(y: Array, denoised: Array, off: NDArray[np.bool_]) -> Array:
    """``[3, summary]``: 5 %, median and 95 % of the error where there is one."""
    result = np.full((3, len(y)), np.nan)
    apart = np.where(off, y - denoised, np.nan)
    for j in np.flatnonzero(np.isfinite(apart).any(axis=0)):
        result[:, j] = np.nanquantile(apart[:, j], [0.05, 0.5, 0.95])
    return result


def _refuse(z: Array, x: Array) -> None:
    if z.ndim != 2 or x.ndim != 2 or len(x) != len(z) or len(z) < FEWEST:
        raise BadInput(
            "these simulations make no robust posterior", where="robust posterior",
            expected=f"z [simulation, parameter] and summaries [simulation, summary], of at least {FEWEST} simulations",
            found=f"z {z.shape}, summaries {x.shape}",
        )  # fmt: skip
    if not np.isfinite(z).all() or np.isinf(x).any():
        raise BadInput(
            "parameters or summaries of simulations are not finite", where="robust posterior",
            expected="finite numbers, and NaN for a summary that is undefined",
        )  # fmt: skip
