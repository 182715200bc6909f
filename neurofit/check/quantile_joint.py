"""The quantile-joint test: how long the voltage spends where, and how fast it moves, whatever the timing.

Per sweep: quantiles of the voltage and of asinh(slope) over the step, and of the voltage before it. Their 20
leading principal components and the log of what these leave over go to the joint test. Several sweeps are
looked at in two ways: each on its own, the log distances added up (``within``), and side by side as one
vector (``across``), which sees sweeps that no single cell would give together.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh

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
    return np.moveaxis(np.quantile(x, (np.arange(number) + 0.5) / number, axis=-1), 0, -1)


class PrincipalJoint:
    """Leading components and log residual of correlated columns, in the joint test.

    Parameters
    ----------
    reference
        ``[n, columns]``.
    """

    def __init__(self, reference: Array) -> None:
        self._mean = reference.mean(0)
        centred = reference - self._mean
        size = reference.shape[1]
        kept = min(COMPONENTS, size)
        _, self._axes = eigh(centred.T @ centred, subset_by_index=(size - kept, size - 1))
        columns = self._columns(reference)
        self._scores = QuantileScores(columns)
        self._joint = Joint(self._scores(columns))

    def __call__(self, x: Array) -> Array:
        """Distance of every row, ``[rows, columns]`` -> ``[rows]``."""
        return self._joint(self._scores(self._columns(x)))

    def _columns(self, x: Array) -> Array:
        centred = x - self._mean
        components = centred @ self._axes
        left_over = ((centred - components @ self._axes.T) ** 2).sum(1)
        return np.column_stack([components, np.log(left_over + 1e-12)])


def within(reference: Array) -> Callable[[Array], Array]:
    """Sum over the sweeps of each one's log distance; ``reference`` ``[n, sweep, quantile]``."""
    tests = [PrincipalJoint(sweep) for sweep in reference.transpose(1, 0, 2)]
    return lambda x: sum(np.log(test(x[:, s]) + 1e-12) for s, test in enumerate(tests))  # type: ignore[return-value]


def across(reference: Array) -> Callable[[Array], Array]:
    """Distance of all sweeps side by side; ``reference`` ``[n, sweep, quantile]``."""
    test = PrincipalJoint(reference.reshape(len(reference), -1))
    return lambda x: test(x.reshape(len(x), -1))
