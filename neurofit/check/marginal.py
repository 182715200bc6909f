"""The marginal test: each statistic alone. It also says which one is strange."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from neurofit.check.combine import step_down
from neurofit.check.conformal import Contest
from neurofit.check.inputs import Table
from neurofit.check.result import QUANTILES, Effect
from neurofit.scores import QuantileScores

Array = NDArray[np.float64]


def largest(scores: Array) -> Array:
    """Largest absolute score of each row, ``[..., columns]`` -> ``[...]``."""
    return np.abs(scores).max(-1)


def strangest_column(contest: Contest) -> Contest:
    """The marginal test from the contest of the columns' absolute scores, ``[draws, columns]``."""
    return Contest(contest.null.max(1), contest.observed.max(1))


def effects(table: Table, contest: Contest) -> tuple[Effect, ...]:
    """Every statistic of a table beside its reference, the most telling first.

    Parameters
    ----------
    table
        References and observations.
    contest
        Of the columns' absolute scores, ``[draws, columns]``.
    """
    reference, observed = table.columns[: table.n], table.columns[table.n :]
    scores = QuantileScores(reference)(observed).mean(0)
    alone, adjusted = contest.p_value, step_down(contest)
    found = []
    for j, label in enumerate(table.labels):
        known = reference[~np.isnan(reference[:, j]), j]
        there = observed[~np.isnan(observed[:, j]), j]
        value = None
        if len(there):
            value = float(np.median(there) if label.kind == "value" else there.mean())
        is_value = label.kind == "value"
        found.append(
            Effect(
                name=", ".join(table.names[f] for f in label.features),
                unit=table.units[label.features[0]] if is_value else "",
                kind="value" if is_value else "defined",
                observed=value,
                quantiles=tuple(map(float, np.quantile(known, QUANTILES))) if is_value else None,
                defined_share=float(len(known) / table.n if is_value else known.mean()),
                percentile=None if value is None else _percentile(known, value),
                score=float(scores[j]),
                p_value=float(alone[j]),
                adjusted_p_value=float(adjusted[j]),
            )
        )
    strangest_first = sorted(found, key=lambda effect: (effect.adjusted_p_value, -abs(effect.score)))
    return tuple(strangest_first)


def _percentile(known: Array, value: float) -> float:
    return float(50 * ((known < value).mean() + (known <= value).mean()))
