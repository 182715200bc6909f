"""Tolerances that the recording itself makes wider than the catalogue's.

The catalogue's tolerance of a feature stands for measurement error, for a usual change between repeats, and for what a
point model leaves out. Where the fitted sweeps show more than that, they decide:

* *repeats*: sweeps that got the same current, and scatter;
* *rest*: the resting potential drifts or jumps over the sweeps, where the model has one;
* *electrode*: its resistance changes over the sweeps, where the model has one;
* *bridge*: the voltage over an unbalanced bridge, where the template's recorded voltage leaves it out.

Each is taken if it is larger than the catalogue's, and of several the largest: the catalogue's holds a part of each
already, so that adding them up would count that part twice. Only fitted sweeps are looked at, since what is held out
must not enter the fit; the findings of the recording, which are about all of its sweeps, are not used. What the user
gives wins over everything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neurofit.features import FEATURES, FeatureTable
from neurofit.features.catalogue import columns_for
from neurofit.features.table import on_scale
from neurofit.recording import Recording
from neurofit.recording.electrode import electrode_by_sweep, measure_electrode
from neurofit.recording.robust import trend

Array = NDArray[np.float64]

# Where a tolerance comes from, if not from the recording.
CATALOGUE, GIVEN = "catalogue", "given by the user"
# Sweeps are repeats if their currents are nowhere further apart than this share of what the protocol spans.
ALIKE = 0.005
# The catalogue's tolerance counts like a spread that was measured with so many degrees of freedom.
DEFAULT_COUNTS = 2
# Voltages that stand on the rest of their sweep, and absolute voltages under a current.
ON_REST = ("rest", "resting_potential", "steady_state_voltage")
UNDER_CURRENT = (
    "steady_state_voltage", "interspike_voltage", "peak_deflection", "threshold", "trough", "mean_threshold",
    "mean_trough",
)  # fmt: skip


@dataclass(frozen=True)
class Tolerance:
    """A tolerance and where it comes from.

    Attributes
    ----------
    value
        Standard deviation on the feature's scale.
    source
        In words: what it is from, and after a colon what was found.
    """

    value: float
    source: str


def tolerances_from(
    fitted: Recording, observed: FeatureTable, features: Sequence[str], *, records_current: bool
) -> dict[str, Tolerance]:
    """The tolerances that the fitted sweeps make wider than the catalogue's, ``{feature: Tolerance}``.

    Parameters
    ----------
    fitted
        The fitted sweeps.
    observed
        Their features, one row.
    features
        Names from the catalogue.
    records_current
        Does the template's recorded voltage have a share of the injected current, as over a series resistance? Then
        what the bridge left over is the model's business, a parameter or not.
    """
    rules: list[Callable[[Recording, FeatureTable], Iterator[tuple[str, Tolerance]]]] = [_repeats, _rest]
    rules.append(_electrode if records_current else _bridge)
    widest: dict[str, Tolerance] = {}
    for rule in rules:
        for name, found in rule(fitted, observed):
            least = widest[name].value if name in widest else FEATURES[name].tolerance
            if name in features and found.value > least:
                widest[name] = found
    return widest


def repeated(fitted: Recording) -> list[list[int]]:
    """Rows of the sweeps that got the same current, level by level; only what was given twice or more."""
    current = fitted.current_pa
    apart = ALIKE * np.ptp(current)
    groups: list[list[int]] = []
    for row in range(len(current)):
        for group in groups:
            if np.abs(current[row] - current[group[0]]).max() <= apart:
                group.append(row)
                break
        else:
            groups.append([row])
    return [group for group in groups if len(group) > 1]


def _repeats(fitted: Recording, observed: FeatureTable) -> Iterator[tuple[str, Tolerance]]:
    """The spread between repeats, pooled over the levels, of the features of single sweeps.

    A single sweep's value is fitted, so the spread of single values is what it may be off by. Features of the whole
    cell are means over the sweeps, and scatter by so much less that the catalogue's tolerance covers it.

    Two or three repeats say little about a standard deviation. So the catalogue's counts as if it had been measured
    with DEFAULT_COUNTS degrees of freedom (the scale of the conjugate, scaled inverse chi-squared, estimate): a single
    pair widens it only if it lies far apart, and with many repeats the spread is what they say.

    The model's noise makes trials differ as well. How much is not known before the fit, and it is not subtracted: at
    worst, where the model makes all of the spread, a prediction then scatters by the root of 2 too much.
    """
    groups = repeated(fitted)
    if not groups:
        return
    sweeps = list(fitted.sweep_numbers)
    source = f"repeats: {sum(map(len, groups))} sweeps at {len(groups)} level{'' if len(groups) == 1 else 's'}"
    for name, feature in FEATURES.items():
        columns = columns_for([name], sweeps)
        if not feature.per_sweep or not set(columns) <= set(observed.names):
            continue
        values = on_scale(observed.select(columns).values[0], feature.scale == "log")
        squares, freedom = 0.0, 0
        for group in groups:
            defined = values[group][np.isfinite(values[group])]
            if len(defined) > 1:
                squares += float(((defined - defined.mean()) ** 2).sum())
                freedom += len(defined) - 1
        variance = (DEFAULT_COUNTS * feature.tolerance**2 + squares) / (DEFAULT_COUNTS + freedom)
        yield name, Tolerance(float(np.sqrt(variance)), source)


def _rest(fitted: Recording, observed: FeatureTable) -> Iterator[tuple[str, Tolerance]]:
    """How far the rest wanders over the sweeps: the model has one, and no cell is known better than it stays put."""
    rest = observed.select(columns_for(["rest"], fitted.sweep_numbers)).values[0]
    rest = rest[np.isfinite(rest)]
    if len(rest) > 1:
        source = f"drift of the rest: {rest.min():.1f} to {rest.max():.1f} mV over {len(rest)} sweeps"
        for name in ON_REST:
            yield name, Tolerance(float(rest.std(ddof=1)), source)


def _electrode(fitted: Recording, observed: FeatureTable) -> Iterator[tuple[str, Tolerance]]:
    """A steady change of the electrode over the sweeps, as the standard deviation about its middle.

    The change is that of a robust line: from sweep to sweep the electrode is measured too poorly for their own spread.
    """
    electrode = measure_electrode(fitted)
    if electrode is not None:
        by_sweep = electrode_by_sweep(fitted, electrode.jumps)
        change = trend(by_sweep[np.isfinite(by_sweep)])
        source = f"drift of the electrode: {change:+.1f} Mohm over the sweeps"
        yield "electrode_resistance", Tolerance(abs(change) / float(np.sqrt(12)), source)


def _bridge(fitted: Recording, observed: FeatureTable) -> Iterator[tuple[str, Tolerance]]:
    """What the electrode adds to absolute voltages under a current, and to itself, if the template has no electrode.

    Input resistances, time constants, sags and spike heights are differences or have the electrode taken off.
    """
    mohm = float(observed.column("electrode_resistance")[0])
    if not np.isfinite(mohm):
        return
    source = f"bridge: {mohm:.1f} Mohm of electrode that the template does not have"
    yield "electrode_resistance", Tolerance(abs(mohm), source)
    step_pa = fitted.stimulus.test_step.level_pa - fitted.stimulus.holding_pa
    for name in UNDER_CURRENT:
        columns = columns_for([name.removeprefix("mean_")], fitted.sweep_numbers)
        felt = step_pa[observed.select(columns).defined[0]]
        if len(felt):
            yield name, Tolerance(1e-3 * abs(mohm) * float(np.sqrt((felt**2).mean())), source)
