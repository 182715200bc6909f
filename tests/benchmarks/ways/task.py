"""What every way simulates."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neurofit.recording import Stimulus
from neurofit.template import Model

Array = NDArray[np.float64]
Run = Callable[[], NDArray[np.floating]]


@dataclass(frozen=True, eq=False)
class Task:
    """Parameter sets ``theta`` ``[draw, parameter]`` of a model, all under the same sweeps."""

    title: str
    model: Model
    stimulus: Stimulus
    theta: Array

    @property
    def n_steps(self) -> int:
        return round(self.stimulus.n_samples * self.stimulus.dt_ms / self.model.dt_ms)

    @property
    def every(self) -> int:
        """Time steps a sample."""
        return round(self.stimulus.dt_ms / self.model.dt_ms)

    def value(self, name: str, draw: int | slice = slice(None)) -> Array:
        """A parameter of every draw, or of one, in the template's unit; 1 where the template has none."""
        if name in self.model.free:
            return self.theta[draw, self.model.free.index(name)]
        fixed = {p.name: p.value for p in self.model.parameters}.get(name, 1.0)
        return np.full(len(self.theta), fixed)[draw]

    @property
    def current(self) -> Array:
        """``[sweep, time]`` in pA, or in uA/cm2 where the template has an area."""
        return self.stimulus.current_pa * (1e-6 / self.value("area", 0) if self.per_area else 1.0)

    @property
    def per_area(self) -> bool:
        return "area" in self.model.units

    def cell(self, draw: int | slice = slice(None)) -> dict[str, Array]:
        """The Pospischil cell's parameters in mV, ms and either pF, nS, pA or uF/cm2, mS/cm2, uA/cm2."""
        names = ("g_leak", "E_leak", "g_Na", "g_K", "g_M", "tau_max", "V_T", "rate", "sigma", "E_Na", "E_K", "C")
        cell = {name: self.value(name, draw) for name in names}
        if not self.per_area:
            # conductances in mS/uF, so many nS a pF
            cell |= {name: cell[name] * cell["C"] for name in ("g_Na", "g_K", "g_M")}
        added = ("V_offset", "R_s")
        there = self.model.units
        return cell | {name: self.value(name, draw) if name in there else 0 * cell["C"] for name in added}
