"""A fit's posterior in figures and for the terminal, with the true parameters where they are known."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

from neurofit.errors import BadInput, ParameterError
from neurofit.infer.marginals import central_interval, percentile_name
from neurofit.report.figures import conditional_figure, marginals_figure, pair_figure
from neurofit.report.figures.style import CSS_DPI, SHARPNESS
from neurofit.report.words import number, unit, with_unit
from neurofit.store import Run
from neurofit.template import Model

if TYPE_CHECKING:
    from neurofit.infer import Posterior
    from neurofit.result import Fit

Array = NDArray[np.float64]
Truth = Mapping[str, float] | pd.Series | pd.DataFrame

# Posterior draws in the figures.
DRAWS = 5000
# Grid points along each parameter of a slice over two.
SLICED = 30
# The level of fit.parameters.
LEVEL = 0.9
# Correlations that are worth a line, and how many are told.
STRONG, TOLD = 0.5, 5


def pairplot(
    posterior: Posterior, parameters: Sequence[str] | None = None, truth: Truth | None = None, seed: int = 0
) -> Figure:
    """A posterior two parameters by two, with the prior and the most probable parameters.

    :meth:`neurofit.Fit.pairplot` draws that of a fit.

    Parameters
    ----------
    posterior
        From :func:`neurofit.learn_posterior`, for example.
    parameters, truth
        As of :meth:`neurofit.Fit.pairplot`.
    seed
        Of the draws.
    """
    return pair_figure(**_drawn(posterior, posterior.map(seed).iloc[0], parameters, truth, seed))


def pair_plot(fit: Fit, parameters: Sequence[str] | None = None, truth: Truth | None = None) -> Figure:
    """As :meth:`neurofit.Fit.pairplot` says."""
    return pair_figure(**_drawn(fit.posterior, fit.parameters["MAP"], parameters, truth, fit.seed))


def marginal_plot(fit: Fit, parameters: Sequence[str] | None = None, truth: Truth | None = None) -> Figure:
    """As :meth:`neurofit.Fit.marginalplot` says."""
    return marginals_figure(**_drawn(fit.posterior, fit.parameters["MAP"], parameters, truth, fit.seed))


def conditional_plot(fit: Fit, parameters: Sequence[str] | None = None, at: Truth | None = None) -> Figure:
    """As :meth:`neurofit.Fit.conditionalplot` says."""
    names, columns = _chosen(fit.model, parameters)
    posterior = fit.posterior
    point = dict(fit.parameters["MAP"]) if at is None else _values(at)
    along = [posterior.conditional(point, name) for name in names]
    over = {}
    for i, second in enumerate(names):
        for j, first in enumerate(names[:i]):
            table = posterior.conditional(point, [first, second], n=SLICED)
            grid = table.pivot(index=second, columns=first, values="density")
            over[i, j] = grid.columns.to_numpy(np.float64), grid.index.to_numpy(np.float64), grid.to_numpy(np.float64)
    log = [fit.model.prior.logarithmic[j] for j in columns]
    return conditional_figure(
        _labels(fit.model, names),
        log,
        [(table[name].to_numpy(), table["density"].to_numpy()) for name, table in zip(names, along, strict=True)],
        over,
        np.array([along[0].attrs["at"][name] for name in names]),
    )


def save(figure: Figure, path: str | Path, run: Run) -> Path:
    """A figure as a file of the kind that its name says, whole or not at all.

    Raises
    ------
    BadInput
        For a kind that cannot be drawn.
    """
    target = Path(path).absolute()
    kind, kinds = target.suffix[1:].lower(), figure.canvas.get_supported_filetypes()
    if kind not in kinds:
        raise BadInput("figures cannot be drawn as this", where=target, expected=f"one of .{', .'.join(sorted(kinds))}")
    content = io.BytesIO()
    figure.savefig(content, format=kind, dpi=CSS_DPI * SHARPNESS)
    run.write(target, content.getvalue())
    return target


def read_truth(given: Sequence[str], model: Model) -> dict[str, float]:
    """True parameters from ``NAME=VALUE`` and from tables, each with a first row under names, as in ``posterior.csv``.

    Raises
    ------
    BadInput
        For what is neither, and for a column in another unit than the template's.
    """
    found: dict[str, float] = {}
    for text in given:
        name, is_pair, value = text.partition("=")
        try:
            found |= {name.strip(): float(value)} if is_pair else _first_row(Path(text), model)
        except ValueError as error:
            if isinstance(error, BadInput):
                raise
            raise BadInput(f"--truth {text}", expected="NAME=VALUE or a .csv file", found=str(error)) from error
    return found


def _first_row(path: Path, model: Model) -> dict[str, float]:
    try:
        table = pd.read_csv(path, nrows=1)
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput("no true parameters can be read here", where=path, found=str(error)) from error
    if table.empty:
        raise BadInput("there are no true parameters here", where=path, expected="a row under the names")
    found = {}
    for head in map(str, table.columns):
        name, its_unit = re.fullmatch(r"(.*?)\s*(?:\[(.*)\])?", head).groups()  # type: ignore[union-attr]
        if its_unit not in (None, model.units.get(name, its_unit)):
            raise BadInput(f"{name} is in another unit", where=path, expected=model.units[name], found=its_unit)
        found[name] = float(table[head].iloc[0])
    return found


def summary_lines(fit: Fit, level: float = 0.9, truth: Truth | None = None) -> Iterator[Any]:
    """The posterior's summary for the terminal."""
    from rich import box
    from rich.table import Table

    table = fit.parameters if level == LEVEL else fit.posterior.summary(level, seed=fit.seed)
    true = known(fit.model, truth)
    low, high = map(percentile_name, central_interval(level))
    said = f"{100 * level:g} %"
    any_known = bool(np.isfinite(true).any())
    shown = Table(
        "parameter", "unit", "median", said, f"{said} HDI", "MAP", f"prior {said}", "contraction",
        *(["truth"] if any_known else []), "remark",
        title="Posterior up to the tolerances", box=box.SIMPLE, pad_edge=False,
    )  # fmt: skip
    for (name, row), value in zip(table.iterrows(), true, strict=True):
        intervals = [("", low, high), ("HDI ", "low", "high"), ("prior ", low, high)]
        central, shortest, prior = (f"{number(row[of + a])} to {number(row[of + b])}" for of, a, b in intervals)
        shown.add_row(
            str(name), unit(row["unit"]), number(row["median"]), central, shortest, number(row["MAP"]), prior,
            f"{row['contraction']:.2f}", *([number(value) if np.isfinite(value) else ""] if any_known else []),
            row["remark"],
        )  # fmt: skip
    yield shown
    pairs = together(fit)
    yield f"Fixed only together: {'; '.join(pairs)}." if pairs else "No two parameters are strongly correlated."
    yield (
        f"Intervals hold {said} of the draws. Contraction: 1 minus the posterior's variance over the prior's, "
        "where the prior is standard normal (0: nothing was learned; 1: everything)."
    )


def together(fit: Fit) -> list[str]:
    """Parameters that the data only fix together, strongest first: ``"C and g_leak (r = +0.93)"``."""
    r = fit.posterior.correlations(seed=fit.seed)
    names = list(r.index)
    pairs = [(a, b, float(r.loc[a, b])) for i, b in enumerate(names) for a in names[:i] if abs(r.loc[a, b]) >= STRONG]
    pairs.sort(key=lambda pair: -abs(pair[2]))
    return [f"{a} and {b} (r = {value:+.2f})" for a, b, value in pairs[:TOLD]]


def known(model: Model, truth: Truth | None) -> Array:
    """``[parameter]``: the true values in the template's units, NaN where they are not known.

    Raises
    ------
    ParameterError
        For an unknown name, a value that cannot be, or 0 and less where the prior is one of the logarithm.
    """
    if truth is None or not len(truth):
        return np.full(len(model.free), np.nan)
    given = _values(truth)
    row = model.array(given)[0]
    for name, value, log in zip(model.free, row, model.prior.logarithmic, strict=True):
        if log and value <= 0:
            raise ParameterError(f"the true {name} is not positive", expected="a value above 0", found=f"{value:g}")
    return np.array([value if name in given else np.nan for name, value in zip(model.free, row, strict=True)])


def _values(truth: Truth) -> dict[str, Any]:
    row = truth.iloc[0] if isinstance(truth, pd.DataFrame) else truth
    return {str(name): row[name] for name in row.keys()}  # noqa: SIM118 (a Series' own iteration is over values)


def _chosen(model: Model, parameters: Sequence[str] | None) -> tuple[list[str], list[int]]:
    names = list(model.free) if parameters is None else list(dict.fromkeys(parameters))
    unknown = [name for name in names if name not in model.free]
    if unknown or not names:
        raise ParameterError(
            "these parameters cannot be drawn",
            expected=f"names among {', '.join(model.free)}",
            found=", ".join(unknown) or "none",
        )
    return names, [model.free.index(name) for name in names]


def _labels(model: Model, names: Sequence[str]) -> list[str]:
    return [with_unit(name, model.units[name]) for name in names]


def _drawn(
    posterior: Posterior, best: pd.Series, parameters: Sequence[str] | None, truth: Truth | None, seed: int
) -> dict[str, Any]:
    """What both kinds of figure are drawn from."""
    model = posterior.model
    names, columns = _chosen(model, parameters)
    return {
        "labels": _labels(model, names),
        "draws": posterior.sample(DRAWS, seed)[names].to_numpy(),
        "log": [model.prior.logarithmic[j] for j in columns],
        "map_values": best[names].to_numpy(dtype=np.float64),
        "priors": [model.prior.marginal(name) for name in names],
        "truth": known(model, truth)[columns],
    }
