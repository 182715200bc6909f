"""Observed and simulated arrays become a :class:`CheckResult`: a calibrated p-value and words.

::

    summary(observed, reference)              statistics, one by one and together
    raw(observed, reference)                  voltage, at every time and in what it does overall
    embedding(network, observed, reference)   what a network reads from them
    detectable_shifts(reference)              what a summary check with these simulations would notice
    reading(result)                           outside, narrower, over-dispersed or inside
    rig_features(voltage)                     what names an artefact of the rig, for a summary check
    Nuisances(...).applied_to(voltage)        a rig's offset, series resistance, filter and noise, put into simulations

How: scores (:mod:`~neurofit.scores`), one test a file (``joint``, ``marginal``, ``envelope``,
``quantile_joint``, ``nearest``), their nulls (``conformal``), one p-value from several (``combine``), and ``words``.
"""

from neurofit.check.artefacts import RIG_FEATURES, rig_features
from neurofit.check.caveats import reading
from neurofit.check.network import embedding
from neurofit.check.nuisance import Nuisances
from neurofit.check.power import Detectable, detectable_shifts
from neurofit.check.result import CheckResult, Effect, Stretch
from neurofit.check.summaries import summary
from neurofit.check.voltage import raw

__all__ = [
    "RIG_FEATURES",
    "CheckResult",
    "Detectable",
    "Effect",
    "Nuisances",
    "Stretch",
    "detectable_shifts",
    "embedding",
    "raw",
    "reading",
    "rig_features",
    "summary",
]
