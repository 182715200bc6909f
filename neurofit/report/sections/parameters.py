"""The posterior over the model's parameters."""

from __future__ import annotations

from typing import Any

import numpy as np

from neurofit.report.embed import Picture, picture
from neurofit.report.figures import marginal_figure, pair_figure
from neurofit.report.material import Material
from neurofit.report.words import interval, number, unit, with_unit

# Correlations, of the parameters as their priors scale them, that are worth a line.
STRONG = 0.5
TOLD = 5


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
        "together": _together(material),
        "n": len(material.draws),
    }


def _rows(material: Material) -> list[dict[str, str]]:
    described = {p.name: p.description for p in material.fit.model.parameters}
    rows = []
    for name, row in zip(material.fit.model.free, material.fit.parameters.to_dict("records"), strict=True):
        remark = row["remark"]
        rows.append(
            {
                "name": name,
                "description": described[name],
                "unit": unit(str(row["unit"])),
                "median": number(row["median"], 4),
                "band": interval(row["5 %"], row["95 %"], 4),
                "map": number(float(material.map[name]), 4),
                "prior": str(row["prior"]),
                "remark": remark if isinstance(remark, str) else "",
            }
        )
    return rows


def _logarithmic(material: Material) -> list[bool]:
    """``[parameter]``: is its prior one of the logarithm?"""
    families = [p.prior for p in material.fit.model.parameters if p.prior is not None]
    return [str(getattr(family, "family", "")).startswith("log") for family in families]


def _labels(material: Material) -> list[str]:
    model = material.fit.model
    return [with_unit(name, model.units[name]) for name in model.free]


def _marginals(material: Material) -> list[Picture]:
    model, draws = material.fit.model, material.draws
    pictures = []
    for name, label, family, log, row in zip(
        model.free, _labels(material), model.prior.families, _logarithmic(material), _rows(material), strict=True
    ):
        figure = marginal_figure(
            label,
            draws[name].to_numpy(),
            model.prior.marginal(name),
            log=log,
            map_value=float(material.map[name]),
        )
        alt = (
            f"Prior ({family}) and posterior of {label}: median {row['median']}, 90 % interval {row['band']}, "
            f"most probable {row['map']}."
        )
        pictures.append(picture(figure, alt))
    return pictures


def _pairs(material: Material) -> Picture:
    names = list(material.fit.model.free)
    best = material.map[names].to_numpy(dtype=np.float64)
    figure = pair_figure(_labels(material), material.draws[names].to_numpy(), _logarithmic(material), best)
    return picture(figure, f"Pair plot of the posterior of {', '.join(names)}: density, 50 % and 90 % regions.", "png")


def _together(material: Material) -> list[str]:
    """Parameters that the data only fix together, strongest first."""
    model = material.fit.model
    if len(model.free) < 2:
        return []
    r = np.corrcoef(model.prior.to_unbounded(material.draws[list(model.free)].to_numpy()).T)
    pairs = [(i, j) for i in range(len(r)) for j in range(i) if abs(r[i, j]) >= STRONG]
    pairs.sort(key=lambda pair: -abs(r[pair]))
    return [f"{model.free[j]} and {model.free[i]} (r = {r[i, j]:+.2f})" for i, j in pairs[:TOLD]]
