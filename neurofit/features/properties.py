"""What a recording says of its cell before any model: resistance, time constant, sag, rheobase, the f-I table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from rich import box
from rich.table import Table

from neurofit.features.catalogue import FEATURES, MEASURED, columns_for
from neurofit.features.extract import recorded_features
from neurofit.recording import Recording
from neurofit.recording.split import split

_NAMES = {"Mohm": "MOhm"}


@dataclass(frozen=True, eq=False)
class CellProperties:
    """A cell as its usable sweeps show it, by the definitions of the feature catalogue.

    Attributes
    ----------
    cell
        A row a property of the whole cell (input resistance, membrane time constant, sag, rheobase...), with its
        ``unit`` and a column for each test step; NaN where a step does not tell it.
    firing
        A row a sweep and step: ``level_pa`` (the mean where the current moves), ``spikes``, ``rate_hz`` and, under
        steps, ``steady_mv`` (without spikes) and ``sag_mv``. Levels in order are the f-I curve.
    """

    cell: pd.DataFrame
    firing: pd.DataFrame

    def tables(self) -> Iterator[Table]:
        """Both, for the terminal; the second without repeats of a level."""
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title="The cell", title_justify="left")
        for name in ("Property", "Unit", *self.cell.columns[1:]):
            table.add_column(name.capitalize(), justify="left" if name in ("Property", "Unit") else "right")
        for name, row in self.cell.iterrows():
            values = [_shown(value) for value in row.iloc[1:]]
            if any(values):
                table.add_row(FEATURES[str(name)].label, _NAMES.get(row["unit"], row["unit"].replace("1", "")), *values)
        yield table
        curve = Table(box=box.SIMPLE_HEAD, pad_edge=False, title="Firing over current", title_justify="left")
        for name in ("Stretch", "Current (pA)", "Sweeps", "Spikes", "Rate (Hz)", "Steady (mV)", "Sag (mV)"):
            curve.add_column(name, justify="right")
        for (stretch, level), rows in self.firing.assign(level_pa=self.firing["level_pa"].round()).groupby(
            ["stretch", "level_pa"], sort=True
        ):
            means = [rows[name].mean() for name in ("spikes", "rate_hz", "steady_mv", "sag_mv")]
            curve.add_row(str(stretch), f"{level:.0f}", str(len(rows)), *map(_shown, means))
        yield curve


def cell_properties(recording: Recording) -> CellProperties:
    """Measure a recording's usable sweeps at each of its test steps, or where its current moves.

    Resistances are less the electrode's where the sampling lets that be told; potentials are as recorded.

    Raises
    ------
    StimulusError
        If the current never changes.
    """
    stimulus = recording.stimulus
    n = max(1, len(stimulus.test_steps))
    found, firing = {}, []
    for step in range(1, n + 1):
        part = split(recording, recording.usable, step).fitted
        table = recorded_features(part)
        name = f"step {step}" if stimulus.epochs else stimulus.word
        of_cell = [f for f in MEASURED[part.stimulus.kind] if not FEATURES[f].per_sweep]
        found[name] = pd.Series({f: float(table.column(f)[0]) for f in of_cell})
        test = part.stimulus.test_step
        spikes = table.select(columns_for(["spike_count"], part.sweep_numbers)).values[0]
        rows = {
            "stretch": name,
            "sweep": part.sweep_numbers,
            "level_pa": test.level_pa,
            "spikes": spikes,
            "rate_hz": 1e3 * spikes / (test.stop_ms - test.start_ms),
        }
        for column, feature in (("steady_mv", "steady_state_voltage"), ("sag_mv", "sag")):
            there = feature in MEASURED[part.stimulus.kind]
            rows[column] = table.select(columns_for([feature], part.sweep_numbers)).values[0] if there else np.nan
        firing.append(pd.DataFrame(rows))
    cell = pd.DataFrame(found)
    cell.insert(0, "unit", [FEATURES[str(name)].unit for name in cell.index])
    return CellProperties(cell, pd.concat(firing, ignore_index=True))


def _shown(value: float) -> str:
    return "" if np.isnan(value) else f"{value:.3g}"
