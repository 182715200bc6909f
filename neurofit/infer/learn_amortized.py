"""Learning a posterior of all traces of a protocol from simulations that are already there."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from neurofit.infer.amortized import Amortized, Joint
from neurofit.infer.method import Schedule
from neurofit.infer.networks import Task, build_network
from neurofit.infer.summary_network import (
    OUTPUTS_PER_PARAMETER,
    Kind,
    Layout,
    SummaryNetwork,
    as_traces,
    require_a_trace_each,
)
from neurofit.infer.train import held_among, train
from neurofit.infer.valid import METHOD, SEED, number, require_one
from neurofit.progress import Progress, Silent, Terminal
from neurofit.template import Model
from neurofit.threads import one_thread

# Small batches: a network of traces learns more from many steps than from large ones. Splines: what a trace tells to a
# twentieth of the prior's width, and only where it fires, no affine flow follows.
SCHEDULE = Schedule(density="nsf", transforms=3, epochs=40, batches=140, peak_rate=4e-3, weight_decay=0.02)
# Simulations that set the scale of the network's inputs.
_SCALED_ON = 1000


def learn_amortized(
    model: Model,
    theta: ArrayLike | pd.DataFrame,
    voltage_mv: ArrayLike,
    *,
    dt_ms: float,
    noise_sd_mv: float = 0.0,
    network: Kind | nn.Module = "recurrent",
    outputs: int | None = None,
    schedule: Schedule = SCHEDULE,
    seed: int = 1,
    show_progress: bool = True,
) -> Amortized:
    """Learn to read the parameters from raw voltage, once for all recordings of one protocol.

    Neural posterior estimation with a summary network (Radev et al. 2022, IEEE Trans. Neural Netw. Learn. Syst.
    33:1452): both are trained together on simulations that are already there (offline), a part of which is held out to
    choose the weights.

    Parameters
    ----------
    model
        Whose parameters.
    theta
        ``[simulation, parameter]`` in the template's units: draws of the model's prior.
    voltage_mv
        ``[simulation, sweep, time]``, or ``[simulation, time]`` of one sweep, in mV, with everything that a recording
        has (offset, filter, coloured noise): the network knows no other traces.
    dt_ms
        Sampling interval.
    noise_sd_mv
        White observation noise that the recordings have and the simulations do not. It is added anew in each epoch, so
        that no trace is seen twice and fewer are learned by heart.
    network
        ``"convolutional"``, ``"recurrent"`` (see :class:`neurofit.infer.summary_network.Layout`, whose layers follow
        from length and sampling), or a torch module ``[row, sweep, time]`` -> ``[row, summary]``.
    outputs
        How many summaries; four a parameter if not given. A module of one's own has its own.
    schedule
        Of the training; the one for features (:class:`neurofit.Schedule` by default) has batches too large for this.
    seed
        Fixes everything.
    show_progress
        A bar in the terminal.

    Raises
    ------
    BadInput
        If parameters and traces do not go together, a trace is not finite, or there are fewer than 100 simulations.
    TrainingError
        If training fails.

    Examples
    --------
    >>> import numpy as np, neurofit as nf
    >>> model = nf.load_model("lif_tutorial")
    >>> stimulus = nf.Stimulus(np.full((1, 500), 200.), dt_ms=0.2)
    >>> theta = model.prior.sample(200, np.random.default_rng(1))
    >>> voltage = nf.simulate(model, stimulus, theta, seed=1).voltage_mv
    >>> quick = nf.Schedule(epochs=1, batches=4, transforms=1)
    >>> learned = nf.learn_amortized(model, theta, voltage, dt_ms=0.2, schedule=quick, show_progress=False)
    >>> learned.posterior(voltage[0]).sample(10).shape
    (10, 6)
    """
    require_one("seed", seed, SEED, "learn_amortized")
    require_one("noise_sd_mv", noise_sd_mv, number("of mV, 0 or more", lambda x: x >= 0), "learn_amortized")
    values = model.array(theta)
    require_one("simulations", len(values), METHOD["simulations"], "learn_amortized")
    shape = np.shape(voltage_mv)
    traces = as_traces(voltage_mv, shape[1] if len(shape) == 3 else 1, shape[-1] if shape else 0)
    require_a_trace_each(values, traces, "learn_amortized")
    sweeps, samples = traces.shape[1:]
    k = outputs or OUTPUTS_PER_PARAMETER * len(model.free)
    if not isinstance(network, nn.Module):
        layout = Layout.of(network, sweeps, samples, dt_ms, k)

    def build(task: Task, schedule: Schedule, z: Tensor, x: Tensor) -> nn.Module:
        summary = network if isinstance(network, nn.Module) else SummaryNetwork.for_traces(layout, x[:_SCALED_ON])
        with torch.no_grad():
            summaries = summary.eval()(x[:_SCALED_ON])
        return Joint(summary, build_network(task, schedule, z[:_SCALED_ON], summaries))

    order = np.random.default_rng(seed).permutation(len(values))
    held = held_among(order, schedule)
    progress: Progress = Terminal() if show_progress else Silent()
    with (
        one_thread(),
        torch.random.fork_rng(devices=[]),
        progress.bar("Learning from traces", schedule.epochs) as advance,
    ):
        torch.manual_seed(seed)  # what is left out at random in each step
        trained = train(
            model.prior.to_unbounded(values), traces, held, lambda rows: rows, schedule, seed,
            progress=advance, noise_sd=noise_sd_mv, build=build,
        )  # fmt: skip
    joint: Joint = trained.estimator
    losses = np.column_stack([trained.training, trained.validation])
    return Amortized(model, joint.summary, joint.networks(schedule), sweeps, samples, dt_ms, losses, trained.reading)
