"""Voltage traces looked at, and reduced to what the raw tests compare."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import uniform_filter1d

from neurofit.check import artefacts, envelope, quantile_joint
from neurofit.check.artefacts import FEWEST_BASELINE, FEWEST_SAMPLES
from neurofit.check.inputs import Label, Table, all_finite, number_of_references
from neurofit.errors import CheckError

Array = NDArray[np.float64]

SMOOTH_MS = 0.5
CHUNK = 200
DESIGN = (
    "reference [n, time] with observed [time] (one cell) or [cell, time], "
    "or reference [n, sweep, time] with observed [sweep, time] (one cell) or [cell, sweep, time]"
)
FAILED = "Leave out the simulations that failed, with all their sweeps, and report how many."


@dataclass(frozen=True, eq=False)
class Traces:
    """References and, in the rows after them, observations.

    Attributes
    ----------
    points
        ``[rows, sweep, 2, bin]``, for the envelope, in mV.
    edges
        First sample of each bin and the end.
    quantiles
        ``[rows, sweep, quantile]``, for the quantile-joint test.
    artefacts
        :data:`neurofit.check.artefacts.RIG_FEATURES`, without the bandwidth where sampling is too coarse for it;
        ``None`` without a baseline.
    n
        Number of references.
    """

    points: Array
    edges: NDArray[np.intp]
    quantiles: Array
    artefacts: Table | None
    n: int

    @property
    def observations(self) -> int:
        return len(self.points) - self.n


def as_design(observed: ArrayLike, reference: ArrayLike, where: str) -> tuple[NDArray, NDArray]:
    """Both as ``[rows, sweep, time]``; the reference's dimensions say what one cell is."""
    x, obs = _numbers(reference, "reference", where), _numbers(observed, "observed", where)
    fits = x.ndim in (2, 3) and obs.ndim in (x.ndim - 1, x.ndim) and x.size > 0 and obs.size > 0
    cells = obs[None] if obs.ndim == x.ndim - 1 else obs
    if not fits or cells.shape[1:] != x.shape[1:]:
        raise CheckError(
            "observed and reference are not of one design",
            where=where,
            expected=DESIGN,
            found=f"observed {obs.shape}, reference {x.shape}",
            advice="Several sweeps of one cell need simulations of all sweeps, one parameter draw a row.",
        )
    if x.shape[-1] < FEWEST_SAMPLES:
        raise CheckError(
            "the sweeps are too short",
            where=where,
            expected=f"at least {FEWEST_SAMPLES} samples",
            found=f"{x.shape[-1]}",
            advice="Time is the last axis.",
        )
    number_of_references(len(x), len(cells), where)
    return (cells[:, None], x[:, None]) if x.ndim == 2 else (cells, x)


def reduce(
    observed: NDArray,
    reference: NDArray,
    dt_ms: float,
    step_ms: tuple[float, float] | None,
    subtract_baseline: bool,
    where: str,
) -> Traces:
    """From ``[rows, sweep, time]`` to what is compared, some rows at a time."""
    samples, sweeps = reference.shape[-1], reference.shape[1]
    step, baseline = _windows(samples, dt_ms, step_ms, subtract_baseline, where)
    edges = envelope.bin_edges(samples, sweeps)
    points, quantiles, found = [], [], []
    for name, rows in (("reference", reference), ("observed", observed)):
        for first in range(0, len(rows), CHUNK):
            voltage = rows[first : first + CHUNK].astype(np.float64)
            all_finite(voltage, name, where, ("row", "sweep", "sample"), FAILED, first)
            if baseline is not None:
                found.append(artefacts.measured(voltage, dt_ms, step))
            smooth = voltage
            if subtract_baseline:
                voltage = voltage - voltage[..., baseline].mean(-1, keepdims=True)
                smooth = uniform_filter1d(voltage, max(1, round(SMOOTH_MS / dt_ms)), axis=-1)
            points.append(envelope.points(smooth, edges))
            quantiles.append(quantile_joint.quantiles(voltage, dt_ms, step, baseline))
    table = None
    if baseline is not None:
        kept = len(artefacts.RIG_FEATURES) - (dt_ms > artefacts.FILTER_DT_MS)
        names, units = (tuple(words)[:kept] for words in zip(*artefacts.RIG_FEATURES.items(), strict=True))
        labels = tuple(Label("value", (j,)) for j in range(kept))
        table = Table(np.concatenate(found)[:, :kept], labels, names, units, len(reference), ())
    return Traces(np.concatenate(points), edges, np.concatenate(quantiles), table, len(reference))


def _numbers(values: ArrayLike, name: str, where: str) -> NDArray:
    try:
        numbers = np.asarray(values)
    except ValueError as error:
        raise CheckError(
            f"{name} is not an array ({error})", where=where, advice="Sweeps must have equal length."
        ) from error
    if numbers.dtype.kind not in "fiu":
        raise CheckError(f"{name} holds no numbers", where=where, found=f"{numbers.dtype}")
    return numbers


def _windows(
    samples: int, dt_ms: float, step_ms: tuple[float, float] | None, subtract_baseline: bool, where: str
) -> tuple[slice, slice | None]:
    """Samples of the step and of the baseline before it."""
    step = artefacts.step_samples(samples, dt_ms, (0.0, samples * dt_ms) if step_ms is None else step_ms, where)
    if step.start >= FEWEST_BASELINE:
        return step, slice(0, step.start)
    if subtract_baseline:
        raise CheckError(
            "there is no baseline to subtract",
            where=where,
            expected=f"step_ms starting at {FEWEST_BASELINE * dt_ms:g} ms or later",
            found=f"step_ms = {step_ms}",
            advice="Give the start and stop of the step, or subtract a baseline of your own from both.",
        )
    return step, None
