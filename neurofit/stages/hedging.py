"""The robust posterior of a finished run, beside the plain one: worked out where it is asked for, and kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, get_args

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from neurofit.features import FeatureTable
from neurofit.infer import Posterior, Potential, Summaries, usable
from neurofit.infer.denoise import chance
from neurofit.infer.held_out import draws_inside
from neurofit.infer.robust import ROWS, Hedge, Robust, Way
from neurofit.progress import Progress
from neurofit.stages.calibrating import MOST_SAMPLED
from neurofit.stages.seeds import stream_seed
from neurofit.stages.simulating import SimulationSet
from neurofit.stages.training import Round, pooled
from neurofit.store import Run

Array = NDArray[np.float64]

FOLDER = "robust"
# Draws of the robust posterior.
DRAWS = 5000
LEVEL = (0.05, 0.95)
# A summary is said to be set aside from this probability.
SET_ASIDE = 0.9
# Fewer effective simulations under the weights are said.
FEW = 10
# A shift that is large, in standard deviations of the plain posterior.
LARGE = 1.0
# A tolerance counts as widened from this factor.
WIDENED = 1.05


@dataclass(frozen=True, eq=False)
class RobustFit:
    """A robust posterior of a run.

    Attributes
    ----------
    method
        ``"noise"`` or ``"weights"``.
    seed
        Of its draws.
    draws, plain
        Of the robust and of the plain posterior, tables by name in the template's units.
    table
        One row a parameter: ``unit``; the plain and the robust 90 % interval (``plain 5 %``, ``robust 95 %``, ...) and
        medians; ``shift``, of the median, in standard deviations of the plain posterior where the prior is standard
        normal; ``width``, robust over plain there.
    summaries
        One row a summary, most surely off first: ``label``, ``unit``, ``probability`` of being off, the ``recorded``
        value, and by how much it is off where it is (``off by``, ``off by 5 %``, ``off by 95 %``).
    effective
        Effective number of simulations under the weights, or of chains.
    unsettled
        How far the chains still moved, in their standard deviations.
    widened
        How many summaries were trained with a wider tolerance than the declared one, which this is asked at.
    """

    method: Way
    seed: int
    draws: pd.DataFrame
    plain: pd.DataFrame
    table: pd.DataFrame
    summaries: pd.DataFrame
    effective: float
    unsettled: float
    widened: int

    @property
    def settled(self) -> bool:
        """Had the chains, if there are any, come to rest?"""
        return self.unsettled <= chance(self.effective)

    @property
    def set_aside(self) -> pd.DataFrame:
        """The summaries that are off with a probability of at least .9."""
        return self.summaries[self.summaries["probability"] >= SET_ASIDE]


def hedge(
    run: Run,
    sets: list[SimulationSet],
    last: Round,
    declared: Summaries,
    posterior: Posterior,
    plain: Array,
    way: Way,
    *,
    seed: int,
    progress: Progress,
) -> RobustFit:
    """Work out the robust posterior by one method and one seed, or find it in the run directory.

    Its network and its simulations are those of the last round: what it is asked about stays among them.

    Parameters
    ----------
    plain
        ``[draw, parameter]`` of the plain posterior, unbounded: what it stands beside.
    """
    place = f"{FOLDER}/{way}"
    if not kept(run, way, seed):
        with progress.bar(f"Robust posterior, {way}", 1) as advance:
            found = _found(sets, last, declared, posterior, way, seed)
            advance(1, "done")
        features = sets[-1].features.select(declared.names)
        # the numbers before what says that they are there
        (run / f"{place}.json").unlink(missing_ok=True)
        run.write_arrays(
            f"{place}.npz",
            {"robust": found.draws, "plain": plain, "denoised": found.denoised},
        )
        widened = int((last.summaries.tolerance > WIDENED * declared.tolerance).sum())
        run.write_json(f"{place}.json", _described(found, declared, features) | {"seed": seed, "widened": widened})
    return read_hedge(run, posterior, way)


def kept(run: Run, way: Way, seed: int) -> bool:
    """Is the robust posterior of this method and seed there?"""
    file = f"{FOLDER}/{way}.json"
    return (run / file).is_file() and run.read_json(file)["seed"] == seed


def kept_ways(run: Run) -> tuple[Way, ...]:
    """The methods by which a robust posterior is there."""
    return tuple(way for way in get_args(Way) if (run / f"{FOLDER}/{way}.json").is_file())


def read_hedge(run: Run, posterior: Posterior, way: Way) -> RobustFit:
    """A robust posterior that was worked out before."""
    found, arrays = run.read_json(f"{FOLDER}/{way}.json"), run.read_arrays(f"{FOLDER}/{way}.npz")
    model, prior = posterior.model, posterior.prior
    theta = {name: prior.from_unbounded(arrays[name]) for name in ("plain", "robust")}
    columns: dict[str, Any] = {"unit": prior.units}
    for name, values in theta.items():
        low, median, high = np.quantile(values, [LEVEL[0], 0.5, LEVEL[1]], axis=0)
        columns |= {f"{name} median": median, f"{name} 5 %": low, f"{name} 95 %": high}
    plain, robust = arrays["plain"], arrays["robust"]
    columns["shift"] = (np.median(robust, axis=0) - np.median(plain, axis=0)) / plain.std(axis=0)
    columns["width"] = np.ptp(np.quantile(robust, LEVEL, axis=0), axis=0) / np.ptp(
        np.quantile(plain, LEVEL, axis=0), axis=0
    )
    summaries = pd.DataFrame(found["summaries"]).set_index("name")
    return RobustFit(
        way,
        found["seed"],
        model.table(theta["robust"]),
        model.table(theta["plain"]),
        pd.DataFrame(columns, index=pd.Index(prior.names, name="parameter")),
        summaries.sort_values("probability", ascending=False, kind="stable"),
        found["effective"],
        found["unsettled"],
        found["widened"],
    )


def _found(
    sets: list[SimulationSet], last: Round, declared: Summaries, posterior: Posterior, way: Way, seed: int
) -> Robust:
    z, deviations = pooled(sets, declared)
    used = usable(z, np.concatenate([s.valid for s in sets]), last.came_from)
    simulated = deviations[used]
    simulated[:, list(last.summaries.unseen)] = np.nan
    noise = np.random.default_rng(stream_seed(seed, "robust")).standard_normal(simulated.shape)
    # what is off is asked at the tolerances as declared; the network knows them as the round widened them
    narrower = declared.tolerance / last.summaries.tolerance

    def sample(n: int, draw_seed: int, x: Array) -> Array:
        inputs = last.summaries.encode(torch.as_tensor(x * narrower, dtype=torch.float32))
        draws, enough = draws_inside(posterior.density, inputs, posterior.region, n, draw_seed)
        draws[:, ~enough] = np.nan
        return draws

    rows = MOST_SAMPLED if isinstance(posterior.density, Potential) else ROWS
    hedged = Hedge.of(
        z[used], simulated + noise, sample, method=way, seed=stream_seed(seed, "robust", 1), inside=last.came_from
    )
    return hedged(np.zeros(len(declared)), DRAWS, stream_seed(seed, "robust", 2), rows)


def _described(found: Robust, declared: Summaries, features: FeatureTable) -> dict[str, Any]:
    """What is kept beside the draws: the summaries in their own units."""
    recorded = declared.observed
    # deviations of what the model could have made: the recorded value less its error
    made = -found.off_by * declared.tolerance
    with np.errstate(over="ignore"):
        off_by = recorded - np.where(declared.log, recorded * np.exp(made), recorded + made)
    rows = [
        {"name": name, "label": label, "unit": unit, "probability": _known(p), "recorded": value,
         "off by 5 %": _known(low), "off by": _known(middle), "off by 95 %": _known(high)}
        for name, label, unit, p, value, low, middle, high in zip(
            declared.names, features.labels, features.units, found.off, recorded, *np.sort(off_by, axis=0), strict=True
        )
    ]  # fmt: skip
    return {"effective": found.effective, "unsettled": found.unsettled, "summaries": rows}


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
