"""The catalogue for people: as a table on the terminal and as the page docs/features.md."""

from __future__ import annotations

from rich.table import Column, Table

from neurofit.features.catalogue import (
    FEATURES,
    MOVING_PER_CELL,
    MOVING_PER_SWEEP,
    PER_CELL,
    PER_SWEEP,
    STATISTICS,
    STEPS_ONLY,
    SUMMARIES_UNDER,
    Feature,
)
from neurofit.features.spikes import SPIKE_THRESHOLD_MV

_HEADER = ("feature", "unit", "tolerance", "side", "how it is measured", "by")

_FITTED = {name for names in SUMMARIES_UNDER.values() for name in names}

_PAGE = f"""\
# Features

Written by `neurofit features --markdown`; the source is `neurofit/features/catalogue.py`.

The same code measures recorded and simulated voltage. A *spike* is an upward crossing of {SPIKE_THRESHOLD_MV:g} mV as
recorded. All features are taken at the fitted step, after the sweep was cut around it. A feature that a sweep does not
have (no spike, so no latency) is undefined: masked, never a number that stands for it.

The *tolerance* is how far model and cell may lie apart and still be called alike, as a standard deviation: in the
feature's unit, or in per cent for features on a logarithmic scale. It enters training as noise on the simulated
features; `neurofit fit --tolerance feature=value` changes it (for a logarithmic one the value is a natural logarithm:
0.2 is about 20 %), and a recording whose repeats or drift ask for more has a wider one ([method.md](method.md)). The
counts' is the square root of the variance 0.12 of Bernaerts et al. 2025; the others are round numbers for what repeats
and junction potentials do. Features in **bold** are fitted by default, if the cell has them and the current asks for
them.

*Which current.* Under current steps, the first two tables are measured. Under ramps and under any other current that
moves (frozen noise, a synaptic waveform), the stretch in which it moves takes the step's place: what only a step tells
(`{"`, `".join(STEPS_ONLY)}`) is left out, and the two tables for such currents come in. The correlations are for
waveforms; the currents at spikes and the resistance along the ramp are for ramps ([protocols.md](protocols.md)).

*Side* is what the verdict counts by: passive, firing, spike shape; *rig* is what the equipment adds. *By* is eFEL's
name where the definition is eFEL's. These are worked out for all sweeps of all simulations at once, and equal what eFEL
gives sweep by sweep; the sweeps in which rounding could decide between two samples are measured by eFEL itself.
"""


def catalogue_table() -> Table:
    """For the terminal."""
    table = Table(
        Column("feature", no_wrap=True), "unit", "tolerance", "side", "what", title="Features (*: fitted by default)"
    )
    for names in (PER_SWEEP, PER_CELL, MOVING_PER_SWEEP, MOVING_PER_CELL, STATISTICS):
        for name in names:
            table.add_row(*_cells(FEATURES[name], "{}*")[:4], FEATURES[name].label)
        table.add_section()
    table.caption = "How each is measured: neurofit features --markdown"
    return table


def features_page() -> str:
    """Markdown."""
    parts = [_PAGE]
    for title, names in (
        ("Of each sweep", PER_SWEEP),
        ("Of the cell, over all its sweeps", PER_CELL),
        ("Of each sweep, under a current that is not made of steps", MOVING_PER_SWEEP),
        ("Of the cell, under a current that is not made of steps", MOVING_PER_CELL),
        ("Seven statistics of the sbi package's Hodgkin-Huxley tutorial (`nf.seven_statistics`)", STATISTICS),
    ):
        rows = [_HEADER, ("---",) * len(_HEADER), *(_cells(FEATURES[name], "**{}**") for name in names)]
        parts.append(f"## {title}\n\n" + "\n".join(f"| {' | '.join(row)} |" for row in rows) + "\n")
    return "\n".join(parts)


def _cells(feature: Feature, fitted: str) -> tuple[str, ...]:
    name = (
        fitted.format(feature.name)
        if any(feature.name in names for names in SUMMARIES_UNDER.values())
        else feature.name
    )
    unit = "" if feature.unit == "1" else feature.unit
    by = "" if feature.source == "neurofit" else feature.source
    return name, unit, feature.size(feature.tolerance), feature.aspect, f"{feature.label}: {feature.meaning}", by
