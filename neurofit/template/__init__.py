"""A template, ``models/*.toml``, becomes a :class:`Model`: equations, parameters with units, priors."""

from neurofit.template.brian import load_brian2

load_brian2()

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
