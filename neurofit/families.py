"""Families of priors, as users state them: ``{family = "log_uniform", low = 0.02, high = 0.5}``.

They stand here, below every room, because templates and checks both read them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidatorFunctionWrapHandler, WrapValidator, model_validator
from scipy import stats

Finite = Annotated[float, Field(allow_inf_nan=False)]
Positive = Annotated[float, Field(allow_inf_nan=False, gt=0)]


class Closed(BaseModel):
    """A table whose every key has a name here, so that a misspelt one is never silently ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


def _number_or_expression(value: Any, number: ValidatorFunctionWrapHandler) -> Any:
    return value if isinstance(value, str) else number(value)


_OrExpression = WrapValidator(_number_or_expression)
# A prior's number may be an expression, which is text here; neurofit.template.dependent puts numbers in its place.
Number = Annotated[Finite, _OrExpression]
PositiveNumber = Annotated[Positive, _OrExpression]
# From here up, rounding alone puts no more than one draw in millions onto a bound, where the density is infinite.
Shape = Annotated[float, Field(allow_inf_nan=False, ge=0.5), _OrExpression]


class _Family(Closed):
    """A prior as it is stated; only ``neurofit.template.dependent`` gives one with expressions a distribution."""

    family: str

    @property
    def expressions(self) -> dict[str, str]:
        """``{key: text}`` of what is not a number."""
        return {key: value for key, value in self if key != "family" and isinstance(value, str)}

    @property
    def parents(self) -> tuple[str, ...]:
        """The free parameters that it depends on: none."""
        return ()

    @property
    def distribution(self) -> Any:
        """A frozen ``scipy.stats`` distribution in the parameter's unit."""
        raise NotImplementedError

    def given(self, values: Mapping[str, Any]) -> Any:
        """The same, whatever the other parameters' values are."""
        return self.distribution

    @model_validator(mode="after")
    def _sound(self) -> Any:
        if not self.expressions:
            self._check()
        return self

    def _check(self) -> None:
        """Raise a ValueError if these numbers make no distribution together."""


class _Bounded(_Family):
    low: Number
    high: Number

    def _check(self) -> None:
        if not self.low < self.high:
            raise ValueError(f"low ({self.low:g}) must be below high ({self.high:g})")


class Uniform(_Bounded):
    """Flat between ``low`` and ``high``."""

    family: Literal["uniform"]

    @property
    def distribution(self) -> Any:
        return stats.uniform(self.low, self.high - self.low)

    def __str__(self) -> str:
        return f"uniform from {_said(self.low)} to {_said(self.high)}"


class LogUniform(_Bounded):
    """Flat in the logarithm between ``low`` and ``high``."""

    family: Literal["log_uniform"]

    def _check(self) -> None:
        super()._check()
        if self.low <= 0:
            raise ValueError(f"a log-uniform prior needs low above 0, not {self.low:g}")

    @property
    def distribution(self) -> Any:
        return stats.loguniform(self.low, self.high)

    def __str__(self) -> str:
        return f"log-uniform from {_said(self.low)} to {_said(self.high)}"


class Normal(_Family):
    """Gaussian."""

    family: Literal["normal"]
    mean: Number
    sd: PositiveNumber

    @property
    def distribution(self) -> Any:
        return stats.norm(self.mean, self.sd)

    def __str__(self) -> str:
        return f"normal {_said(self.mean)} ± {_said(self.sd)}"


class TruncatedNormal(_Bounded):
    """Gaussian cut off at ``low`` and ``high``."""

    family: Literal["truncated_normal"]
    mean: Number
    sd: PositiveNumber

    def _check(self) -> None:
        super()._check()
        if not self.low - 5 * self.sd < self.mean < self.high + 5 * self.sd:
            raise ValueError(
                f"the bounds {self.low:g} to {self.high:g} cut off everything within 5 sd of the mean ({self.mean:g})"
            )

    @property
    def distribution(self) -> Any:
        low, high = (self.low - self.mean) / self.sd, (self.high - self.mean) / self.sd
        return stats.truncnorm(low, high, loc=self.mean, scale=self.sd)

    def __str__(self) -> str:
        return f"normal {_said(self.mean)} ± {_said(self.sd)} between {_said(self.low)} and {_said(self.high)}"


class LogNormal(_Family):
    """Gaussian in the natural logarithm, with this ``median`` and standard deviation ``log_sd`` of the logarithm."""

    family: Literal["log_normal"]
    median: PositiveNumber
    log_sd: PositiveNumber

    @property
    def distribution(self) -> Any:
        return stats.lognorm(self.log_sd, scale=self.median)

    def __str__(self) -> str:
        times = f"exp({self.log_sd})" if isinstance(self.log_sd, str) else f"{math.exp(self.log_sd):.3g}"
        return f"log-normal around {_said(self.median)}, times or divided by {times}"


class Beta(_Bounded):
    """A beta distribution with the shapes ``alpha`` and ``beta``, between ``low`` and ``high``."""

    family: Literal["beta"]
    alpha: Shape
    beta: Shape

    @property
    def distribution(self) -> Any:
        return stats.beta(self.alpha, self.beta, loc=self.low, scale=self.high - self.low)

    def __str__(self) -> str:
        shapes = f"beta({_said(self.alpha)}, {_said(self.beta)})"
        return f"{shapes} from {_said(self.low)} to {_said(self.high)}"


def _said(number: float | str) -> str:
    return number if isinstance(number, str) else f"{number:g}"


PriorFamily = Annotated[
    Uniform | LogUniform | Normal | TruncatedNormal | LogNormal | Beta, Field(discriminator="family")
]
