"""How well a network reads parameters from simulations that it has not seen, parameter by parameter."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neurofit.infer.calibration import Calibration

Array = NDArray[np.float64]

# Central intervals from 0.5 to 99.5 %, as in BayesFlow's calibration error.
_LEVELS = np.linspace(0.005, 0.995, 20)


@dataclass(frozen=True, eq=False)
class Recovery:
    """Posteriors of cases whose true parameters are known.

    Attributes
    ----------
    names, units
        ``[parameter]``.
    truths
        ``[case, parameter]``, drawn from the prior.
    draws
        ``[case, draw, parameter]``.
    calibration
        The checks of the posterior's width, place and shape, with a verdict.
    """

    names: tuple[str, ...]
    units: tuple[str, ...]
    truths: Array
    draws: Array
    calibration: Calibration

    @property
    def nrmse(self) -> Array:
        """``[parameter]``: the draws' root mean square distance from the truth, as a share of the prior draws' own.

        Median over cases of each; 1 where nothing was learned, and posteriors that are too wide pay as well as those
        in the wrong place. That of prior draws is worked out from the truths of the other cases.
        """
        own = np.sqrt(((self.draws - self.truths[:, None]) ** 2).mean(axis=1))
        middle, variance = self.truths.mean(axis=0), self.truths.var(axis=0)
        prior = np.sqrt((self.truths - middle) ** 2 + variance)
        return np.asarray(np.median(own, axis=0) / np.median(prior, axis=0))

    @property
    def contraction(self) -> Array:
        """``[parameter]``: median over cases of 1 - posterior variance / prior variance (Betancourt 2018)."""
        posterior, prior = self.draws.var(axis=1, ddof=1), self.truths.var(axis=0, ddof=1)
        return np.asarray(np.median(np.clip(1 - posterior / prior, 0, 1), axis=0))

    @property
    def calibration_error(self) -> Array:
        """``[parameter]``: median over levels of |share of truths inside central intervals - the level|.

        An exact posterior has about .3/sqrt(cases).
        """
        low, high = np.quantile(self.draws, [(1 - _LEVELS) / 2, (1 + _LEVELS) / 2], axis=1)
        inside = ((low <= self.truths) & (self.truths <= high)).mean(axis=1)
        return np.asarray(np.median(np.abs(inside - _LEVELS[:, None]), axis=0))

    @property
    def correlation(self) -> Array:
        """``[parameter]``: of the posterior medians with the truths."""
        medians = np.median(self.draws, axis=1)
        pairs = zip(medians.T, self.truths.T, strict=True)
        return np.array([np.corrcoef(found, true)[0, 1] for found, true in pairs])

    @property
    def table(self) -> pd.DataFrame:
        """A row a parameter."""
        columns = {
            "correlation": self.correlation,
            "NRMSE": self.nrmse,
            "contraction": self.contraction,
            "calibration error": self.calibration_error,
        }
        return pd.DataFrame(columns, index=pd.Index(self.names, name="parameter"))
