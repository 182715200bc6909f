"""What a normalizing flow starts from: a normal distribution, moved and widened until its posteriors are calibrated."""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass
from typing import Any

import torch
from nflows.distributions.normal import StandardNormal
from torch import Tensor


@dataclass(frozen=True)
class Base:
    """A normal distribution for each flow of an ensemble.

    Attributes
    ----------
    shift
        ``[member][parameter]``: its means; 0 where empty.
    width
        Its standard deviation.
    """

    shift: tuple[tuple[float, ...], ...] = ()
    width: float = 1.0

    def to_dict(self) -> dict[str, Any]:
        return {"shift": [list(row) for row in self.shift], "width": self.width}

    @staticmethod
    def from_dict(values: dict[str, Any]) -> Base:
        return Base(tuple(tuple(row) for row in values["shift"]), values["width"])


STANDARD = Base()


def starting_from(flow: Any, base: Base, member: int) -> Any:
    """A copy of sbi's flow that starts from the base of one member."""
    result = copy.deepcopy(flow)
    mean = torch.tensor(base.shift[member]) if base.shift else torch.zeros(flow.input_shape)
    result.net._distribution = _Normal(mean, base.width)
    return result


class _Normal(StandardNormal):
    """The standard normal of nflows with another mean, and another standard deviation."""

    def __init__(self, mean: Tensor, width: float) -> None:
        super().__init__(mean.shape)
        self.mean_, self.width, self.log_width = mean, width, math.prod(mean.shape) * math.log(width)

    def _log_prob(self, inputs: Tensor, context: Tensor) -> Tensor:
        return super()._log_prob((inputs - self.mean_) / self.width, context) - self.log_width

    def _sample(self, num_samples: int, context: Tensor) -> Tensor:
        return self.mean_ + self.width * super()._sample(num_samples, context)
