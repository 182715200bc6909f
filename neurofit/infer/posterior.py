"""A posterior over a model's parameters, in the template's units."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize
from scipy.special import ndtri

from neurofit.infer.density import Density
from neurofit.infer.rounds import Region
from neurofit.template import Model, Prior

Array = NDArray[np.float64]

# A parameter whose posterior puts this much into this outer share of its prior is said to pile up at its bound.
BOUND_SHARE = 0.05
BOUND_MASS = 0.25
# A posterior as wide as this share of the prior's width says that the data hardly bear on the parameter.
UNCONSTRAINED = 0.85


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
        """``[n, parameter]`` draws of ``z``."""
        draws: list[Array] = []
        found = 0
        for attempt in range(100):
            z = self.density.sample(n + n // 5 + 10, seed * 1000 + attempt)
            draws.append(z[self.region(z)])
            found += len(draws[-1])
            if found >= n:
                break
        if found < n:
            raise RuntimeError("the posterior lies almost wholly outside the region its simulations came from")
        return np.concatenate(draws)[:n]

    def leakage(self, seed: int = 0) -> float:
        """Share of the density outside the region its simulations came from, of 5,000 draws."""
        return float(1 - self.region(self.density.sample(5000, seed)).mean())

    def log_prob(self, theta: ArrayLike | pd.DataFrame) -> Array:
        """``[n]``: log density per product of the parameters' units; ``-inf`` outside the prior."""
        values = self.model.array(theta)
        result = np.full(len(values), -np.inf)
        inside = self.prior.inside(values)
        if inside.any():
            z = self.prior.to_unbounded(values[inside])
            result[inside] = self.density.log_prob(z) + self.prior.log_abs_det(values[inside])
        return result

    def map(self, seed: int = 0) -> pd.DataFrame:
        """The most probable parameters (of the unbounded density, which no change of units can move), one row."""
        z = self.sample_unbounded(2000, seed)
        start = z[self.density.log_prob(z).argmax()]

        def loss(point: Array) -> float:
            return -float(self.density.log_prob(point[None])[0])

        found = minimize(loss, start, method="Powell", options={"maxiter": 20, "xtol": 1e-2, "ftol": 1e-4})
        best = found.x if np.isfinite(found.fun) else start
        return self.model.table(self.prior.from_unbounded(best[None]))

    def summary(self, n: int = 5000, seed: int = 0) -> pd.DataFrame:
        """One row a parameter: unit, median, 90 % interval, prior's interval, and what stands out about it."""
        z = self.sample_unbounded(n, seed)
        theta = self.prior.from_unbounded(z)
        low, middle, high = np.quantile(theta, [0.05, 0.5, 0.95], axis=0)
        edge = -float(ndtri(BOUND_SHARE))
        bounds = self.prior.bounds
        remarks = []
        for j in range(len(self.prior)):
            if np.isfinite(bounds[j, 0]) and (z[:, j] < -edge).mean() > BOUND_MASS:
                remarks.append("piles up at its lower bound")
            elif np.isfinite(bounds[j, 1]) and (z[:, j] > edge).mean() > BOUND_MASS:
                remarks.append("piles up at its upper bound")
            elif z[:, j].std() > UNCONSTRAINED:
                remarks.append("hardly constrained by the data")
            else:
                remarks.append("")
        return pd.DataFrame(
            {
                "unit": [self.model.units[name] for name in self.prior.names],
                "median": middle,
                "5 %": low,
                "95 %": high,
                "prior": [str(family) for family in self.prior.families],
                "share of prior width": z.std(axis=0),
                "remark": remarks,
            },
            index=pd.Index(self.prior.names, name="parameter"),
        )
