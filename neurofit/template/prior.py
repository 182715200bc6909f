"""Priors over parameters, and their map to and from an unbounded space in which every prior is standard normal.

The map goes through the cumulative distribution function, ``z = Phi^-1(F(theta))``, so it is exact for every family:
a density estimator that works on ``z`` can put nothing outside the prior's support. Where one parameter's prior depends
on others, ``F`` is its distribution given theirs, so that ``z`` is standard normal all the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats
from scipy.special import ndtr, ndtri

from neurofit.errors import ParameterError
from neurofit.template.reach import ordered

# The map ends here on both sides, with a probability of 6e-16 beyond: a double cannot tell a value so near to its bound
# from the bound itself, which would otherwise be mapped to infinity.
LARGEST_Z = 8.0
# Of each kind, where the parameters that others depend on are tried out.
_TRIED = 1024
# How many draws, and in how many steps, the marginal of a prior that depends on others is worked out.
_MARGINAL_DRAWS, _MARGINAL_STEPS = 100_000, 1000


class Family(Protocol):
    """One parameter's prior, as the template states it, in the parameter's unit."""

    @property
    def family(self) -> str:
        """``"uniform"``, ``"log_uniform"``..."""

    @property
    def parents(self) -> tuple[str, ...]:
        """Names of the free parameters that it depends on."""

    def given(self, values: Mapping[str, NDArray[np.float64]]) -> Any:
        """A frozen scipy.stats distribution: one, or one for each row of the parents' values."""

    def __str__(self) -> str: ...


@dataclass(frozen=True)
class Prior:
    """Joint prior of the free parameters: independent, or each given some others without a circle.

    Attributes
    ----------
    names, units
        One each per column of ``theta``.
    families
        Their priors.
    """

    names: tuple[str, ...]
    units: tuple[str, ...]
    families: tuple[Family, ...]

    def __len__(self) -> int:
        return len(self.names)

    @cached_property
    def _order(self) -> list[int]:
        """Columns, each after those it depends on."""
        parents = {name: family.parents for name, family in zip(self.names, self.families, strict=True)}
        return [self.names.index(name) for name in ordered(parents)]

    @cached_property
    def _independent(self) -> list[Any]:
        """``[parameter]``: its distribution; ``None`` where that depends on other parameters."""
        return [None if family.parents else family.given({}) for family in self.families]

    @cached_property
    def bounds(self) -> NDArray[np.float64]:
        """``[parameter, 2]``: the support's lower and upper end, infinite where there is none.

        An end that depends on other parameters stands here at the outermost that it was found to reach.
        """
        tried = self.from_unbounded(tried_z(len(self))) if None in self._independent else np.empty((0, len(self)))
        ends = np.empty((len(self), 2))
        for j, distribution in self.given(tried):
            low, high = distribution.support()
            ends[j] = np.min(low), np.max(high)
        return ends

    def given(self, theta: NDArray[np.float64]) -> Iterator[tuple[int, Any]]:
        """Each column's number and its distribution given the columns that it depends on, which all come before it.

        That is a frozen scipy.stats distribution: one, or one for each row of ``theta`` ``[n, parameter]``. Columns may
        be filled in one by one as they are reached.
        """
        for j in self._order:
            independent, family = self._independent[j], self.families[j]
            yield j, independent or family.given({name: theta[:, self.names.index(name)] for name in family.parents})

    def marginal(self, name: str) -> Any:
        """One parameter's distribution over all values of the others: a frozen one, or a :class:`Marginal`."""
        j = self.names.index(name)
        if self._independent[j] is not None:
            return self._independent[j]
        draws = self.sample(_MARGINAL_DRAWS, np.random.default_rng(0))[:, j]
        low, high = self.bounds[j]
        quantiles = np.quantile(draws, np.linspace(0, 1, _MARGINAL_STEPS + 1))
        return Marginal(low, high, np.asarray(quantiles, dtype=np.float64))

    @property
    def logarithmic(self) -> tuple[bool, ...]:
        """``[parameter]``: is its prior one of the logarithm, so that a logarithmic axis suits it?"""
        return tuple(family.family.startswith("log") for family in self.families)

    def quantiles(self, probabilities: ArrayLike) -> NDArray[np.float64]:
        """``[probability, parameter]``."""
        return np.stack([self.marginal(name).ppf(probabilities) for name in self.names], axis=-1)

    def sample(self, n: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """``[n, parameter]``."""
        return self.from_unbounded(rng.standard_normal((n, len(self))))

    def log_prob(self, theta: ArrayLike) -> NDArray[np.float64]:
        """Log density at ``theta`` ``[n, parameter]``; ``-inf`` outside the support."""
        columns = self._columns(theta)
        density = np.empty(columns.T.shape)
        for j, distribution in self.given(columns):
            density[j] = distribution.logpdf(columns[:, j])
        # outside its support a parameter may leave no room for those that depend on it, which is NaN
        return np.where(self.inside(columns), density.sum(axis=0), -np.inf)

    def inside(self, theta: ArrayLike) -> NDArray[np.bool_]:
        """``[n]``: does each row lie in the support?"""
        columns = self._columns(theta)
        inside = np.ones(len(columns), dtype=bool)
        for j, distribution in self.given(columns):
            low, high = distribution.support()
            inside &= (columns[:, j] >= low) & (columns[:, j] <= high)
        return inside

    def to_unbounded(self, theta: ArrayLike) -> NDArray[np.float64]:
        """``theta -> z``, both ``[n, parameter]``; a value on its bound goes to +-8.

        Raises
        ------
        ParameterError
            If a row lies outside the support.
        """
        columns = self._columns(theta)
        outside = ~self.inside(columns)
        if outside.any():
            raise self._outside(columns, int(np.flatnonzero(outside)[0]))
        z = np.empty_like(columns)
        for j, distribution in self.given(columns):
            below, above = distribution.cdf(columns[:, j]), distribution.sf(columns[:, j])
            # each tail from its own side, or the upper one would lose its digits
            with np.errstate(divide="ignore"):
                z[:, j] = np.where(below < 0.5, ndtri(below), -ndtri(above))
        return np.clip(z, -LARGEST_Z, LARGEST_Z)

    def from_unbounded(self, z: ArrayLike) -> NDArray[np.float64]:
        """``z -> theta``, both ``[n, parameter]``; always inside the support, and finite. ``z`` ends at +-8.

        Raises
        ------
        ParameterError
            If a parameter's prior has no room, given the others in its row.
        """
        z = np.clip(self._columns(z), -LARGEST_Z, LARGEST_Z)
        theta = np.empty_like(z)
        for j, distribution in self.given(theta):
            low, high = distribution.support()
            if np.isnan(low).any():
                raise self._no_room(theta, int(np.isnan(low).argmax()), j)
            tail = ndtr(-np.abs(z[:, j]))
            column = np.where(z[:, j] < 0, distribution.ppf(tail), distribution.isf(tail))
            theta[:, j] = np.clip(column, low, high)
        return theta

    def log_abs_det(self, theta: ArrayLike) -> NDArray[np.float64]:
        """``log |dz / dtheta|`` at ``theta``, ``[n]``: what turns a density of z into one of theta."""
        z = self.to_unbounded(theta)
        # dz / dtheta is triangular in the order of dependence
        return self.log_prob(theta) - stats.norm.logpdf(z).sum(axis=1)

    def _columns(self, theta: ArrayLike) -> NDArray[np.float64]:
        columns = np.atleast_2d(np.asarray(theta, dtype=np.float64))
        if columns.ndim != 2 or columns.shape[1] != len(self):
            raise ParameterError(
                "theta has the wrong number of columns",
                expected=f"[n, {len(self)}]: {', '.join(self.names)}",
                found=f"{columns.shape}",
            )
        return columns

    def _outside(self, columns: NDArray[np.float64], row: int) -> ParameterError:
        for j, distribution in self.given(columns[[row]]):
            low, high = (np.ravel(end)[0] for end in distribution.support())
            if not low <= columns[row, j] <= high:
                break
        return ParameterError(
            f"{self.names[j]} lies outside its prior in row {row}",
            expected=f"{low:g} to {high:g} {self.units[j]}{self._with_parents(columns, row, j)}",
            found=f"{columns[row, j]:g}",
        )

    def _no_room(self, theta: NDArray[np.float64], row: int, j: int) -> ParameterError:
        return ParameterError(
            f"the prior of {self.names[j]} has no room in row {row}",
            expected="low below high, and a width above 0",
            found=f"{self.families[j]}{self._with_parents(theta, row, j)}",
            advice="Narrow the priors that it depends on.",
        )

    def _with_parents(self, theta: NDArray[np.float64], row: int, j: int) -> str:
        parents = self.families[j].parents
        values = {name: theta[row, self.names.index(name)] for name in parents}
        return f", with {values_in_words(values, dict(zip(self.names, self.units, strict=True)))}" if parents else ""


@dataclass(frozen=True, eq=False)
class Marginal:
    """What draws say of one parameter's distribution; named as in scipy.stats.

    Attributes
    ----------
    low, high
        Of the support.
    quantiles
        At equal steps from the smallest draw to the largest.
    """

    low: float
    high: float
    quantiles: NDArray[np.float64]

    def support(self) -> tuple[float, float]:
        return self.low, self.high

    def cdf(self, x: NDArray[np.float64]) -> Any:
        return np.interp(x, self.quantiles, np.linspace(0, 1, len(self.quantiles)))

    def ppf(self, q: NDArray[np.float64] | float) -> Any:
        return np.interp(q, np.linspace(0, 1, len(self.quantiles)), self.quantiles)


def values_in_words(values: Mapping[str, float], units: Mapping[str, str]) -> str:
    """``V_th = -50 mV, t_ref = 2 ms``."""
    return ", ".join(f"{name} = {value:.4g} {units[name]}".removesuffix(" 1") for name, value in values.items())


def tried_z(d: int) -> NDArray[np.float64]:
    """``[point, d]`` of ``z``, the same every time: draws of the prior, its whole range, and its corners."""
    rng = np.random.default_rng(0)
    shape = (_TRIED, d)
    everywhere = rng.uniform(-LARGEST_Z, LARGEST_Z, shape)
    return np.concatenate([rng.standard_normal(shape), everywhere, rng.choice([-LARGEST_Z, LARGEST_Z], shape)])
