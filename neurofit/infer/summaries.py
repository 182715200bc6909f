"""What the network sees of a cell: summaries scaled by their tolerance and centred on the observation.

Three decisions live here, and the run directory records each of them:

* *Which* features: those of the catalogue's default list (or the user's) that are defined in the observation. A
  feature the cell does not have (no spike, no latency) is already told by its spike count.
* *Tolerance*: every summary gets Gaussian noise of a standard deviation that the user, the recording or the catalogue
  states, drawn anew in every epoch of training. The posterior is then that of a model which explains the cell up to
  those tolerances.
* *Undefined* in a simulation: the value is set far from the observation and a flag says that it was not there. What
  hardly any simulation defines is left out of the network's input: it could not know what to make of the observation's.
  A network of the summaries' own density (NLE) gets no flags, which have none; there the far value carries noise too.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from neurofit.errors import BadInput
from neurofit.features import ALWAYS_DEFINED, FEATURES, SUMMARIES, FeatureTable
from neurofit.features.catalogue import columns_for, feature_of
from neurofit.features.table import on_scale
from neurofit.infer.tolerance import CATALOGUE, GIVEN, Tolerance

if TYPE_CHECKING:
    from neurofit.infer.networks import Task

# Differences are squashed by asinh beyond this many tolerances: near the observation the network sees them as they
# are, far away only roughly how far.
LINEAR_TOLERANCES = 5.0
# Where an undefined value is put, in tolerances.
UNDEFINED_AT = 50.0
# A summary that a smaller share of the simulations defines, or fewer of them, is one the network cannot learn from.
SEEN_SHARE, SEEN_FEWEST = 0.01, 20


@dataclass(frozen=True, eq=False)
class Summaries:
    """The observation's summaries, and how a simulation is compared with them.

    Attributes
    ----------
    names
        Columns of a :class:`FeatureTable`.
    observed
        ``[summary]``, in the features' units.
    tolerance
        ``[summary]``: standard deviation on each summary's own scale.
    log
        ``[summary]``: is that scale logarithmic?
    flagged
        Positions of the summaries that can be undefined and whose flags the network sees.
    unseen
        Positions of the summaries that are left out of the network's input.
    numbers
        Is the network to learn a density of its input? Then nothing in it may be the same in many simulations.
    sources
        ``{feature: where its tolerance comes from}``, of those that are not the catalogue's.
    """

    names: tuple[str, ...]
    observed: NDArray[np.float64]
    tolerance: NDArray[np.float64]
    log: NDArray[np.bool_]
    flagged: tuple[int, ...]
    unseen: tuple[int, ...] = ()
    numbers: bool = False
    sources: Mapping[str, str] = field(default_factory=dict)

    @staticmethod
    def of(
        observed: FeatureTable,
        features: Sequence[str] = SUMMARIES,
        tolerance: Mapping[str, float] | None = None,
        measured: Mapping[str, Tolerance] | None = None,
    ) -> Summaries:
        """Choose the summaries of one observed row.

        Parameters
        ----------
        observed
            One row.
        features
            Names from the catalogue.
        tolerance
            ``{feature: standard deviation}``, the user's, in place of every other.
        measured
            The recording's, in place of the catalogue's: from :func:`neurofit.infer.tolerance.tolerances_from`.

        Raises
        ------
        BadInput
            If a feature is not in the table, none is defined, or a tolerance is not a positive number of a feature.
        """
        given = dict(tolerance or {})
        sweeps = sorted(observed.levels_pa)
        for name in features:
            if name not in FEATURES or not set(columns_for([name], sweeps)) <= set(observed.names):
                raise BadInput(f"there is no feature {name} to fit", expected=f"some of {', '.join(SUMMARIES)}")
        for name, value in given.items():
            if name not in features or not (isinstance(value, Real) and math.isfinite(value) and value > 0):
                raise BadInput(
                    f"tolerance {name} = {value}",
                    expected=f"a positive number for one of {', '.join(features)}",
                )
        table = observed.select(columns_for(dict.fromkeys(features), sweeps))
        keep = table.defined[0]
        if not keep.any():
            raise BadInput(
                "none of the features is defined in the observation", expected=", ".join(features or SUMMARIES)
            )
        names = tuple(name for name, defined in zip(table.names, keep, strict=True) if defined)
        decided = dict(measured or {}) | {name: Tolerance(value, GIVEN) for name, value in given.items()}
        specs = [feature_of(name) for name in names]
        values = [decided[f.name].value if f.name in decided else f.tolerance for f in specs]
        sources = {f.name: decided[f.name].source for f in specs if f.name in decided}
        return Summaries.declared(table, names, values, sources)

    @staticmethod
    def declared(
        observed: FeatureTable,
        names: Sequence[str],
        tolerance: Sequence[float],
        sources: Mapping[str, str] | None = None,
    ) -> Summaries:
        """The summaries of a run, from what it decided and the observation.

        A tolerance without a source that is not the catalogue's was given by the user.
        """
        specs = [feature_of(name) for name in names]
        implied = {f.name: GIVEN for f, value in zip(specs, tolerance, strict=True) if value != f.tolerance}
        return Summaries(
            tuple(names),
            observed.select(names).values[0],
            np.array(tolerance, dtype=np.float64),
            np.array([f.scale == "log" for f in specs]),
            tuple(j for j, f in enumerate(specs) if f.name not in ALWAYS_DEFINED),
            sources=implied | dict(sources or {}),
        )

    def __len__(self) -> int:
        return len(self.names)

    def tolerance_of(self, feature: str) -> float:
        """A feature's tolerance, as declared here or, where it is no summary, by the catalogue."""
        own = [t for name, t in zip(self.names, self.tolerance, strict=True) if feature_of(name).name == feature]
        return float(own[0]) if own else FEATURES[feature].tolerance

    def source_of(self, feature: str) -> str:
        """Where its tolerance comes from, in words."""
        return self.sources.get(feature, CATALOGUE)

    def sources_said(self) -> tuple[str, ...]:
        """``resting potential 6.3 mV (drift of the rest: ...)``: the tolerances that are not the catalogue's."""
        by_source: dict[str, list[str]] = {}
        for name, source in self.sources.items():
            size = FEATURES[name].size(self.tolerance_of(name))
            by_source.setdefault(source, []).append(f"{FEATURES[name].label} {size}")
        return tuple(f"{', '.join(sizes)} ({source})" for source, sizes in by_source.items())

    def deviations(self, table: FeatureTable) -> NDArray[np.float64]:
        """How far each simulation lies from the observation, ``[row, summary]`` in tolerances; NaN where undefined."""
        chosen = table.select(self.names)
        with np.errstate(invalid="ignore", divide="ignore"):
            result = (on_scale(chosen.values, self.log) - on_scale(self.observed, self.log)) / self.tolerance
        return np.where(chosen.defined, result, np.nan)

    def seen_in(self, deviations: NDArray[np.float64]) -> Summaries:
        """The same, without what hardly any of these simulations (``[row, summary]``) defines.

        An input that is the same in all simulations tells the network nothing, and the observation's own value, which
        lies outside everything that it was trained on, would drown the rest.
        """
        count = np.isfinite(deviations).sum(axis=0)
        few = count < max(SEEN_FEWEST, SEEN_SHARE * len(deviations))
        return replace(self, unseen=tuple(np.flatnonzero(few).tolist()))

    def encode(self, deviations: torch.Tensor) -> torch.Tensor:
        """The network's input, ``[row, input]``, from deviations in tolerances (NaN where undefined).

        The observation itself is :meth:`encode` of zeros.
        """
        scaled = deviations.nan_to_num(nan=UNDEFINED_AT, posinf=torch.inf, neginf=-torch.inf) / LINEAR_TOLERANCES
        # asinh, in functions that torch computes in vectors: its own takes six times as long
        size = scaled.abs()
        squashed = LINEAR_TOLERANCES * torch.copysign(torch.log(size + torch.sqrt(1 + size**2)), scaled)
        values, flags = (torch.tensor(positions, dtype=torch.long) for positions in self._inputs)
        undefined = deviations.index_select(1, flags).isnan().to(deviations.dtype)
        return torch.cat([squashed.index_select(1, values), undefined], dim=1)

    def for_task(self, task: Task) -> Summaries:
        """The same for a network that learns this: for a likelihood, as numbers that have a density."""
        return replace(self, flagged=(), numbers=True) if task == "likelihood" else self

    def before_noise(self, deviations: NDArray[np.float64]) -> NDArray[np.float64]:
        """Deviations as noise is to be added to them, ``[row, summary]``."""
        return np.nan_to_num(deviations, nan=UNDEFINED_AT) if self.numbers else deviations

    @property
    def n_inputs(self) -> int:
        """Columns of :meth:`encode`."""
        return sum(map(len, self._inputs))

    @property
    def _inputs(self) -> tuple[list[int], list[int]]:
        """The summaries whose values the network sees, and those whose flags."""
        values = [j for j in range(len(self)) if j not in self.unseen]
        return values, [j for j in self.flagged if j not in self.unseen]

    def log_kernel(self, deviations: NDArray[np.float64]) -> NDArray[np.float64]:
        """``[row]``: log density of the observation given one simulation, under the tolerances.

        A simulation in which a summary is undefined that the cell has cannot have made the observation, unless the
        summary is one that the network does not see.
        """
        seen = np.delete(deviations, self.unseen, axis=1)
        squares = np.where(np.isnan(seen), np.inf, seen**2)
        return np.asarray(-0.5 * squares.sum(axis=1))

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for the run directory."""
        return {
            "names": list(self.names),
            "observed": self.observed.tolist(),
            "tolerance": self.tolerance.tolist(),
            "log": self.log.tolist(),
            "flagged": list(self.flagged),
            "unseen": list(self.unseen),
            "numbers": self.numbers,
            "sources": dict(self.sources),
        }

    @staticmethod
    def from_dict(values: Mapping[str, Any]) -> Summaries:
        return Summaries(
            tuple(values["names"]),
            np.array(values["observed"]),
            np.array(values["tolerance"]),
            np.array(values["log"]),
            tuple(values["flagged"]),
            tuple(values["unseen"]),
            values["numbers"],
            dict(values["sources"]),
        )


def noisy(
    table: FeatureTable, summaries: Summaries, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Summaries of simulations with their tolerance added as noise: ``values`` and ``defined``, ``[row, summary]``.

    What a check compares the cell with when it asks whether model and cell agree *up to the tolerances*.
    """
    chosen = table.select(summaries.names)
    noise = rng.standard_normal(chosen.values.shape) * summaries.tolerance
    with np.errstate(over="ignore"):
        values = np.where(summaries.log, chosen.values * np.exp(noise), chosen.values + noise)
    return np.where(chosen.defined, values, np.nan), chosen.defined
