"""Calibration of a trained density, on simulations that it was not trained on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from neurofit.errors import TrainingError
from neurofit.infer.calibration import Calibration, assess
from neurofit.infer.density import Density
from neurofit.infer.summaries import Summaries

Array = NDArray[np.float64]
# Posterior draws of a case, and how often they are drawn again where they fall outside the region.
DRAWS = 50
ATTEMPTS = 10


def assess_held_out(
    density: Density,
    summaries: Summaries,
    z: Array,
    deviations: Array,
    names: Sequence[str],
    seed: int,
    region: Callable[[Array], NDArray[np.bool_]] | None = None,
    most: int = 400,
) -> Calibration:
    """Check a trained density on simulations that were held out of its training.

    Draws outside the region are drawn again, as those of the fitted posterior are. A simulation whose posterior lies
    almost wholly outside is left out and counted: that depends on its data only, so the others are judged alike.

    Parameters
    ----------
    z, deviations
        ``[simulation, parameter]`` and ``[simulation, summary]`` (NaN where undefined); noise of one tolerance is added
        and undefined features are encoded as in training.
    names
        Of the parameters.
    region
        ``[row, parameter] -> [row]``: does it lie inside what the simulations were drawn from?
    most
        At most so many simulations, chosen at random.

    Raises
    ------
    TrainingError
        If hardly any simulation's posterior lies inside the region.
    """
    rng = np.random.default_rng(seed).spawn(1)[0]  # not the numbers that the draws are made of
    chosen = np.sort(rng.permutation(len(z))[:most])
    noisy = deviations[chosen] + rng.standard_normal((len(chosen), len(summaries)))
    x = summaries.encode(torch.as_tensor(noisy, dtype=torch.float32))
    samples, kept = _draws_inside(density, x, region, max(DRAWS, 3 * len(names)), seed)
    if kept.sum() < 2:
        raise TrainingError(
            "The last round's density lies almost wholly outside the region that its simulations came from: it is not "
            "to be trusted. Try more simulations in a round."
        )
    samples, z, x = samples[:, kept], z[chosen[kept]], x[kept]
    n = len(samples)
    observed = summaries.encode(torch.zeros(1, len(summaries)))
    found = assess(
        samples, z, names, seed=seed,
        log_draws=density.log_prob(samples.reshape(-1, z.shape[1]), x.repeat(n, 1)).reshape(n, -1),
        log_truths=density.log_prob(z, x),
        distances=torch.linalg.vector_norm(x - observed, dim=1).numpy(),
    )  # fmt: skip
    return replace(found, left_out=int((~kept).sum()))


def _draws_inside(
    density: Density, x: torch.Tensor, region: Callable[[Array], NDArray[np.bool_]] | None, n: int, seed: int
) -> tuple[Array, NDArray[np.bool_]]:
    """``[n, case, parameter]`` draws inside the region, and ``[case]``: were so many found?"""
    first = density.sample(n, seed, x)
    if region is None:
        return first, np.ones(len(x), dtype=bool)
    samples, found = np.zeros_like(first), np.zeros(len(x), dtype=np.intp)
    short = np.arange(len(x))
    for attempt in range(ATTEMPTS):
        more = density.sample(n, seed + attempt, x[short]) if attempt else first
        inside = region(more.reshape(-1, more.shape[2])).reshape(n, -1)
        for case, own, good in zip(short, more.swapaxes(0, 1), inside.T, strict=True):
            fresh = own[good][: n - found[case]]
            samples[found[case] : found[case] + len(fresh), case] = fresh
            found[case] += len(fresh)
        short = np.flatnonzero(found < n)
        if not len(short):
            break
    return samples, found == n
