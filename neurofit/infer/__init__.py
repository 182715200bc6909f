"""theta and features become a :class:`Posterior`, round by round."""

from neurofit.infer.calibration import Coverage, expected_coverage
from neurofit.infer.density import Density
from neurofit.infer.discrepancy import widened, widest
from neurofit.infer.ensemble import Ensemble, train_ensemble
from neurofit.infer.posterior import Posterior
from neurofit.infer.rounds import Method, Region, usable
from neurofit.infer.summaries import Summaries
from neurofit.infer.train import Schedule

__all__ = [
    "Coverage", "Density", "Ensemble", "Method", "Posterior", "Region", "Schedule", "Summaries",
    "expected_coverage", "train_ensemble", "usable", "widened", "widest",
]  # fmt: skip
