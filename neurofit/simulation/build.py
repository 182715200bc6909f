"""From a program's description to Brian2's objects, and from these to an executable through its C++ code generation.

It runs in a process of its own: Brian2's device and preferences are global, and the user's own Brian2 session is none
of our business. It also lets two programs compile side by side.

What makes gcc vectorise Brian2's neuron loop, all of it needed: finite-math flags, a higher limit on alias checks,
an ``exprel`` without branches, and nothing in the equations that is looked up or drawn (the current and the noise are
set by separate operations before the step).
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurofit.simulation.compiler import compiler_flags
from neurofit.template.units import parse_unit, si_unit

# The ternary becomes a blend; where it changes over, both sides are good to 2e-11.
EXPREL = """
static inline double _vector_exprel(double x) {
    const double y = exp(x);
    return fabs(x) < 1e-5 ? 1.0 + 0.5*x : (y - 1.0)/x;
}
"""

# splitmix64 (Steele et al. 2014) of the simulation's key and the time step, then Box-Muller: a simulation's noise is a
# function of its own key, whatever batch, order or worker it runs in.
KEYED_NORMAL = """
static inline double _neurofit_normal(double key, double step) {
    uint64_t z = (uint64_t)(int64_t)key*0xD1B54A32D192ED03ULL + (uint64_t)(int64_t)step*0x9E3779B97F4A7C15ULL;
    z = (z ^ (z >> 30))*0xBF58476D1CE4E5B9ULL;
    z = (z ^ (z >> 27))*0x94D049BB133111EBULL;
    z ^= z >> 31;
    const double u = ((double)(int32_t)(z >> 33) + 0.5)*(1/2147483648.0);
    const double w = (double)(int32_t)(z & 0x7fffffff)*(6.283185307179586/2147483648.0);
    return sqrt(-2*log(u))*cos(w);
}
"""


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

    _set_preferences(b2)
    b2.set_device("cpp_standalone", build_on_run=False)
    group, monitor = cells(
        b2, description, np.zeros((description["n_sweeps"], description["n_samples"])), _functions(b2)
    )
    # parameters, keys and starting voltages come from the command line; the gates then follow from them
    b2.device.apply_run_args()
    start(group, description)
    b2.run(description["n_samples"] * description["sample_dt_ms"] * b2.ms)
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
        **{key: description["spike"][key] for key in ("threshold", "reset", "refractory") if description["spike"]},
    )
    before = {"when": "before_groups"}
    # the current changes with the samples, the noise with every step
    group.run_regularly("I_inj = injected(t, sweep)", dt=sample_dt, order=0, **before)
    if description["uses_noise"]:
        group.run_regularly("white_noise = keyed_normal(key, t_in_timesteps)/sqrt(dt)", order=1, **before)
    monitor = b2.StateMonitor(group, "v_recorded", record=True, dt=sample_dt, order=2, name="monitor", **before)
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


def _set_preferences(b2: Any) -> None:
    # a preference file of the user's must not change what is compiled
    b2.prefs.reset_to_defaults()
    b2.prefs.codegen.cpp.extra_compile_args_gcc = compiler_flags()
    b2.prefs.devices.cpp_standalone.extra_make_args_unix = [f"-j{os.cpu_count() or 1}"]
    # the compiler's words go to our log, and a signal stops the program instead of cutting its result short
    b2.prefs.logging.std_redirection = False
    b2.prefs.core.stop_on_keyboard_interrupt = False


def _functions(b2: Any) -> Any:
    """Replace Brian2's exprel by one that vectorises; the function that makes the noise."""
    from brian2.codegen.generators.cpp_generator import CPPCodeGenerator
    from brian2.core.functions import DEFAULT_FUNCTIONS

    exprel = DEFAULT_FUNCTIONS["exprel"].implementations
    exprel._implementations = {}
    exprel.add_implementation(CPPCodeGenerator, name="_vector_exprel", code=EXPREL)
    keyed_normal = b2.Function(lambda key, step: None, arg_units=[1, 1], return_unit=1)
    keyed_normal.implementations.add_implementation(CPPCodeGenerator, name="_neurofit_normal", code=KEYED_NORMAL)
    return keyed_normal


def _equations(description: dict[str, Any], units: dict[str, Any]) -> list[str]:
    """The template's equations and what the simulator adds to them."""
    lines = [description["equations"], f"v_recorded = {recorded_voltage(description)} : volt", "I_inj : amp"]
    if description["uses_noise"]:
        lines.append("white_noise : second**-0.5")
    lines += [f"{name} : {si_unit(units[name].dimensions)} (constant)" for name in description["free"]]
    return [*lines, "key : 1 (constant)", "sweep : integer (constant)"]


def main(directory: str) -> None:
    """Build what ``description.json`` in a directory describes."""
    build(json.loads((Path(directory) / "description.json").read_text()), Path(directory))
