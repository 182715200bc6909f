"""A fit's posterior as a netCDF file that ArviZ and xarray read (the extra ``arviz``); nothing in it is pickled.

Groups as ArviZ names them: ``posterior``, ``sample_stats`` (``lp``), ``prior``, ``observed_data`` and
``posterior_predictive`` of the fitted sweeps. Every variable has its ``units``, and a fitted feature of
``observed_data`` the ``tolerance`` that the posterior was inferred with, on its ``scale``.
"""

from __future__ import annotations

import io
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from neurofit.errors import BadInput
from neurofit.features import FeatureTable
from neurofit.features.catalogue import FEATURES, feature_of

if TYPE_CHECKING:
    import xarray

    from neurofit.infer import Summaries
    from neurofit.result import Fit

FORMAT = 1
ENGINE: Final = "h5netcdf"


def available() -> bool:
    """Are the packages of the extra ``arviz`` installed?"""
    return all(find_spec(name) is not None for name in ("xarray", ENGINE))


def to_datatree(fit: Fit, n: int) -> xarray.DataTree:
    """The posterior in ArviZ's groups.

    Parameters
    ----------
    fit
        A finished run.
    n
        Draws of posterior and prior. The posterior's are those of ``posterior.csv`` where ``n`` is its own.
    """
    xarray = _xarray()
    draws = fit.posterior.sample(n, fit.seed)
    prior = fit.model.prior.sample(n, np.random.default_rng(fit.seed))
    predicted = fit.simulations("predicted fitted")
    valid = np.flatnonzero(predicted.valid)
    log_prob = (("chain", "draw"), fit.posterior.log_prob(draws)[None], {"long_name": "log posterior density"})
    groups = {
        "posterior": _parameters(fit, draws.to_numpy()),
        "sample_stats": xarray.Dataset({"lp": log_prob}, _draws(np.arange(n))),
        "prior": _parameters(fit, prior),
        "observed_data": _with_tolerances(_features(fit.observed), fit.summaries),
        "posterior_predictive": _features(predicted.features.rows(valid), valid),
    }
    recording = fit.decisions["recording"]
    tree = xarray.DataTree.from_dict(groups)
    tree.attrs = {
        "inference_library": "neurofit",
        "inference_library_version": version("neurofit"),
        "neurofit_format": FORMAT,
        "model": fit.model.name,
        "model_sha256": fit.model.sha256,
        "recording": recording["path"],
        "recording_sha256": recording["sha256"],
        "seed": fit.seed,
        "verdict": fit.verdict.word,
    }
    return tree


def write_netcdf(fit: Fit, n: int, path: Path) -> None:
    """:func:`to_datatree` as a file, whole or not at all."""
    content = io.BytesIO()
    to_datatree(fit, n).to_netcdf(content, engine=ENGINE)
    fit.run.write(path.absolute(), content.getvalue())


def read_netcdf(path: str | Path) -> xarray.DataTree:
    """Read a ``posterior.nc``: ``tree["posterior"].to_dataset()``, ``tree["posterior"]["C"].attrs["units"]``.

    Raises
    ------
    BadInput
        If it is no such file, was written in another format, or the extra ``arviz`` is not installed.
    """
    xarray = _xarray()
    try:
        with xarray.open_datatree(path, engine=ENGINE) as opened:
            tree = opened.load()
    except (OSError, ValueError) as error:
        raise BadInput("this is not a netCDF file", where=path, found=str(error)) from error
    if tree.attrs.get("neurofit_format") != FORMAT:
        raise BadInput(
            "this was not written by this version of neurofit",
            where=path,
            expected=f"neurofit_format {FORMAT}",
            found=f"neurofit_format {tree.attrs.get('neurofit_format')}",
            advice="xarray.open_datatree reads any netCDF file.",
        )
    return tree


def _xarray() -> Any:
    if not available():
        raise BadInput(
            "netCDF files need packages that are not installed",
            expected=f"xarray and {ENGINE}",
            advice="pip install 'neurofit[arviz]'",
        )
    import xarray

    return xarray


def _parameters(fit: Fit, theta: NDArray[np.float64]) -> xarray.Dataset:
    """A variable for each free parameter, ``[chain, draw]`` with one chain: the draws are independent."""
    free = [p for p in fit.model.parameters if p.prior is not None]
    variables = {
        p.name: (("chain", "draw"), column[None], {"units": p.unit, "long_name": p.description, "prior": str(p.prior)})
        for p, column in zip(free, theta.T, strict=True)
    }
    return _xarray().Dataset(variables, _draws(np.arange(len(theta))))


def _with_tolerances(observed: xarray.Dataset, declared: Summaries) -> xarray.Dataset:
    for name in dict.fromkeys(feature_of(column).name for column in declared.names):
        observed[name].attrs |= {
            "tolerance": declared.tolerance_of(name),
            "tolerance_from": declared.source_of(name),
            "scale": FEATURES[name].scale,
        }
    return observed


def _draws(numbers: NDArray[np.intp]) -> dict[str, Any]:
    """Coordinates of independent draws: one chain."""
    return {"chain": [0], "draw": numbers}


def _features(table: FeatureTable, draws: NDArray[np.intp] | None = None) -> xarray.Dataset:
    """A variable for each feature, by ``sweep`` where it is one of single sweeps, NaN where undefined.

    Rows of the table are ``draws``, by their numbers; without these it has one row.
    """
    sweeps = list(table.levels_pa)
    leading = () if draws is None else ("chain", "draw")
    variables = {}
    for name in dict.fromkeys(feature_of(column).name for column in table.names):
        feature = FEATURES[name]
        columns = [f"{name}@{sweep}" for sweep in sweeps] if feature.per_sweep else [name]
        values = np.stack([table.column(column) for column in columns], axis=-1)
        values = values if feature.per_sweep else values[:, 0]
        variables[name] = (
            (*leading, "sweep") if feature.per_sweep else leading,
            values[0] if draws is None else values[None],
            {"units": feature.unit, "long_name": feature.label},
        )
    level = ("sweep", list(table.levels_pa.values()), {"units": "pA", "long_name": "current of the test step"})
    return _xarray().Dataset(
        variables, {"sweep": sweeps, "level": level} | (_draws(draws) if draws is not None else {})
    )
