"""One posterior for all cells of a protocol, from features: trained once on the prior, then asked about any cell.

A fit of one cell centres its network on that cell. Here nothing is known of the cells, so features are put on the scale
of the prior's own simulations, and whether a feature is defined is part of what the network sees.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from neurofit.errors import BadInput
from neurofit.features import ALWAYS_DEFINED, FeatureTable
from neurofit.features.catalogue import feature_of
from neurofit.infer.density import Density
from neurofit.infer.ensemble import load_density
from neurofit.infer.networks import Task
from neurofit.infer.posterior import Posterior
from neurofit.infer.region import Region
from neurofit.infer.summaries import SEEN_FEWEST, SEEN_SHARE
from neurofit.template import Model

Array = NDArray[np.float64]

# Standard deviations of the prior's simulations beyond which a value is squashed.
LINEAR_SD = 3.0


@dataclass(frozen=True, eq=False)
class SharedSummaries:
    """Features of any cell of one protocol, as a network sees them.

    Attributes
    ----------
    names
        Columns of a :class:`FeatureTable`.
    tolerance
        ``[summary]``: standard deviation of the noise, on each summary's own scale.
    log
        ``[summary]``: is that scale logarithmic?
    centre, spread
        ``[summary]``: median and robust spread of the simulations, in tolerances.
    flagged
        Positions of the summaries that can be undefined.
    """

    names: tuple[str, ...]
    tolerance: Array
    log: NDArray[np.bool_]
    centre: Array
    spread: Array
    flagged: tuple[int, ...]

    @staticmethod
    def of(
        simulated: FeatureTable, names: Sequence[str], tolerance: Mapping[str, float] | None = None
    ) -> SharedSummaries:
        """Those of ``names`` (columns) that simulations of the prior define often enough to be learned from.

        Parameters
        ----------
        simulated
            Of valid simulations.
        tolerance
            ``{feature: standard deviation}`` in place of the catalogue's.

        Raises
        ------
        BadInput
            If hardly any simulation defines any of them.
        """
        chosen = simulated.select(names)
        seen = chosen.defined.sum(axis=0) >= max(SEEN_FEWEST, SEEN_SHARE * len(simulated))
        kept = [name for name, enough in zip(names, seen, strict=True) if enough]
        if not kept:
            raise BadInput("hardly any simulation of the prior defines any of the features: there is nothing to learn")
        specs, given = [feature_of(name) for name in kept], dict(tolerance or {})
        sizes = np.array([given.get(f.name, f.tolerance) for f in specs])
        log = np.array([f.scale == "log" for f in specs])
        scaled = simulated.select(kept).in_tolerances(sizes, log)
        low, centre, high = np.nanquantile(scaled, [0.16, 0.5, 0.84], axis=0)
        # the noise of one tolerance is part of what the network sees
        spread = np.hypot((high - low) / 2, 1.0)
        flagged = tuple(j for j, f in enumerate(specs) if f.name not in ALWAYS_DEFINED)
        return SharedSummaries(tuple(kept), sizes, log, centre, spread, flagged)

    def __len__(self) -> int:
        return len(self.names)

    def scaled(self, table: FeatureTable) -> Array:
        """``[row, summary]``: each on its own scale, in tolerances; NaN where undefined."""
        return table.select(self.names).in_tolerances(self.tolerance, self.log)

    def noisy(self, scaled: Array, seed: int) -> Array:
        """The same with the tolerance added as noise: cells as the network takes them to be."""
        return scaled + np.random.default_rng(seed).standard_normal(scaled.shape)

    @property
    def n_inputs(self) -> int:
        """Columns of :meth:`encode`."""
        return len(self) + len(self.flagged)

    def for_task(self, task: Task) -> SharedSummaries:
        """The same: only densities of parameters are learned of them."""
        assert task == "density"
        return self

    def before_noise(self, scaled: Array) -> Array:
        """What noise is added to."""
        return scaled

    def encode(self, scaled: torch.Tensor) -> torch.Tensor:
        """The network's input, ``[row, input]``: standard deviations from the middle of the prior, then the flags."""
        centre, spread = (torch.as_tensor(a, dtype=scaled.dtype) for a in (self.centre, self.spread))
        undefined = scaled.isnan()
        score = ((scaled - centre) / spread / LINEAR_SD).masked_fill(undefined, 0.0)
        flags = undefined[:, list(self.flagged)].to(scaled.dtype)
        return torch.cat([LINEAR_SD * torch.asinh(score), flags], dim=1)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for the run directory."""
        return {
            "names": list(self.names),
            "tolerance": self.tolerance.tolist(),
            "log": self.log.tolist(),
            "centre": self.centre.tolist(),
            "spread": self.spread.tolist(),
            "flagged": list(self.flagged),
        }

    @staticmethod
    def from_dict(values: Mapping[str, Any]) -> SharedSummaries:
        tolerance, log, centre, spread = (np.array(values[name]) for name in ("tolerance", "log", "centre", "spread"))
        return SharedSummaries(tuple(values["names"]), tolerance, log, centre, spread, tuple(values["flagged"]))


@dataclass(frozen=True, eq=False)
class SharedPosterior:
    """The posterior of any cell of one protocol, from its features.

    Attributes
    ----------
    model
        Whose parameters.
    summaries
        What the networks see.
    density
        The ensemble, to be asked about any input.
    """

    model: Model
    summaries: SharedSummaries
    density: Density

    @staticmethod
    def load(model: Model, summaries: SharedSummaries, network: Path) -> SharedPosterior:
        """With the networks of an earlier training."""
        density = load_density(network)
        assert isinstance(density, Density), "shared networks are densities"
        return SharedPosterior(model, summaries, density)

    def posterior(self, features: FeatureTable) -> Posterior:
        """The posterior of one cell, from one row of features."""
        x = self.encoded(self.summaries.scaled(features))
        return Posterior(self.model, Density(replace(self.density.networks, x=x)), Region())

    def sample(self, scaled: Array, n: int, seed: int) -> Array:
        """``[draw, row, parameter]`` of ``z``: draws for each row of :meth:`SharedSummaries.scaled` features."""
        return self.density.sample(n, seed, self.encoded(scaled))

    def encoded(self, scaled: Array) -> torch.Tensor:
        """``[row, input]``: what the networks see."""
        return self.summaries.encode(torch.as_tensor(scaled, dtype=torch.float32))

    def table(self, draws: Array) -> pd.DataFrame:
        """Draws ``[draw, parameter]`` of ``z`` in the template's units."""
        return self.model.table(self.model.prior.from_unbounded(draws))
