"""What a rig does to a voltage, put into simulations: offset, series resistance, filter and noise.

A simulator is quieter than a rig, so that any recording lies outside simulations of the cell alone. With the rig's
imperfections in the reference, each drawn from a prior, the raw check asks about the cell.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import TypeAdapter, ValidationError
from scipy.signal import bessel, sosfilt, sosfilt_zi

from neurofit.check.artefacts import cells_of
from neurofit.check.inputs import all_finite, array, settings
from neurofit.errors import CheckError
from neurofit.families import PriorFamily

Array = NDArray[np.float64]
Given = PriorFamily | Mapping[str, Any] | float | None

POLES = 4
# Nothing is left of an impulse after so many periods of the corner frequency.
MEMORY = 3.0
_FAMILY: TypeAdapter[Any] = TypeAdapter(PriorFamily)
_IN_WORDS = {
    "offset_mv": ("an offset of", "mV"),
    "series_resistance_mohm": ("a series resistance of", "MOhm"),
    "corner_khz": ("a low-pass filter at", "kHz"),
    "noise_sd_mv": ("observation noise of", "mV"),
}
_EXAMPLE = 'a number or a prior such as {"family": "log_uniform", "low": 0.02, "high": 0.5}'


@dataclass(frozen=True)
class Nuisances:
    """Imperfections of a rig, each a prior as in a template, a fixed number, or ``None`` for none of it.

    A cell has one offset, one series resistance, one filter and one noise level for all of its sweeps; the noise itself
    is new in every sample. They come in the order of a rig: offset, series resistance and noise, then the filter.

    Attributes
    ----------
    offset_mv
        Added to the voltage: a junction potential, a drifted electrode.
    series_resistance_mohm
        What the bridge leaves unbalanced: times the injected current, added to the voltage; negative if it balances too
        much.
    corner_khz
        Corner (-3 dB) of a 4-pole Bessel low-pass filter, which is causal and so delays.
    noise_sd_mv
        Standard deviation of Gaussian noise as it is recorded, filter included; white where there is no filter.

    Raises
    ------
    CheckError
        If a prior cannot be read, or allows a negative noise or a corner at 0 or below.

    Examples
    --------
    >>> import numpy as np
    >>> rig = Nuisances(offset_mv={"family": "normal", "mean": 0, "sd": 2}, noise_sd_mv=0.2)
    >>> print(rig)
    an offset of 0 ± 2 mV and observation noise of 0.2 mV
    >>> measured = rig.applied_to(np.full((3, 1000), -70.0), dt_ms=0.1, seed=1)
    >>> measured.std(axis=1).round(1).tolist()
    [0.2, 0.2, 0.2]
    >>> rig.draws(3, seed=1)["offset_mv"].round(1).tolist() == (measured.mean(axis=1) + 70).round(1).tolist()
    True
    """

    offset_mv: Given = None
    series_resistance_mohm: Given = None
    corner_khz: Given = None
    noise_sd_mv: Given = None

    def __post_init__(self) -> None:
        for field in fields(self):
            object.__setattr__(self, field.name, _read(field.name, getattr(self, field.name)))

    def applied_to(
        self,
        voltage_mv: ArrayLike,
        *,
        dt_ms: float,
        current_pa: ArrayLike | None = None,
        seed: int = 0,
        first_row: int = 0,
    ) -> NDArray[Any]:
        """The voltage as this rig would record it; the same shape, float32 where it was.

        Parameters
        ----------
        voltage_mv
            ``[row, time]`` or ``[row, sweep, time]``, a cell a row.
        dt_ms
            Sampling interval.
        current_pa
            Injected current of a row, ``[time]`` or ``[sweep, time]``; needed for a series resistance.
        seed, first_row
            Fix what is drawn: row i gets the draws of number ``first_row + i``, whatever stands beside it.

        Raises
        ------
        CheckError
            If the voltage is not finite, the current is missing or of another shape, or a corner is not below half the
            sampling rate.
        """
        where = "Nuisances.applied_to"
        settings(0.5, seed, where)
        voltage = cells_of(voltage_mv, dt_ms, where)
        drawn = self.draws(len(voltage), seed=seed, first_row=first_row)
        added = self._drop_mv_per_mohm(current_pa, voltage.shape[1:], where)
        corners = drawn.get("corner_khz", np.empty(0))
        if (corners >= 0.5 / dt_ms).any():
            raise CheckError(
                "a filter's corner is not below half the sampling rate",
                where=where,
                expected=f"corners below {0.5 / dt_ms:g} kHz at {dt_ms:g} ms",
                found=f"{corners.max():.4g} kHz",
                advice="Leave the filter out: it does nothing at this sampling rate, or limit its prior.",
            )
        recorded = np.empty_like(voltage)
        none = np.zeros(len(voltage))
        offset, noise = (drawn.get(name, none) for name in ("offset_mv", "noise_sd_mv"))
        resistance = drawn.get("series_resistance_mohm", none)
        for i, row in enumerate(voltage):
            row = row + offset[i] + resistance[i] * added
            rng = _stream(seed, first_row + i, 1)
            if len(corners):
                sections = bessel(POLES, corners[i], fs=1 / dt_ms, norm="mag", output="sos")
                memory = math.ceil(MEMORY / (corners[i] * dt_ms))
                row = _filtered(row, sections) + noise[i] * _filtered_noise(rng, row.shape, sections, memory)
            elif noise[i]:
                row = row + noise[i] * rng.standard_normal(row.shape)
            recorded[i] = row
        return recorded

    def draws(self, n: int, *, seed: int = 0, first_row: int = 0) -> dict[str, Array]:
        """``{name: [n]}`` of what is not ``None``: the imperfections of rows ``first_row`` to ``first_row + n``."""
        rows = range(first_row, first_row + n)
        uniform = np.array([_stream(seed, row, 0).random(len(_IN_WORDS)) for row in rows]).reshape(n, len(_IN_WORDS))
        return {
            name: np.full(n, given) if isinstance(given, float) else np.asarray(given.distribution.ppf(uniform[:, j]))
            for j, name in enumerate(_IN_WORDS)
            if (given := getattr(self, name)) is not None
        }

    def __str__(self) -> str:
        said = [
            f"{words} {_said(given)} {unit}"
            for name, (words, unit) in _IN_WORDS.items()
            if (given := getattr(self, name)) is not None
        ]
        return " and ".join([", ".join(said[:-1]), said[-1]] if len(said) > 1 else said) or "a perfect rig"

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Nuisances:
        """From plain values, as a TOML file has them.

        Raises
        ------
        CheckError
            For a name that is none of the above, or a prior that cannot be used.
        """
        unknown = sorted(set(data) - set(_IN_WORDS))
        if unknown:
            raise CheckError(
                f"{unknown[0]} is no imperfection of a rig", where="Nuisances", expected=", ".join(_IN_WORDS)
            )
        return cls(**data)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for :meth:`from_dict`."""
        given = {field.name: getattr(self, field.name) for field in fields(self)}
        return {
            name: prior if isinstance(prior, float) else prior.model_dump()
            for name, prior in given.items()
            if prior is not None
        }

    def _drop_mv_per_mohm(self, current_pa: ArrayLike | None, shape: tuple[int, ...], where: str) -> Array:
        """Voltage across one MOhm, to be added to every row."""
        if self.series_resistance_mohm is None:
            return np.zeros(())
        if current_pa is None:
            raise CheckError(
                "a series resistance needs the injected current",
                where=where,
                expected=f"current_pa of shape {shape}",
                found="none",
            )
        current = array(current_pa, "current_pa", where)
        if current.shape != shape:
            raise CheckError(
                "the current is not that of a row of the voltage",
                where=where,
                expected=f"shape {shape}",
                found=f"shape {current.shape}",
            )
        all_finite(current, "current_pa", where, ("sweep", "sample")[-current.ndim :], "Every sample has a current.")
        return current * 1e-3


def _filtered(x: Array, sections: Array) -> Array:
    """``[..., time]`` behind a filter that had settled on each sweep's first value."""
    settled = sosfilt_zi(sections).reshape(len(sections), *(1,) * (x.ndim - 1), 2)
    return np.asarray(sosfilt(sections, x, axis=-1, zi=settled * x[None, ..., :1])[0])


def _filtered_noise(rng: np.random.Generator, shape: tuple[int, ...], sections: Array, memory: int) -> Array:
    """Noise behind the filter, with a standard deviation of 1 there."""
    impulse = np.zeros(memory + 1)
    impulse[1] = 1.0
    passed = np.sqrt((_filtered(impulse, sections) ** 2).sum())
    white = rng.standard_normal((*shape[:-1], memory + shape[-1]))
    return _filtered(white, sections)[..., memory:] / passed


def _said(given: Any) -> str:
    """``0.1 to 0.5``, ``0 ± 2``, ``0.2``."""
    if isinstance(given, float):
        return f"{given:g}"
    return f"{given.low:g} to {given.high:g}" if hasattr(given, "low") else str(given).removeprefix("normal ")


def _stream(seed: int, row: int, use: int) -> np.random.Generator:
    return np.random.default_rng([seed, row, use])


def _read(name: str, given: Given) -> Any:
    """A prior, a number as a float, or ``None``."""
    if given is None:
        return None
    where = f"Nuisances.{name}"
    if isinstance(given, int | float | np.number) and not isinstance(given, bool):
        prior: Any = float(given)
        lowest = prior
        if not np.isfinite(prior):
            raise CheckError("not a finite number", where=where, expected=_EXAMPLE, found=f"{given}")
    else:
        prior = _prior(given, where)
        lowest = prior.distribution.support()[0]
    if (name == "noise_sd_mv" and lowest < 0) or (name == "corner_khz" and not lowest > 0):
        raise CheckError(
            "noise cannot be negative" if name == "noise_sd_mv" else "a filter's corner lies above 0 kHz",
            where=where,
            expected=_EXAMPLE,
            found=f"{prior} {_IN_WORDS[name][1]}",
        )
    return prior


def _prior(given: Any, where: str) -> Any:
    try:
        prior = _FAMILY.validate_python(given)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"][1:])) or "the prior"
        message = first["msg"].removeprefix("Value error, ")
        raise CheckError(
            f"{key} cannot be used: {message}", where=where, expected=_EXAMPLE, found=f"{given!r}"
        ) from error
    if prior.expressions:
        raise CheckError(
            "a rig's prior depends on no parameter of the cell", where=where, expected=_EXAMPLE, found=f"{prior}"
        )
    return prior
