"""The quantile-joint test: how long the voltage spends where, and how fast it moves, whatever the timing.

Per sweep: quantiles of the voltage and of asinh(slope) over the step, and of the voltage before it. Their 20
leading principal components and the log of what these leave over go to the joint test. Several sweeps are
looked at in two ways: each on its own, the log distances added up (``quantile_joint``), and the components of all side
by side as one vector (``across_sweeps``), which sees sweeps that no single cell would give together.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from neurofit.check.joint import Joint
from neurofit.scores import QuantileScores

Array = NDArray[np.float64]

QUANTILES = 25
BASELINE_QUANTILES = 10
COMPONENTS = 20


def quantiles(voltage: Array, dt_ms: float, step: slice, baseline: slice | None) -> Array:
    """``[rows, sweep, time]`` in mV -> ``[rows, sweep, quantile]``: voltage (mV), asinh(slope in mV/ms),
    baseline."""
    during = voltage[..., step]
    parts = [
        _quantiles(during, QUANTILES),
        _quantiles(np.arcsinh(np.diff(during, axis=-1) / dt_ms), QUANTILES),
    ]
    if baseline is not None:
        parts.append(_quantiles(voltage[..., baseline], BASELINE_QUANTILES))
    return np.concatenate(parts, axis=-1)


def _quantiles(x: Array, number: int) -> Array:
    """As ``np.quantile`` has them, which looks for each on its own: sorting finds all in a fraction of the time."""
    ordered = np.sort(x, axis=-1)
    at = (np.arange(number) + 0.5) / number * (x.shape[-1] - 1)
    below = at.astype(np.intp)
    above = np.minimum(below + 1, x.shape[-1] - 1)
    return np.asarray(ordered[..., below] + (at - below) * (ordered[..., above] - ordered[..., below]))


class Principal:
    """Leading components of correlated columns, and the log of what they leave over.

    Parameters
    ----------
    reference
        ``[n, columns]``.
    """

    def __init__(self, reference: Array) -> None:
        self._mean = reference.mean(0)
        centred = reference - self._mean
        _, axes = np.linalg.eigh(centred.T @ centred)
        self._axes = axes[:, -COMPONENTS:]

    def __call__(self, x: Array) -> Array:
        """``[rows, columns]`` -> ``[rows, components + 1]``."""
        centred = x - self._mean
        components = centred @ self._axes
        left_over = np.maximum((centred**2).sum(1) - (components**2).sum(1), 0.0)
        return np.column_stack([components, np.log(left_over + 1e-12)])


class PrincipalJoint:
    """The joint test of the leading components of correlated columns.

    Parameters
    ----------
    reference
        ``[n, columns]``.
    """

    def __init__(self, reference: Array) -> None:
        self._principal = Principal(reference)
        columns = self._principal(reference)
        self._scores = QuantileScores(columns)
        self._joint = Joint(self._scores(columns))

    def __call__(self, x: Array) -> Array:
        """Distance of every row, ``[rows, columns]`` -> ``[rows]``."""
        return self._joint(self._scores(self._principal(x)))


def tests(reference: Array) -> Callable[[Array], dict[str, Array]]:
    """Both tests, fitted to ``[n, sweep, quantile]``: a function of ``[rows, sweep, quantile]``.

    ``"quantile_joint"`` is the sum over the sweeps of each one's log distance; ``"across_sweeps"``, for several, the
    distance of their components side by side.
    """
    sweeps = range(reference.shape[1])
    principal = [Principal(reference[:, s]) for s in sweeps]
    columns = [principal[s](reference[:, s]) for s in sweeps]
    scores = [QuantileScores(c) for c in columns]
    joints = [Joint(scores[s](columns[s])) for s in sweeps]
    side_by_side = PrincipalJoint(_without_residual(columns)) if len(sweeps) > 1 else None

    def test(x: Array) -> dict[str, Array]:
        own = [principal[s](x[:, s]) for s in sweeps]
        distances = [np.log(joints[s](scores[s](own[s])) + 1e-12) for s in sweeps]
        found = {"quantile_joint": np.sum(distances, axis=0)}
        return found | ({"across_sweeps": side_by_side(_without_residual(own))} if side_by_side else {})

    return test


def _without_residual(columns: list[Array]) -> Array:
    return np.concatenate([c[:, :-1] for c in columns], axis=1)
