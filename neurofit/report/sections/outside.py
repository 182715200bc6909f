"""Where a raw check found the voltage outside the simulations, drawn on the recorded trace."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurofit.check import CheckResult, Stretch
from neurofit.report.embed import Picture, picture
from neurofit.report.figures import sweep_figure
from neurofit.report.material import Material
from neurofit.stages.simulating import KEEP_MS
from neurofit.stages.spaces import as_recorded

# Sweeps drawn of each check, the worst first.
DRAWN = 4
# The band that the stretches are judged by.
BAND = (0.005, 0.995)


def outside_pictures(result: CheckResult, material: Material, when: str) -> Iterator[Picture]:
    """The worst sweeps of a raw check: recorded voltage, stretches outside, and 99 % of the simulations."""
    if not result.stretches:
        return
    simulated = _compared(material, when)
    by_sweep: dict[int, list[Stretch]] = {}
    for stretch in result.stretches:  # the most extreme first
        by_sweep.setdefault(stretch.sweep, []).append(stretch)
    for row, stretches in list(by_sweep.items())[:DRAWN]:
        yield _picture(material, row, stretches, simulated)


def _compared(material: Material, when: str) -> NDArray[Any]:
    """The voltage that a check, of the ``"prior"`` or the ``"fit"``, compared the cell's with."""
    fit = material.fit
    simulated = fit.simulations(f"round {1 if when == 'prior' else fit.method.rounds}")
    return as_recorded(fit.run, simulated, fit.split.fitted, fit.seed)


def _picture(material: Material, row: int, stretches: list[Stretch], simulated: NDArray[Any]) -> Picture:
    fitted = material.fit.split.fitted
    kept = simulated[:, row]
    band = np.quantile(kept, BAND, axis=0)
    every = max(1, round(KEEP_MS / fitted.dt_ms))
    level = fitted.stimulus.test_step.level_pa[row]
    start = fitted.start_ms
    title = f"Sweep {fitted.sweep_numbers[row]}, {level:+.0f} pA"
    figure = sweep_figure(
        title,
        fitted.time_ms,
        fitted.voltage_mv[row],
        fitted.current_pa[row],
        start + np.arange(band.shape[1], dtype=np.float64) * every * fitted.dt_ms,
        np.empty((0, 0)),
        band,
        band=f"99 % of {len(kept):,} simulations",
        outside_ms=[(start + s.start_ms, start + s.stop_ms) for s in stretches],
    )
    told = "; ".join(
        f"{start + s.start_ms:.0f} to {start + s.stop_ms:.0f} ms, {'above' if s.score > 0 else 'below'}"
        for s in stretches[:4]
    )
    alt = f"Voltage (mV) and current (pA) over time (ms), {title}: recorded, and outside the simulations at {told}."
    return picture(figure, alt, "png")
