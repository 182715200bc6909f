"""Voltage and current -> a table of features; one and the same function for recorded and simulated voltage."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neurofit.errors import StimulusError
from neurofit.features import passive
from neurofit.features.catalogue import PER_CELL, PER_SWEEP, columns_for
from neurofit.features.spikes import spike_features
from neurofit.features.table import FeatureTable
from neurofit.recording import Stimulus

Array = NDArray[np.float64]


def extract_features(
    voltage_mv: ArrayLike,
    stimulus: Stimulus,
    *,
    sweep_numbers: Sequence[int] | None = None,
    spikes_drawn: bool = False,
    valid: NDArray[np.bool_] | None = None,
) -> FeatureTable:
    """Measure every feature of the catalogue.

    Parameters
    ----------
    voltage_mv
        ``[row, sweep, time]``, one row a cell or a simulation; ``[sweep, time]`` is one row.
    stimulus
        The current of those sweeps, sampled like the voltage. Features are taken at its ``test_step``.
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
        If voltage and current differ in sweeps or samples, or the current holds no step.
    """
    voltage = np.asarray(voltage_mv)
    if voltage.ndim == 2:
        voltage = voltage[None]
    if voltage.ndim != 3 or voltage.shape[1:] != stimulus.current_pa.shape:
        raise StimulusError(
            "voltage and current do not match",
            expected=f"voltage [row, {stimulus.n_sweeps}, {stimulus.n_samples}]",
            found=f"{voltage.shape}",
        )
    numbers = list(range(stimulus.n_sweeps)) if sweep_numbers is None else [int(s) for s in sweep_numbers]
    usable = np.isfinite(voltage).all(axis=(1, 2)) if valid is None else np.asarray(valid, dtype=bool)

    windows = passive.Windows.of(stimulus)
    sweeps = passive.sweep_features(voltage, windows, stimulus.dt_ms)
    flat = voltage.reshape(-1, voltage.shape[2])
    spikes = spike_features(flat, stimulus.dt_ms, windows.start_ms, windows.stop_ms, shapes=not spikes_drawn)
    sweeps |= {name: column.reshape(voltage.shape[:2]) for name, column in spikes.items()}
    cell = _cell_features(voltage, sweeps, windows, stimulus.dt_ms)

    columns = [sweeps[name][:, j] for name in PER_SWEEP for j in range(len(numbers))]
    columns += [cell[name] for name in PER_CELL]
    values = np.column_stack(columns).astype(np.float64)
    values[~usable] = np.nan
    levels = dict(zip(numbers, (windows.delta_pa + stimulus.holding_pa).tolist(), strict=True))
    return FeatureTable(values, np.isfinite(values), tuple(columns_for((*PER_SWEEP, *PER_CELL), numbers)), levels)


def _cell_features(
    voltage: NDArray[np.floating], sweeps: dict[str, Array], windows: passive.Windows, dt_ms: float
) -> dict[str, Array]:
    """The features that belong to the whole cell, ``{name: [row]}``."""
    rest, count, delta = sweeps["rest"], sweeps["spike_count"], windows.delta_pa
    quiet = count == 0
    electrode = passive.electrode_resistance(voltage, windows, dt_ms)
    shown = np.nan_to_num(electrode)
    steady = sweeps["steady_state_voltage"] - rest
    input_resistance = passive.resistance(steady, delta, quiet & (delta <= passive.SMALLEST_STEP_PA)) - shown
    # through the origin by adding the rest itself as a point: the peak is undefined where nothing hyperpolarises
    down = delta < -passive.SMALLEST_STEP_PA
    with np.errstate(invalid="ignore", divide="ignore"):
        peak = (sweeps["peak_deflection"][:, down] * delta[down]).sum(axis=1) / (delta[down] ** 2).sum() * 1e3
    peak_resistance = np.where((quiet | ~down).all(axis=1), peak - shown, np.nan) if down.any() else _nan(rest)
    with np.errstate(invalid="ignore", divide="ignore"):
        sag = 1 - input_resistance / peak_resistance

    fires = count > 0
    seconds = (windows.stop_ms - windows.start_ms) / 1e3
    above = fires & (delta > 0)
    lowest = np.where(above, delta, np.inf).min(axis=1)
    rheobase = np.where(np.isfinite(lowest), lowest, np.nan)
    from_rheobase = delta[None, :] >= np.where(np.isfinite(lowest), lowest, np.inf)[:, None]
    return {
        "resting_potential": np.median(rest, axis=1),
        "resting_noise": np.median(sweeps["rest_sd"], axis=1),
        "electrode_resistance": electrode,
        "input_resistance": np.where(input_resistance > 0, input_resistance, np.nan),
        "peak_input_resistance": np.where(peak_resistance > 0, peak_resistance, np.nan),
        "sag_fraction": np.where(peak_resistance > 0, sag, np.nan),
        "membrane_time_constant": passive.membrane_time_constant(
            voltage, rest, sweeps["peak_deflection"], shown, windows, dt_ms
        ),
        "rheobase": rheobase,
        "fi_slope": _positive(passive.resistance(count / seconds, delta, from_rheobase) / 1e3),
        "mean_threshold": _mean(sweeps["threshold"]),
        "mean_spike_height": _mean(sweeps["spike_height"]),
        "mean_half_width": _mean(sweeps["half_width"]),
        "mean_upstroke": _mean(sweeps["upstroke"]),
        "mean_downstroke": _mean(sweeps["downstroke"]),
        "mean_trough": _mean(sweeps["trough"]),
        "mean_height_decline": _mean(sweeps["height_decline"]),
    }


def _mean(values: Array) -> Array:
    """``[row]``: mean over the sweeps in which it is defined; NaN where it is in none."""
    defined = np.isfinite(values)
    count = defined.sum(axis=1)
    total = np.where(defined, values, 0.0).sum(axis=1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _positive(values: Array) -> Array:
    return np.where(values > 0, values, np.nan)


def _nan(like: Array) -> Array:
    return np.full(len(like), np.nan)
