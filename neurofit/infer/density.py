"""What training leaves behind: an ensemble of density estimators, looked at from the observation."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as as_bytes
from scipy.special import logsumexp
from torch import Tensor

from neurofit.errors import BadInput
from neurofit.infer.train import Schedule, build_estimator
from neurofit.threads import one_thread

Array = NDArray[np.float64]
_CHUNK = 8192
FORMAT = 1


@dataclass(frozen=True, eq=False)
class Density:
    """The mean of several networks' densities of ``z``, each given the encoded observation.

    An ensemble is wider where its members disagree, which is where a single network would be too sure
    (Hermans et al. 2022).

    Attributes
    ----------
    members
        sbi's estimators.
    x
        ``[1, input]``: the encoded observation.
    n_parameters
        Columns of ``z``.
    schedule
        How they were built and trained.
    """

    members: tuple[Any, ...]
    x: Tensor
    n_parameters: int
    schedule: Schedule

    def log_prob(self, z: Array, x: Tensor | None = None) -> Array:
        """``[row]``: log density at ``z`` ``[row, parameter]``, at the observation or at one input per row."""
        if len(z) == 0:
            return np.zeros(0)
        points = torch.as_tensor(np.asarray(z), dtype=torch.float32)
        result = []
        with one_thread(), torch.no_grad():
            for i, part in enumerate(points.split(_CHUNK)):
                at = self.x if x is None else x[i * _CHUNK : i * _CHUNK + len(part)]
                rows = part[:, None] if x is None else part[None]
                result.append(np.stack([m.log_prob(rows, condition=at).reshape(-1).numpy() for m in self.members]))
        return np.asarray(
            logsumexp(np.concatenate(result, axis=1), axis=0) - np.log(len(self.members)), dtype=np.float64
        )

    def sample(self, n: int, seed: int, x: Tensor | None = None) -> Array:
        """``[n, parameter]`` draws at the observation; given ``x`` ``[row, input]``, ``[n, row, parameter]``."""
        shares = np.full(len(self.members), n // len(self.members))
        shares[: n % len(self.members)] += 1
        with one_thread(), torch.random.fork_rng(devices=[]), torch.no_grad():
            torch.manual_seed(seed)
            at = self.x if x is None else x
            parts = [m.sample((int(k),), condition=at).numpy() for m, k in zip(self.members, shares, strict=True) if k]
        draws = np.concatenate(parts).astype(np.float64)
        # mixed, so that the first so many are draws of the whole ensemble as well
        np.random.default_rng(seed).shuffle(draws)
        return draws[:, 0] if x is None else draws

    def save(self, path: Path) -> None:
        """Weights as safetensors and a description beside them; nothing is pickled."""
        weights = {f"{i}.{name}": t for i, m in enumerate(self.members) for name, t in m.state_dict().items()}
        description = {
            "format": FORMAT,
            "members": len(self.members),
            "n_parameters": self.n_parameters,
            "n_inputs": self.x.shape[1],
            "schedule": self.schedule.to_dict(),
        }
        # written by Python, whose errors say what was wrong with the disk
        path.write_bytes(
            as_bytes(
                {"x": self.x, **{name: t.contiguous() for name, t in weights.items()}},
                metadata={"neurofit": json.dumps(description)},
            )
        )

    @staticmethod
    def load(path: Path) -> Density:
        """Rebuild the networks from their description and fill in the weights.

        Raises
        ------
        BadInput
            If the file is no such file, or was written in another format.
        """
        try:
            with safe_open(path, framework="pt") as file:
                description = json.loads((file.metadata() or {}).get("neurofit", "{}"))
                weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except (SafetensorError, OSError) as error:
            raise BadInput("this is not a file of network weights", where=path, found=str(error)) from error
        if description.get("format") != FORMAT:
            raise BadInput(
                "the networks were saved by another version of neurofit",
                where=path,
                expected=f"format {FORMAT}",
                found=f"format {description.get('format')}",
            )
        schedule = Schedule(**description["schedule"])
        members = []
        for i in range(description["members"]):
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(0)
                member = build_estimator(
                    schedule,
                    torch.randn(64, description["n_parameters"]),
                    torch.randn(64, description["n_inputs"]),
                )
            prefix = f"{i}."
            member.load_state_dict({k.removeprefix(prefix): t for k, t in weights.items() if k.startswith(prefix)})
            members.append(member.eval())
        return Density(tuple(members), weights["x"], description["n_parameters"], schedule)
