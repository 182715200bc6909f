"""Voltage and current -> a table of features; one and the same function for recorded and simulated voltage."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neurofit.errors import BadInput, StimulusError
from neurofit.features import moving, passive
from neurofit.features.catalogue import FEATURES, MEASURED, columns_for, feature_of
from neurofit.features.moving import mean_of_sweeps
from neurofit.features.spikes import spike_features
from neurofit.features.table import FeatureTable
from neurofit.features.windows import Windows
from neurofit.recording import Recording, Stimulus

Array = NDArray[np.float64]


def extract_features(
    voltage_mv: ArrayLike,
    stimulus: Stimulus,
    *,
    sweep_numbers: Sequence[int] | None = None,
    spikes_drawn: bool = False,
    valid: NDArray[np.bool_] | None = None,
) -> FeatureTable:
    """Measure every feature that the catalogue has for a current of this kind: steps, ramps or any other.

    Parameters
    ----------
    voltage_mv
        ``[row, sweep, time]``, one row a cell or a simulation; ``[sweep, time]`` is one row.
    stimulus
        The current of those sweeps, sampled like the voltage. Features are taken at its ``test_step``: the last
        step, or the stretch in which a current moves.
    sweep_numbers
        The sweeps' numbers, for the columns' names; 0, 1, 2... by default.
    spikes_drawn
        The model draws its spikes, so that their shape means nothing: shape features stay undefined.
    valid
        ``[row]``: every feature of a row that is not valid is undefined.

    Returns
    -------
    FeatureTable

    Raises
    ------
    StimulusError
        If voltage and current differ in sweeps or samples, or the current never changes, or the sweep numbers are not
        one for each sweep.
    """
    voltage = rows_of(voltage_mv, stimulus)
    numbers = list(range(stimulus.n_sweeps)) if sweep_numbers is None else [int(s) for s in sweep_numbers]
    if len(set(numbers)) != stimulus.n_sweeps:
        raise StimulusError(
            "every sweep needs a number of its own", expected=f"{stimulus.n_sweeps} numbers", found=f"{numbers}"
        )
    windows = Windows.of(stimulus)
    usable = np.isfinite(voltage).all(axis=(1, 2))
    if valid is not None:
        usable &= np.asarray(valid, dtype=bool)
    names = columns_for(MEASURED[stimulus.kind], numbers)
    values = np.full((len(voltage), len(names)), np.nan)
    if usable.any():
        # what cannot be used is left out before anything is measured, so that it cannot spoil or warn
        chosen = voltage if usable.all() else voltage[usable]
        values[usable] = _measure(chosen, windows, stimulus, spikes_drawn)
    log = [feature_of(name).scale == "log" for name in names]
    with np.errstate(invalid="ignore"):
        values[:, log] = np.where(values[:, log] > 0, values[:, log], np.nan)
    return as_table(values, stimulus, numbers)


def recorded_features(recording: Recording) -> FeatureTable:
    """:func:`extract_features` of a recording: one row, its columns named by the sweeps' numbers in the file."""
    return extract_features(recording.voltage_mv, recording.stimulus, sweep_numbers=recording.sweep_numbers)


def rows_of(voltage_mv: ArrayLike, stimulus: Stimulus) -> NDArray[np.floating]:
    """Voltage as ``[row, sweep, time]``, whether one row was given or many.

    Raises
    ------
    StimulusError
        If it differs from the current in sweeps or samples.
    """
    voltage = np.asarray(voltage_mv)
    if not np.issubdtype(voltage.dtype, np.floating):
        voltage = voltage.astype(np.float64)
    if voltage.ndim == 2:
        voltage = voltage[None]
    if voltage.ndim != 3 or voltage.shape[1:] != stimulus.current_pa.shape:
        raise StimulusError(
            "voltage and current do not match",
            expected=f"voltage [row, {stimulus.n_sweeps}, {stimulus.n_samples}]",
            found=f"{voltage.shape}",
        )
    return voltage


def as_table(values: Array, stimulus: Stimulus, sweep_numbers: Sequence[int]) -> FeatureTable:
    """The table that :func:`extract_features` makes of this stimulus, around values that were kept.

    Raises
    ------
    BadInput
        If they were measured by a version with another catalogue.
    """
    levels = dict(zip(sweep_numbers, stimulus.test_step.level_pa.tolist(), strict=True))
    names = tuple(columns_for(MEASURED[stimulus.kind], sweep_numbers))
    if values.shape[1:] != (len(names),):
        raise BadInput(
            "the features that were kept are not those of this version of neurofit",
            expected=f"{len(names)} columns",
            found=f"{values.shape}",
            advice="Fit again in another directory, or use the version that began this run.",
        )
    return FeatureTable(values, np.isfinite(values), names, levels)


def _measure(voltage: NDArray[np.floating], windows: Windows, stimulus: Stimulus, spikes_drawn: bool) -> Array:
    """Every feature, ``[row, feature]``, NaN where undefined; the voltage is finite."""
    dt_ms, steps = stimulus.dt_ms, stimulus.kind == "steps"
    sweeps = passive.sweep_features(voltage, windows, dt_ms) if steps else passive.at_rest(voltage, windows)
    flat = voltage.reshape(-1, voltage.shape[2])
    spikes = spike_features(flat, dt_ms, windows.start_ms, windows.stop_ms, shapes=not spikes_drawn)
    sweeps |= {name: column.reshape(voltage.shape[:2]) for name, column in spikes.items()}
    sweeps["spontaneous_spikes"] = passive.spontaneous_spikes(voltage, windows)
    cell = _cell_features(voltage, sweeps, windows, dt_ms)
    if not steps:
        sweeps |= moving.sweep_features(voltage, windows, stimulus.current_pa)
        cell |= moving.cell_features(voltage, sweeps, windows, stimulus)
        return _columns(stimulus, sweeps, cell)
    cell |= _step_response(voltage, sweeps, windows, dt_ms, cell["electrode_resistance"])
    # the same median is the passive response where the step is quiet, and the level it fires from where it is not
    plateau, quiet = sweeps["steady_state_voltage"], sweeps["spike_count"] == 0
    sweeps["steady_state_voltage"] = np.where(quiet, plateau, np.nan)
    sweeps["interspike_voltage"] = np.where(quiet, np.nan, plateau)
    return _columns(stimulus, sweeps, cell)


def _columns(stimulus: Stimulus, sweeps: dict[str, Array], cell: dict[str, Array]) -> Array:
    """``[row, feature]``, in the order of the table."""
    return np.column_stack([(sweeps if FEATURES[name].per_sweep else cell)[name] for name in MEASURED[stimulus.kind]])


def _cell_features(
    voltage: NDArray[np.floating], sweeps: dict[str, Array], windows: Windows, dt_ms: float
) -> dict[str, Array]:
    """The features of the whole cell that any current allows, ``{name: [row]}``."""
    watched_s = sum(s.stop - s.start for s in windows.holding) * len(windows.delta_pa) * dt_ms / 1e3
    own = sweeps["spontaneous_spikes"].sum(axis=1)
    means = ("threshold", "spike_height", "half_width", "upstroke", "downstroke", "trough", "height_decline")
    return {
        "resting_potential": np.median(sweeps["rest"], axis=1),
        "resting_noise": np.median(sweeps["rest_sd"], axis=1),
        "electrode_resistance": passive.electrode_resistance(voltage, windows, dt_ms),
        "spontaneous_rate": own / watched_s if watched_s else own,
        **{f"mean_{name}": mean_of_sweeps(sweeps[name]) for name in means},
    }


def _step_response(
    voltage: NDArray[np.floating], sweeps: dict[str, Array], windows: Windows, dt_ms: float, electrode: Array
) -> dict[str, Array]:
    """What a current step tells of the whole cell, ``{name: [row]}``."""
    rest, count, delta = sweeps["rest"], sweeps["spike_count"], windows.delta_pa
    quiet = count == 0
    shown = np.nan_to_num(electrode)

    steady = (
        passive.slope(delta, sweeps["steady_state_voltage"] - rest, quiet & (delta <= passive.SMALLEST_STEP_PA)) * 1e3
    )
    down = quiet & passive.hyperpolarising(windows)
    peak = passive.peak_resistance(sweeps["peak_deflection"], down, delta)
    input_resistance, peak_resistance = _positive(steady - shown), _positive(peak - shown)

    hertz = count / ((windows.stop_ms - windows.start_ms) / 1e3)
    rheobase = np.where((count > 0) & (delta > 0), delta, np.inf).min(axis=1)
    return {
        "input_resistance": input_resistance,
        "peak_input_resistance": peak_resistance,
        "sag_fraction": 1 - input_resistance / peak_resistance,
        "membrane_time_constant": passive.membrane_time_constant(voltage, rest, peak, shown, down, windows, dt_ms),
        "rheobase": np.where(np.isfinite(rheobase), rheobase, np.nan),
        "fi_slope": passive.slope(delta, hertz, delta >= rheobase[:, None]),
    }


def _positive(values: Array) -> Array:
    with np.errstate(invalid="ignore"):
        return np.where(values > 0, values, np.nan)
