"""What goes into a run: its decisions, a copy of its data and template, and the compiled programs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurofit.check import Nuisances
from neurofit.errors import CheckError
from neurofit.features import FEATURES, FeatureTable
from neurofit.infer import Method, Summaries
from neurofit.infer.tolerance import tolerances_from
from neurofit.progress import Progress
from neurofit.recording import Finding, Recording, Source, chosen_sweeps
from neurofit.recording.split import Split, split
from neurofit.simulation import compile_for
from neurofit.store import Run
from neurofit.template import Model, parse_model

# What the raw check's simulations get where the user says nothing: the noise of a quiet amplifier to that of a poor
# patch.
RIG = Nuisances(noise_sd_mv={"family": "log_uniform", "low": 0.02, "high": 0.5})


def chosen_inputs(
    recording: Recording, model: Model, sweeps: str | Sequence[int], step: int, keep_all: bool = False
) -> tuple[Recording, list[int], Split, Model]:
    """The recording without what is set aside, the numbers of the sweeps that are asked for, the recording cut to them,
    the model at a step that divides it."""
    recording, chosen = chosen_sweeps(recording, sweeps, keep_all)
    cut = split(recording, chosen, step)
    return recording, chosen, cut, with_dividing_step(model, cut.fitted.dt_ms)


def with_dividing_step(model: Model, sample_dt_ms: float) -> Model:
    """The model at the longest time step that is no longer than its own and divides the sampling interval."""
    return model.with_dt(sample_dt_ms / math.ceil(sample_dt_ms / model.dt_ms - 1e-9))


def measurable(model: Model, features: Sequence[str]) -> list[str]:
    """The features that mean something for a model: without the spikes' shape where it draws them."""
    drawn = {name for name, feature in FEATURES.items() if model.spike is not None and feature.aspect == "spike shape"}
    return [name for name in features if name not in drawn]


def declared_summaries(
    model: Model,
    fitted: Recording,
    observed: FeatureTable,
    features: Sequence[str],
    tolerance: Mapping[str, float] | None,
) -> Summaries:
    """What a fit compares: the features that mean something, with the user's, the recording's or default tolerances."""
    chosen = measurable(model, features)
    measured = tolerances_from(fitted, observed, chosen, records_current=model.parsed.records_current)
    return Summaries.of(observed, chosen, tolerance, measured)


def chosen_rig(rig: Nuisances | None, model: Model) -> Nuisances:
    """What the raw check's simulations get of a rig: what is asked for, or the default.

    That is nothing for a template with observation noise of its own, which must not be added twice.

    Raises
    ------
    CheckError
        For a filter: the voltage that is kept for this check is thinned to 0.5 ms, so that none can act on it.
    """
    if rig is not None and rig.corner_khz is not None:
        raise CheckError(
            "a filter cannot be part of a fit's rig",
            where="rig",
            expected="offset_mv, series_resistance_mohm or noise_sd_mv",
            found=f"{rig}",
            advice="The raw check compares voltage every 0.5 ms, too coarse to show one.",
        )
    default = Nuisances() if model.parsed.uses_observation_noise else RIG
    return default if rig is None else rig


def decisions(
    recording: Recording,
    sweeps: Sequence[int],
    step: int,
    model: Model,
    declared: Summaries,
    method: Method,
    rig: Nuisances,
    seed: int,
) -> dict[str, Any]:
    """Everything that decides a run's result, as plain values; two runs with the same are the same run."""
    return {
        **inputs_decided(recording, sweeps, step, model),
        "summaries": {
            "names": list(declared.names),
            "tolerance": declared.tolerance.tolist(),
            # of those that are not the catalogue's, so that runs from before it was kept are the same runs
            "tolerance_from": dict(declared.sources),
        },
        "method": method.to_dict(),
        "rig": rig.to_dict(),
        "seed": seed,
    }


def inputs_decided(recording: Recording, sweeps: Sequence[int], step: int, model: Model) -> dict[str, Any]:
    """Which recording, sweeps, step and model, as plain values."""
    return {
        "recording": {
            "path": recording.source.path,
            "sha256": recording.source.sha256,
            "format": recording.source.format,
            "protocol": recording.source.protocol,
            "current_from": recording.source.current_from,
            # nothing where nothing was said, so that runs from before it could be are the same runs
            **({"said": recording.source.said} if recording.source.said else {}),
            "sweeps": list(sweeps),
            "step": step,
            **_quality_decided(recording),
        },
        "model": {"name": model.name, "path": model.path, "sha256": model.sha256, "dt_ms": model.dt_ms},
    }


def _quality_decided(recording: Recording) -> dict[str, Any]:
    """Sweeps that are set aside or taken all the same, and thresholds that are not the defaults; only what there is."""
    decided = {
        "set_aside": {str(number): reason for number, reason in recording.set_aside.items()},
        "taken_anyway": [number for f in recording.findings if f.kind == "taken-anyway" for number in f.sweeps],
        "thresholds": recording.thresholds.changed(),
    }
    return {name: value for name, value in decided.items() if value}


def keep_inputs(run: Run, model: Model, cut: Split, findings: Sequence[Finding]) -> None:
    """Copy the template and the sweeps into the run directory, so that it stands alone."""
    run.file("model.toml", lambda path: path.write_bytes(model.text.encode()))
    parts = {"fitted": cut.fitted, **cut.held_out}
    run.arrays(
        "data.npz", lambda: {key: array for i, part in enumerate(parts.values()) for key, array in _arrays(i, part)}
    )
    run.json(
        "data.json",
        lambda: {
            "parts": list(parts),
            "source": vars(cut.fitted.source),
            "findings": [vars(finding) for finding in findings],
        },
    )


def _arrays(i: int, part: Recording) -> list[tuple[str, NDArray[Any]]]:
    return [
        (f"{i}.voltage_mv", part.voltage_mv.astype(np.float32)),
        (f"{i}.current_pa", part.current_pa),
        (f"{i}.sweeps", np.array(part.sweep_numbers)),
        (f"{i}.times", np.array([part.dt_ms, part.start_ms])),
    ]


def read_inputs(run: Run) -> tuple[Model, Split, tuple[Finding, ...]]:
    """What :func:`keep_inputs` kept."""
    decided = run.decisions()
    model = parse_model((run / "model.toml").read_text(encoding="utf-8"), decided["model"]["path"])
    about, arrays = run.read_json("data.json"), run.read_arrays("data.npz")
    source = Source(**about["source"])
    findings = tuple(Finding(f["kind"], f["severity"], f["message"], tuple(f["sweeps"])) for f in about["findings"])
    parts = {}
    for i, name in enumerate(about["parts"]):
        dt_ms, start_ms = arrays[f"{i}.times"].tolist()
        parts[name] = Recording(
            arrays[f"{i}.voltage_mv"].astype(np.float64),
            arrays[f"{i}.current_pa"],
            dt_ms,
            tuple(arrays[f"{i}.sweeps"].tolist()),
            start_ms,
            findings if i == 0 else (),
            source,
        )
    fitted = parts.pop("fitted")
    return model.with_dt(decided["model"]["dt_ms"]), Split(fitted, parts), findings


def compile_all(model: Model, cut: Split, progress: Progress) -> None:
    """Compile the programs for every shape of sweeps, side by side; nothing to do where they are cached."""
    recordings = [cut.fitted, *cut.held_out.values()]
    with progress.bar("Compiling the model", len(recordings)) as advance, ThreadPoolExecutor(2) as pool:
        for count, _ in enumerate(pool.map(lambda part: compile_for(model, part.stimulus), recordings), 1):
            advance(count, f"{count} of {len(recordings)} programs")
