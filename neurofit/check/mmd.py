"""The baseline: sbi's misspecification test, to compare with and not to rely on.

It weighs statistics by their units and with one observation its statistic saturates; it rejected none of 200
recordings that the joint test rejected every time. NaN makes its p-value 1, so it is refused here.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from neurofit.check.inputs import all_finite, array


def sbi_mmd(observed: ArrayLike, reference: ArrayLike, *, seed: int = 0) -> float:
    """p-value of ``sbi.diagnostics.misspecification.calc_misspecification_mmd`` in the space of the arrays.

    Parameters
    ----------
    observed
        ``[features]`` or ``[observations, features]``.
    reference
        ``[n, features]``.
    seed
        Of torch's generator, whose state is put back afterwards.

    Raises
    ------
    CheckError
        If there is a NaN.

    Notes
    -----
    Source: Schmitt et al. 2021, arXiv 2112.08866; Gretton et al. 2012. Needs sbi and torch, imported here.
    """
    x, obs = array(reference, "reference", "sbi_mmd"), np.atleast_2d(array(observed, "observed", "sbi_mmd"))
    for values, name in ((obs, "observed"), (x, "reference")):
        all_finite(values, name, "sbi_mmd", ("row", "feature"), "Leave out what is undefined.")
    import torch
    from sbi.diagnostics.misspecification import calc_misspecification_mmd

    with torch.random.fork_rng():
        torch.manual_seed(seed)
        p, _ = calc_misspecification_mmd(
            x_obs=torch.from_numpy(obs).float(), x=torch.from_numpy(x).float(), mode="x_space"
        )
    return float(p)
