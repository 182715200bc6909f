"""Simulators whose answer is known: ``case(rng, n)`` gives independent well-specified draws."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
Case = Callable[[np.random.Generator, int], tuple[Array, Mask | None]]


def independent(rng: np.random.Generator, n: int) -> tuple[Array, None]:
    return rng.standard_normal((n, 6)), None


def correlated(rng: np.random.Generator, n: int) -> tuple[Array, None]:
    """Ten features that two parameters nearly determine."""
    theta = rng.uniform(-1, 1, (n, 2))
    mixing = np.random.default_rng(0).standard_normal((2, 10))
    return theta @ mixing + 0.05 * rng.standard_normal((n, 10)), None


def curved(rng: np.random.Generator, n: int) -> tuple[Array, None]:
    """A thin spiral, which no covariance describes."""
    angle = rng.uniform(0, 6, n)
    return np.column_stack([angle * np.cos(angle), angle * np.sin(angle)]) + 0.1 * rng.standard_normal((n, 2)), None


def heavy_tailed(rng: np.random.Generator, n: int) -> tuple[Array, None]:
    return rng.standard_cauchy((n, 4)), None


def counts(rng: np.random.Generator, n: int) -> tuple[Array, None]:
    """Ties nearly everywhere."""
    rate = rng.uniform(0.2, 4, (n, 1))
    return rng.poisson(rate, (n, 3)).astype(float), None


def spiking(rng: np.random.Generator, n: int) -> tuple[Array, Mask]:
    """A spike count and what needs one or two spikes to be defined; a third of the cells is silent."""
    drive = rng.uniform(-1, 2, n)
    count = rng.poisson(np.exp(drive) - 0.3 * (drive < 0)) * (drive > 0)
    width = 1.0 - 0.2 * drive + 0.05 * rng.standard_normal(n)
    height = 80.0 + 10.0 * drive + rng.standard_normal(n)
    interval = 50.0 / np.exp(drive) + rng.standard_normal(n)
    rest = -70.0 + 2.0 * drive + 0.5 * rng.standard_normal(n)
    values = np.column_stack([rest, count, width, height, interval])
    defined = np.ones(values.shape, dtype=bool)
    defined[:, 2:4] = count[:, None] > 0
    defined[:, 4] = count > 1
    return np.where(defined, values, np.nan), defined


def rarely_defined(rng: np.random.Generator, n: int) -> tuple[Array, Mask]:
    """A feature that one cell in eight has, and one that all but one in fifty have."""
    x = rng.standard_normal((n, 4))
    x[:, 3] += 2 * x[:, 0]
    defined = np.ones(x.shape, dtype=bool)
    defined[:, 2] = x[:, 0] + 0.3 * rng.standard_normal(n) > 1.2
    defined[:, 3] = rng.random(n) > 0.02
    return x, defined


CASES: dict[str, Case] = {
    case.__name__: case for case in (independent, correlated, curved, heavy_tailed, counts, spiking, rarely_defined)
}


def traces(rng: np.random.Generator, n: int, sweeps: int = 1, samples: int = 300, gain: float = 1.0) -> Array:
    """Passive cells, ``[n, sweep, time]`` at 0.1 ms, a step from 5 to 25 ms; one parameter draw per cell."""
    time = np.arange(samples) * 0.1
    resistance, tau, rest = (
        rng.uniform(0.5, 2, (n, 1, 1)),
        rng.uniform(2, 8, (n, 1, 1)),
        rng.normal(-70, 1, (n, 1, 1)),
    )
    current = 5.0 * gain * np.arange(1, sweeps + 1)[:, None]
    charge = np.where(time < 5, 0, 1 - np.exp(-np.clip(time - 5, 0, 20) / tau))
    charge = np.where(time < 25, charge, (1 - np.exp(-20 / tau)) * np.exp(-np.clip(time - 25, 0, None) / tau))
    noise = rng.standard_normal((n, sweeps, samples + 2))
    return rest + resistance * current * charge + 0.2 * (noise[..., 1:-1] + noise[..., :-2] + noise[..., 2:])


RAW = {"dt_ms": 0.1, "step_ms": (5.0, 25.0)}
