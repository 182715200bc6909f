"""From a program's description to Brian2's objects, and from these to an executable through its C++ code generation.

It runs in a process of its own: Brian2's device and preferences are global, and the user's own Brian2 session is none
of our business. It also lets two programs compile side by side.

What makes gcc vectorise Brian2's neuron loop, all of it needed: finite-math flags, a higher limit on alias checks,
functions without branches (``vector_math.h``), and nothing in the equations that is looked up or drawn (the current and
the noise are set by separate operations before the step).
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurofit.simulation.compiler import compiler_flags, is_gcc
from neurofit.template.units import parse_unit, si_unit

VECTOR_MATH = "vector_math.h"
# Added to the number of a step, so that the observation noise of a key is none of its white noise.
OBSERVATION = 2**40
FLOATS = {"double": np.float64, "single": np.float32}


def build(description: dict[str, Any], directory: Path) -> None:
    """Write, compile and describe the program.

    Parameters
    ----------
    description
        See :func:`neurofit.simulation.program.describe`.
    directory
        Where the Brian2 project goes; must exist. ``manifest.json`` is written last.
    """
    import brian2 as b2

    _set_preferences(b2, description["precision"])
    b2.set_device("cpp_standalone", build_on_run=False)
    no_current = np.zeros((description["n_sweeps"], description["n_samples"]))
    group, monitor = cells(b2, description, no_current, _functions(b2, description["precision"]))
    # parameters, keys and starting voltages come from the command line; the gates then follow from them
    b2.device.apply_run_args()
    start(group, description)
    b2.run(description["n_samples"] * description["sample_dt_ms"] * b2.ms)
    # what is compiled stands in the program's folder, all of it
    shutil.copy(Path(__file__).with_name(VECTOR_MATH), directory)
    b2.device.build(directory=str(directory), run=False, with_output=False)

    manifest = {
        "voltage_file": Path(b2.device.get_array_filename(monitor.variables["v_recorded"])).name,
        "parameters": {name: parse_unit(description["units"][name]).scale for name in description["free"]},
        "files": {
            str(file.relative_to(directory)): digest(file)
            for file in [directory / "main", *sorted((directory / "static_arrays").iterdir())]
        },
    }
    (directory / "manifest.json").write_text(json.dumps(manifest))


def cells(b2: Any, description: dict[str, Any], current_pa: NDArray[np.float64], keyed_normal: Any) -> tuple[Any, Any]:
    """The neurons of a program and the monitor of their recorded voltage, on whatever device Brian2 is set to.

    Parameters
    ----------
    current_pa
        ``[sweep, time]``.
    keyed_normal
        Brian2 function that makes the noise.
    """
    from neurofit.simulation import updater  # noqa: F401  (registers the scheme)

    units = {name: parse_unit(unit) for name, unit in description["units"].items()}
    sample_dt = description["sample_dt_ms"] * b2.ms
    stimulus = b2.TimedArray(current_pa.T * 1e-12 * b2.amp, dt=sample_dt, name="stimulus")
    b2.defaultclock.dt = description["dt_ms"] * b2.ms
    group = b2.NeuronGroup(
        description["n_neurons"],
        "\n".join(_equations(description, units)),
        method=description["method"],
        namespace={
            **{
                n: b2.Quantity(value * units[n].scale, units[n].dimensions) for n, value in description["fixed"].items()
            },
            "injected": stimulus,
            "keyed_normal": keyed_normal,
        },
        name="cells",
        # voltage as it is kept, and half as much to write; keys of 53 bits in any precision
        dtype={"v_recorded": np.float32, "key": np.float64},
        **{key: description["spike"][key] for key in ("threshold", "reset", "refractory") if description["spike"]},
    )
    before = {"when": "before_groups"}
    # the current changes with the samples, the noise with every step
    group.run_regularly("I_inj = injected(t, sweep)", dt=sample_dt, order=0, **before)
    if description["uses_noise"]:
        group.run_regularly("white_noise = keyed_normal(key, t_in_timesteps)/sqrt(dt)", order=1, **before)
    if description["uses_observation_noise"]:
        drawn = f"observation_noise = keyed_normal(key, t_in_timesteps + {OBSERVATION})"
        group.run_regularly(drawn, dt=sample_dt, order=1, **before)
    monitor = b2.StateMonitor(group, "v_recorded", record=True, dt=sample_dt, order=2, name="monitor", **before)
    group.time_step = description["dt_ms"] * b2.ms
    return group, monitor


def start(group: Any, description: dict[str, Any]) -> None:
    """The current and the gates at the first sample, for voltages and parameters that are set."""
    group.I_inj = "injected(0*ms, sweep)"
    for name, expression in description["initial"]:
        setattr(group, name, expression)


def digest(file: Path) -> str:
    """The sha256 of a file that a program needs when it runs."""
    return hashlib.sha256(file.read_bytes()).hexdigest()


def recorded_voltage(description: dict[str, Any]) -> str:
    """What the electrode reports, with a drawn action potential where the model has none of its own.

    It is drawn for at least one sample, whatever the sampling, and ends a sample before the refractory period does, so
    that two spikes never become one.
    """
    spike, sample = description["spike"], f"({description['sample_dt_ms']}*ms)"
    if not spike:
        return str(description["recorded"])
    width = f"clip({spike['refractory']} - {sample}, {sample}, {spike['drawn_width_ms']}*ms)"
    if spike["drawn_width_ms"] < description["sample_dt_ms"]:
        width = sample
    recently = f"int((t - lastspike) < {width} + dt/2)"
    return f"({description['recorded']})*(1 - {recently}) + {spike['drawn_peak_mv']}*mV*{recently}"


def _set_preferences(b2: Any, precision: str) -> None:
    # a preference file of the user's must not change what is compiled
    b2.prefs.reset_to_defaults()
    b2.prefs.core.default_float_dtype = FLOATS[precision]
    b2.prefs.codegen.cpp.extra_compile_args_gcc = compiler_flags()
    b2.prefs.codegen.cpp.headers = [f'"{VECTOR_MATH}"']
    b2.prefs.devices.cpp_standalone.extra_make_args_unix = [f"-j{os.cpu_count() or 1}"]
    if precision == "single" and is_gcc():
        # Brian2 writes numbers without the f that keeps them from making doubles of all they meet. Only where neurons
        # are stepped: the clock stays in double precision.
        single = "--eval='code_objects/%.o: CXXFLAGS += -fsingle-precision-constant'"
        b2.prefs.devices.cpp_standalone.extra_make_args_unix += [single]
    # the compiler's words go to our log, and a signal stops the program instead of cutting its result short
    b2.prefs.logging.std_redirection = False
    b2.prefs.core.stop_on_keyboard_interrupt = False


def _functions(b2: Any, precision: str) -> Any:
    """Replace Brian2's exp and exprel by ours; the function that makes the noise."""
    from brian2.codegen.generators.cpp_generator import CPPCodeGenerator
    from brian2.core.functions import DEFAULT_FUNCTIONS

    for name in ("exp", "expm1", "exprel"):
        implementations = DEFAULT_FUNCTIONS[name].implementations
        implementations._implementations = {}
        implementations.add_implementation(CPPCodeGenerator, code=None, name=f"vector_{name}")
    keyed_normal = b2.Function(lambda key, step: None, arg_units=[1, 1], return_unit=1)
    keyed_normal.implementations.add_implementation(CPPCodeGenerator, code=None, name=f"keyed_normal_{precision}")
    return keyed_normal


def _equations(description: dict[str, Any], units: dict[str, Any]) -> list[str]:
    """The template's equations and what the simulator adds to them."""
    lines = [description["equations"], f"v_recorded = ({recorded_voltage(description)})/mV : 1", "I_inj : amp"]
    if description["uses_noise"]:
        lines.append("white_noise : second**-0.5")
    if description["uses_observation_noise"]:
        lines.append("observation_noise : 1")
    lines += [f"{name} : {si_unit(units[name].dimensions)} (constant)" for name in description["free"]]
    # Brian2's own dt is a double, whatever the precision of everything else
    return [*lines, "time_step : second (constant, shared)", "key : 1 (constant)", "sweep : integer (constant)"]


def main(directory: str) -> None:
    """Build what ``description.json`` in a directory describes."""
    build(json.loads((Path(directory) / "description.json").read_text()), Path(directory))
