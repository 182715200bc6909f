"""Model, stimulus, theta and keys become membrane voltage, through Brian2's code generation."""

import neurofit.template  # noqa: F401  (first: it imports Brian2 with care)
from neurofit.simulation.keys import draw_keys, sweep_keys
from neurofit.simulation.run import Traces, batches, compile_for, run_batch, simulate, valid_draws

__all__ = [
    "Traces",
    "batches",
    "compile_for",
    "draw_keys",
    "run_batch",
    "simulate",
    "sweep_keys",
    "valid_draws",
]
