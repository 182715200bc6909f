"""The robust posterior in words, tables and a figure: beside the plain one, never in its place."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from matplotlib.figure import Figure

from neurofit.report.figures import robust_figure
from neurofit.report.figures.style import CSS_DPI, SHARPNESS
from neurofit.report.words import interval, number, plural, signed, unit, with_unit
from neurofit.stages.hedging import FEW, FOLDER, LARGE, SET_ASIDE, RobustFit

if TYPE_CHECKING:
    from neurofit.result import Fit
    from neurofit.template import Model

# Summaries that are told in words; the table has all of them.
TOLD = 8
CAUTION = (
    "A hedge, not a correction: the verdict stands. What is set aside is consistent with being off, which does not say "
    "why; and the network knows nothing but the last round's region, so that it is asked about features that the "
    "simulations there have."
)


def sentences(found: RobustFit) -> list[str]:
    """What is set aside, how far that moves the parameters, and how much to believe it."""
    few = found.method == "weights" and found.effective < FEW
    if few:
        said = [
            f"The weights leave {number(found.effective, 2)} effective simulations: these intervals say next to "
            'nothing, and which features are off is not told. Use the method "noise".'
        ]
    else:
        said = _set_aside(found)
    moved = found.table["shift"].abs()
    most = int(moved.argmax())
    name, by = found.table.index[most], float(found.table["shift"].iloc[most])
    shift = f"{signed(by, 2)} standard deviations of the plain posterior"
    said.append(
        f"The parameter that moves most is {name}, by {shift}; intervals are {found.table['width'].median():.2f} times "
        "as wide in the median."
    )
    if moved.max() > LARGE and not few:
        said.append("Do not rely on a parameter that moves so far: it hangs on the features that are set aside.")
    if found.widened:
        said.append(
            f"Training had already widened the tolerances of {plural(found.widened, 'feature')} that no simulation "
            "near the cell has: the plain posterior excuses them too. Here they are judged as declared."
        )
    if not found.settled:
        said.append(
            f"The chains still moved by {found.unsettled:.2f} of their standard deviations at the end: try another "
            "seed, and believe what both have in common."
        )
    return [*said, CAUTION]


def _set_aside(found: RobustFit) -> list[str]:
    aside = found.set_aside
    if aside.empty:
        return [f"No feature is off with a probability of {SET_ASIDE:g} or more."]
    said = [
        f"{row['label'][0].upper()}{row['label'][1:]} is consistent with being off by "
        f"{_amount(row['off by'], row['unit'])} (90 % {interval(row['off by 5 %'], row['off by 95 %'])}; "
        f"probability {row['probability']:.2f})."
        for row in aside.head(TOLD).to_dict("records")
    ]
    more = [f"And {len(aside) - TOLD} more, which the table of features has."] if len(aside) > TOLD else []
    return said + more


def robust_lines(found: RobustFit) -> Iterator[Any]:
    """For the terminal."""
    from rich import box
    from rich.table import Table

    table = Table(
        "parameter", "unit", "plain 90 %", "robust 90 %", "shift (sd)", "width",
        title=f"Robust posterior ({found.method}), beside the plain one", box=box.SIMPLE, pad_edge=False,
    )  # fmt: skip
    for row in rows(found):
        table.add_row(*row.values())
    yield table
    yield from sentences(found)


def rows(found: RobustFit) -> list[dict[str, str]]:
    """The table of parameters as text."""
    return [
        {
            "name": str(name),
            "unit": unit(str(row["unit"])),
            "plain": interval(row["plain 5 %"], row["plain 95 %"], 4),
            "robust": interval(row["robust 5 %"], row["robust 95 %"], 4),
            "shift": f"{row['shift']:+.2f}",
            "width": f"{row['width']:.2f}",
        }
        for name, row in zip(found.table.index, found.table.to_dict("records"), strict=True)
    ]


def drawn(model: Model, found: RobustFit) -> Figure:
    """Both posteriors, parameter by parameter."""
    labels = [with_unit(name, model.units[name]) for name in model.free]
    return robust_figure(labels, found.plain.to_numpy(), found.draws.to_numpy(), model.prior.logarithmic)


def write_robust(fit: Fit, found: RobustFit) -> None:
    """``METHOD.csv``, ``METHOD-features.csv`` and ``METHOD.png`` in the folder ``robust`` of the run."""
    folder = fit.run / FOLDER
    for name, table in ((f"{found.method}.csv", found.table), (f"{found.method}-features.csv", found.summaries)):
        fit.run.write(folder / name, table.to_csv(float_format="%.6g").encode())
    content = io.BytesIO()
    drawn(fit.model, found).savefig(content, format="png", dpi=CSS_DPI * SHARPNESS)
    fit.run.write(folder / f"{found.method}.png", content.getvalue())


def _amount(value: float, its_unit: str) -> str:
    return f"{signed(value)} {unit(its_unit)}".rstrip()
