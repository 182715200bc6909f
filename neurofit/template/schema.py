"""The template's file format, version 1: every key that may stand in a model's TOML file, and what it may hold.

The schema is closed: a key that is not named here is an error, so a misspelt one is never silently ignored.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator
from scipy import stats

SCHEMA_VERSION = 1

Text = Annotated[str, Field(min_length=1)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Positive = Annotated[float, Field(allow_inf_nan=False, gt=0)]


class _Closed(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class _Bounded(_Closed):
    low: Finite
    high: Finite

    @model_validator(mode="after")
    def _ordered(self) -> Any:
        if not self.low < self.high:
            raise ValueError(f"low ({self.low:g}) must be below high ({self.high:g})")
        return self


class Uniform(_Bounded):
    """Flat between ``low`` and ``high``."""

    family: Literal["uniform"]

    @property
    def distribution(self) -> Any:
        return stats.uniform(self.low, self.high - self.low)

    def __str__(self) -> str:
        return f"uniform from {self.low:g} to {self.high:g}"


class LogUniform(_Bounded):
    """Flat in the logarithm between ``low`` and ``high``."""

    family: Literal["log_uniform"]

    @model_validator(mode="after")
    def _positive(self) -> LogUniform:
        if self.low <= 0:
            raise ValueError(f"a log-uniform prior needs low above 0, not {self.low:g}")
        return self

    @property
    def distribution(self) -> Any:
        return stats.loguniform(self.low, self.high)

    def __str__(self) -> str:
        return f"log-uniform from {self.low:g} to {self.high:g}"


class Normal(_Closed):
    """Gaussian."""

    family: Literal["normal"]
    mean: Finite
    sd: Positive

    @property
    def distribution(self) -> Any:
        return stats.norm(self.mean, self.sd)

    def __str__(self) -> str:
        return f"normal {self.mean:g} ± {self.sd:g}"


class TruncatedNormal(_Bounded):
    """Gaussian cut off at ``low`` and ``high``."""

    family: Literal["truncated_normal"]
    mean: Finite
    sd: Positive

    @model_validator(mode="after")
    def _something_left(self) -> TruncatedNormal:
        if not self.low - 5 * self.sd < self.mean < self.high + 5 * self.sd:
            raise ValueError(
                f"the bounds {self.low:g} to {self.high:g} cut off everything within 5 sd of the mean ({self.mean:g})"
            )
        return self

    @property
    def distribution(self) -> Any:
        low, high = (self.low - self.mean) / self.sd, (self.high - self.mean) / self.sd
        return stats.truncnorm(low, high, loc=self.mean, scale=self.sd)

    def __str__(self) -> str:
        return f"normal {self.mean:g} ± {self.sd:g} between {self.low:g} and {self.high:g}"


class LogNormal(_Closed):
    """Gaussian in the natural logarithm, with this ``median`` and standard deviation ``log_sd`` of the logarithm."""

    family: Literal["log_normal"]
    median: Positive
    log_sd: Positive

    @property
    def distribution(self) -> Any:
        return stats.lognorm(self.log_sd, scale=self.median)

    def __str__(self) -> str:
        return f"log-normal around {self.median:g}, times or divided by {math.exp(self.log_sd):.3g}"


PriorFamily = Annotated[Uniform | LogUniform | Normal | TruncatedNormal | LogNormal, Field(discriminator="family")]


class ParameterTable(_Closed):
    """``[parameters.NAME]``: free if it has a prior, otherwise held at its value."""

    unit: Text
    value: Finite
    prior: PriorFamily | None = None
    description: Text
    source: Text


class EquationsTable(_Closed):
    """``[equations]``: Brian2 text for the model, and what of it the electrode reports."""

    model: Text
    recorded: Text = "v"


class SpikeTable(_Closed):
    """``[spike]``: for models with a threshold and a reset instead of an action potential."""

    threshold: Text
    reset: Text
    refractory: Text
    drawn_peak_mv: Annotated[float, Field(allow_inf_nan=False, ge=0, le=100)]
    drawn_width_ms: Annotated[float, Field(allow_inf_nan=False, gt=0, le=10)]


class IntegrationTable(_Closed):
    """``[integration]``: how Brian2 steps the equations."""

    method: Literal["staggered_exponential_euler", "exponential_euler", "euler", "rk2", "rk4"]
    dt_ms: Annotated[float, Field(allow_inf_nan=False, gt=0, le=1)]
    precision: Literal["double", "single"] = "double"


class TemplateFile(_Closed):
    """The whole file."""

    schema_: Annotated[Literal[1], Field(alias="schema")]
    name: Name
    title: Text
    description: Text
    references: list[Text] = []
    equations: EquationsTable
    spike: SpikeTable | None = None
    initial: dict[Name, Text]
    integration: IntegrationTable
    parameters: Annotated[dict[Name, ParameterTable], Field(min_length=1)]
