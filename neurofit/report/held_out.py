"""How well fits predict the sweeps that none of them was fitted to: the measure by which models are compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from neurofit.check.prediction import Behind, prediction_scores, rank_predictions
from neurofit.features import FEATURES, SUMMARIES_UNDER, recorded_features
from neurofit.features.catalogue import columns_for, feature_of
from neurofit.report.words import listed, number

if TYPE_CHECKING:
    from neurofit.features import FeatureTable
    from neurofit.result import Fit


def held_out_scores(fit: Fit, features: Sequence[str] | None = None) -> pd.DataFrame:
    """A row a held-out sweep: how far the posterior's predictions are from it.

    Parameters
    ----------
    features
        Those that count, of the ones with a value a sweep; by default all that mean something for the model. Every one
        counts alike, in the catalogue's tolerances, whatever the fit's own were.

    Returns
    -------
    pandas.DataFrame
        Indexed by ``part`` and ``sweep``: ``level_pa`` and ``score``
        (:func:`neurofit.check.prediction.prediction_scores`, 0 to 10, less is better).
    """
    chosen = comparable([fit]) if features is None else list(features)
    rows = []
    for name, part in fit.split.held_out.items():
        recorded, predicted = recorded_features(part), fit.simulations(f"predicted {name}")
        drawn = predicted.features.rows(np.flatnonzero(predicted.valid))
        for sweep, level in recorded.levels_pa.items():
            columns = columns_for(chosen, [sweep])
            score = prediction_scores(_scaled(recorded, columns)[0], _scaled(drawn, columns)).mean()
            rows.append((name, sweep, level, float(score)))
    return pd.DataFrame(rows, columns=["part", "sweep", "level_pa", "score"]).set_index(["part", "sweep"])


def comparable(fits: Sequence[Fit]) -> list[str]:
    """Features with a value a sweep that mean something for every one of these models.

    What belongs to the rig is left out: it says nothing about the cell.
    """
    drawn = any(fit.model.spike is not None for fit in fits)
    left_out = {"rig", "spike shape"} if drawn else {"rig"}
    kind = fits[0].split.fitted.stimulus.kind
    specs = [FEATURES[name] for name in SUMMARIES_UNDER[kind]]
    return [f.name for f in specs if f.per_sweep and f.aspect not in left_out]


def _scaled(table: FeatureTable, columns: Sequence[str]) -> np.ndarray:
    specs = [feature_of(name) for name in columns]
    log, tolerance = np.array([f.scale == "log" for f in specs]), np.array([f.tolerance for f in specs])
    return table.select(columns).in_tolerances(tolerance, log)


@dataclass(frozen=True, eq=False)
class Choice:
    """Several models by the sweeps that they were not fitted to.

    Attributes
    ----------
    names
        Of the fits.
    scores
        A row a held-out sweep, a column a fit.
    best
        Position of the one that predicts best.
    behind
        How far each is behind it.
    words
        The fits' verdicts.
    """

    names: tuple[str, ...]
    scores: pd.DataFrame
    best: int
    behind: tuple[Behind, ...]
    words: tuple[str, ...]

    @staticmethod
    def of(names: Sequence[str], fits: Sequence[Fit]) -> Choice | None:
        """``None`` where the fits share no held-out sweep."""
        features = comparable(fits)
        tables = [held_out_scores(fit, features) for fit in fits]
        shared = tables[0].index
        for table in tables[1:]:
            shared = shared.intersection(table.index, sort=False)
        if not len(shared):
            return None
        scores = pd.DataFrame({name: t.loc[shared, "score"] for name, t in zip(names, tables, strict=True)})
        scores.insert(0, "level_pa", tables[0].loc[shared, "level_pa"])
        best, behind = rank_predictions(scores[list(names)].to_numpy().T)
        return Choice(tuple(names), scores, best, behind, tuple(fit.verdict.word for fit in fits))

    def sentences(self) -> list[str]:
        """Which model predicts best, which cannot be told from it, and what the verdicts say to that."""
        best, n = self.names[self.best], self.behind[self.best].sweeps
        others = [i for i in np.argsort([b.score for b in self.behind], kind="stable") if i != self.best]
        alike = [self.names[i] for i in others if not self.behind[i].told_apart]
        said = [
            f"{best} predicts the {n} held-out sweeps best: {number(self.behind[self.best].score, 2)} tolerances a "
            "feature."
        ]
        for i in others:
            b = self.behind[i]
            if b.told_apart:
                said.append(
                    f"{self.names[i]} is behind by {number(b.difference, 2)} ± {number(b.error, 2)}, in {b.worse} of "
                    f"{b.sweeps} sweeps."
                )
        if alike:
            said.append(f"{listed(alike)} cannot be told from it by these sweeps.")
        if self.words[self.best] == "rejected":
            fine = [name for name, word in zip(self.names, self.words, strict=True) if word != "rejected"]
            said.append(
                f"But {best} is rejected by its checks: the best of these models is not a good one."
                + (f" {listed(fine)} {'is' if len(fine) == 1 else 'are'} not rejected." if fine else "")
            )
        return said
