"""What the checks of a fit would have seen, as a value and in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

# In words: what it is called, its unit, and whether a smaller number is the worse artefact.
CALLED = {
    "offset_mv": ("voltage offset", "mV", False),
    "noise_sd_mv": ("observation noise", "mV", False),
    "series_resistance_mohm": ("series resistance", "MOhm", False),
    "corner_khz": ("low-pass filter", "kHz", True),
}
# Features whose shifts a sentence names, where they are fitted.
TOLD = ("resting_potential", "input_resistance", "mean_threshold", "mean_half_width", "spike_count")


@dataclass(frozen=True)
class Artefact:
    """An artefact of the rig at several sizes, and how often each check saw it.

    Attributes
    ----------
    kind
        As a field of :class:`neurofit.check.Nuisances`.
    sizes
        From small to severe, in the kind's unit.
    summary, raw
        ``[size]``: share of the altered simulations that the check of the features (tolerances included) and of the raw
        voltage rejected.
    summary_least, raw_least
        The size from which it is seen often enough; ``None`` if not at the most severe.
    """

    kind: str
    sizes: tuple[float, ...]
    summary: tuple[float, ...]
    raw: tuple[float, ...]
    summary_least: float | None
    raw_least: float | None

    @staticmethod
    def called(kind: str) -> str:
        return CALLED[kind][0]

    def said(self, least: float | None) -> str:
        """``voltage offset from 6.3 mV``, ``low-pass filter from 0.8 kHz down``, ``no voltage offset up to 40 mV``."""
        name, unit, falls = CALLED[self.kind]
        if least is None:
            return f"no {name} {'down' if falls else 'up'} to {self.sizes[-1]:g} {unit}"
        return f"{name} from {'at most ' if least == self.sizes[0] and not falls else ''}{least:.2g} {unit}" + (
            " down" if falls else ""
        )


@dataclass(frozen=True)
class Shift:
    """The shift of one feature that the check of the features would have seen.

    Attributes
    ----------
    name, label, unit
        Which feature.
    shift
        In its unit, the other features as they are; ``None`` if none is seen often enough.
    tolerance
        In its unit; at the cell's value where the scale is logarithmic.
    """

    name: str
    label: str
    unit: str
    shift: float | None
    tolerance: float


@dataclass(frozen=True)
class Sensitivity:
    """What the checks against one set of simulations would have seen.

    Attributes
    ----------
    level, target
        At which level they reject, and how often that is to be.
    n, altered
        Simulations compared with, and simulations altered.
    artefacts, shifts
        What was put in.
    """

    level: float
    target: float
    n: int
    altered: int
    artefacts: tuple[Artefact, ...]
    shifts: tuple[Shift, ...]

    def sentences(self) -> tuple[str, ...]:
        """What either check would have seen, and from which shift a feature is noticed."""
        if not self.artefacts:
            return (f"{self.n} simulations are too few to say what these checks would see.",)
        how = f"in {100 * self.target:.0f} % of {self.altered} altered simulations"
        by_features = _listed([a.said(a.summary_least) for a in self.artefacts])
        by_voltage = _listed([a.said(a.raw_least) for a in self.artefacts])
        told = [
            f"The check of the features would see, {how}: {by_features}.",
            f"The check of the raw voltage: {by_voltage}.",
        ]
        if shifts := self._told():
            told.append(f"A feature that is off by itself, from: {_listed([_shift(s) for s in shifts])}.")
        return tuple(told)

    def unseen(self) -> str:
        """What stands beside a pass: sizes below which the check of the features would have passed all the same."""
        if not self.artefacts:
            return " ".join(self.sentences())
        sizes = []
        for artefact in self.artefacts:
            name, unit, falls = CALLED[artefact.kind]
            least = artefact.sizes[-1] if artefact.summary_least is None else artefact.summary_least
            sizes.append(f"{name} {'above' if falls else 'below'} {least:.2g} {unit}")
        shifts = [f"{s.label} off by less than {_size(s)}" for s in self._told() if s.shift is not None]
        return (
            f"In more than {100 * (1 - self.target):.0f} % of cases this check would have passed all the same with: "
            f"{_listed([*sizes, *shifts])}."
        )

    def _told(self) -> list[Shift]:
        """The features that a sentence names; of those of single sweeps the last, which got most current."""
        by_feature = {shift.name.partition("@")[0]: shift for shift in self.shifts}
        return [by_feature[name] for name in TOLD if name in by_feature]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for the run directory."""
        return asdict(self)

    @staticmethod
    def from_dict(values: Mapping[str, Any]) -> Sensitivity:
        lists = ("sizes", "summary", "raw")
        artefacts = tuple(Artefact(**{**a, **{name: tuple(a[name]) for name in lists}}) for a in values["artefacts"])
        return Sensitivity(**{**values, "artefacts": artefacts, "shifts": tuple(Shift(**s) for s in values["shifts"])})


def _shift(shift: Shift) -> str:
    return f"{shift.label} {'at no size tried' if shift.shift is None else _size(shift)}"


def _size(shift: Shift) -> str:
    unit = f" {shift.unit}" if shift.unit else ""
    number = shift.shift or 0.0
    return f"{number:,.0f}{unit}" if number >= 100 else f"{number:.2g}{unit}"


def _listed(words: Sequence[str]) -> str:
    return "; ".join(words)
