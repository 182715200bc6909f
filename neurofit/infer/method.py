"""How a posterior is found: method, rounds, networks, training, as one value that goes into the run directory."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from neurofit.errors import BadInput
from neurofit.infer.discrepancy import NEAREST
from neurofit.infer.valid import FEWEST_CASES, METHOD, SCHEDULE, Estimator, Name, require, require_type

if TYPE_CHECKING:  # a method can be written down without loading torch
    from neurofit.infer.networks import Task


@dataclass(frozen=True)
class Schedule:
    """A network and how it is trained; goes into the run directory as it is.

    Attributes
    ----------
    density
        One of sbi's density estimators. NRE needs none: its classifier is sbi's residual network.
    hidden, transforms
        The network's size.
    epochs, batches
        The budget: so many passes over the simulations, each cut into so many batches of 32 to 1,024.
    peak_rate, warm_up
        One-cycle schedule (Smith and Topin 2019): up to the peak over this fraction of the steps, then down to zero,
        both in a straight line.
        The peak is for batches of 256 and goes with the root of their size.
    weight_decay
        Of AdamW.
    validation
        Fraction of the simulations held out.
    patience
        Training ends early once the validation loss has been clearly above its best for this fraction of the epochs
        while the training loss went on falling: more of that is learning by heart. Nothing else ends it, as the last
        epochs, at a rate near zero, are where most is gained.
    """

    density: Estimator = "maf"
    hidden: int = 96
    transforms: int = 3
    epochs: int = 24
    batches: int = 36
    peak_rate: float = 2e-2
    warm_up: float = 0.15
    weight_decay: float = 0.1
    validation: float = 0.1
    patience: float = 0.25

    def __post_init__(self) -> None:
        require(SCHEDULE, self)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Method:
    """How a posterior is found: everything that decides it besides data, model and seed.

    Attributes
    ----------
    name
        ``"tsnpe"``: neural posterior estimation in rounds from the truncated prior (Deistler et al. 2022).
        ``"npe"``: in one round from the prior. ``"npe-c"``: in rounds from the last posterior, with the atomic
        correction (Greenberg et al. 2019). ``"nle"`` and ``"nre"``: neural likelihood (Papamakarios et al. 2019) and
        ratio (Durkan et al. 2020) estimation, in rounds from the last posterior.
    rounds, simulations
        How many rounds of how many simulations each.
    members
        Networks in the ensemble.
    schedule
        Network and training.
    truncation
        The share of each round's posterior that its region may leave out, ...
    margin
        ... before the region is widened by this many nats of log density. Near its border every simulation's posterior
        is cut off; the wider it is, the less of that rubs off on the observation's.
    nearest
        Simulations asked for the model's discrepancy.
    cases
        Simulations around the cell after the last round, but no more than a round has (150 at least): two thirds put
        the networks right, one third checks them.

    Raises
    ------
    BadInput
        For an unknown name, or more than one round of a method that has one.
    """

    name: Name = "tsnpe"
    rounds: int = 5
    simulations: int = 5000
    members: int = 3
    schedule: Schedule = field(default_factory=Schedule)
    truncation: float = 1e-3
    margin: float = 5.0
    nearest: int = NEAREST
    cases: int = 1200

    def __post_init__(self) -> None:
        require(METHOD, self)
        require_type("schedule", self.schedule, Schedule, "Method")
        if self.name == "npe" and self.rounds != 1:
            raise BadInput("npe has one round, of the prior", expected="rounds 1", found=f"rounds {self.rounds}")

    @property
    def truncates(self) -> bool:
        """Does a round propose from the prior inside a region, rather than from the last posterior?"""
        return self.name == "tsnpe"

    def task(self, number: int) -> Task:
        """What the networks of a round, from 1, learn."""
        if self.name == "npe-c" and number > 1:
            return "atomic"
        return _TASKS[self.name]

    @staticmethod
    def named(name: Name, rounds: int = rounds, budget: int = rounds * simulations) -> Method:
        """A method with so many simulations in all, in one round where it has one."""
        own = 1 if name == "npe" else rounds
        return Method(name, own, budget // own)

    @property
    def cases_made(self) -> int:
        """Simulations around the cell."""
        return min(self.cases, max(FEWEST_CASES, self.simulations))

    @property
    def cases_fitted(self) -> int:
        """So many of them put the networks right."""
        return 2 * self.cases_made // 3

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @staticmethod
    def from_dict(values: dict[str, Any]) -> Method:
        return Method(**{**values, "schedule": Schedule(**values["schedule"])})


# Of the first round.
_TASKS: dict[Name, Task] = {
    "tsnpe": "density",
    "npe": "density",
    "npe-c": "density",
    "nle": "likelihood",
    "nre": "ratio",
}
