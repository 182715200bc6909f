"""What a check found, as a value."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from neurofit.errors import CheckError

Array = NDArray[np.float64]

QUANTILES = (0.005, 0.025, 0.25, 0.5, 0.75, 0.975, 0.995)
SCHEMA = 1


@dataclass(frozen=True)
class Effect:
    """One statistic of the observation beside the reference's.

    Attributes
    ----------
    name, unit
        As the caller named it.
    kind
        ``"value"``, or ``"defined"`` for whether it is defined at all (observed 0 or 1; the mean of several).
    observed
        The observation's value, the median of several observations; ``None`` where none defines it.
    quantiles
        Of the reference where it is defined, at :data:`QUANTILES`; ``None`` for kind ``"defined"``.
    defined_share
        Share of the reference that defines it.
    percentile
        Percent of the reference below ``observed``, ties counted half.
    score
        Quantile score: like a standard normal deviate for the reference, linear beyond its range.
    p_value, adjusted_p_value
        Two-sided, alone and adjusted for looking at all statistics (step-down max-T).
    """

    name: str
    unit: str
    kind: Literal["value", "defined"]
    observed: float | None
    quantiles: tuple[float, ...] | None
    defined_share: float
    percentile: float | None
    score: float
    p_value: float
    adjusted_p_value: float


@dataclass(frozen=True)
class Stretch:
    """A stretch of time in which the voltage leaves the reference.

    Attributes
    ----------
    sweep
        Row of the cell's sweeps, from 0.
    start_ms, stop_ms
        From the first sample.
    score
        The most extreme quantile score in it; positive is above the reference.
    voltage_mv, low_mv, high_mv
        The observation where its score is most extreme, and the 99 % range of the reference there (relative
        to the baseline where that was subtracted).
    observation
        Which of several cells, from 0.
    """

    sweep: int
    start_ms: float
    stop_ms: float
    score: float
    voltage_mv: float
    low_mv: float
    high_mv: float
    observation: int = 0


@dataclass(frozen=True, eq=False, repr=False)
class CheckResult:
    """Can these simulations explain this observation?

    Attributes
    ----------
    space
        ``"summary"``, ``"raw"`` or ``"embedding"``.
    reference
        What the observation was compared with, in the caller's words.
    p_value
        Of all tests together: the share of simulations at least as strange.
    p_values
        Of each test.
    effects
        Every statistic, the most telling first.
    stretches
        Where the voltage leaves the reference (raw only), the most extreme first.
    sentences
        The same in words: the verdict first, then what differs and by how much.
    warnings
        What limits the check.
    null, observed_score
        For plotting: each test's scores of the null draws, and the observation's.
    p_observations
        For several observations: each one's own p, by test and ``"all"``.
    n_reference, n_observations, seed
        The size of the check, and what its folds were drawn with.
    """

    space: Literal["summary", "raw", "embedding"]
    reference: str
    p_value: float
    p_values: Mapping[str, float]
    effects: tuple[Effect, ...]
    stretches: tuple[Stretch, ...]
    sentences: tuple[str, ...]
    warnings: tuple[str, ...]
    null: Mapping[str, Array]
    observed_score: Mapping[str, float]
    p_observations: Mapping[str, tuple[float, ...]]
    n_reference: int
    n_observations: int
    seed: int

    def passed(self, level: float = 0.05) -> bool:
        """Is the observation within what the reference does, at this level?

        Raises
        ------
        CheckError
            If the level is not within 0 and 1, or lies below any p-value this check could have given.
        """
        if not 0 < level < 1:
            raise CheckError("the level must lie between 0 and 1", where="CheckResult.passed", found=f"{level}")
        if level < self.smallest_p_value:
            raise CheckError(
                f"no check of this size could fail at level {level:g}",
                where="CheckResult.passed",
                expected=f"a level of at least {self.smallest_p_value:.2g}",
                advice=f"Give at least {math.ceil(1 / level - 1e-9) - 1:,} reference simulations"
                " (with several observations, a larger level).",
            )
        return self.p_value > level

    @property
    def smallest_p_value(self) -> float:
        """The least p this check could have given, 1 / (draws of the null + 1)."""
        return 1 / (len(next(iter(self.null.values()))) + 1)

    def __repr__(self) -> str:
        return f"<CheckResult of {self.space} against {self.reference}: p = {self.p_value:.2g}>"

    def __str__(self) -> str:
        tests = ", ".join(f"{name} {p:.2g}" for name, p in self.p_values.items())
        lines = [f"Check in {self.space} space against {self.reference}: p = {self.p_value:.2g} ({tests})"]
        lines += [f"  {sentence}" for sentence in self.sentences]
        lines += [f"  Note: {warning}" for warning in self.warnings]
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Plain dicts, lists, numbers and text, for strict JSON; scores to six digits."""
        return {
            "schema": SCHEMA,
            "space": self.space,
            "reference": self.reference,
            "p_value": self.p_value,
            "p_values": dict(self.p_values),
            "effects": [
                {**asdict(effect), "quantiles": None if effect.quantiles is None else list(effect.quantiles)}
                for effect in self.effects
            ],
            "stretches": [asdict(stretch) for stretch in self.stretches],
            "sentences": list(self.sentences),
            "warnings": list(self.warnings),
            "null": {test: [float(f"{x:.6g}") for x in scores] for test, scores in self.null.items()},
            "observed_score": {test: float(f"{x:.6g}") for test, x in self.observed_score.items()},
            "p_observations": {test: list(p) for test, p in self.p_observations.items()},
            "n_reference": self.n_reference,
            "n_observations": self.n_observations,
            "seed": self.seed,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> CheckResult:
        """What :meth:`to_dict` gave.

        Raises
        ------
        CheckError
            If ``data`` is not such a dictionary, or of a later version.
        """
        if data.get("schema") != SCHEMA:
            raise CheckError(
                "not a check result this version can read",
                where="CheckResult.from_dict",
                expected=f"schema {SCHEMA}",
                found=f"schema {data.get('schema')}",
            )
        try:
            fields = {name: data[name] for name in cls.__dataclass_fields__}
            fields["effects"] = tuple(
                Effect(**{**e, "quantiles": None if e["quantiles"] is None else tuple(e["quantiles"])})
                for e in data["effects"]
            )
            fields["stretches"] = tuple(Stretch(**stretch) for stretch in data["stretches"])
            fields["sentences"], fields["warnings"] = tuple(data["sentences"]), tuple(data["warnings"])
            fields["null"] = {test: np.array(scores, dtype=np.float64) for test, scores in data["null"].items()}
            fields["p_observations"] = {test: tuple(p) for test, p in data["p_observations"].items()}
        except (KeyError, TypeError) as error:
            raise CheckError(
                f"a check result with a missing or unknown entry: {error}", where="CheckResult.from_dict"
            ) from error
        return cls(**fields)
