"""Priors over parameters, and their map to and from an unbounded space in which every prior is standard normal.

The map goes through the cumulative distribution function, ``z = Phi^-1(F(theta))``, so it is exact for every family:
a density estimator that works on ``z`` can put nothing outside the prior's support.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats
from scipy.special import ndtr, ndtri

from neurofit.errors import ParameterError

# The map ends here on both sides, with a probability of 6e-16 beyond: a double cannot tell a value so near to its bound
# from the bound itself, which would otherwise be mapped to infinity.
LARGEST_Z = 8.0


class Family(Protocol):
    """One parameter's prior, as the template states it, in the parameter's unit."""

    @property
    def family(self) -> str:
        """``"uniform"``, ``"log_uniform"``..."""

    @property
    def distribution(self) -> Any:
        """A frozen scipy.stats distribution."""

    def __str__(self) -> str: ...


@dataclass(frozen=True)
class Prior:
    """Independent priors of the free parameters.

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

    @property
    def _distributions(self) -> list[Any]:
        return [family.distribution for family in self.families]

    @property
    def bounds(self) -> NDArray[np.float64]:
        """``[parameter, 2]``: the support's lower and upper end, infinite where there is none."""
        return np.array([d.support() for d in self._distributions], dtype=np.float64)

    @property
    def logarithmic(self) -> tuple[bool, ...]:
        """``[parameter]``: is its prior one of the logarithm, so that a logarithmic axis suits it?"""
        return tuple(family.family.startswith("log") for family in self.families)

    def quantiles(self, probabilities: ArrayLike) -> NDArray[np.float64]:
        """``[probability, parameter]``."""
        return np.stack([d.ppf(probabilities) for d in self._distributions], axis=-1)

    def sample(self, n: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """``[n, parameter]``."""
        return self.from_unbounded(rng.standard_normal((n, len(self))))

    def log_prob(self, theta: ArrayLike) -> NDArray[np.float64]:
        """Log density at ``theta`` ``[n, parameter]``; ``-inf`` outside the support."""
        columns = self._columns(theta)
        return np.sum([d.logpdf(columns[:, j]) for j, d in enumerate(self._distributions)], axis=0)

    def inside(self, theta: ArrayLike) -> NDArray[np.bool_]:
        """``[n]``: does each row lie in the support?"""
        columns, bounds = self._columns(theta), self.bounds
        return np.asarray(((columns >= bounds[:, 0]) & (columns <= bounds[:, 1])).all(axis=1))

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
            row = int(np.flatnonzero(outside)[0])
            low, high = self.bounds.T
            j = int(np.flatnonzero(~((columns[row] >= low) & (columns[row] <= high)))[0])
            raise ParameterError(
                f"{self.names[j]} lies outside its prior in row {row}",
                expected=f"{low[j]:g} to {high[j]:g} {self.units[j]}",
                found=f"{columns[row, j]:g}",
            )
        z = np.empty_like(columns)
        for j, d in enumerate(self._distributions):
            below, above = d.cdf(columns[:, j]), d.sf(columns[:, j])
            # each tail from its own side, or the upper one would lose its digits
            with np.errstate(divide="ignore"):
                z[:, j] = np.where(below < 0.5, ndtri(below), -ndtri(above))
        return np.clip(z, -LARGEST_Z, LARGEST_Z)

    def from_unbounded(self, z: ArrayLike) -> NDArray[np.float64]:
        """``z -> theta``, both ``[n, parameter]``; always inside the support, and finite. ``z`` ends at +-8."""
        z = np.clip(self._columns(z), -LARGEST_Z, LARGEST_Z)
        theta = np.empty_like(z)
        for j, d in enumerate(self._distributions):
            tail = ndtr(-np.abs(z[:, j]))
            column = np.where(z[:, j] < 0, d.ppf(tail), d.isf(tail))
            theta[:, j] = np.clip(column, *d.support())
        return theta

    def log_abs_det(self, theta: ArrayLike) -> NDArray[np.float64]:
        """``log |dz / dtheta|`` at ``theta``, ``[n]``: what turns a density of z into one of theta."""
        z = self.to_unbounded(theta)
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
