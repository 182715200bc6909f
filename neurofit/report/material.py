"""What several parts of the page are made of, read from a fit once."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neurofit.check.predictive import MISSED, compare
from neurofit.features.catalogue import FEATURES, MEASURED, feature_of
from neurofit.features.table import on_scale
from neurofit.infer.tolerance import CATALOGUE
from neurofit.recording import Recording
from neurofit.report.words import stretch_of, sweep_numbers
from neurofit.stages import SimulationSet

if TYPE_CHECKING:
    from neurofit.result import Fit

Array = NDArray[np.float64]

# Posterior draws in the figures.
DRAWS = 5000
SIDES = {"passive": "Passive", "firing": "Firing", "spike shape": "Spike shape", "rig": "Rig"}


@dataclass(frozen=True, eq=False)
class Part:
    """One part of the recording: the fitted sweeps, or some that were held out.

    Attributes
    ----------
    name
        As in the run directory.
    step
        Which test step, from 1.
    held_out
        Was it left out of the fit?
    recording
        Its sweeps.
    predicted
        Posterior predictive simulations of them.
    counts
        From ``checks/fit.json``.
    """

    name: str
    step: int
    held_out: bool
    recording: Recording
    predicted: SimulationSet
    counts: Mapping[str, Any]

    @property
    def label(self) -> str:
        """``"fitted"``, ``"held out"`` or ``"held out, step 2"``."""
        if not self.held_out:
            return "fitted"
        return "held out" if "other sweeps" in self.name else f"held out, step {self.step}"

    @property
    def stretch(self) -> str:
        """``"step 2"``, or where the current is not made of steps ``"the ramp"`` or ``"the waveform"``."""
        return stretch_of(self.recording.stimulus, self.step)

    @property
    def sweeps(self) -> str:
        """``sweeps 0, 2, 4``."""
        numbers = self.recording.sweep_numbers
        return f"sweep{'' if len(numbers) == 1 else 's'} {sweep_numbers(numbers)}"


@dataclass(frozen=True)
class FeatureRow:
    """A feature, recorded and predicted; ``None`` where it is undefined.

    Attributes
    ----------
    name, label, unit, side
        Which feature.
    recorded, low, median, high
        In its unit: the cell, and 5 %, 50 % and 95 % of the predictions in which it is defined.
    undefined
        Share of the predictions in which it is not.
    tolerance
        As declared, on the feature's scale; natural-logarithm units where ``log``.
    source
        Where the tolerance comes from, in words.
    widened
        Factor on the tolerance in the last round's training; ``None`` for a feature that was not fitted.
    distance
        Recorded minus median, in standard deviations of tolerance and prediction together.
    """

    name: str
    label: str
    unit: str
    side: str
    recorded: float | None
    low: float | None
    median: float | None
    high: float | None
    undefined: float
    tolerance: float
    source: str
    widened: float | None
    distance: float | None

    @property
    def log(self) -> bool:
        return feature_of(self.name).scale == "log"

    @property
    def fitted(self) -> bool:
        return self.widened is not None

    @property
    def missed(self) -> bool:
        return self.fitted and self.distance is not None and abs(self.distance) > MISSED

    @property
    def of_cell(self) -> bool:
        """One value for the cell, rather than one a sweep?"""
        return "@" not in self.name

    def in_tolerances(self, value: float | None) -> float | None:
        """``value`` minus recorded, in tolerances on the feature's scale."""
        if value is None or self.recorded is None:
            return None
        return float(on_scale(value, self.log) - on_scale(self.recorded, self.log)) / self.tolerance


class Material:
    """What a page draws on.

    Parameters
    ----------
    fit
        Finished.
    """

    def __init__(self, fit: Fit) -> None:
        self.fit = fit

    @cached_property
    def parts(self) -> tuple[Part, ...]:
        fitted_step = int(self.fit.decisions["recording"]["step"])
        recordings = {"fitted": self.fit.split.fitted, **self.fit.split.held_out}
        parts = []
        for name, recording in recordings.items():
            named = re.match(r"step (\d+)", name)
            parts.append(
                Part(
                    name,
                    int(named[1]) if named else fitted_step,
                    name != "fitted",
                    recording,
                    self.fit.simulations(f"predicted {name}"),
                    self.fit.findings_of_fit["counts"][name],
                )
            )
        return tuple(parts)

    @cached_property
    def features(self) -> tuple[FeatureRow, ...]:
        """Every fitted feature, in the catalogue's order."""
        last, declared = self.fit.rounds[-1].summaries, self.fit.summaries
        widened = dict(zip(last.names, last.tolerance / declared.tolerance, strict=True))
        return tuple(
            _row(miss, declared.source_of(feature_of(miss["name"]).name), float(widened[miss["name"]]))
            for miss in self.fit.findings_of_fit["misses"]
        )

    @cached_property
    def not_fitted(self) -> tuple[FeatureRow, ...]:
        """Features of the whole cell that were measured but not fitted, or that the cell does not have."""
        fitted = {row.name for row in self.features}
        measured = MEASURED[self.fit.split.fitted.stimulus.kind]
        names = [name for name in measured if not FEATURES[name].per_sweep and name not in fitted]
        recorded = self.fit.observed.select(names)
        predicted = self.parts[0].predicted.features.select(names)
        rows = []
        for j, name in enumerate(names):
            feature = feature_of(name)
            about = {"name": name, "label": feature.label, "unit": feature.unit, "aspect": feature.aspect}
            values = predicted.values[:, [j]]
            has_it = bool(recorded.defined[0, j])
            miss = compare(
                recorded.values[0, [j]] if has_it else np.zeros(1),
                values,
                np.array([feature.tolerance]),
                np.array([feature.scale == "log"]),
                [about],
            )[0]
            missing = {} if has_it else {"recorded": None, "distance": None}
            rows.append(_row({**vars(miss), **missing}, CATALOGUE, None))
        return tuple(rows)

    @cached_property
    def draws(self) -> pd.DataFrame:
        """Draws of the posterior, by name."""
        return self.fit.posterior.sample(DRAWS, self.fit.seed)

    @cached_property
    def first_draws(self) -> pd.DataFrame | None:
        """Draws of the first round's posterior, by name, where there are more rounds."""
        first = self.fit.first_posterior
        return None if first is None else first.sample(DRAWS, self.fit.seed)

    @cached_property
    def map(self) -> pd.Series:
        """The most probable parameters, by name."""
        return self.fit.parameters["MAP"]

    def side(self, name: str) -> list[FeatureRow]:
        """The fitted features of one side of the cell."""
        return [row for row in self.features if row.side == name]


def _row(miss: Mapping[str, Any], source: str, widened: float | None) -> FeatureRow:
    def known(value: float | None) -> float | None:
        return None if value is None or math.isnan(value) else float(value)

    return FeatureRow(
        miss["name"],
        miss["label"],
        miss["unit"],
        miss["aspect"],
        known(miss["recorded"]),
        known(miss["low"]),
        known(miss["median"]),
        known(miss["high"]),
        float(miss["undefined"]),
        float(miss["tolerance"]),
        source,
        widened,
        known(miss["distance"]),
    )
