"""A posterior over a model's parameters, in the template's units."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import Bounds, differential_evolution
from scipy.special import ndtr

from neurofit.errors import TrainingError
from neurofit.infer.density import Density
from neurofit.infer.rounds import Region

if TYPE_CHECKING:  # a worker that trains needs no Brian2
    from neurofit.template import Model, Prior

Array = NDArray[np.float64]

# A parameter whose posterior puts this much into this outer share of its prior is said to pile up at its bound, ...
BOUND_SHARE = 0.05
BOUND_MASS = 0.25
# ... unless it is resolved there: its mean this many of its standard deviations inside, in the prior's own probability.
BOUND_DISTANCE = 2.0
# A posterior as wide as this share of the prior's width says that the data hardly bear on the parameter.
UNCONSTRAINED = 0.85
# How often a leaky density is drawn from again.
ATTEMPTS = 100
# The search for the mode starts from so many of the best draws and goes on for so many generations.
_POPULATION, _GENERATIONS = 100, 100


@dataclass(frozen=True, eq=False)
class Posterior:
    """What the recording says about the model's parameters.

    Attributes
    ----------
    model
        Names and units.
    density
        Of the unbounded ``z``, at the observation.
    region
        What the rounds had not ruled out; a draw outside it (a leak) is drawn again.
    """

    model: Model
    density: Density
    region: Region

    @property
    def prior(self) -> Prior:
        return self.model.prior

    def sample(self, n: int, seed: int = 0) -> pd.DataFrame:
        """``n`` draws as a table: a column per parameter in its unit, units in ``.attrs["units"]``."""
        return self.model.table(self.prior.from_unbounded(self.sample_unbounded(n, seed)))

    def sample_unbounded(self, n: int, seed: int = 0) -> Array:
        """``[n, parameter]`` draws of ``z``.

        Raises
        ------
        TrainingError
            If the density lies almost wholly outside the region.
        """
        draws: list[Array] = []
        found = 0
        for attempt in range(ATTEMPTS):
            z = self.density.sample(n + n // 5 + 10, seed * 1000 + attempt)
            draws.append(z[self.region(z)])
            found += len(draws[-1])
            if found >= n:
                return np.concatenate(draws)[:n]
        raise TrainingError(
            "The last round's density lies almost wholly outside the region that its simulations came from: it is not "
            "to be trusted. Try more simulations in a round."
        )

    def leakage(self, seed: int = 0) -> float:
        """Share of the density outside the region its simulations came from, of 5,000 draws."""
        return float(1 - self.region(self.density.sample(5000, seed)).mean())

    def log_prob(self, theta: ArrayLike | pd.DataFrame) -> Array:
        """``[n]``: log density per product of the parameters' units, of what :meth:`sample` draws from.

        ``-inf`` outside the prior, and where the rounds have ruled parameters out.
        """
        values = self.model.array(theta)
        result = np.full(len(values), -np.inf)
        rows = np.flatnonzero(self.prior.inside(values))
        z = self.prior.to_unbounded(values[rows])
        kept = self.region(z)
        rows, z = rows[kept], z[kept]
        if len(rows):
            result[rows] = self.density.log_prob(z) + self.prior.log_abs_det(values[rows]) - self._log_kept
        return result

    @cached_property
    def _log_kept(self) -> float:
        """Log of the share of the density that lies inside the region."""
        return float(np.log(max(1 - self.leakage(), 1e-6)))

    def map(self, seed: int = 0) -> pd.DataFrame:
        """The most probable parameters (of the unbounded density, which no change of units can move), one row."""
        z = self.sample_unbounded(2000, seed)
        best = z[np.argsort(-self.density.log_prob(z))[:_POPULATION]]

        def loss(points: Array, /) -> Any:  # [parameter, point] -> [point]
            inside = self.region(points.T)
            result = np.full(len(inside), np.inf)
            result[inside] = -self.density.log_prob(points.T[inside])
            return result

        # a network is asked about many points as quickly as about one
        found = differential_evolution(
            loss, Bounds(z.min(axis=0) - 1e-9, z.max(axis=0) + 1e-9), init=best, rng=seed,
            maxiter=_GENERATIONS, tol=0, polish=False, vectorized=True, updating="deferred",
        )  # fmt: skip
        return self.model.table(self.prior.from_unbounded(found.x[None]))

    def summary(self, n: int = 5000, seed: int = 0) -> pd.DataFrame:
        """One row a parameter: unit, median, 90 % interval, prior's interval, and what stands out about it."""
        z = self.sample_unbounded(n, seed)
        theta = self.prior.from_unbounded(z)
        given = dict(self.prior.given(theta))
        low, middle, high = np.quantile(theta, [0.05, 0.5, 0.95], axis=0)
        return pd.DataFrame(
            {
                "unit": [self.model.units[name] for name in self.prior.names],
                "median": middle,
                "5 %": low,
                "95 %": high,
                "prior": [str(family) for family in self.prior.families],
                "share of prior width": z.std(axis=0),
                "remark": [_remark(z[:, j], given[j]) for j in range(len(given))],
            },
            index=pd.Index(self.prior.names, name="parameter"),
        )


def _remark(z: Array, prior: Any) -> str:
    """What stands out about one parameter's draws ``[draw]``, given its prior, one for all draws or one for each."""
    with np.errstate(divide="ignore"):
        # a log-normal's 0 is no bound to pile up at; most, as rounding puts the bounds of some draws just outside
        hard = [np.mean(np.isfinite(end) & (prior.pdf(end) > 0)) > 0.5 for end in prior.support()]
    # the prior's mass beyond a draw, seen from either end: uniform if the data say nothing
    for side, is_hard, mass in zip(("lower", "upper"), hard, (ndtr(z), ndtr(-z)), strict=True):
        in_edge = (mass < BOUND_SHARE).mean() > BOUND_MASS
        if is_hard and in_edge and mass.mean() < BOUND_DISTANCE * mass.std():
            return f"piles up at its {side} bound"
    return "hardly constrained by the data" if z.std() > UNCONSTRAINED else ""
