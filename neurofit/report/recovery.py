"""What an amortised posterior has learned, in figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matplotlib.figure import Figure

from neurofit.report.figures.recovery import rank_figure, recovery_figure
from neurofit.report.figures.training import loss_figure
from neurofit.report.words import with_unit

if TYPE_CHECKING:
    from neurofit.infer import Amortized, Recovery


def lossplot(learned: Amortized) -> Figure:
    """Training and validation loss over epochs, titled with what the curve says."""
    return loss_figure(learned.reading.partition(":")[0], learned.losses[None])


def recoveryplot(recovery: Recovery) -> Figure:
    """Posterior medians and 90 % intervals of known parameters against the truth, a panel a parameter."""
    table = recovery.table
    said = [f"NRMSE {e:.2f}, contraction {c:.2f}" for e, c in zip(table["NRMSE"], table["contraction"], strict=True)]
    return recovery_figure(_labels(recovery), recovery.truths, recovery.draws, said)


def rankplot(recovery: Recovery) -> Figure:
    """Rank histograms (Talts et al. 2018), a panel a parameter, with the band that uniform ranks stay in.

    A hill: the posterior is too wide; a valley: too narrow; a slope: shifted. Bars outside the band are coloured; in
    one of a hundred histograms of a right posterior one is.
    """
    return rank_figure(_labels(recovery), recovery.calibration.ranks.values)


def _labels(recovery: Recovery) -> list[str]:
    return [with_unit(name, unit) for name, unit in zip(recovery.names, recovery.units, strict=True)]
