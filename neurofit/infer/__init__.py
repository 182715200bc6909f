"""theta and features become a :class:`Posterior`, round by round."""

from neurofit.infer.calibration import Calibration, assess
from neurofit.infer.density import Density
from neurofit.infer.discrepancy import widened, widest
from neurofit.infer.ensemble import Ensemble, train_ensemble
from neurofit.infer.held_out import assess_held_out
from neurofit.infer.posterior import Posterior
from neurofit.infer.rounds import Method, Region, usable
from neurofit.infer.summaries import Summaries
from neurofit.infer.train import Schedule

__all__ = [
    "Calibration", "Density", "Ensemble", "Method", "Posterior", "Region", "Schedule", "Summaries",
    "assess", "assess_held_out", "train_ensemble", "usable", "widened", "widest",
]  # fmt: skip
