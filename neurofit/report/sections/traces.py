"""Recorded and predicted voltage, sweep by sweep."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurofit.report.embed import Picture, picture
from neurofit.report.figures import sweep_figure
from neurofit.report.material import Material, Part
from neurofit.report.words import plural
from neurofit.stages.simulating import KEEP_MS

Array = NDArray[np.float64]

# Predictions drawn in every sweep.
DRAWN = 3
# Sweeps shown at once: of the fitted part, and of each held-out one.
SHOWN_FITTED, SHOWN_HELD_OUT = 4, 2
# No page draws more sweeps than this; it says how many it leaves out.
MOST = 72


def traces_section(material: Material, advance: Callable[[str], None]) -> dict[str, Any]:
    """A handful of sweeps, and the rest behind a fold."""
    shown: list[Picture] = []
    folded = []
    left = MOST
    limits_pa = _limits_pa(material)
    for part in material.parts:
        advance(f"traces, {part.label}")
        first = handful(part, SHOWN_HELD_OUT if part.held_out else SHOWN_FITTED)
        rest = [row for row in range(part.recording.n_sweeps) if row not in first]
        drawn = rest[: max(0, left - len(first))]
        left -= len(first) + len(drawn)
        outside = _outside(material) if not part.held_out else {}
        panels = dict(_panels(part, [*first, *drawn], outside, limits_pa))
        shown += [panels[row] for row in first]
        if rest:
            folded.append(
                {
                    "title": f"{plural(len(drawn), 'more sweep')}, {part.label}",
                    "pictures": [panels[row] for row in drawn],
                    "left_out": len(rest) - len(drawn),
                }
            )
    kept = max((part.predicted.voltage_mv.shape[0] for part in material.parts if part.predicted.voltage_mv is not None),
               default=0)  # fmt: skip
    return {
        "shown": shown,
        "folded": folded,
        "kept": kept,
        "keep_ms": KEEP_MS,
        "outside": any(_outside(material).values()),
    }


def handful(part: Part, n: int) -> list[int]:
    """Rows of the sweeps that tell most: the strongest step, the weakest, the first that fires, the last that does
    not."""
    levels = np.asarray(part.counts["levels_pa"], dtype=np.float64)
    fires = np.asarray(part.counts["recorded"]) > 0
    order = np.argsort(levels, kind="stable")
    firing, silent = [r for r in order if fires[r]], [r for r in order if not fires[r]]
    wanted = [order[-1], order[0], *firing[:1], *silent[-1:], *firing[len(firing) // 2 :]]
    chosen = list(dict.fromkeys(int(row) for row in wanted))[:n]
    return sorted(chosen, key=lambda row: (levels[row], row))


def _outside(material: Material) -> dict[int, list[tuple[float, float]]]:
    """``{row of the fitted sweeps: stretches in ms of the file's sweep}`` outside the last round's simulations."""
    start = material.fit.split.fitted.start_ms
    found: dict[int, list[tuple[float, float]]] = {}
    for stretch in material.fit.checks["fit-raw"].stretches:
        found.setdefault(stretch.sweep, []).append((start + stretch.start_ms, start + stretch.stop_ms))
    return found


def _limits_pa(material: Material) -> tuple[float, float]:
    """One current axis for all sweeps."""
    currents = [part.recording.current_pa for part in material.parts]
    low, high = min(float(c.min()) for c in currents), max(float(c.max()) for c in currents)
    margin = 0.12 * max(high - low, 1.0)
    return low - margin, high + margin


def _panels(
    part: Part, rows: list[int], outside: dict[int, list[tuple[float, float]]], limits_pa: tuple[float, float]
) -> Iterator[tuple[int, Picture]]:
    recording = part.recording
    step = recording.stimulus.test_step
    step_ms = (recording.start_ms + step.start_ms, recording.start_ms + step.stop_ms)
    every = max(1, round(KEEP_MS / recording.dt_ms))
    voltage = part.predicted.voltage_mv
    valid = part.predicted.valid[: 0 if voltage is None else len(voltage)]
    kept = np.empty((0, recording.n_sweeps, 0)) if voltage is None else voltage[valid].astype(np.float64)
    predicted_ms = recording.start_ms + np.arange(kept.shape[2], dtype=np.float64) * every * recording.dt_ms
    fires = np.asarray(part.counts["recorded"]) > 0
    spiking_limits = _limits([recording.voltage_mv[fires], kept[:DRAWN, fires]]) if fires.any() else None
    for row in rows:
        number = recording.sweep_numbers[row]
        band = None
        limits = spiking_limits
        if not fires[row]:
            if len(kept):
                band = np.quantile(kept[:, row], [0.05, 0.95], axis=0)
            limits = _limits([recording.voltage_mv[row], *([band] if band is not None else []), kept[:DRAWN, row]])
        title = f"Sweep {number}, {step.level_pa[row]:+.0f} pA: {part.label}"
        figure = sweep_figure(
            title,
            recording.time_ms,
            recording.voltage_mv[row],
            recording.current_pa[row],
            predicted_ms,
            kept[:DRAWN, row],
            band,
            held_out=part.held_out,
            step_ms=step_ms,
            outside_ms=outside.get(row, ()),
            limits_mv=limits,
            limits_pa=limits_pa,
        )
        counts = part.counts
        alt = (
            f"Voltage (mV) and current (pA) over time (ms), {title}: "
            f"{counts['recorded'][row]:g} spikes recorded, {counts['median'][row]:g} predicted "
            f"(90 % {counts['low'][row]:g} to {counts['high'][row]:g})."
        )
        yield row, picture(figure, alt, "png")


def _limits(values: list[Array]) -> tuple[float, float]:
    """Of a voltage axis: all of it, at least 5 mV."""
    filled = [v for v in values if v.size]
    low, high = min(float(v.min()) for v in filled), max(float(v.max()) for v in filled)
    half = max(2.5, 0.54 * (high - low))
    middle = (low + high) / 2
    return middle - half, middle + half
