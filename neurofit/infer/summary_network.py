"""From voltage to a few numbers: networks that learn what of a trace tells a model's parameters."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from neurofit.errors import BadInput
from neurofit.features import SPIKE_THRESHOLD_MV

Kind = Literal["convolutional", "recurrent"]

# The first layer takes a step of about so long, ...
FRAME_MS = 1.6
# ... unless that leaves fewer frames than this.
FEWEST_FRAMES = 64
# Later layers halve the frames (from many, quarter them) until so few are left.
MANY_FRAMES, LAST_FRAMES = 256, 32
FIRST_CHANNELS, CHANNELS, KERNEL = 32, 64, 5
# What is read from the frames in their places, and the size of the last hidden layer.
PLACED_CHANNELS, PLACED, HIDDEN = 16, 64, 128
OUTPUTS_PER_PARAMETER = 4
# Of what was read from a trace, so much is left out at random in every step of training: 20,000 simulations would
# otherwise be learned by heart.
DROPOUT = 0.05
# A spike's height in the units of the spike channel, about.
_SPIKE_SCALE_MV = 10.0


@dataclass(frozen=True)
class Layout:
    """The shape of a summary network, as it follows from the traces'.

    Attributes
    ----------
    kind
        How the last frames are read: each in its place (``"convolutional"``) or one after the other by a gated
        recurrent unit in both directions (``"recurrent"``, slower).
    sweeps, samples
        Of a trace.
    kernels, strides, channels
        Of each convolution.
    outputs
        Numbers that come out.
    """

    kind: Kind
    sweeps: int
    samples: int
    kernels: tuple[int, ...]
    strides: tuple[int, ...]
    channels: tuple[int, ...]
    outputs: int

    @classmethod
    def of(cls, kind: Kind, sweeps: int, samples: int, dt_ms: float, outputs: int) -> Layout:
        """What suits traces of this length and sampling.

        The first layer steps through the trace by about 1.6 ms, twice as wide: a spike is seen by it as a whole, at
        any sampling. Those that follow halve the number of frames until 32 are left, so that a longer trace gets more
        layers and no more numbers.

        Raises
        ------
        BadInput
            For another kind.
        """
        if kind not in get_args(Kind):
            raise BadInput(
                f"{kind!r} is no summary network",
                expected=f"{' or '.join(get_args(Kind))}, or a torch.nn.Module",
                found=repr(kind),
            )
        first = max(1, min(round(FRAME_MS / dt_ms), samples // FEWEST_FRAMES))
        kernels, strides, channels = [2 * first], [first], [FIRST_CHANNELS]
        frames = -(-samples // first)
        while frames > LAST_FRAMES:
            strides.append(4 if frames > MANY_FRAMES else 2)
            kernels.append(KERNEL)
            channels.append(CHANNELS)
            frames = -(-frames // strides[-1])
        return cls(kind, sweeps, samples, tuple(kernels), tuple(strides), tuple(channels), outputs)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Layout:
        """What :meth:`to_dict` gave, also by way of JSON."""
        shapes = {name: tuple(values[name]) for name in ("kernels", "strides", "channels")}
        return cls(**{**values, **shapes})

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


class SummaryNetwork(nn.Module):
    """Voltage ``[row, sweep, time]`` in mV -> ``[row, output]``.

    Each sweep goes through the same convolutions. What it leaves in every layer is pooled over time (mean, logarithm
    of the variance, largest value: what the membrane does on average and how much it moves at each time scale), and
    the last frames are read in their order as well, since where something happens matters too. The voltage goes in as
    two channels, below the spike threshold and above, so that a spike of 80 mV does not drown a drift of 1 mV.

    Parameters
    ----------
    layout
        Its shape.
    mean_mv, sd_mv
        Of the voltage below the threshold, in the simulations that it learns from.
    """

    # buffers, which torch's own types do not tell from modules
    scale: Tensor
    pooled_scale: Tensor

    def __init__(self, layout: Layout, mean_mv: float = 0.0, sd_mv: float = 1.0) -> None:
        super().__init__()
        self.layout = layout
        self.register_buffer("scale", torch.tensor([mean_mv, max(sd_mv, 1e-3)]))
        inputs = (2, *layout.channels)
        shapes = zip(inputs, layout.channels, layout.kernels, layout.strides, strict=False)
        self.convolutions = nn.ModuleList(nn.Conv1d(i, o, k, stride=s, padding=k // 2) for i, o, k, s in shapes)
        pooled, last = 3 * sum(layout.channels), layout.channels[-1]
        self.register_buffer("pooled_scale", torch.tensor([[0.0], [1.0]]).repeat(1, pooled))
        if layout.kind == "recurrent":
            self.recurrent = nn.GRU(last, PLACED // 2, batch_first=True, bidirectional=True)
        else:
            self.placed_channels = nn.Conv1d(last, PLACED_CHANNELS, 1)
            self.placed = nn.LazyLinear(PLACED)
        self.head = nn.Sequential(
            nn.Dropout(DROPOUT),
            nn.Linear(layout.sweeps * (pooled + PLACED), HIDDEN),
            nn.SiLU(),
            nn.Linear(HIDDEN, layout.outputs),
        )
        with torch.no_grad():
            self(torch.zeros(2, layout.sweeps, layout.samples))  # the lazy layer learns its size

    @classmethod
    def for_traces(cls, layout: Layout, voltage_mv: Tensor) -> SummaryNetwork:
        """With weights such that every layer starts at mean 0 and sd 1 on these traces ``[row, sweep, time]``.

        That is done once (Mishkin and Matas 2016), and not in every batch: what a batch adds to a normalised trace is
        noise, and the posteriors of parameters that a trace tells to a tenth of a mV come out twice too wide.
        """
        below = voltage_mv.clamp(max=SPIKE_THRESHOLD_MV)
        network = cls(layout, float(below.mean()), float(below.std()))
        with torch.no_grad():
            frames, pooled = network._channels(voltage_mv), []
            for convolution in network.convolutions:
                assert isinstance(convolution, nn.Conv1d)
                assert convolution.bias is not None
                out = convolution(frames)
                mean, sd = out.mean((0, 2)), out.std((0, 2)) + 1e-6
                convolution.weight /= sd[:, None, None]
                convolution.bias.copy_((convolution.bias - mean) / sd)
                out = convolution(frames)
                pooled.append(_pooled(out))
                frames = nn.functional.silu(out)
            columns = torch.cat(pooled, dim=1)
            network.pooled_scale.copy_(torch.stack([columns.mean(0), columns.std(0) + 1e-3]))
        return network

    def forward(self, voltage_mv: Tensor) -> Tensor:
        frames, pooled = self._channels(voltage_mv), []
        for convolution in self.convolutions:
            frames = convolution(frames)
            pooled.append(_pooled(frames))
            frames = nn.functional.silu(frames)
        columns = (torch.cat(pooled, dim=1) - self.pooled_scale[0]) / self.pooled_scale[1]
        seen = torch.cat([columns, self._in_order(frames)], dim=1)
        return self.head(seen.reshape(len(voltage_mv), -1))

    def _channels(self, voltage_mv: Tensor) -> Tensor:
        """``[row and sweep, 2, time]``: below the spike threshold and above."""
        v = voltage_mv.reshape(-1, voltage_mv.shape[-1])
        below = (v.clamp(max=SPIKE_THRESHOLD_MV) - self.scale[0]) / self.scale[1]
        return torch.stack([below, (v - SPIKE_THRESHOLD_MV).clamp(min=0) / _SPIKE_SCALE_MV], dim=1)

    def _in_order(self, frames: Tensor) -> Tensor:
        if self.layout.kind == "recurrent":
            return self.recurrent(frames.transpose(1, 2))[1].transpose(0, 1).flatten(1)
        return nn.functional.silu(self.placed(self.placed_channels(frames).flatten(1)))


def _pooled(frames: Tensor) -> Tensor:
    """``[row, 3 channels]`` over the time of ``[row, channel, frame]``."""
    return torch.cat([frames.mean(2), torch.log(frames.var(2, unbiased=False) + 1e-3), frames.amax(2)], dim=1)


def as_traces(voltage_mv: ArrayLike, sweeps: int, samples: int) -> NDArray[np.float32]:
    """``[row, sweep, time]`` of so many sweeps and samples, finite; a single row or sweep may go without its axis.

    Raises
    ------
    BadInput
        If they are not.
    """
    given = np.asarray(voltage_mv)
    shapes = {3: given.shape[1:], 2: given.shape if sweeps > 1 else (1, *given.shape[1:]), 1: (1, *given.shape)}
    if given.size == 0 or shapes.get(given.ndim) != (sweeps, samples):
        raise BadInput(
            "these are not traces of this protocol",
            expected=f"[row, sweep, time] in mV, with {sweeps} sweeps of {samples} samples",
            found=f"shape {given.shape}",
        )
    traces = given.reshape(-1, sweeps, samples).astype(np.float32)
    bad = ~np.isfinite(traces).all(axis=(1, 2))
    if bad.any():
        raise BadInput(
            "a trace is not finite",
            expected="numbers",
            found=f"NaN or infinity in {bad.sum()} of {len(traces)} traces, first in row {int(bad.argmax())}",
            advice="Leave out simulations that failed, and their parameters (Traces.valid tells them).",
        )
    return traces


def require_a_trace_each(theta: NDArray[np.float64], traces: NDArray[np.float32], where: str) -> None:
    """Are there as many traces as parameter sets?

    Raises
    ------
    BadInput
        If not.
    """
    if len(theta) != len(traces):
        raise BadInput(
            "parameters and traces do not go together",
            where=where,
            expected=f"{len(theta)} traces",
            found=str(len(traces)),
        )
