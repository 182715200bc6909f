"""How the networks learned, and how near the simulations came to the cell."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike, NDArray

from neurofit.report.figures.style import FAINT, FITTED, INK, WIDTH, figure, styled

Array = NDArray[np.float64]


def loss_figure(title: str, losses: Array) -> Figure:
    """Training and validation loss of every network of a round, over epochs.

    Parameters
    ----------
    title
        Above the figure.
    losses
        ``[member, epoch, 2]``: training and validation loss, mean negative log-probability in nats; not drawn where it
        is not finite, as a validation may be.
    """
    epochs = np.arange(1, losses.shape[1] + 1)
    with styled():
        fig = figure(2.95, 2.1, layout="constrained")
        axes = fig.subplots()
        for member, curves in enumerate(losses):
            axes.plot(epochs, curves[:, 0], color=FAINT, linewidth=0.9, label="training" if member == 0 else None)
            axes.plot(epochs, curves[:, 1], color=FITTED, linewidth=1.2, label="held out" if member == 0 else None)
            best = int(np.nanargmin(curves[:, 1])) if np.isfinite(curves[:, 1]).any() else 0
            axes.plot(epochs[best], curves[best, 1], "o", color=INK, markersize=3.5, zorder=4,
                      label="weights kept" if member == 0 else None)  # fmt: skip
        axes.set_title(title)
        axes.set_xlabel("epoch")
        axes.set_ylabel("loss (nats)")
        axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
        # the first epochs fall from far above what the eye is after
        late = losses[:, len(epochs) // 10 :]
        finite = late[np.isfinite(late)]
        if finite.size:
            low, high = float(finite.min()), float(finite.max())
            axes.set_ylim(low - 0.06 * (high - low or 1), high + 0.12 * (high - low or 1))
        axes.legend(loc="upper right")
    return fig


def nearest_figure(distances: ArrayLike) -> Figure:
    """Distance of the nearest simulations to the cell, round by round.

    Parameters
    ----------
    distances
        ``[round]``: root mean square over the features, in (widened) tolerances.
    """
    y = np.asarray(distances, dtype=np.float64)
    rounds = np.arange(1, len(y) + 1)
    with styled():
        fig = figure(WIDTH, 2.3, layout="constrained")
        axes = fig.subplots()
        axes.axhline(1, color=FAINT, linewidth=0.8, linestyle="--")
        axes.text(0.55, 0.95, "one tolerance", va="top", fontsize=7.5, color=FAINT)
        axes.plot(rounds, y, "o-", color=FITTED, markersize=5)
        for x, value in zip(rounds, y, strict=True):
            axes.annotate(
                f"{value:.2g}", (x, value), xytext=(0, 6), textcoords="offset points", ha="center", fontsize=8
            )
        axes.set_xlim(0.5, len(y) + 0.5)
        axes.set_ylim(0, 1.25 * max(float(y.max()), 1.2))
        axes.xaxis.set_major_locator(MaxNLocator(min(len(y), 10), integer=True))
        axes.set_xlabel("round")
        axes.set_ylabel("distance (tolerances)")
    return fig
