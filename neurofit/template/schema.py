"""The template's file format, version 1: every key that may stand in a model's TOML file, and what it may hold.

The schema is closed: a key that is not named here is an error, so a misspelt one is never silently ignored.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from neurofit.families import Closed, Finite, PriorFamily

SCHEMA_VERSION = 1

Text = Annotated[str, Field(min_length=1)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")]


class ParameterTable(Closed):
    """``[parameters.NAME]``: free if it has a prior, otherwise held at its value."""

    unit: Text
    value: Finite
    prior: PriorFamily | None = None
    description: Text
    source: Text


class EquationsTable(Closed):
    """``[equations]``: Brian2 text for the model, and what of it the electrode reports."""

    model: Text
    recorded: Text = "v"


class SpikeTable(Closed):
    """``[spike]``: for models with a threshold and a reset instead of an action potential."""

    threshold: Text
    reset: Text
    refractory: Text
    drawn_peak_mv: Annotated[float, Field(allow_inf_nan=False, ge=0, le=100)]
    drawn_width_ms: Annotated[float, Field(allow_inf_nan=False, gt=0, le=10)]


class IntegrationTable(Closed):
    """``[integration]``: how Brian2 steps the equations."""

    method: Literal["staggered_exponential_euler", "exponential_euler", "euler", "rk2", "rk4"]
    dt_ms: Annotated[float, Field(allow_inf_nan=False, gt=0, le=1)]
    precision: Literal["double", "single"] = "double"


class RigTables(Closed):
    """``[rig.NAME]``: what the rig adds to the recorded voltage; each is like ``[parameters.NAME]``."""

    series_resistance: ParameterTable | None = None
    junction_potential: ParameterTable | None = None
    offset: ParameterTable | None = None
    filter: ParameterTable | None = None
    noise: ParameterTable | None = None

    @property
    def given(self) -> dict[str, ParameterTable]:
        """``{name: table}`` of those that the template has."""
        return {name: table for name in type(self).model_fields if (table := getattr(self, name)) is not None}


class TemplateFile(Closed):
    """The whole file."""

    schema_: Annotated[Literal[1], Field(alias="schema")]
    name: Name
    title: Text
    description: Text
    references: list[Text] = Field(default_factory=list)
    equations: EquationsTable
    spike: SpikeTable | None = None
    initial: dict[Name, Text]
    integration: IntegrationTable
    parameters: Annotated[dict[Name, ParameterTable], Field(min_length=1)]
    rig: RigTables = Field(default_factory=RigTables)
