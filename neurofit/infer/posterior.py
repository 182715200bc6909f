"""A posterior over a model's parameters, in the template's units."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import Bounds, differential_evolution

from neurofit.errors import BadInput, TrainingError
from neurofit.infer.conditional import conditional
from neurofit.infer.density import Density
from neurofit.infer.marginals import central_interval, highest_density_interval, percentile_name, remark
from neurofit.infer.potential import Potential
from neurofit.infer.region import Region
from neurofit.infer.valid import DRAWS, SEED, require_one

if TYPE_CHECKING:  # a worker that trains needs no Brian2
    from neurofit.template import Model, Prior

Array = NDArray[np.float64]

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
    density: Density | Potential
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
        BadInput
            For a number of draws or a seed that is no whole number from 0.
        TrainingError
            If the density lies almost wholly outside the region.
        """
        require_one("n", n, DRAWS, "Posterior.sample")
        require_one("seed", seed, SEED, "Posterior.sample")
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

    @cached_property
    def span(self) -> Array:
        """``[2, parameter]``: the least and the largest of 2,000 draws, in the template's units."""
        theta = self.sample(2000).to_numpy()
        return np.stack([theta.min(axis=0), theta.max(axis=0)])

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

    def summary(self, level: float = 0.9, n: int = 5000, seed: int = 0) -> pd.DataFrame:
        """One row a parameter, in its unit: where the posterior lies, beside the prior.

        Parameters
        ----------
        level
            Of the intervals.
        n, seed
            Of the draws.

        Returns
        -------
        pandas.DataFrame
            ``unit``; ``median``; the central interval (``"5 %"``, ``"95 %"``); the shortest one (``HDI low``,
            ``HDI high``); ``MAP``; the prior's central interval (``"prior 5 %"``, ``"prior 95 %"``) and the prior in
            words; ``contraction``, 1 minus the variance of the posterior over that of the prior where the prior is
            standard normal (0: nothing was learned; 1: everything); and in ``remark`` whether it piles up at a bound
            or is hardly constrained.

        Raises
        ------
        BadInput
            For a level that is not between 0 and 1.
        """
        if not 0 < level < 1:
            raise BadInput("this is no level of an interval", expected="a number between 0 and 1", found=f"{level:g}")
        z = self.sample_unbounded(n, seed)
        theta = self.prior.from_unbounded(z)
        ends = central_interval(level)
        shortest = np.array([highest_density_interval(column, level) for column in theta.T])
        low, high = np.quantile(theta, ends, axis=0)
        prior_low, prior_high = self.prior.quantiles(ends)
        return pd.DataFrame(
            {
                "unit": self.prior.units,
                "median": np.median(theta, axis=0),
                percentile_name(ends[0]): low,
                percentile_name(ends[1]): high,
                "HDI low": shortest[:, 0],
                "HDI high": shortest[:, 1],
                "MAP": self.map(seed).to_numpy()[0],
                f"prior {percentile_name(ends[0])}": prior_low,
                f"prior {percentile_name(ends[1])}": prior_high,
                "prior": [str(family) for family in self.prior.families],
                "contraction": 1 - z.var(axis=0),
                "remark": list(self.remarks(n, seed).values()),
            },
            index=pd.Index(self.prior.names, name="parameter"),
        )

    def remarks(self, n: int = 5000, seed: int = 0) -> dict[str, str]:
        """``{parameter: words}``: piles up at a bound of its prior, is hardly constrained by the data, or nothing."""
        z = self.sample_unbounded(n, seed)
        given = dict(self.prior.given(self.prior.from_unbounded(z)))
        return {name: remark(z[:, j], given[j]) for j, name in enumerate(self.prior.names)}

    def correlations(self, n: int = 5000, seed: int = 0) -> pd.DataFrame:
        """Correlation of every two parameters, ``[parameter, parameter]`` by name, of ``n`` draws.

        Taken where every prior is standard normal, so that no unit and no logarithm changes it.
        """
        r = np.atleast_2d(np.corrcoef(self.sample_unbounded(n, seed).T))
        return pd.DataFrame(r, index=list(self.prior.names), columns=list(self.prior.names))

    def conditional(
        self,
        at: ArrayLike | pd.DataFrame | Mapping[str, ArrayLike] | None = None,
        parameters: str | Sequence[str] | None = None,
        n: int | None = None,
    ) -> pd.DataFrame:
        """The density along one parameter or over two, with all others held at a point.

        Parameters
        ----------
        at
            The point: a value for every parameter that is held, in the template's units, by name or in order;
            :meth:`map` by default.
        parameters
            Names of the one or two that move; needed where the model has more than two.
        n
            Grid points along each, 200 or (for two parameters) 60 by default. They span the posterior's draws, evenly
            in the parameter, or in its logarithm where its prior is one of the logarithm.

        Returns
        -------
        pandas.DataFrame
            A row a grid point: a column for each moving parameter, ``log_prob`` as :meth:`log_prob` gives it, and
            ``density``, which integrates to 1 over the grid. Units in ``.attrs["units"]``, the point in
            ``.attrs["at"]``.

        Raises
        ------
        ParameterError
            For an unknown parameter, a point that leaves one out, or a point through which the density is nowhere
            above 0.
        """
        return conditional(self, at, parameters, n)
