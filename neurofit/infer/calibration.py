"""Is the posterior as wide as it should be, where it should be, and shaped as it should be?

For simulations that no network was trained on, drawn from the prior around the observation, the true parameters are
known. Four checks compare them with the posterior's draws: parameter by parameter, by density, around random points
(:mod:`~neurofit.infer.shares`), and near the observation (:mod:`~neurofit.infer.local`). Together they call a right
posterior wrong in at most :data:`ALARM` of all runs. This shows that the posterior agrees with the model and the stated
tolerances, not that the model is true.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri
from scipy.stats import t as student_t

from neurofit.errors import CheckError
from neurofit.infer.local import LocalTest, local_test, whitened
from neurofit.infer.shares import Shares, density_shares, distance_shares, marginal_shares

Array = NDArray[np.float64]
Word = Literal["calibrated", "too narrow", "too wide", "shifted", "misshapen"]

# How often a right posterior may be called wrong by any check, ...
ALARM = 0.05
# ... and how surely an alarm must lean one way to be named after it.
LEANING = 0.01
# The level at which sentences speak, and the levels of the curves.
SAID = 0.9
LEVELS = np.linspace(0, 1, 101)
# The observation's neighbourhood: so many of the cases.
NEAREST = 200


@dataclass(frozen=True, eq=False)
class Calibration:
    """Four checks of a posterior on cases whose true parameters are known.

    Attributes
    ----------
    names
        ``[parameter]``.
    ranks
        Simulation-based calibration: share of posterior draws below the true value, a column a parameter.
    coverage
        Share of draws with a higher density than the true parameters.
    random_regions
        Share of draws nearer to a random point than the true parameters (TARP).
    local
        Truths against draws by a classifier, near the observation; ``None`` where no observation was given.
    depths
        ``[case]``: share of draws nearer to the posterior's middle than the truth, in its own covariance.
    left_out
        Cases whose posterior lies almost wholly outside the region; not among the others.
    """

    names: tuple[str, ...]
    ranks: Shares
    coverage: Shares
    random_regions: Shares
    local: LocalTest | None
    depths: Array
    left_out: int = 0

    @property
    def checks(self) -> dict[str, Shares | LocalTest]:
        """The checks that were made, by name."""
        made: dict[str, Shares | LocalTest] = {
            "ranks": self.ranks, "coverage": self.coverage, "random_regions": self.random_regions,
        }  # fmt: skip
        if self.local is not None:
            made["local"] = self.local
        return made

    @property
    def level(self) -> float:
        """Of each check, so that all of them together keep to :data:`ALARM` (Bonferroni)."""
        return ALARM / len(self.checks)

    @property
    def alarms(self) -> tuple[str, ...]:
        """Names of the checks that call the posterior wrong."""
        return tuple(name for name, check in self.checks.items() if check.p_value <= self.level)

    @property
    def verdict(self) -> Word:
        """What most stands out, if any check alarms.

        "shifted" where the true values of a parameter lie to one side of the posterior's middle; else "too narrow" or
        "too wide" where they lie farther from it or nearer to it than draws do; else "misshapen". A single alarm near
        the observation is named after the cases there.
        """
        if not self.alarms:
            return "calibrated"
        if abs(self.shift).max() > _threshold(len(self._judged), len(self.names)):
            return "shifted"
        lean = float(_t(self.depths[self._judged]))
        if abs(lean) > _threshold(len(self._judged), 1):
            return "too narrow" if lean > 0 else "too wide"
        return "misshapen"

    @property
    def shift(self) -> Array:
        """``[parameter]``: mean rank minus one half, in its standard errors; positive: the posterior is too low."""
        return _t(self.ranks.values[self._judged])

    @property
    def shift_sd(self) -> Array:
        """``[parameter]``: how far truths lie above the posterior's middle, in its standard deviations, from the mean
        rank as it would be of a normal posterior."""
        return np.asarray(np.sqrt(2) * ndtri(self.ranks.values[self._judged].mean(axis=0)))

    @property
    def marginal(self) -> Array:
        """``[parameter]``: how often the central 90 % interval of each parameter held its true value."""
        return np.asarray((np.abs(self.ranks.values - 0.5) <= SAID / 2).mean(axis=0))

    @property
    def n(self) -> int:
        """Number of cases."""
        return len(self.depths)

    @property
    def _judged(self) -> NDArray[np.intp]:
        """The cases after which an alarm is named: all, or those near the observation."""
        if self.local is not None and self.alarms == ("local",):
            return self.local.near
        return np.arange(self.n)

    def sentence(self) -> str:
        """The verdict in one sentence."""
        held = float((self.coverage.values <= SAID).mean())
        text = (
            f"90 % regions held the true parameters of {100 * held:.0f} % of {self.n} fresh simulations around the "
            "observation"
        )
        where = " at the observation itself" if self.alarms == ("local",) else ""
        match self.verdict:
            case "calibrated":
                return f"{text}, and none of {len(self.checks)} checks finds the posterior off."
            case "shifted":
                j = int(np.abs(self.shift).argmax())
                side, by = "low" if self.shift[j] > 0 else "high", abs(self.shift_sd[j])
                which = f"the posterior of {self.names[j]} lies too {side}{where}"
                return f"{text}; {which}, by {by:.2f} of its standard deviations."
            case "misshapen":
                return f"{text}; its shape is off{where}, without a clear shift or a clearly wrong width."
        return f"{text}; the posterior is {self.verdict}{where}."

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for the run directory: the verdict, and of each check its p-value, sentence and curves."""
        found: dict[str, Any] = {
            "verdict": self.verdict,
            "sentence": self.sentence(),
            "level": self.level,
            "n": self.n,
            "left_out": self.left_out,
            "levels": LEVELS.round(2),
            "marginal": self.marginal,
            "shift": self.shift,
            "shift_sd": self.shift_sd,
            "checks": {},
        }
        for name, check in self.checks.items():
            said = {"p_value": check.p_value, "sentence": check.sentence(self.level)}
            if isinstance(check, Shares):
                said |= {"band": check.band(self.level), "curves": check.curves(LEVELS).round(4)}
            found["checks"][name] = said
        return found


def assess(
    draws: Array,
    truths: Array,
    names: Sequence[str],
    *,
    seed: int,
    log_draws: Array | None = None,
    log_truths: Array | None = None,
    references: Array | None = None,
    distances: Array | None = None,
) -> Calibration:
    """Check any posterior from its draws.

    Parameters
    ----------
    draws
        ``[draw, case, parameter]``: independent draws of each case's posterior, more than twice as many as parameters.
    truths
        ``[case, parameter]``: what each case's data were simulated from, drawn from the prior.
    log_draws, log_truths
        ``[draw, case]`` and ``[case]``: log density of the posterior; where they are not given, that of the Gaussian
        with the draws' mean and covariance stands in.
    references
        ``[case, parameter]``: the centres of the random regions, chosen without looking at the case's truth. By default
        the next case's truth: a draw of the prior.
    distances
        ``[case]``: how far each case's data lie from the observation; without them there is no local check.

    Raises
    ------
    CheckError
        If the shapes do not belong together, a value is not finite, or there are too few draws or cases.
    """
    truths, draws = np.asarray(truths, dtype=np.float64), np.asarray(draws, dtype=np.float64)
    _refuse(draws, truths, names)
    rng = np.random.default_rng(seed)
    radii = np.linalg.norm(whitened(np.concatenate([truths[None], draws])), axis=-1)
    depths = density_shares(-radii[1:], -radii[0], rng)
    coverage = depths
    if log_draws is not None and log_truths is not None:
        coverage = density_shares(log_draws, log_truths, rng)
    local = None
    if distances is not None:
        local = local_test(draws, truths, np.sort(np.argsort(distances, kind="stable")[:NEAREST]), rng)
    return Calibration(
        tuple(names),
        marginal_shares(draws, truths, tuple(names), rng),
        coverage,
        distance_shares(draws, truths, np.roll(truths, -1, axis=0) if references is None else references, rng),
        local,
        depths.values[:, 0],
    )


def _t(values: Array) -> Array:
    """Mean over rows minus one half, in its standard errors."""
    spread = np.maximum(values.std(axis=0, ddof=1), 1e-3)
    return np.asarray((values.mean(axis=0) - 0.5) / spread * np.sqrt(len(values)))


def _threshold(n: int, tests: int) -> float:
    """Standard errors that the largest of so many exceeds with probability :data:`LEANING`, of ``n`` values each."""
    return float(student_t.isf(LEANING / tests / 2, n - 1))


def _refuse(draws: Array, truths: Array, names: Sequence[str]) -> None:
    shaped = draws.ndim == 3 and draws.shape[1:] == truths.shape and len(names) == truths.shape[1]
    if not shaped or len(draws) <= 2 * len(names) or len(truths) < 2:
        raise CheckError(
            "these draws and truths do not make a check of calibration",
            expected="draws [draw, case, parameter] and truths [case, parameter], at least two cases, more than two "
            "draws a parameter, and a name for each",
            found=f"draws {draws.shape}, truths {truths.shape}, {len(names)} names",
        )
    if not (np.isfinite(draws).all() and np.isfinite(truths).all()):
        raise CheckError("draws or truths are not finite", expected="finite numbers")
