"""One cell under a shared posterior, and whether that is good enough for it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd

from neurofit.check.result import CheckResult
from neurofit.infer import Posterior
from neurofit.recording import Recording

# Together, the three checks call a cell that is well served badly served this often.
LEVEL = 0.05


@dataclass(frozen=True, eq=False)
class SharedCell:
    """One cell under a shared posterior.

    Attributes
    ----------
    recording
        The cell.
    posterior
        Its own, of the model's parameters.
    features
        Do its features lie among the simulations that the posterior was learned from, tolerances included?
    p_prediction
        How well the posterior predicts the features it was asked with, ranked among simulated cells that fire alike.
    p_local
        Is the posterior calibrated for simulated cells near this one?
    score
        The predictions' distance from the cell, in tolerances (:func:`neurofit.check.prediction.prediction_scores`).
    counts
        A row a fitted sweep: ``level_pa``, ``recorded``, ``5 %``, ``median``, ``95 %`` spikes in the step.
    """

    recording: Recording
    posterior: Posterior
    features: CheckResult
    p_prediction: float
    p_local: float
    score: float
    counts: pd.DataFrame

    @property
    def good_enough(self) -> bool:
        """Does none of the three checks say that this cell needs a fit of its own?"""
        return not self.alarms

    @property
    def alarms(self) -> tuple[str, ...]:
        """Why the shared posterior is not good enough for this cell, one sentence each."""
        level, found = LEVEL / 3, list[str]()
        if self.features.p_value <= level:
            first = self.features.sentences[min(1, len(self.features.sentences) - 1)]
            found.append(
                f"The cell lies outside the simulations that the posterior was learned from "
                f"(p = {self.features.p_value:.2g}): {first}"
            )
        if self.p_prediction <= level:
            found.append(
                f"Its predictions are farther from the cell than from simulated cells that fire like it "
                f"(p = {self.p_prediction:.2g}; {self.score:.2g} tolerances a feature)."
            )
        if self.p_local <= level:
            found.append(
                f"For simulated cells near this one the posterior is not calibrated (p = {self.p_local:.2g}): more "
                "simulations may help."
            )
        return tuple(found)

    @cached_property
    def parameters(self) -> pd.DataFrame:
        """One row a parameter, as :meth:`Posterior.summary` says."""
        return self.posterior.summary()

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for the run directory."""
        return {
            "recording": self.recording.source.path,
            "sha256": self.recording.source.sha256,
            "good_enough": self.good_enough,
            "alarms": list(self.alarms),
            "p_features": self.features.p_value,
            "p_prediction": self.p_prediction,
            "p_local": self.p_local,
            "score": self.score,
            "features": self.features.to_dict(),
            "counts": self.counts.to_dict("list"),
        }
