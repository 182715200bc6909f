"""The networks of every method, all sbi's, and the loss that each one lessens.

==============  =============================================  ==================================================
task            network of                                     loss of a simulation
==============  =============================================  ==================================================
``density``     ``q(z | x)`` (NPE, truncated NPE)              ``-log q(z | x)``
``atomic``      ``q(z | x)`` (NPE-C; Greenberg et al. 2019)    its ``z`` told from nine others by ``q / prior``
``likelihood``  ``q(x | z)`` (NLE; Papamakarios et al. 2019)   ``-log q(x | z)``
``ratio``       ``log p(x | z) / p(x)`` (NRE; Durkan et al.    its ``z`` told from nine others by the ratio
                2020)
==============  =============================================  ==================================================

Telling a simulation's own parameters from others of the batch is right whatever proposal they were drawn from, so the
atomic and the ratio loss need no correction in later rounds; nor does a likelihood.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from nflows.transforms import RandomPermutation
from numpy.typing import NDArray
from sbi.neural_nets import classifier_nn, likelihood_nn, posterior_nn
from scipy.special import logsumexp
from torch import Tensor

from neurofit.errors import BadInput
from neurofit.infer.base import STANDARD, Base, starting_from
from neurofit.infer.method import Schedule
from neurofit.infer.weights import load_weights, save_weights
from neurofit.threads import one_thread

Task = Literal["density", "atomic", "likelihood", "ratio"]
# Tasks whose networks draw nothing by themselves: a sampler is run on them.
SAMPLED: tuple[Task, ...] = ("likelihood", "ratio")
# A network, parameters [row, parameter] and inputs [row, input] or [1, input] -> [row, ...].
Asked = Callable[[Any, Tensor, Tensor], Tensor]
Loss = Asked
Array = NDArray[np.float64]

# A simulation's own parameters among so many, as in sbi.
ATOMS = 10
# Rows that a network is asked about at once.
_CHUNK = 8192
FORMAT = 2


def build_network(task: Task, schedule: Schedule, z: Tensor, x: Tensor) -> Any:
    """sbi's network for these shapes; ``z`` ``[row, parameter]`` and ``x`` ``[row, input]`` set its standardisation."""
    scaled: dict[str, Any] = {"z_score_theta": "independent", "z_score_x": "independent"}
    if task == "ratio":
        return classifier_nn("resnet", hidden_features=schedule.hidden, **scaled)(z, x)
    size = {"hidden_features": schedule.hidden}
    if schedule.density != "mdn":
        size["num_transforms"] = schedule.transforms
    if task == "likelihood":
        # an autoregressive layer with fewer hidden units than inputs leaves some of them out
        size["hidden_features"] = max(schedule.hidden, x.shape[1])
        network = likelihood_nn(schedule.density, **size, **scaled)(z, x)
    else:
        network = posterior_nn(schedule.density, **size, **scaled)(z, x)
    if schedule.density == "maf":
        _show_the_input_to_all(network)
    return network


def _show_the_input_to_all(network: Any) -> None:
    """Let no parameter come first in two transforms of a MAF in a row.

    What comes first in a transform of nflows is changed by a constant: its network sees neither parameters nor input.
    Between transforms the order is drawn, so that with few parameters one may come first in all of them, and its
    posterior be the same for every observation (two parameters, three transforms: one network in four).
    """
    for module in network.modules():
        if isinstance(module, RandomPermutation) and module._permutation[0] == 0:
            module._permutation.copy_(module._permutation.roll(1))


def _density_loss(network: Any, z: Tensor, x: Tensor) -> Tensor:
    return network.loss(z, x)


def _likelihood_loss(network: Any, z: Tensor, x: Tensor) -> Tensor:
    return network.loss(x, z)


def _atomic_loss(network: Any, z: Tensor, x: Tensor) -> Tensor:
    atoms = _atoms(z)
    log_q = network.log_prob(atoms.transpose(0, 1), condition=x).T
    # the prior of z is standard normal
    return _own_among(log_q + 0.5 * (atoms**2).sum(dim=2))


def _ratio_loss(network: Any, z: Tensor, x: Tensor) -> Tensor:
    atoms = _atoms(z)
    n, k, d = atoms.shape
    logits = network(atoms.reshape(n * k, d), x.repeat_interleave(k, dim=0))
    return _own_among(logits.reshape(n, k))


def _atoms(z: Tensor) -> Tensor:
    """``[row, atom, parameter]``: each row's own parameters first, then those of the rows after it (in no order)."""
    n = len(z)
    rows = torch.arange(n)[:, None] + torch.arange(min(ATOMS, n))
    return z[rows % n]


def _own_among(logits: Tensor) -> Tensor:
    return torch.logsumexp(logits, dim=1) - logits[:, 0]


LOSSES: dict[Task, Loss] = {
    "density": _density_loss,
    "atomic": _atomic_loss,
    "likelihood": _likelihood_loss,
    "ratio": _ratio_loss,
}


@dataclass(frozen=True, eq=False)
class Networks:
    """Trained networks of one task, and the observation that they are asked about.

    Attributes
    ----------
    members
        sbi's estimators, of an ensemble.
    x
        ``[1, input]``: the encoded observation.
    z
        ``[row, parameter]``: parameters to start a sampler from; none where the network draws by itself.
    task, schedule
        What they learned, how they were built and trained.
    base
        What the flows start from.
    """

    members: tuple[Any, ...]
    x: Tensor
    z: Tensor
    task: Task
    schedule: Schedule
    base: Base = STANDARD

    @property
    def are_flows(self) -> bool:
        """Are they normalizing flows of the parameters, which may start from another base than they learned with?"""
        return self.task not in SAMPLED and self.schedule.density != "mdn"

    def rebased(self, base: Base) -> Networks:
        """The same flows from another base."""
        assert self.are_flows
        return replace(self, members=tuple(starting_from(m, base, i) for i, m in enumerate(self.members)), base=base)

    def each(self, of: Asked, z: Array, x: Tensor) -> NDArray[np.float32]:
        """``[member, row, ...]``: what ``of`` finds for every member at ``z`` ``[row, parameter]``.

        Parameters
        ----------
        of
            ``(member, z, x) -> [row, ...]``, of some thousand rows at a time.
        x
            ``[1, input]`` for all rows, or ``[row, input]``.
        """
        parts = torch.as_tensor(np.asarray(z), dtype=torch.float32).split(_CHUNK)
        inputs = [x] * len(parts) if len(x) == 1 else x.split(_CHUNK)
        with one_thread(), torch.no_grad():
            found = [
                torch.stack([of(m, rows, at) for m in self.members]) for rows, at in zip(parts, inputs, strict=True)
            ]
        return np.asarray(torch.cat(found, dim=1).numpy())

    def log_mean(self, log_of: Asked, z: Array, x: Tensor) -> Array:
        """``[row]``: log of the mean over the members of what ``log_of`` is the logarithm of; as :meth:`each`."""
        if len(z) == 0:
            return np.zeros(0)
        return np.asarray(logsumexp(self.each(log_of, z, x), axis=0) - np.log(len(self.members)), dtype=np.float64)

    def save(self, path: Path) -> None:
        """Weights as safetensors and a description beside them; nothing is pickled."""
        weights = {f"{i}.{name}": t for i, m in enumerate(self.members) for name, t in m.state_dict().items()}
        description = {
            "format": FORMAT,
            "members": len(self.members),
            "task": self.task,
            "schedule": self.schedule.to_dict(),
            "base": self.base.to_dict(),
        }
        save_weights(path, {"x": self.x, "z": self.z, **weights}, description)

    @staticmethod
    def load(path: Path) -> Networks:
        """Rebuild the networks from their description and fill in the weights.

        Raises
        ------
        BadInput
            If the file is no such file, or was written in another format.
        """
        weights, description = load_weights(path)
        if description.get("format") != FORMAT:
            raise BadInput(
                "the networks were saved by another version of neurofit",
                where=path,
                expected=f"format {FORMAT}",
                found=f"format {description.get('format')}",
            )
        schedule, task = Schedule(**description["schedule"]), description["task"]
        x, z = weights.pop("x"), weights.pop("z")
        members = []
        for i in range(description["members"]):
            prefix = f"{i}."
            own = {name.removeprefix(prefix): t for name, t in weights.items() if name.startswith(prefix)}
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(0)
                member = build_network(task, schedule, torch.randn(64, z.shape[1]), torch.randn(64, x.shape[1]))
            member.load_state_dict(own)
            members.append(member.eval())
        loaded, base = Networks(tuple(members), x, z, task, schedule), Base.from_dict(description["base"])
        return loaded if base == STANDARD else loaded.rebased(base)
