"""Every feature neurofit measures: its unit, what it means, which aspect of a cell it belongs to, its tolerance.

The tolerance is how far apart model and cell may lie and still be called alike: measurement error, what changes
between repeats in one cell, and what any point model leaves out. It is a standard deviation, in the feature's unit or,
for features that live on a logarithmic scale, in natural-logarithm units (0.2 is about 20 %). It enters inference as
noise on the simulated features, as in Bernaerts et al. 2025, and sets the effect sizes of the checks.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args

from neurofit.recording.stimulus import Kind

Aspect = Literal["passive", "firing", "spike shape", "rig"]


@dataclass(frozen=True)
class Feature:
    """One feature.

    Attributes
    ----------
    name, unit
        ``unit`` is ``"1"`` for counts and ratios.
    scale
        ``"linear"`` or ``"log"``: the scale on which the tolerance is meant.
    tolerance
        Standard deviation on that scale.
    per_sweep
        One value a sweep, or one for the cell.
    aspect
        The side of the cell it describes.
    label
        Its name in a sentence.
    meaning
        How it is measured.
    source
        eFEL's name for it where it is eFEL's, otherwise "neurofit".
    """

    name: str
    unit: str
    scale: Literal["linear", "log"]
    tolerance: float
    per_sweep: bool
    aspect: Aspect
    label: str
    meaning: str
    source: str

    def size(self, tolerance: float) -> str:
        """A tolerance with its unit: ``2 mV``, ``20 %`` on a logarithmic scale, ``0.35``."""
        unit = "" if self.unit == "1" else self.unit
        return (f"{100 * tolerance:.3g} %" if self.scale == "log" else f"{tolerance:.3g} {unit}").strip()


# Counts: the variance .12 of Bernaerts et al. 2025, so that a miss of one spike is three tolerances. Voltages: a few
# mV, what junction potentials are known to. Times and resistances: 15 to 30 %.
_PER_SWEEP = (
    Feature("rest", "mV", "linear", 2.0, True, "passive", "resting potential",
            "median voltage over the last 100 ms of holding current before the current first changes", "neurofit"),
    Feature("rest_sd", "mV", "log", 0.4, True, "rig", "noise at rest",
            "standard deviation of the voltage over the same stretch, 1.48 times the median absolute deviation",
            "neurofit"),
    Feature("steady_state_voltage", "mV", "linear", 2.0, True, "passive", "steady-state voltage",
            "median voltage over the last fifth of a step without spikes", "neurofit"),
    Feature("interspike_voltage", "mV", "linear", 2.0, True, "firing", "voltage between spikes",
            "median voltage over the last fifth of a step with spikes", "neurofit"),
    Feature("peak_deflection", "mV", "linear", 2.0, True, "passive", "peak deflection",
            "largest deviation from rest, smoothed over 5 ms, during a step that hyperpolarises", "neurofit"),
    Feature("sag", "mV", "linear", 1.0, True, "passive", "sag",
            "steady-state voltage minus the peak of the deflection, during a step that hyperpolarises", "neurofit"),
    Feature("after_step", "mV", "linear", 2.0, True, "passive", "voltage after the step",
            "mean voltage from 50 to 150 ms after the step, or to the next change of current, minus rest", "neurofit"),
    Feature("spike_count", "1", "linear", 0.35, True, "firing", "spike count",
            "spikes during the step", "spike_count_stimint"),
    Feature("spontaneous_spikes", "1", "linear", 0.35, True, "firing", "spikes outside the step",
            "upward crossings of -20 mV under the holding current: before it first changes, and from 50 ms after "
            "the step until it next changes", "neurofit"),
    Feature("latency", "ms", "log", 0.2, True, "firing", "latency to the first spike",
            "from the start of the step to the first spike's peak", "time_to_first_spike"),
    Feature("first_isi", "ms", "log", 0.2, True, "firing", "first inter-spike interval",
            "between the first two peaks of the step", "peak_time"),
    Feature("last_isi", "ms", "log", 0.2, True, "firing", "last inter-spike interval",
            "between the last two peaks of the step, with three spikes or more", "peak_time"),
    Feature("isi_cv", "1", "linear", 0.1, True, "firing", "variation of the inter-spike intervals",
            "standard deviation over mean of the intervals, with four spikes or more", "peak_time"),
    Feature("threshold", "mV", "linear", 3.0, True, "spike shape", "spike threshold",
            "voltage at which the first spike begins", "AP_begin_voltage"),
    Feature("spike_height", "mV", "linear", 4.0, True, "spike shape", "spike height",
            "peak of the first spike minus its threshold", "AP_amplitude"),
    Feature("half_width", "ms", "log", 0.2, True, "spike shape", "spike half-width",
            "of the first spike, at half of its height", "AP_duration_half_width"),
    Feature("upstroke", "mV/ms", "log", 0.25, True, "spike shape", "upstroke",
            "steepest rise of the first spike", "AP_peak_upstroke"),
    Feature("downstroke", "mV/ms", "log", 0.25, True, "spike shape", "downstroke",
            "steepest fall of the first spike, as a positive number", "AP_peak_downstroke"),
    Feature("trough", "mV", "linear", 3.0, True, "firing", "trough between spikes",
            "median of the lowest voltages between neighbouring spikes", "min_between_peaks_values"),
    Feature("height_decline", "mV", "linear", 4.0, True, "spike shape", "decline of spike height",
            "height of the first spike minus the mean height of the rest", "AP_amplitude"),
)  # fmt: skip

_PER_CELL = (
    Feature("resting_potential", "mV", "linear", 2.0, False, "passive", "resting potential",
            "median over the sweeps of their rest", "neurofit"),
    Feature("resting_noise", "mV", "log", 0.4, False, "rig", "noise at rest",
            "median over the sweeps of their noise at rest", "neurofit"),
    Feature("electrode_resistance", "Mohm", "linear", 1.0, False, "rig", "electrode resistance",
            "jump of the voltage at a change of current, over that change; least squares over edges and sweeps; "
            "undefined below 10 kHz",
            "neurofit"),
    Feature("input_resistance", "Mohm", "log", 0.15, False, "passive", "input resistance",
            "slope of steady-state voltage over current at and below the holding level, minus the electrode's",
            "neurofit"),
    Feature("peak_input_resistance", "Mohm", "log", 0.15, False, "passive", "peak input resistance",
            "slope of the peak deflection over current below the holding level, through the origin, minus the "
            "electrode's", "neurofit"),
    Feature("sag_fraction", "1", "linear", 0.07, False, "passive", "sag fraction",
            "1 minus input resistance over peak input resistance", "neurofit"),
    Feature("membrane_time_constant", "ms", "log", 0.25, False, "passive", "membrane time constant",
            "time to 1 - 1/e of the peak deflection in steps that hyperpolarise, without the electrode's jump",
            "neurofit"),
    Feature("spontaneous_rate", "Hz", "linear", 0.3, False, "firing", "rate of spikes outside the step",
            "spikes outside the step, over the time that they were looked for, all sweeps together", "neurofit"),
    Feature("rheobase", "pA", "linear", 15.0, False, "firing", "rheobase",
            "lowest level that fired, above the holding current", "spike_count_stimint"),
    Feature("fi_slope", "Hz/pA", "log", 0.2, False, "firing", "slope of the f-I curve",
            "least squares over the levels from rheobase up", "spike_count_stimint"),
    Feature("mean_threshold", "mV", "linear", 3.0, False, "spike shape", "first-spike threshold",
            "mean over the sweeps of the first spike's threshold", "AP_begin_voltage"),
    Feature("mean_spike_height", "mV", "linear", 4.0, False, "spike shape", "first-spike height",
            "mean over the sweeps of the first spike's height", "AP_amplitude"),
    Feature("mean_half_width", "ms", "log", 0.2, False, "spike shape", "first-spike half-width",
            "mean over the sweeps of the first spike's half-width", "AP_duration_half_width"),
    Feature("mean_upstroke", "mV/ms", "log", 0.25, False, "spike shape", "first-spike upstroke",
            "mean over the sweeps of the first spike's steepest rise", "AP_peak_upstroke"),
    Feature("mean_downstroke", "mV/ms", "log", 0.25, False, "spike shape", "first-spike downstroke",
            "mean over the sweeps of the first spike's steepest fall", "AP_peak_downstroke"),
    Feature("mean_trough", "mV", "linear", 3.0, False, "firing", "trough between spikes",
            "mean over the sweeps of their troughs", "min_between_peaks_values"),
    Feature("mean_height_decline", "mV", "linear", 4.0, False, "spike shape", "decline of spike height",
            "mean over the sweeps with two spikes or more", "AP_amplitude"),
)  # fmt: skip

# The statistics of the sbi package's tutorial on the Hodgkin-Huxley model: a set of their own, see `statistics.py`.
_STATISTICS = (
    Feature("peak_count", "1", "linear", 0.35, True, "firing", "count of peaks",
            "rises above -10 mV that turn during the step, more than 0.5 ms apart", "neurofit"),
    Feature("resting_mean", "mV", "linear", 2.0, True, "passive", "mean resting potential",
            "mean voltage before the current first changes", "neurofit"),
    Feature("resting_sd", "mV", "log", 0.4, True, "rig", "standard deviation at rest",
            "standard deviation of the voltage over the last tenth of that time", "neurofit"),
    Feature("step_mean", "mV", "linear", 2.0, True, "firing", "mean voltage of the step",
            "mean voltage during the step", "neurofit"),
    Feature("step_variance", "mV^2", "log", 0.3, True, "firing", "variance of the step",
            "variance of the voltage during the step", "neurofit"),
    Feature("step_skewness", "1", "linear", 0.3, True, "firing", "skewness of the step",
            "third central moment of the voltage during the step, over the cube of its standard deviation", "neurofit"),
    Feature("step_kurtosis", "1", "log", 0.3, True, "firing", "kurtosis of the step",
            "fourth central moment of the voltage during the step, over the square of its variance (3 for a Gaussian)",
            "neurofit"),
)  # fmt: skip

# Under a current that moves. The spikes' times and shapes of the lists above are measured there too.
_MOVING_PER_SWEEP = (
    *(
        Feature(f"spikes_in_quarter_{quarter}", "1", "linear", 0.35, True, "firing", f"spikes in quarter {quarter}",
                f"spikes in quarter {quarter} of the stretch in which the current moves", "neurofit")
        for quarter in (1, 2, 3, 4)
    ),
    Feature("threshold_current", "pA", "linear", 15.0, True, "firing", "current at the first spike",
            "injected current as the voltage first rises through -20 mV; of ramps only", "neurofit"),
    Feature("last_spike_current", "pA", "linear", 15.0, True, "firing", "current at the last spike",
            "injected current as it last does, with two spikes or more; of ramps only", "neurofit"),
)  # fmt: skip
TRANSFER_MS = (0, 2, 5, 10, 20, 50)
AUTOCORRELATION_MS = (2, 5, 20, 50)
_AWAY = "away from spikes (from 3 ms before one to 15 ms after it); mean over the sweeps"
_MOVING_PER_CELL = (
    Feature("ramp_resistance", "Mohm", "log", 0.15, False, "passive", "input resistance along the ramp",
            "slope of voltage over current up to 5 ms before the first spike, or to the current's turn; mean over the "
            "sweeps; the electrode's is part of it; of ramps only", "neurofit"),
    Feature("mean_isi", "ms", "log", 0.15, False, "firing", "mean inter-spike interval",
            "mean interval of a sweep with two spikes or more; mean over the sweeps", "neurofit"),
    Feature("mean_isi_cv", "1", "linear", 0.1, False, "firing", "variation of the inter-spike intervals",
            "isi_cv; mean over the sweeps", "peak_time"),
    Feature("subthreshold_mean", "mV", "linear", 2.0, False, "passive", "mean voltage between spikes",
            f"mean {_AWAY}", "neurofit"),
    Feature("subthreshold_sd", "mV", "log", 0.15, False, "passive", "fluctuation between spikes",
            f"standard deviation {_AWAY}", "neurofit"),
    Feature("subthreshold_skewness", "1", "linear", 0.2, False, "passive", "skewness between spikes",
            f"third central moment over the cube of the standard deviation {_AWAY}", "neurofit"),
    *(
        Feature(f"subthreshold_q{q:02d}", "mV", "linear", 2.0, False, "passive", f"voltage quantile {q} %",
                f"quantile {_AWAY}", "neurofit")
        for q in (10, 50, 90)
    ),
    *(
        Feature(f"autocorrelation_{ms}ms", "1", "linear", 0.05, False, "passive", f"autocorrelation at {ms} ms",
                f"of the voltage with itself {ms} ms later, {_AWAY}", "neurofit")
        for ms in AUTOCORRELATION_MS
    ),
    *(
        Feature(f"transfer_{ms}ms", "1", "linear", 0.05, False, "passive", f"voltage-current correlation at {ms} ms",
                f"correlation of the current with the voltage {ms} ms later, {_AWAY}", "neurofit")
        for ms in TRANSFER_MS
    ),
)  # fmt: skip

FEATURES: dict[str, Feature] = {
    feature.name: feature for feature in _PER_SWEEP + _PER_CELL + _MOVING_PER_SWEEP + _MOVING_PER_CELL + _STATISTICS
}
PER_SWEEP: tuple[str, ...] = tuple(feature.name for feature in _PER_SWEEP)
PER_CELL: tuple[str, ...] = tuple(feature.name for feature in _PER_CELL)
STATISTICS: tuple[str, ...] = tuple(feature.name for feature in _STATISTICS)
MOVING_PER_SWEEP: tuple[str, ...] = tuple(feature.name for feature in _MOVING_PER_SWEEP)
MOVING_PER_CELL: tuple[str, ...] = tuple(feature.name for feature in _MOVING_PER_CELL)
_RAMPS_ONLY = ("threshold_current", "last_spike_current", "ramp_resistance")
STEPS_ONLY = (
    "steady_state_voltage", "interspike_voltage", "peak_deflection", "sag", "after_step", "input_resistance",
    "peak_input_resistance", "sag_fraction", "membrane_time_constant", "rheobase", "fi_slope",
)  # fmt: skip


def _under(kind: Kind) -> tuple[str, ...]:
    if kind == "steps":
        return PER_SWEEP + PER_CELL
    named = PER_SWEEP + MOVING_PER_SWEEP + PER_CELL + MOVING_PER_CELL
    waveform = kind == "waveform"
    # a voltage that follows a slow ramp has no spread and no lags of its own
    left_out = _RAMPS_ONLY if waveform else tuple(n for n in named if n.startswith(("subthresh", "autocorr", "transf")))
    return tuple(name for name in named if name not in (*STEPS_ONLY, *left_out))


# What is measured under a current of each kind, in the table's order.
MEASURED: dict[Kind, tuple[str, ...]] = {kind: _under(kind) for kind in get_args(Kind)}

# What inference sees: firing sweep by sweep, the rest once for the cell.
SUMMARIES: tuple[str, ...] = (
    "spike_count", "latency", "first_isi", "last_isi", "interspike_voltage", "steady_state_voltage", "sag",
    "after_step", "spontaneous_rate", "resting_potential", "resting_noise", "electrode_resistance", "input_resistance",
    "peak_input_resistance", "sag_fraction", "membrane_time_constant", "mean_threshold", "mean_spike_height",
    "mean_half_width", "mean_upstroke", "mean_downstroke", "mean_trough", "mean_height_decline",
)  # fmt: skip

# What is fitted by default under each kind of current.
_SPIKES_OF_CELL = (
    "resting_potential", "resting_noise", "spontaneous_rate", "mean_threshold", "mean_spike_height", "mean_half_width",
    "mean_upstroke", "mean_downstroke", "mean_trough", "mean_height_decline",
)  # fmt: skip
_QUARTERS = tuple(name for name in MOVING_PER_SWEEP if name.startswith("spikes_in"))
SUMMARIES_UNDER: dict[Kind, tuple[str, ...]] = {
    "steps": SUMMARIES,
    "ramps": (
        "spike_count", *_QUARTERS, "threshold_current", "last_spike_current", "first_isi", "last_isi",
        "ramp_resistance", *_SPIKES_OF_CELL,
    ),
    "waveform": (
        "spike_count", *_QUARTERS, "latency",
        *(name for name in MOVING_PER_CELL if name not in _RAMPS_ONLY), *_SPIKES_OF_CELL,
    ),
}  # fmt: skip

# Features that every valid simulation has if the stimulus has a place for them, so that no flag is needed.
ALWAYS_DEFINED = frozenset({
    "rest", "rest_sd", "after_step", "spike_count", "spontaneous_spikes",
    "resting_potential", "resting_noise", "spontaneous_rate",
    "peak_count", "resting_mean", "step_mean",
    *(f"spikes_in_quarter_{quarter}" for quarter in (1, 2, 3, 4)),
})  # fmt: skip


def feature_of(column: str) -> Feature:
    """The feature behind a column's name: ``"spike_count@4"`` is ``spike_count`` in sweep 4."""
    return FEATURES[column.partition("@")[0]]


def columns_for(features: Iterable[str], sweeps: Iterable[int]) -> list[str]:
    """Column names of some features over some sweeps."""
    numbers = list(sweeps)
    names: list[str] = []
    for name in features:
        names += [f"{name}@{s}" for s in numbers] if FEATURES[name].per_sweep else [name]
    return names
