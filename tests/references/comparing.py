"""How far draws lie from a reference: a classifier's accuracy, ratios of standard deviations, shifts of means."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from sbi.utils.metrics import c2st

Array = NDArray[np.float64]
# Of each kind, which the classifier is trained and tested on.
DRAWS = 2000


@dataclass(frozen=True, eq=False)
class Comparison:
    """Draws beside a reference, in the space in which the prior is standard normal.

    Attributes
    ----------
    network, forest
        Accuracy of a classifier between the two, over five folds: sbi's C2ST with its neural network (as in Lueckmann
        et al. 2021) and with its random forest. 0.5 is perfect.
    ratio
        ``[parameter]``: standard deviation over the reference's.
    shift
        ``[parameter]``: difference of the means in standard deviations of the reference.
    """

    network: float
    forest: float
    ratio: Array
    shift: Array

    @property
    def mean_ratio(self) -> float:
        """Geometric."""
        return float(np.exp(np.log(self.ratio).mean()))


def compare(draws: Array, reference: Array, seed: int = 1, forest: bool = True) -> Comparison:
    """Compare ``[draw, parameter]`` with a reference; of each, at most :data:`DRAWS` go to the classifiers."""
    n = min(DRAWS, len(draws), len(reference))
    x, y = (torch.as_tensor(each[:n], dtype=torch.float32) for each in (reference, draws))
    return Comparison(
        float(c2st(x, y, seed=seed, classifier="mlp")),
        float(c2st(x, y, seed=seed, classifier="rf")) if forest else float("nan"),
        *moments(draws, reference),
    )


def moments(draws: Array, reference: Array) -> tuple[Array, Array]:
    """Ratio and shift of a :class:`Comparison`."""
    sd = reference.std(axis=0)
    return draws.std(axis=0) / sd, (draws.mean(axis=0) - reference.mean(axis=0)) / sd
