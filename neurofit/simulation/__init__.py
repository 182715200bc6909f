"""Model, stimulus, theta and keys become membrane voltage, through Brian2's code generation."""

import neurofit.template  # noqa: F401  (first: it imports Brian2 with care)
from neurofit.simulation.keys import draw_keys, sweep_keys
from neurofit.simulation.run import (
    FINE,
    REASONS,
    Traces,
    batches,
    compile_for,
    count_reasons,
    draw_reasons,
    run_batch,
    simulate,
)

__all__ = [
    "FINE",
    "REASONS",
    "Traces",
    "batches",
    "compile_for",
    "count_reasons",
    "draw_keys",
    "draw_reasons",
    "run_batch",
    "simulate",
    "sweep_keys",
]
