"""One network for all cells of a protocol: voltage in, posterior out, without simulating or training again."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from neurofit.errors import BadInput
from neurofit.infer.calibration import assess
from neurofit.infer.density import Density
from neurofit.infer.method import Schedule
from neurofit.infer.networks import Networks, build_network
from neurofit.infer.posterior import Posterior
from neurofit.infer.recovery import Recovery
from neurofit.infer.region import Region
from neurofit.infer.summary_network import Layout, SummaryNetwork, as_traces, require_a_trace_each
from neurofit.infer.valid import DRAWS, SEED, require_one
from neurofit.infer.weights import load_weights, save_weights
from neurofit.template import Model
from neurofit.threads import one_thread

Array = NDArray[np.float64]

# Numbers that go through the network at once.
_AT_ONCE = 1_000_000
FORMAT = 1


class Joint(nn.Module):
    """A summary network and a flow of the parameters given what it says, trained as one."""

    def __init__(self, summary: nn.Module, flow: Any) -> None:
        super().__init__()
        self.summary, self.flow = summary, flow

    def loss(self, z: Tensor, x: Tensor) -> Any:
        """``[row]``: of parameters ``z`` given traces ``x``."""
        return self.flow.loss(z, self.summary(x))

    def networks(self, schedule: Schedule) -> Networks:
        """The flow, to be asked about any summaries."""
        self.eval()
        return Networks((self.flow,), torch.zeros(1, 0), torch.zeros(0, 0), "density", schedule)


@dataclass(frozen=True, eq=False)
class Amortized:
    """What :func:`learn_amortized` has learned: the posterior of any trace of one protocol.

    Attributes
    ----------
    model
        Whose parameters.
    summary_network
        ``[row, sweep, time]`` in mV -> ``[row, summary]``. :func:`neurofit.check.embedding` takes it, or this object.
    networks
        The flow of the parameters, given the summaries.
    sweeps, samples, dt_ms
        Of the traces that it reads.
    losses
        ``[epoch, 2]``: training and validation loss in nats.
    reading
        The loss curve in words.
    """

    model: Model
    summary_network: nn.Module
    networks: Networks
    sweeps: int
    samples: int
    dt_ms: float
    losses: Array
    reading: str

    @property
    def embedding_net(self) -> nn.Module:
        """The summary network by the name that sbi's estimators have for theirs."""
        return self.summary_network

    def summaries(self, voltage_mv: ArrayLike) -> Tensor:
        """``[row, summary]`` of traces ``[row, sweep, time]``, ``[sweep, time]`` or, of one sweep, ``[row, time]``."""
        traces = torch.as_tensor(as_traces(voltage_mv, self.sweeps, self.samples))
        with one_thread(), torch.no_grad():
            parts = traces.split(max(1, _AT_ONCE // traces[0].numel()))
            return torch.cat([self.summary_network(part) for part in parts])

    def posterior(self, voltage_mv: ArrayLike) -> Posterior:
        """The posterior of one trace ``[sweep, time]`` (``[time]`` of one sweep) in mV, in the template's units.

        Raises
        ------
        BadInput
            For a trace of another shape, or one that is not finite.
        """
        x = self.summaries(voltage_mv)
        if len(x) != 1:
            raise BadInput(
                "a posterior is of one trace", where="Amortized.posterior", expected="one trace", found=f"{len(x)}"
            )
        return Posterior(self.model, Density(replace(self.networks, x=x)), Region())

    def sample(self, voltage_mv: ArrayLike, n: int = 1000, seed: int = 0) -> Array:
        """``[row, draw, parameter]`` in the template's units: ``n`` draws of each trace's posterior."""
        require_one("n", n, DRAWS, "Amortized.sample")
        require_one("seed", seed, SEED, "Amortized.sample")
        z = Density(self.networks).sample(n, seed, self.summaries(voltage_mv))
        return self.model.prior.from_unbounded(z.reshape(-1, z.shape[2])).reshape(z.shape).swapaxes(0, 1)

    def log_prob(self, theta: ArrayLike | pd.DataFrame, voltage_mv: ArrayLike) -> Array:
        """``[row]``: log density at each row's parameters given its trace, per product of the parameters' units."""
        values = self.model.array(theta)
        z = self.model.prior.to_unbounded(values)
        return Density(self.networks).log_prob(z, self.summaries(voltage_mv)) + self.model.prior.log_abs_det(values)

    def recovery(
        self, theta: ArrayLike | pd.DataFrame, voltage_mv: ArrayLike, draws: int = 250, seed: int = 0
    ) -> Recovery:
        """How well, and how honestly, parameters are read from simulations that it was not trained on.

        Parameters
        ----------
        theta, voltage_mv
            ``[row, parameter]`` and their traces; some hundred, drawn from the prior.
        draws
            Of each trace's posterior.
        """
        truths, traces = self.model.array(theta), as_traces(voltage_mv, self.sweeps, self.samples)
        require_a_trace_each(truths, traces, "Amortized.recovery")
        drawn = self.sample(traces, draws, seed)
        prior = self.model.prior
        z = prior.to_unbounded(drawn.reshape(-1, len(prior))).reshape(drawn.shape).swapaxes(0, 1)
        calibration = assess(z, prior.to_unbounded(truths), prior.names, seed=seed)
        return Recovery(prior.names, prior.units, truths, drawn, calibration)

    def save(self, path: str | Path) -> Path:
        """Weights and their description as one safetensors file; nothing is pickled.

        Raises
        ------
        BadInput
            For a summary network of the user's own, which only their code can build again.
        """
        if not isinstance(self.summary_network, SummaryNetwork):
            raise BadInput(
                "a summary network of your own cannot be saved here",
                where="Amortized.save",
                expected="one of neurofit's",
                found=type(self.summary_network).__name__,
                advice="Save its state_dict with torch or safetensors beside the code that builds it.",
            )
        flow = self.networks.members[0]
        weights = {f"summary.{name}": t for name, t in self.summary_network.state_dict().items()}
        weights |= {f"flow.{name}": t for name, t in flow.state_dict().items()}
        description = {
            "format": FORMAT,
            "equations": self.model.sha256,
            "parameters": list(self.model.free),
            "layout": self.summary_network.layout.to_dict(),
            "schedule": self.networks.schedule.to_dict(),
            "dt_ms": self.dt_ms,
            "losses": self.losses.tolist(),
            "reading": self.reading,
        }
        file = Path(path)
        save_weights(file, weights, description)
        return file


def load_amortized(path: str | Path, model: Model) -> Amortized:
    """What :meth:`Amortized.save` saved, for the same template.

    Raises
    ------
    BadInput
        If the file is no such file, of another version, or of another template.
    """
    weights, told = load_weights(path)
    for what, expected, found in (
        ("is of another version of neurofit", f"format {FORMAT}", f"format {told.get('format')}"),
        ("was learned for another template", model.sha256, told.get("equations")),
        ("was learned for other parameters", ", ".join(model.free), ", ".join(told.get("parameters", []))),
    ):
        if expected != found:
            raise BadInput(f"this network {what}", where=Path(path), expected=expected, found=str(found))
    layout, schedule = Layout.from_dict(told["layout"]), Schedule(**told["schedule"])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        summaries = torch.randn(64, layout.outputs)
        flow = build_network("density", schedule, torch.randn(64, len(model.free)), summaries)
        joint = Joint(SummaryNetwork(layout), flow)
    joint.load_state_dict(weights)
    networks, losses = joint.networks(schedule), np.array(told["losses"])
    shape = layout.sweeps, layout.samples
    return Amortized(model, joint.summary, networks, *shape, told["dt_ms"], losses, told["reading"])
