"""Figures of a fit as plain functions: data in, a :class:`matplotlib.figure.Figure` out, ready to save.

::

    figure = firing_figure("Step 1", [CountsDrawn.of(fit.findings_of_fit["counts"]["fitted"], False, "fitted")])
    figure.savefig("firing.pdf")
"""

from neurofit.report.figures.checks import Curves, calibration_figure, marginal_coverage_figure, null_figure
from neurofit.report.figures.comparison import features_comparison_figure, firing_comparison_figure, held_out_figure
from neurofit.report.figures.features import Interval, intervals_figure
from neurofit.report.figures.firing import CountsDrawn, firing_figure
from neurofit.report.figures.pairs import conditional_figure, pair_figure
from neurofit.report.figures.parameters import marginal_figure, marginals_figure
from neurofit.report.figures.power import Power, power_figure
from neurofit.report.figures.reach import reach_figure
from neurofit.report.figures.robust import robust_figure
from neurofit.report.figures.traces import sweep_figure
from neurofit.report.figures.training import loss_figure, nearest_figure

__all__ = [
    "CountsDrawn",
    "Curves",
    "Interval",
    "Power",
    "calibration_figure",
    "conditional_figure",
    "features_comparison_figure",
    "firing_comparison_figure",
    "firing_figure",
    "held_out_figure",
    "intervals_figure",
    "loss_figure",
    "marginal_coverage_figure",
    "marginal_figure",
    "marginals_figure",
    "nearest_figure",
    "null_figure",
    "pair_figure",
    "power_figure",
    "reach_figure",
    "robust_figure",
    "sweep_figure",
]
