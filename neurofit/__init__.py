"""neurofit: a current-clamp recording in, a calibrated posterior over a neuron model's parameters out, with a verdict.

::

    import neurofit as nf

    recording = nf.load_recording("cell.abf")
    model = nf.load_model("hh_pospischil")
    fit = nf.fit(recording, model, out="fits/cell", seed=1)
    print(fit.verdict)
    fit.posterior.sample(1000, seed=1)

Names are loaded when they are first used, so that looking at a recording does not load a neural network.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from neurofit import check
    from neurofit.cells import Cells, fit_cells
    from neurofit.check import CheckResult
    from neurofit.errors import BadInput, NeurofitError, RunFailed
    from neurofit.features import CellProperties, FeatureTable, cell_properties, extract_features, seven_statistics
    from neurofit.fitting import fit
    from neurofit.infer import (
        Amortized,
        Method,
        Posterior,
        Recovery,
        Schedule,
        learn_amortized,
        learn_posterior,
        load_amortized,
    )
    from neurofit.recording import (
        QualityThresholds,
        Recording,
        Stimulus,
        fetch_recording,
        load_recording,
        recording_from_arrays,
    )
    from neurofit.report.netcdf import read_netcdf
    from neurofit.report.posterior import pairplot
    from neurofit.report.recovery import lossplot, rankplot, recoveryplot
    from neurofit.result import Fit, load_fit
    from neurofit.shared import Shared, SharedCells, fit_shared, learn_shared
    from neurofit.simulating import PriorSimulations, simulate_prior
    from neurofit.simulation import Traces, simulate
    from neurofit.template import Model, list_models, load_model

_WHERE = {
    "Amortized": "infer",
    "BadInput": "errors",
    "CellProperties": "features",
    "Cells": "cells",
    "CheckResult": "check",
    "FeatureTable": "features",
    "Fit": "result",
    "Method": "infer",
    "Model": "template",
    "NeurofitError": "errors",
    "Posterior": "infer",
    "PriorSimulations": "simulating",
    "QualityThresholds": "recording",
    "Recording": "recording",
    "Recovery": "infer",
    "RunFailed": "errors",
    "Schedule": "infer",
    "Shared": "shared",
    "SharedCells": "shared",
    "Stimulus": "recording",
    "Traces": "simulation",
    "cell_properties": "features",
    "extract_features": "features",
    "fetch_recording": "recording",
    "fit": "fitting",
    "fit_cells": "cells",
    "fit_shared": "shared",
    "learn_amortized": "infer",
    "learn_posterior": "infer",
    "learn_shared": "shared",
    "list_models": "template",
    "load_amortized": "infer",
    "load_fit": "result",
    "load_model": "template",
    "load_recording": "recording",
    "lossplot": "report.recovery",
    "pairplot": "report.posterior",
    "rankplot": "report.recovery",
    "read_netcdf": "report.netcdf",
    "recording_from_arrays": "recording",
    "recoveryplot": "report.recovery",
    "seven_statistics": "features",
    "simulate": "simulation",
    "simulate_prior": "simulating",
}

__all__ = [
    "Amortized",
    "BadInput",
    "CellProperties",
    "Cells",
    "CheckResult",
    "FeatureTable",
    "Fit",
    "Method",
    "Model",
    "NeurofitError",
    "Posterior",
    "PriorSimulations",
    "QualityThresholds",
    "Recording",
    "Recovery",
    "RunFailed",
    "Schedule",
    "Shared",
    "SharedCells",
    "Stimulus",
    "Traces",
    "cell_properties",
    "check",
    "extract_features",
    "fetch_recording",
    "fit",
    "fit_cells",
    "fit_shared",
    "learn_amortized",
    "learn_posterior",
    "learn_shared",
    "list_models",
    "load_amortized",
    "load_fit",
    "load_model",
    "load_recording",
    "lossplot",
    "pairplot",
    "rankplot",
    "read_netcdf",
    "recording_from_arrays",
    "recoveryplot",
    "seven_statistics",
    "simulate",
    "simulate_prior",
]


def __getattr__(name: str) -> Any:
    if name == "check":
        return import_module("neurofit.check")
    if name not in _WHERE:
        raise AttributeError(f"module 'neurofit' has no attribute {name!r}")
    value = getattr(import_module(f"neurofit.{_WHERE[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
