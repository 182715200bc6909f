"""A posterior from simulations that are already there: any stimulus, any of the features, one round."""

from __future__ import annotations

import os
from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from neurofit.errors import BadInput
from neurofit.features import FeatureTable
from neurofit.infer.ensemble import train_ensemble
from neurofit.infer.method import Schedule
from neurofit.infer.posterior import Posterior
from neurofit.infer.region import Region
from neurofit.infer.summaries import Summaries
from neurofit.infer.valid import METHOD, SEED, require_one
from neurofit.template import Model
from neurofit.threads import one_thread


def learn_posterior(
    model: Model,
    theta: ArrayLike | pd.DataFrame,
    simulated: FeatureTable,
    observed: FeatureTable,
    *,
    tolerance: Mapping[str, float] | None = None,
    schedule: Schedule | None = None,
    members: int = 3,
    seed: int = 1,
    workers: int | None = None,
) -> Posterior:
    """Neural posterior estimation from simulations of the prior, in one round and without checks.

    For what :func:`neurofit.fit` does not do: features of another kind, or simulations that were made before.

    Parameters
    ----------
    model
        Whose parameters.
    theta
        ``[simulation, parameter]`` in the template's units: draws of the model's prior.
    simulated
        The features of their simulations, a row each; rows without any feature are left out.
    observed
        The same features of the cell, one row.
    tolerance
        ``{feature: standard deviation}`` on the feature's own scale, in place of the catalogue's.
    schedule, members
        The networks and their training, and how many.
    seed, workers
        Fixes everything; processes side by side.

    Raises
    ------
    BadInput
        If parameters and features differ in rows, the tables in features, or there are fewer than 100 simulations.
    TrainingError
        If training fails.
    """
    require_one("members", members, METHOD["members"], "learn_posterior")
    require_one("seed", seed, SEED, "learn_posterior")
    values = model.array(theta)
    if len(values) != len(simulated) or len(observed) != 1 or simulated.names != observed.names:
        raise BadInput(
            "parameters, simulated and observed features do not go together",
            expected="a row of features for each of the parameters, and one row of the same features observed",
            found=f"{len(values)}, {len(simulated)} and {len(observed)} rows of "
            f"{len(simulated.names)} and {len(observed.names)} features",
        )
    require_one("simulations", len(values), METHOD["simulations"], "learn_posterior")
    features = dict.fromkeys(name.partition("@")[0] for name in observed.names)
    summaries = Summaries.of(observed, list(features), tolerance)
    usable = simulated.defined.any(axis=1)
    deviations = summaries.deviations(simulated)[usable]
    with one_thread():
        ensemble = train_ensemble(
            model.prior.to_unbounded(np.asarray(values)[usable]), deviations, summaries.seen_in(deviations),
            schedule or Schedule(), seed=seed, members=members, workers=workers or os.cpu_count() or 1,
        )  # fmt: skip
    return Posterior(model, ensemble.density, Region())
