"""A template, ``models/*.toml``, becomes a :class:`Model`: equations, parameters with units, priors."""

import sys

# Importing Brian2 replaces Python's own report of uncaught errors by one that asks for a bug report to Brian2.
_report = sys.excepthook
import brian2  # noqa: E402, F401

sys.excepthook = _report

from neurofit.template.load import copy_model, find_model, list_models, load_model, parse_model  # noqa: E402
from neurofit.template.model import Model, Parameter  # noqa: E402
from neurofit.template.prior import Prior  # noqa: E402

__all__ = [
    "Model",
    "Parameter",
    "Prior",
    "copy_model",
    "find_model",
    "list_models",
    "load_model",
    "parse_model",
]
