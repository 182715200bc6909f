"""From a program's description to an executable, through Brian2's C++ code generation.

It runs in a process of its own (``python -m neurofit.simulation.build description.json directory``): Brian2's device
and preferences are global, and the user's own Brian2 session is none of our business. It also lets two programs
compile side by side.

What makes gcc vectorise Brian2's neuron loop, all of it needed: finite-math flags, a higher limit on alias checks,
an ``exprel`` without branches, and nothing in the equations that is looked up or drawn (the current and the noise are
set by separate operations before the step).
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

GCC_FLAGS = (
    "-w -O3 -ffast-math -march=native -std=c++17 -fopenmp-simd -mprefer-vector-width=512 "
    "--param=vect-max-version-for-alias-checks=1000"
)
OTHER_FLAGS = "-w -O3 -ffast-math -march=native -std=c++17"

# The ternary becomes a blend; below 1e-5 the first two terms of the series are exact to rounding.
EXPREL = """
static inline double _vector_exprel(double x) {
    const double y = exp(x);
    return fabs(x) < 1e-5 ? 1.0 + 0.5*x : (y - 1.0)/x;
}
"""

# splitmix64 (Steele et al. 2014) of the simulation's key and the time step, then Box-Muller: a simulation's noise is a
# function of its own key, whatever batch, order, worker or machine it runs in.
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


def compiler_flags() -> list[str]:
    """Flags for whatever ``g++`` is."""
    compiler = shutil.which("g++")
    if compiler is None:
        return OTHER_FLAGS.split()
    version = subprocess.run([compiler, "--version"], capture_output=True, text=True, check=False).stdout
    return (OTHER_FLAGS if "clang" in version else GCC_FLAGS).split()


def build(description: dict[str, Any], directory: Path) -> None:
    """Write, compile and describe the program.

    Parameters
    ----------
    description
        See :meth:`neurofit.simulation.program.describe`.
    directory
        Where the Brian2 project goes; must exist. ``manifest.json`` is written last.
    """
    import brian2 as b2
    from brian2.codegen.generators.cpp_generator import CPPCodeGenerator
    from brian2.core.functions import DEFAULT_FUNCTIONS

    from neurofit.simulation import updater  # noqa: F401  (registers the scheme)
    from neurofit.template.units import parse_unit

    b2.prefs.codegen.cpp.extra_compile_args_gcc = compiler_flags()
    b2.set_device("cpp_standalone", build_on_run=False)

    exprel = DEFAULT_FUNCTIONS["exprel"].implementations
    exprel._implementations = {}
    exprel.add_implementation(CPPCodeGenerator, name="_vector_exprel", code=EXPREL)
    keyed_normal = b2.Function(lambda key, step: None, arg_units=[1, 1], return_unit=1)
    keyed_normal.implementations.add_implementation(CPPCodeGenerator, name="_neurofit_normal", code=KEYED_NORMAL)

    quantity = {
        u: b2.Quantity(parse_unit(u).scale, dim=parse_unit(u).dimensions) for u in description["units"].values()
    }
    fixed = {name: value * quantity[description["units"][name]] for name, value in description["fixed"].items()}
    free, spike = description["free"], description["spike"]
    lines = [description["equations"], f"v_recorded = {recorded_voltage(description)} : volt", "I_inj : amp"]
    if description["uses_noise"]:
        lines.append("white_noise : second**-0.5")
    dimension_text = {name: _base_units(parse_unit(description["units"][name]).dimensions) for name in free}
    lines += [f"{name} : {dimension_text[name]} (constant)" for name in free]
    lines += ["key : 1 (constant)", "sweep : integer (constant)"]

    b2.defaultclock.dt = description["dt_ms"] * b2.ms
    more = {}
    if spike:
        more = {k: spike[k] for k in ("threshold", "reset", "refractory")}
    shape = (description["n_samples"], description["n_sweeps"])
    stimulus = b2.TimedArray(np.zeros(shape) * b2.amp, dt=description["sample_dt_ms"] * b2.ms, name="stimulus")
    group = b2.NeuronGroup(
        description["n_neurons"],
        "\n".join(lines),
        method=description["method"],
        namespace={**fixed, "injected": stimulus, "keyed_normal": keyed_normal},
        name="cells",
        **more,
    )
    group.run_regularly("I_inj = injected(t, sweep)", when="before_groups", order=0)
    if description["uses_noise"]:
        group.run_regularly("white_noise = keyed_normal(key, t_in_timesteps)/sqrt(dt)", when="before_groups", order=1)
    monitor = b2.StateMonitor(
        group,
        "v_recorded",
        record=True,
        dt=description["sample_dt_ms"] * b2.ms,
        when="before_groups",
        order=2,
        name="monitor",
    )

    # parameters, keys and starting voltages come from the command line; the gates then follow from them
    b2.device.apply_run_args()
    for name, expression in description["initial"].items():
        setattr(group, name, expression)
    b2.run(description["n_samples"] * description["sample_dt_ms"] * b2.ms)
    b2.device.build(directory=str(directory), run=False, with_output=False)

    variable = monitor.variables["v_recorded"]
    manifest = {
        "voltage_file": Path(b2.device.get_array_filename(variable)).name,
        "voltage_scale_mv": 1e3,
        "parameters": {name: parse_unit(description["units"][name]).scale for name in free},
    }
    (directory / "manifest.json").write_text(json.dumps(manifest))


def recorded_voltage(description: dict[str, Any]) -> str:
    """What the electrode reports, with a drawn action potential where the model has none of its own."""
    spike = description["spike"]
    if not spike:
        return str(description["recorded"])
    recently = f"int((t - lastspike) < {spike['drawn_width_ms']}*ms)"
    return f"({description['recorded']})*(1 - {recently}) + {spike['drawn_peak_mv']}*mV*{recently}"


def _base_units(dimensions: Any) -> str:
    """Dimensions as a product of SI base units, which Brian2's equations accept whatever the unit's name."""
    names = ("meter", "kilogram", "second", "amp", "kelvin", "mole", "candela")
    powers = [(n, float(p)) for n, p in zip(names, dimensions._dims, strict=True) if p != 0]
    return "*".join(f"{n}**{p:g}" if p != 1 else n for n, p in powers) or "1"


if __name__ == "__main__":
    build(json.loads(Path(sys.argv[1]).read_text()), Path(sys.argv[2]))
