"""A table of features: values with a mask, names and units."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from neurofit.errors import BadInput
from neurofit.features.catalogue import Feature, columns_for, feature_of

# A logarithm is taken of nothing smaller.
_LEAST = 1e-12


def on_scale(values: ArrayLike, log: ArrayLike) -> NDArray[np.float64]:
    """Values on their features' own scales, on which tolerances are meant: ``log`` says where that is logarithmic."""
    plain = np.asarray(values, dtype=np.float64)
    with np.errstate(invalid="ignore"):
        return np.where(log, np.log(np.maximum(plain, _LEAST)), plain)


@dataclass(frozen=True, eq=False)
class FeatureTable:
    """Features of one or many cells, recorded or simulated.

    Attributes
    ----------
    values
        ``[row, feature]``; NaN where undefined.
    defined
        ``[row, feature]``: a feature that does not exist (no spike, so no spike width) is ``False`` here.
    names
        ``"spike_count@4"`` is the spike count of sweep 4; a name without ``@`` belongs to the whole cell.
    levels_pa
        ``{sweep number: level of the test step}``, for labels.
    """

    values: NDArray[np.float64]
    defined: NDArray[np.bool_]
    names: tuple[str, ...]
    levels_pa: dict[int, float]

    def __len__(self) -> int:
        return len(self.values)

    @property
    def units(self) -> tuple[str, ...]:
        return tuple(self.feature(name).unit for name in self.names)

    @property
    def labels(self) -> tuple[str, ...]:
        """``"spike count at +50 pA"``, with the sweep's number where several have that level."""
        return tuple(self.label(name) for name in self.names)

    def feature(self, name: str) -> Feature:
        return feature_of(name)

    def label(self, name: str) -> str:
        base, _, sweep = name.partition("@")
        label = feature_of(base).label
        if not sweep:
            return label
        level = f"{self.levels_pa[int(sweep)]:+.0f} pA"
        alike = sum(f"{other:+.0f} pA" == level for other in self.levels_pa.values())
        return f"{label} at {level}" + (f" (sweep {sweep})" if alike > 1 else "")

    def select(self, names: Sequence[str]) -> FeatureTable:
        """Some columns, by name, in that order."""
        index = {name: j for j, name in enumerate(self.names)}
        columns = [index[name] for name in names]
        return FeatureTable(self.values[:, columns], self.defined[:, columns], tuple(names), self.levels_pa)

    def rows(self, which: NDArray[np.bool_] | NDArray[np.intp] | slice) -> FeatureTable:
        """Some rows."""
        return FeatureTable(self.values[which], self.defined[which], self.names, self.levels_pa)

    def by_sweep(self, feature: str) -> NDArray[np.float64]:
        """``[row, sweep]`` of a feature with a value a sweep, NaN where undefined."""
        return self.select(columns_for([feature], self.levels_pa)).values

    def in_tolerances(self, tolerance: NDArray[np.float64], log: NDArray[np.bool_]) -> NDArray[np.float64]:
        """``[row, feature]``: each on its own scale, over its tolerance; NaN where undefined."""
        return np.where(self.defined, on_scale(self.values, log) / tolerance, np.nan)

    def column(self, name: str) -> NDArray[np.float64]:
        """``[row]``, NaN where undefined."""
        return self.values[:, self.names.index(name)]

    def frame(self) -> pd.DataFrame:
        """As a pandas table, ``<NA>``-free: undefined is NaN; units in ``.attrs["units"]``."""
        frame = pd.DataFrame(self.values, columns=list(self.names))
        frame.attrs["units"] = dict(zip(self.names, self.units, strict=True))
        return frame

    def against(self, simulated: FeatureTable) -> dict[str, Any]:
        """These cells beside simulated ones, as arguments of :func:`neurofit.check.summary`: ``check.summary(**...)``.

        Raises
        ------
        BadInput
            If the columns of the tables differ.
        """
        if self.names != simulated.names:
            raise BadInput("only tables with the same columns can be compared")
        return {
            "observed": self.values,
            "reference": simulated.values,
            "observed_defined": self.defined,
            "reference_defined": simulated.defined,
            "names": self.labels,
            "units": self.units,
        }

    @staticmethod
    def concatenate(tables: Sequence[FeatureTable]) -> FeatureTable:
        """Rows of several tables with the same columns.

        Raises
        ------
        BadInput
            If their columns differ.
        """
        first = tables[0]
        if any(table.names != first.names for table in tables):
            raise BadInput("only tables with the same columns can be put under one another")
        return FeatureTable(
            np.concatenate([t.values for t in tables]),
            np.concatenate([t.defined for t in tables]),
            first.names,
            first.levels_pa,
        )
