"""How well parameters are read from simulations whose parameters are known, and how evenly their ranks lie."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.stats import binom

from neurofit.report.figures.style import BAND, FITTED, INK, MISSED, figure, styled

Array = NDArray[np.float64]

# Cases drawn in a panel, and bars of a histogram.
DRAWN, BARS = 300, 20
PANEL = 2.3
# Bars leave their band so rarely where ranks are uniform.
ALARM = 0.01


def recovery_figure(labels: Sequence[str], truths: Array, draws: Array, said: Sequence[str]) -> Figure:
    """Posterior median and central 90 % interval against the truth, a panel a parameter.

    Parameters
    ----------
    labels
        ``[parameter]``, with units.
    truths, draws
        ``[case, parameter]`` and ``[case, draw, parameter]``.
    said
        ``[parameter]``: a line into each panel.
    """
    low, middle, high = np.quantile(draws[:DRAWN], [0.05, 0.5, 0.95], axis=1)
    true = truths[:DRAWN]
    with styled():
        fig, panels = _panels(len(labels))
        for j, (axes, label) in enumerate(zip(panels, labels, strict=False)):
            ends = np.array([min(true[:, j].min(), middle[:, j].min()), max(true[:, j].max(), middle[:, j].max())])
            axes.plot(ends, ends, color=INK, linewidth=0.8, zorder=3)
            axes.vlines(true[:, j], low[:, j], high[:, j], color=FITTED, alpha=BAND, linewidth=1.0)
            axes.plot(true[:, j], middle[:, j], ".", color=FITTED, markersize=2.5)
            axes.set_title(label)
            axes.text(0.03, 0.97, said[j], transform=axes.transAxes, va="top", fontsize=7.5)
        fig.supxlabel("true value", fontsize=8.5)
        fig.supylabel("posterior median and 90 % interval", fontsize=8.5)
    return fig


def rank_figure(labels: Sequence[str], ranks: Array) -> Figure:
    """Histograms of the truths' ranks among the posterior's draws, with the band of uniform ones.

    Parameters
    ----------
    labels
        ``[parameter]``.
    ranks
        ``[case, parameter]``: share of the draws below the truth.
    """
    low, high = (float(binom.ppf(p, len(ranks), 1 / BARS)) for p in (ALARM / 2 / BARS, 1 - ALARM / 2 / BARS))
    with styled():
        fig, panels = _panels(len(labels), sharey=True)
        for j, (axes, label) in enumerate(zip(panels, labels, strict=False)):
            counts, edges = np.histogram(ranks[:, j], BARS, (0, 1))
            outside = (counts < low) | (counts > high)
            for edge in (low, high):
                axes.axhline(edge, color=INK, linewidth=0.8, linestyle=":", zorder=3)
            axes.bar(
                edges[:-1], counts, 1 / BARS, align="edge", edgecolor="white", linewidth=0.5,
                color=np.where(outside, MISSED, FITTED),
            )  # fmt: skip
            axes.set_title(label)
            axes.set_xlim(0, 1)
        fig.supxlabel("share of the posterior below the truth", fontsize=8.5)
        fig.supylabel("cases", fontsize=8.5)
    return fig


def _panels(n: int, **shared: Any) -> tuple[Figure, list[Any]]:
    columns = min(3, n)
    rows = -(-n // columns)
    fig = figure(PANEL * columns, 0.9 * PANEL * rows, layout="constrained")
    panels = list(fig.subplots(rows, columns, squeeze=False, **shared).ravel())
    for axes in panels[n:]:
        axes.set_visible(False)
    return fig, panels[:n]
