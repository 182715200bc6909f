"""What a check ranked the cell among, and how well the posterior is calibrated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike, NDArray
from scipy.stats import binom

from neurofit.check import CheckResult
from neurofit.report.figures.style import FAINT, FITTED, INK, MISSED, SHADE, WIDTH, bare, figure, styled

Array = NDArray[np.float64]

LEVEL = 0.05


def null_figure(result: CheckResult, names: Mapping[str, str]) -> Figure:
    """Each test's score of the simulations in grey, and the cell's as a line with its p-value.

    Scores have no unit and only their order counts, so each axis is stretched (by asinh, in interquartile ranges) to
    show the bulk and the far end.

    Parameters
    ----------
    result
        From :func:`neurofit.check.summary` or :func:`neurofit.check.raw`.
    names
        ``{test: words}``.
    """
    tests = list(result.null)
    with styled():
        fig = figure(WIDTH, 0.92 * len(tests) + 0.42, layout="constrained")
        rows = fig.subplots(len(tests), 1, squeeze=False)[:, 0]
        for axes, test in zip(rows, tests, strict=True):
            null, observed = _stretched(result.null[test], result.observed_score[test])
            low, high = min(null.min(), observed), max(float(np.quantile(null, 0.999)), observed)
            margin = 0.04 * (high - low or 1.0)
            axes.hist(np.clip(null, low, high), 45, range=(low, high), color=FAINT, alpha=0.55, linewidth=0)
            p = result.p_values[test]
            colour = MISSED if p <= LEVEL else FITTED
            axes.axvline(observed, color=colour, linewidth=2.0)
            left = observed > (low + high) / 2
            axes.annotate(
                f"the cell, p = {p:.2g}", (observed, 0.9), xycoords=("data", "axes fraction"),
                xytext=(-4 if left else 4, 0), textcoords="offset points", ha="right" if left else "left", va="top",
                fontsize=8, color=colour, weight="bold",
                bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 0.8},
            )  # fmt: skip
            axes.set_xlim(low - margin, high + margin)
            axes.set_title(names.get(test, test), fontsize=8.5, pad=3)
            bare(axes, "left", "bottom")
            axes.tick_params(labelleft=False, labelbottom=False)
            axes.axhline(0, color=FAINT, linewidth=0.8)
        rows[-1].set_xlabel("stranger  →")
    return fig


def _stretched(null: Array, observed: float) -> tuple[Array, float]:
    low, middle, high = np.quantile(null, [0.25, 0.5, 0.75])
    scale = (high - low) or 1.0
    return np.arcsinh((null - middle) / scale), float(np.arcsinh((observed - middle) / scale))


@dataclass(frozen=True)
class Curves:
    """How often regions of every size held the true parameters, in one panel.

    Attributes
    ----------
    title
        Above it.
    names
        ``[curve]``: the one furthest outside the band is named; of a single curve, empty.
    values
        ``[curve, level]``: shares of the cases.
    band
        Half the width of the band that a right posterior's curves stay in, all of them.
    """

    title: str
    names: Sequence[str]
    values: Array
    band: float


def calibration_figure(levels: ArrayLike, panels: Sequence[Curves]) -> Figure:
    """Curves of calibration with their simultaneous bands, a panel each.

    Several curves are drawn as differences from what they should be, a single one beside the diagonal.

    Parameters
    ----------
    levels
        ``[level]``: share of the posterior inside.
    panels
        From left to right.
    """
    x = 100 * np.asarray(levels, dtype=np.float64)
    with styled():
        fig = figure(3.1 * len(panels), 3.2, layout="constrained")
        for axes, panel in zip(np.atleast_1d(fig.subplots(1, len(panels))), panels, strict=True):
            several = bool(panel.names)
            base, band = np.zeros_like(x) if several else x, 100 * panel.band
            low, high = (base - band, base + band) if several else (np.maximum(x - band, 0), np.minimum(x + band, 100))
            axes.fill_between(x, low, high, color=SHADE, linewidth=0)
            axes.plot(x, base, color=FAINT, linewidth=0.8)
            curves = 100 * np.asarray(panel.values, dtype=np.float64)
            off = np.abs(curves - x)
            for values, farthest in zip(curves, off.max(axis=1), strict=True):
                outside = farthest > band
                axes.plot(
                    x, values - x if several else values, color=MISSED if outside else FITTED,
                    linewidth=1.6 if outside or not several else 0.8,
                )  # fmt: skip
            worst, at = divmod(int(off.argmax()), len(x))
            if several and off.max() > band:
                # one name: the curves of several leave the band at the same place
                height = curves[worst, at] - x[at]
                up = height > 0
                axes.annotate(
                    panel.names[worst], (x[at], height), xytext=(0, 2 if up else -2), textcoords="offset points",
                    ha="center", va="bottom" if up else "top", fontsize=8, color=MISSED,
                )  # fmt: skip
            axes.set_title(panel.title)
            axes.set_xlim(0, 100)
            if several:
                reach = 1.25 * max(band, float(off.max()))
                axes.set_ylim(-reach, reach)
                axes.set_xlabel("share of draws below (%); grey: chance")
                axes.set_ylabel("true values: more or fewer than due (%)")
            else:
                axes.set_ylim(0, 100)
                axes.set_xlabel("share of draws inside (%); grey: chance")
                axes.set_ylabel("true parameters inside (%)")
                axes.text(0.97, 0.06, "fewer than due", transform=axes.transAxes, ha="right", color=FAINT, fontsize=8)
                axes.text(0.04, 0.9, "more than due", transform=axes.transAxes, color=FAINT, fontsize=8)
    return fig


def marginal_coverage_figure(names: Sequence[str], covered: ArrayLike, n: int) -> Figure:
    """How often each parameter's central 90 % interval held its true value.

    Parameters
    ----------
    names, covered
        ``[parameter]``; shares.
    n
        Number of simulations.
    """
    y = np.asarray(covered, dtype=np.float64)
    with styled():
        fig = figure(WIDTH, max(1.6, 0.2 * len(names) + 0.8), layout="constrained")
        axes = fig.subplots()
        # so wide that all of them lie inside in 95 % of cases
        outside = 0.05 / len(names)
        low, high = (float(binom.ppf(p, n, 0.9)) / n for p in (outside / 2, 1 - outside / 2))
        axes.axvspan(100 * low, 100 * high, color=SHADE, linewidth=0, zorder=-2)
        axes.axvline(90, color=INK, linewidth=1.0, zorder=-1)
        for row, value in enumerate(y):
            inside = low <= value <= high
            axes.plot(100 * value, row, marker="o" if inside else "D", color=FITTED if inside else MISSED, markersize=5,
                      markerfacecolor=None if inside else "white", linestyle="")  # fmt: skip
        axes.set_yticks(range(len(names)), list(names))
        axes.set_ylim(len(names) - 0.4, -0.6)
        axes.set_xlim(min(80.0, 100 * float(y.min()) - 2), 101)
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.set_xlabel("true value inside the 90 % interval (%); grey: chance")
    return fig
