"""The posterior over the model's parameters."""

from __future__ import annotations

from typing import Any

import pandas as pd

from neurofit.report.embed import Picture, picture
from neurofit.report.figures import marginal_figure
from neurofit.report.material import Material
from neurofit.report.posterior import pair_plot, together
from neurofit.report.words import interval, number, unit, with_unit


def parameters_section(material: Material) -> dict[str, Any]:
    """Table, marginals and pairs."""
    return {
        "rows": _rows(material),
        "fixed": [
            {"name": p.name, "description": p.description, "value": number(p.value, 4), "unit": unit(p.unit)}
            for p in material.fit.model.parameters
            if p.prior is None
        ],
        "marginals": _marginals(material),
        "pairs": _pairs(material) if len(material.fit.model.free) > 1 else None,
        "together": together(material.fit),
        "n": len(material.draws),
        "first": _first(material),
    }


def _rows(material: Material) -> list[dict[str, str]]:
    described = {p.name: p.description for p in material.fit.model.parameters}
    first, rows = material.first_draws, []
    for name, row in zip(material.fit.model.free, material.fit.parameters.to_dict("records"), strict=True):
        rows.append(
            {
                "name": name,
                "description": described[name],
                "unit": unit(str(row["unit"])),
                "median": number(row["median"], 4),
                "band": interval(row["5 %"], row["95 %"], 4),
                "first": _band(first[name]) if first is not None else "",
                "map": number(float(material.map[name]), 4),
                "prior": str(row["prior"]),
                "contraction": f"{row['contraction']:.2f}",
                "remark": row["remark"],
            }
        )
    return rows


def _band(draws: pd.Series) -> str:
    low, high = draws.quantile([0.05, 0.95])
    return interval(low, high, 4)


def _first(material: Material) -> dict[str, Any] | None:
    """What the first round by itself made of the cell, beside which the rounds' posterior is to be seen."""
    first, method = material.first_draws, material.fit.method
    if first is None:
        return None
    ends = first.quantile([0.025, 0.975])
    medians = material.draws.median()
    outside = medians.index[(medians < ends.iloc[0]) | (medians > ends.iloc[1])]
    return {
        "of": "plain NPE" if method.task(1) == "density" else "its first round alone",
        "simulations": f"{method.simulations:,}",
        "parameters": len(medians),
        "outside": list(outside),
    }


def _labels(material: Material) -> list[str]:
    model = material.fit.model
    return [with_unit(name, model.units[name]) for name in model.free]


def _marginals(material: Material) -> list[Picture]:
    model, draws, first = material.fit.model, material.draws, material.first_draws
    pictures = []
    for name, label, family, log, row in zip(
        model.free,
        _labels(material),
        model.prior.families,
        material.fit.model.prior.logarithmic,
        _rows(material),
        strict=True,
    ):
        figure = marginal_figure(
            label,
            draws[name].to_numpy(),
            model.prior.marginal(name),
            log=log,
            map_value=float(material.map[name]),
            first=None if first is None else first[name].to_numpy(),
        )
        alt = (
            f"Prior ({family}) and posterior of {label}: median {row['median']}, 90 % interval {row['band']}, "
            f"most probable {row['map']}."
        )
        pictures.append(picture(figure, alt))
    return pictures


def _pairs(material: Material) -> Picture:
    names = ", ".join(material.fit.model.free)
    alt = f"Pair plot of the posterior of {names}: density, 50 % and 90 % regions, most probable parameters."
    return picture(pair_plot(material.fit), alt, "png")
