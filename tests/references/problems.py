"""Inference problems whose posterior was found in another way, one folder each.

``problem.toml`` says what the problem is: a toy, or a template with a stimulus, an observation and the tolerance of
each summary. ``draws.npy`` holds draws of its posterior, ``[draw, parameter]`` in the unbounded space in which the
prior is standard normal, and ``reference.toml`` says how they were found and what was checked. ``make.py`` finds them
again.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import neurofit as nf
from neurofit.features import FeatureTable, extract_features, seven_statistics
from neurofit.infer import Summaries
from neurofit.simulation import batches, draw_keys
from tests.infer import toys

Array = NDArray[np.float64]
FOLDER = Path(__file__).parent
NAMES = ("linear_4", "crescents", "hh_tutorial", "lif", "linear_12", "bent_12")


@dataclass(frozen=True, eq=False)
class Problem:
    """What a method is given.

    Attributes
    ----------
    name, title
        Of the folder, and in words.
    d
        Parameters, under a standard normal prior.
    summaries
        The observation and its tolerances.
    deviations
        ``(z [row, parameter], seed) -> [row, summary]``: simulations' distance from the observation in tolerances, NaN
        where a summary is undefined. Noise of one tolerance is not in it.
    about
        What ``problem.toml`` says.
    """

    name: str
    title: str
    d: int
    summaries: Summaries
    deviations: Callable[[Array, int], Array]
    about: dict[str, Any]

    def log_likelihood(self, z: Array, seed: int) -> Array:
        """``[row]``: of the observation given one simulation of each row, up to a constant; at most 0."""
        return self.summaries.log_kernel(self.deviations(z, seed))

    def reference(self) -> Array:
        """``[draw, parameter]``: draws of the posterior."""
        return np.load(FOLDER / self.name / "draws.npy").astype(np.float64)

    def found(self) -> dict[str, Any]:
        """How the reference was found, and what was checked."""
        return tomllib.loads((FOLDER / self.name / "reference.toml").read_text())


def load(name: str) -> Problem:
    """A problem by its folder's name."""
    about = tomllib.loads((FOLDER / name / "problem.toml").read_text())
    d, summaries, deviations = {"gaussian": _gaussian, "crescents": _crescents, "cell": _cell}[about["kind"]](about)
    return Problem(name, about["title"], d, summaries, deviations, about)


Parts = tuple[int, Summaries, Callable[[Array, int], Array]]


def _gaussian(about: dict[str, Any]) -> Parts:
    toy = toys.Problem(**about["gaussian"])
    return toy.d, toys.plain_summaries(toy.s), lambda z, seed: toy.deviations(z)


def _crescents(about: dict[str, Any]) -> Parts:
    return 4, toys.plain_summaries(4), lambda z, seed: crescents(z)


def crescents(z: Array) -> Array:
    """Two values of the first parameter, a ring in the last two, and a crescent between them: ``[row, 4]``."""
    a, b, c, d = z.T
    return np.column_stack([3 * (a**2 - 1), 4 * (b + 0.6 * a - 0.6 * c**2), 2 * (c**2 + d**2 - 1.5), 0.5 * (c - 1)])


def _cell(about: dict[str, Any]) -> Parts:
    model, stimulus = model_of(about), stimulus_of(about)
    declared = about["summaries"]
    observed = FeatureTable(
        np.array([[summary["observed"] for summary in declared.values()]]), np.ones((1, len(declared)), dtype=bool),
        tuple(declared), dict(enumerate(about["stimulus"]["levels_pa"])),
    )  # fmt: skip
    summaries = Summaries.declared(observed, observed.names, [s["tolerance"] for s in declared.values()])

    def deviations(z: Array, seed: int) -> Array:
        theta, keys = model.prior.from_unbounded(z), draw_keys(seed, 0, len(z))
        return np.concatenate([
            summaries.deviations(features_of(about, model, stimulus, theta[rows], keys[rows]))
            for rows in batches(len(z), stimulus.n_sweeps)
        ])  # fmt: skip

    return len(model.free), summaries, deviations


def model_of(about: dict[str, Any]) -> nf.Model:
    """A template of this folder by its path, or one of the package by its name."""
    name = about["model"]
    return nf.load_model(FOLDER / name if name.endswith(".toml") else name)


def stimulus_of(about: dict[str, Any]) -> nf.Stimulus:
    """A step at every level."""
    given = about["stimulus"]
    before, step, after = (round(given[f"{name}_ms"] / given["dt_ms"]) for name in ("before", "step", "after"))
    current = np.zeros((len(given["levels_pa"]), before + step + after))
    current[:, before : before + step] = np.array(given["levels_pa"])[:, None]
    return nf.Stimulus(current, given["dt_ms"])


def features_of(
    about: dict[str, Any], model: nf.Model, stimulus: nf.Stimulus, theta: Array, keys: NDArray[np.uint64]
) -> FeatureTable:
    """Simulate and measure, a row for each of ``theta`` ``[row, parameter]``."""
    traces = nf.simulate(model, stimulus, theta, keys=keys)
    if about["features"] == "catalogue":
        return extract_features(traces.voltage_mv, stimulus, spikes_drawn=model.spike is not None, valid=traces.valid)
    return seven_statistics(np.where(traces.valid[:, None, None], traces.voltage_mv, np.nan), stimulus)
