"""How well each sweep is predicted, as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from neurofit.check.sweeps import VoltageFit, compare_voltage, count_percentile
from neurofit.recording import Recording
from neurofit.stages import KEEP_MS, SimulationSet

if TYPE_CHECKING:
    from neurofit.result import Fit


def predictive_table(fit: Fit) -> pd.DataFrame:
    """As :attr:`neurofit.Fit.predictive_table` says."""
    parts = {"fitted": fit.split.fitted, **fit.split.held_out}
    return pd.concat([_part(fit, name, part) for name, part in parts.items()]).set_index(["part", "sweep"])


def _part(fit: Fit, name: str, part: Recording) -> pd.DataFrame:
    counts = fit.findings_of_fit["counts"][name]
    predicted = fit.simulations(f"predicted {name}")
    own = predicted.features.by_sweep("spike_count")[predicted.valid]
    voltage = _voltage(part, predicted)
    return pd.DataFrame(
        {
            "part": name,
            "sweep": part.sweep_numbers,
            "held out": name != "fitted",
            "level_pa": counts["levels_pa"],
            "count": counts["recorded"],
            "count median": counts["median"],
            "count 5 %": counts["low"],
            "count 95 %": counts["high"],
            "count percentile": count_percentile(counts["recorded"], own),
            "voltage covered (%)": 100 * voltage.covered,
            "deviation_mv": voltage.deviation_mv,
        }
    )


def _voltage(part: Recording, predicted: SimulationSet) -> VoltageFit:
    kept = predicted.voltage_mv
    valid = predicted.valid[: 0 if kept is None else len(kept)]
    if kept is None or not valid.any():
        return VoltageFit(np.full(part.n_sweeps, np.nan), np.full(part.n_sweeps, np.nan))
    every = max(1, round(KEEP_MS / part.dt_ms))
    return compare_voltage(part.voltage_mv[:, ::every], kept[valid], every * part.dt_ms)
