"""The stages of a fit; each finds its result in the run directory, or computes and writes it."""

from neurofit.stages.calibrating import NETWORK, calibrate
from neurofit.stages.checking import Outcome, check_fit
from neurofit.stages.hedging import RobustFit, hedge, kept_ways, read_hedge
from neurofit.stages.inputs import (
    RIG,
    chosen_inputs,
    chosen_rig,
    compile_all,
    decisions,
    declared_summaries,
    inputs_decided,
    keep_inputs,
    measurable,
    read_inputs,
    with_dividing_step,
)
from neurofit.stages.power import read_sensitivity, sensitivity
from neurofit.stages.predicting import predict
from neurofit.stages.prior_checks import NEARNESS, WHAT_NEXT, check_prior, read_reach, stopped, stopped_verdict
from neurofit.stages.seeds import stream_seed
from neurofit.stages.simulating import KEEP_MS, KEPT, SimulationSet, read_set, simulate_set, stream
from neurofit.stages.training import Round, propose, read_round, train_round

__all__ = [
    "KEEP_MS",
    "KEPT",
    "NEARNESS",
    "NETWORK",
    "RIG",
    "WHAT_NEXT",
    "Outcome",
    "RobustFit",
    "Round",
    "SimulationSet",
    "calibrate",
    "check_fit",
    "check_prior",
    "chosen_inputs",
    "chosen_rig",
    "compile_all",
    "decisions",
    "declared_summaries",
    "hedge",
    "inputs_decided",
    "keep_inputs",
    "kept_ways",
    "measurable",
    "predict",
    "propose",
    "read_hedge",
    "read_inputs",
    "read_reach",
    "read_round",
    "read_sensitivity",
    "read_set",
    "sensitivity",
    "simulate_set",
    "stopped",
    "stopped_verdict",
    "stream",
    "stream_seed",
    "train_round",
    "with_dividing_step",
]
