"""Rows that define the same statistics are compared on one scale with rows that define others.

A silent cell has fewer statistics to be strange in than a firing one. Ranked together as they are, silent
cells would hardly ever be rejected and firing ones too often (.17 instead of .05 in a test), even though the
level held for all together. So scores are aligned between the patterns of definedness, by quantiles of the
references' own held-out scores in each. How usual a pattern is, is another question; the flags ask it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neurofit.check.conformal import HeldOut
from neurofit.check.inputs import Table

Array = NDArray[np.float64]

FEWEST_ALIKE = 50


@dataclass(frozen=True, eq=False)
class Patterns:
    """Which statistics each row defines.

    Attributes
    ----------
    of_reference, of_observed
        Number of the row's pattern, ``[n]`` and ``[observations]``; -1 where fewer than 50 references share
        it, and then the references as a whole give the scale.
    """

    of_reference: NDArray[np.intp]
    of_observed: NDArray[np.intp]

    @classmethod
    def of(cls, table: Table) -> Patterns:
        """The patterns of a table's flags."""
        flags = [j for j, label in enumerate(table.labels) if label.kind == "defined"]
        _, number = np.unique(table.columns[:, flags], axis=0, return_inverse=True)
        number = number.reshape(-1)
        size = np.bincount(number[: table.n], minlength=number.max() + 1)
        number = np.where(size[number] >= FEWEST_ALIKE, number, -1)
        return cls(number[: table.n], number[table.n :])

    def align_distances(self, scores: HeldOut) -> HeldOut:
        """Scores ``[n]`` above 0, as logs with one median and one 90th percentile in every pattern."""
        logs = scores.map(lambda x: np.log(np.maximum(x, 1e-300)))
        middle, upper = self._quantile(logs.reference, 0.5), self._quantile(logs.reference, 0.9)

        def aligned(x: Array, pattern: NDArray[np.intp]) -> Array:
            spread = np.array([max(upper[p] - middle[p], 1e-6) for p in pattern])
            return (x - np.array([middle[p] for p in pattern])) / spread

        return self._both(logs, aligned)

    def align_columns(self, scores: HeldOut) -> HeldOut:
        """Signed scores ``[n, columns]``, multiplied so that a row's largest has one 90th percentile."""
        upper = self._quantile(np.abs(scores.reference).max(1), 0.9)
        factor = {pattern: upper[-1] / max(value, 0.1 * upper[-1]) for pattern, value in upper.items()}

        def aligned(x: Array, pattern: NDArray[np.intp]) -> Array:
            return x * np.array([factor[p] for p in pattern])[:, None]

        return self._both(scores, aligned)

    def _both(self, scores: HeldOut, aligned: Callable[[Array, NDArray[np.intp]], Array]) -> HeldOut:
        reference = aligned(scores.reference, self.of_reference)
        return HeldOut(reference, aligned(scores.observed, self.of_observed), scores.fold)

    def _quantile(self, x: Array, q: float) -> dict[int, float]:
        """Of every pattern, and of all rows as -1."""
        found = {-1: float(np.quantile(x, q))}
        for pattern in np.unique(self.of_reference[self.of_reference >= 0]):
            found[int(pattern)] = float(np.quantile(x[self.of_reference == pattern], q))
        return found
