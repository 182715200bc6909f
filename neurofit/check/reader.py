"""A network of any make as one function: what it puts out, and what its hidden layers hold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurofit.errors import CheckError

Array = NDArray[np.float64]

# Of a wide layer so many units, evenly spread, are looked at.
MOST_UNITS = 256


@dataclass(frozen=True, eq=False)
class Reader:
    """``[rows, ...]`` -> output and hidden layers, each with as many rows.

    Attributes
    ----------
    read
        The function.
    has_own
        False if there is no embedding, only the scaled input.
    """

    read: Callable[[Array], tuple[Array, Array]]
    has_own: bool = True

    def __call__(self, x: Array) -> tuple[Array, Array]:
        return self.read(x)

    @classmethod
    def of(cls, network: Any, where: str) -> Reader:
        """From an sbi posterior, density estimator or inference object, a torch module or a plain function.

        Raises
        ------
        CheckError
            If it is none of these.
        """
        for name in ("posterior_estimator", "_neural_net"):
            network = getattr(network, name, None) or network
        module = getattr(network, "embedding_net", network)
        if hasattr(module, "state_dict"):
            return cls(lambda x: _of_torch(module, x), not _is_plain(module))
        if not callable(module) or hasattr(network, "sample"):
            raise CheckError(
                "not a network that can be asked for an embedding",
                where=where,
                expected="an sbi posterior, density estimator or trained inference, a torch module, or a function",
                found=type(network).__name__,
                advice="A posterior of summaries reads them as they are: use check.summary.",
            )

        def of_function(x: Array) -> tuple[Array, Array]:
            output = np.asarray(module(x), dtype=np.float64)
            return output, np.empty((len(x), 0))

        return cls(of_function)


def _of_torch(module: Any, x: Array) -> tuple[Array, Array]:
    """In evaluation mode, without gradients; the module is left as it was."""
    import torch

    found: dict[int, Any] = {}
    hooks = [
        layer.register_forward_hook(lambda _, __, output, i=i: found.__setitem__(i, output))
        for i, layer in enumerate(_layers(module))
    ]
    weight = next((p for p in module.parameters() if p.is_floating_point()), torch.zeros(()))
    training = module.training
    module.eval()
    try:
        with torch.no_grad():
            output = module(torch.as_tensor(x, dtype=weight.dtype, device=weight.device))
    finally:
        module.train(training)
        for hook in hooks:
            hook.remove()
    # a recurrent layer puts out more than one tensor, and a layer may see rows in another order than they came
    hidden = [_units(found[i]) for i in sorted(found) if torch.is_tensor(found[i]) and len(found[i]) == len(x)]
    numbers = [part.to("cpu", torch.float64).numpy() for part in hidden]
    return output.to("cpu", torch.float64).numpy(), np.concatenate([np.empty((len(x), 0)), *numbers], axis=1)


def _layers(module: Any) -> list[Any]:
    """What has weights of its own and no parts."""
    return [part for part in module.modules() if not list(part.children()) and list(part.parameters())]


def _units(output: Any) -> Any:
    """``[rows, units]``; of a convolution each channel's mean, sd, least and largest value."""
    import torch

    if output.ndim < 2:
        return output.reshape(len(output), -1)
    if output.ndim > 2:
        flat = output.flatten(2)
        output = torch.cat([flat.mean(2), flat.std(2, unbiased=False), flat.amin(2), flat.amax(2)], dim=1)
    every = max(1, -(-output.shape[1] // MOST_UNITS))
    return output[:, ::every]


def _is_plain(module: Any) -> bool:
    """sbi puts its standardising before the embedding network, and without one an identity in its place."""
    leaves = [part for part in module.modules() if not list(part.children())]
    return all(type(part).__name__ in ("Identity", "Standardize") for part in leaves)
