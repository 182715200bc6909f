"""Many cells in one figure: their parameters side by side, and the firing of each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from neurofit.report.figures.comparison import looks
from neurofit.report.figures.parameters import round_ticks
from neurofit.report.figures.style import BAND, FAINT, FITTED, INK, figure, styled

Array = NDArray[np.float64]

# Across the whole page.
_WIDTH = 9.6


@dataclass(frozen=True, eq=False)
class ParameterOfCells:
    """One parameter of every cell.

    Attributes
    ----------
    title
        Name and unit.
    low, median, high
        ``[model, cell]``: 5 %, 50 % and 95 % of each posterior; NaN where a cell has none.
    prior
        1 % and 99 % of the prior, which the axis shows.
    log
        Is the prior's scale logarithmic?
    """

    title: str
    low: Array
    median: Array
    high: Array
    prior: tuple[float, float]
    log: bool


@dataclass(frozen=True, eq=False)
class FiringOfCell:
    """Spike counts of one cell: ``levels_pa``, ``recorded`` and the predictions' 5 %, 50 % and 95 %, ``[sweep]``."""

    name: str
    levels_pa: Array
    recorded: Array
    low: Array
    median: Array
    high: Array


def parameters_of_cells_figure(
    cells: Sequence[str], models: Sequence[str], parameters: Sequence[ParameterOfCells]
) -> Figure:
    """A panel a parameter, over the range of its prior; in it a 90 % interval for each cell and model."""
    columns = min(3, len(parameters))
    rows = math.ceil(len(parameters) / columns)
    n, k = len(cells), len(models)
    with styled():
        fig = figure(_WIDTH, 0.6 + rows * (0.75 + 0.17 * n), layout="constrained")
        grid = fig.subplots(rows, columns, squeeze=False, sharey=True)
        at = np.arange(n)[::-1]
        for axes, parameter in zip(grid.flat, parameters, strict=False):
            for i, (colour, mark, _) in enumerate(looks(k)):
                y = at + (0 if k == 1 else 0.5 * (0.5 - i / (k - 1)))
                axes.hlines(y, parameter.low[i], parameter.high[i], color=colour, linewidth=1.6)
                axes.plot(parameter.median[i], y, ls="", marker=mark, markersize=3.5, color=colour, label=models[i])
            axes.set_title(parameter.title)
            if parameter.log:
                axes.set_xscale("log")
            axes.set_xlim(*parameter.prior)
            round_ticks(axes.xaxis, *parameter.prior, parameter.log, most=4)
            axes.set_ylim(-0.7, n - 0.3)
            axes.set_yticks(at, cells)
            axes.grid(axis="y", color=FAINT, linewidth=0.4, alpha=0.5)
        for axes in grid.flat[len(parameters) :]:
            axes.set_visible(False)
        if k > 1:
            handles, labels = grid.flat[0].get_legend_handles_labels()
            fig.legend(handles, labels, loc="outside lower center", ncols=min(k, 4))
    return fig


def firing_of_cells_figure(cells: Sequence[FiringOfCell]) -> Figure:
    """A small f-I curve for each cell: recorded marks over the predictions' 90 % band."""
    columns = 4
    rows = math.ceil(len(cells) / columns)
    with styled():
        fig = figure(_WIDTH, 0.3 + 1.75 * rows, layout="constrained")
        grid = fig.subplots(rows, columns, squeeze=False)
        for axes, cell in zip(grid.flat, cells, strict=False):
            order = np.argsort(cell.levels_pa, kind="stable")
            levels = cell.levels_pa[order]
            axes.fill_between(levels, cell.low[order], cell.high[order], color=FITTED, alpha=BAND, linewidth=0)
            axes.plot(levels, cell.median[order], color=FITTED, linewidth=1.3)
            axes.plot(levels, cell.recorded[order], ls="", marker="o", markersize=3, color=INK)
            axes.set_title(cell.name, fontsize=8)
            axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
        for axes in grid.flat[len(cells) :]:
            axes.set_visible(False)
        fig.supxlabel("current in the step (pA)", fontsize=8.5)
        fig.supylabel("spikes in the step", fontsize=8.5)
    return fig
