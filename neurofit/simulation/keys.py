"""Keys: 53-bit numbers that fix each simulation's noise, made from the run's seed and nothing else."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neurofit.errors import ParameterError

# A double holds every whole number up to 2**53, and Brian2's per-neuron parameters are doubles.
_TOP = np.uint64(11)


def draw_keys(seed: int, stream: int, n: int, start: int = 0) -> NDArray[np.uint64]:
    """Keys of draws ``start`` to ``start + n`` of one stream of a seed, ``[draw]``.

    Parameters
    ----------
    seed
        The run's seed.
    stream
        Which use of it: two streams never share a key but by chance (2**-53).

    Raises
    ------
    ParameterError
        If the seed is not a whole number from 0.
    """
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
        raise ParameterError("this is not a seed", expected="a whole number from 0", found=repr(seed))
    base = np.random.SeedSequence([seed, stream]).generate_state(1, np.uint64)[0]
    with np.errstate(over="ignore"):
        return mix(base + np.arange(start, start + n, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)) >> _TOP


def sweep_keys(keys: ArrayLike, n_sweeps: int) -> NDArray[np.uint64]:
    """A key for each sweep of each draw, ``[draw, sweep]``: the noise of two sweeps is not the same noise."""
    draws = np.asarray(keys, dtype=np.uint64)[:, None]
    sweeps = np.arange(1, n_sweeps + 1, dtype=np.uint64)[None, :]
    with np.errstate(over="ignore"):
        return mix(mix(draws) + sweeps * np.uint64(0xD1B54A32D192ED03)) >> _TOP


def checked_keys(keys: ArrayLike, n: int) -> NDArray[np.uint64]:
    """Keys that a user gave, ``[draw]``.

    Raises
    ------
    ParameterError
        Unless there are ``n`` whole numbers from 0.
    """
    found = np.asarray(keys)
    if found.shape != (n,) or found.dtype.kind not in "ui" or (found < 0).any():
        raise ParameterError(
            "one key per draw is needed",
            expected=f"{n} whole numbers from 0",
            found=f"an array {found.shape} of {found.dtype}",
        )
    return found.astype(np.uint64)


def mix(z: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The finaliser of splitmix64 (Steele, Lea and Flood 2014)."""
    with np.errstate(over="ignore"):
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))
