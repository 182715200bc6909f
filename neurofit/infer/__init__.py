"""theta and features become a :class:`Posterior`, round by round."""

from neurofit.infer.amortized import Amortized, load_amortized
from neurofit.infer.calibration import Calibration, assess
from neurofit.infer.density import Density
from neurofit.infer.discrepancy import widened, widest
from neurofit.infer.ensemble import Ensemble, load_density, train_ensemble
from neurofit.infer.held_out import Cases, assess_held_out
from neurofit.infer.learn import learn_posterior
from neurofit.infer.learn_amortized import learn_amortized
from neurofit.infer.method import Method, Schedule
from neurofit.infer.posterior import Posterior
from neurofit.infer.potential import Potential
from neurofit.infer.recalibration import fitting_base
from neurofit.infer.recovery import Recovery
from neurofit.infer.region import Region, usable
from neurofit.infer.summaries import Summaries
from neurofit.infer.train import read_losses

__all__ = [
    "Amortized", "Calibration", "Cases", "Density", "Ensemble", "Method", "Posterior", "Potential", "Recovery",
    "Region", "Schedule", "Summaries", "assess", "assess_held_out", "fitting_base", "learn_amortized",
    "learn_posterior", "load_amortized", "load_density", "read_losses", "train_ensemble", "usable", "widened", "widest",
]  # fmt: skip
