"""The injected current: what the cell got and what every simulation of it gets."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neurofit.errors import StimulusError
from neurofit.recording.moving import are_ramps, block_means, moving_stretch

# Two levels closer than this are one level: far below what an amplifier resolves, far above rounding.
LEVEL_TOLERANCE_PA = 0.05
# A level that wanders further than this, in however small steps, is a slow ramp.
CREEP_PA = 0.5

Kind = Literal["steps", "ramps", "waveform"]


@dataclass(frozen=True)
class Step:
    """An epoch over which every sweep's current is constant, or the stretch in which a current moves.

    Attributes
    ----------
    start_ms, stop_ms
        From the stimulus's own first sample, ``start <= t < stop``.
    level_pa
        Current of each sweep, ``[sweep]``; its mean where it moves.
    """

    start_ms: float
    stop_ms: float
    level_pa: NDArray[np.float64]

    @property
    def varies(self) -> bool:
        """Does the level differ between sweeps?"""
        return bool(np.ptp(self.level_pa) > LEVEL_TOLERANCE_PA)


class Stimulus:
    """Injected current of a set of sweeps.

    Parameters
    ----------
    current_pa
        ``[sweep, time]`` in pA; ``[time]`` is taken as one sweep.
    dt_ms
        Sampling interval in ms.

    Raises
    ------
    StimulusError
        If the current is empty, not finite or not two-dimensional, ``dt_ms`` is not positive, or either has a unit.

    Examples
    --------
    >>> import numpy as np
    >>> current = np.zeros((2, 1000)); current[:, 200:700] = [[50.], [100.]]
    >>> stimulus = Stimulus(current, dt_ms=0.1)
    >>> [(step.start_ms, step.stop_ms, step.level_pa.tolist()) for step in stimulus.epochs]
    [(0.0, 20.0, [0.0, 0.0]), (20.0, 70.0, [50.0, 100.0]), (70.0, 100.0, [0.0, 0.0])]
    >>> stimulus.test_step.level_pa
    array([ 50., 100.])
    """

    def __init__(self, current_pa: ArrayLike, dt_ms: float) -> None:
        for what, given, expected in (
            ("the injected current", current_pa, "plain numbers in pA"),
            ("the sampling interval", dt_ms, "a plain number in ms"),
        ):
            # Brian2's and other packages' quantities, which NumPy would strip of their units in silence
            if hasattr(given, "dimensions") or hasattr(given, "dimensionality"):
                raise StimulusError(f"{what} has a unit", expected=expected, found=type(given).__name__)
        current = np.atleast_2d(np.array(current_pa, dtype=np.float64))
        if current.ndim != 2 or current.size == 0:
            raise StimulusError(
                "the injected current has the wrong shape", expected="[sweep, time]", found=f"{current.shape}"
            )
        if not np.isfinite(current).all():
            sweep, sample = np.argwhere(~np.isfinite(current))[0]
            raise StimulusError(f"the injected current is not finite at sweep {sweep}, sample {sample}")
        if not (np.isfinite(dt_ms) and dt_ms > 0):
            raise StimulusError("the sampling interval must be positive", found=f"dt_ms = {dt_ms}")
        current.flags.writeable = False
        self.current_pa: NDArray[np.float64] = current
        self.dt_ms = float(dt_ms)

    def __repr__(self) -> str:
        return f"Stimulus({self.n_sweeps} sweeps, {self.duration_ms:g} ms at {self.dt_ms:g} ms)"

    @property
    def n_sweeps(self) -> int:
        return self.current_pa.shape[0]

    @property
    def n_samples(self) -> int:
        return self.current_pa.shape[1]

    @property
    def duration_ms(self) -> float:
        return self.n_samples * self.dt_ms

    @property
    def time_ms(self) -> NDArray[np.float64]:
        """``[time]``, from 0."""
        return np.arange(self.n_samples, dtype=np.float64) * self.dt_ms

    @cached_property
    def epochs(self) -> tuple[Step, ...]:
        """The stimulus cut wherever any sweep's current changes; empty for a current that never holds still.

        A protocol counts as made of steps if its sweeps change level at no more than 40 times in all, and do not creep
        between them, as a shallow ramp does.
        """
        jumps = (np.abs(np.diff(self.current_pa, axis=1)) > LEVEL_TOLERANCE_PA).any(axis=0)
        edges = np.flatnonzero(jumps) + 1
        if len(edges) > 40:
            return ()
        bounds = [0, *edges.tolist(), self.n_samples]
        if any(np.ptp(self.current_pa[:, a:b], axis=1).max() > CREEP_PA for a, b in itertools.pairwise(bounds)):
            return ()
        return tuple(
            Step(start * self.dt_ms, stop * self.dt_ms, np.median(self.current_pa[:, start:stop], axis=1))
            for start, stop in itertools.pairwise(bounds)
        )

    @cached_property
    def kind(self) -> Kind:
        """What the current is made of.

        ``"steps"``: it holds still but for a few changes. ``"ramps"``: it moves along a straight line, or up and down
        along two, in every sweep. ``"waveform"``: any other, such as frozen noise.
        """
        if self.epochs:
            return "steps"
        start, stop = self._moves
        return "ramps" if are_ramps(self.current_pa[:, start:stop]) else "waveform"

    @property
    def word(self) -> str:
        """What a test step is called: ``step``, ``ramp`` or ``waveform``."""
        return {"steps": "step", "ramps": "ramp", "waveform": "waveform"}[self.kind]

    @cached_property
    def _moves(self) -> tuple[int, int]:
        """The samples between which a current that is not made of steps moves."""
        return moving_stretch(self.current_pa, self.dt_ms, LEVEL_TOLERANCE_PA)

    @cached_property
    def test_steps(self) -> tuple[Step, ...]:
        """The epochs that ask the question: those whose level varies between sweeps, in order of time.

        Epochs at the holding current are left out even where the holding current itself varies. With a single
        level throughout (one sweep, or repeats), the epochs away from the holding current. A current that is not made
        of steps has one: the stretch in which it moves, at its mean.
        """
        if not self.epochs:
            start, stop = self._moves
            mean = self.current_pa[:, start:stop].mean(axis=1)
            return (Step(start * self.dt_ms, stop * self.dt_ms, mean),)
        away = tuple(step for step in self.epochs if not self._holds(step))
        return tuple(step for step in away if step.varies) or tuple(step for step in self.epochs if step.varies) or away

    def _holds(self, step: Step) -> bool:
        """Is every sweep at its holding current?"""
        return bool(np.abs(step.level_pa - self.holding_pa).max() <= LEVEL_TOLERANCE_PA)

    @property
    def test_step(self) -> Step:
        """The last of :attr:`test_steps`; what comes before it is history the cell carries in.

        Raises
        ------
        StimulusError
            If the current holds no step.
        """
        if not self.test_steps:
            raise StimulusError(
                "no current step in the stimulus",
                expected="at least one epoch of constant current away from the holding level",
            )
        return self.test_steps[-1]

    @cached_property
    def held(self) -> tuple[Step, ...]:
        """The stretches in which every sweep is at its holding current."""
        if self.epochs:
            return tuple(epoch for epoch in self.epochs if self._holds(epoch))
        start, stop = self._moves
        around = [(a, b) for a, b in ((0, start), (stop, self.n_samples)) if a < b]
        found = [Step(a * self.dt_ms, b * self.dt_ms, np.median(self.current_pa[:, a:b], axis=1)) for a, b in around]
        return tuple(s for s in found if s.stop_ms < self.duration_ms or self._holds(s))

    @cached_property
    def holding_pa(self) -> NDArray[np.float64]:
        """Holding current of each sweep, ``[sweep]``: its level in the first epoch, or before it begins to move, or its
        median."""
        if self.epochs:
            return self.epochs[0].level_pa
        before = self.current_pa[:, : self._moves[0]]
        return np.median(before if before.shape[1] else self.current_pa, axis=1)

    def at(self, dt_ms: float) -> Stimulus:
        """The same current at another interval, a whole multiple or fraction of this one.

        Steps are held, not smoothed. Of a current that moves, each longer interval gets the mean, so that no charge is
        lost.

        Raises
        ------
        StimulusError
            If neither interval divides the other.
        """
        if np.isclose(dt_ms, self.dt_ms, rtol=1e-9):
            return self
        ratio = dt_ms / self.dt_ms if dt_ms > self.dt_ms else self.dt_ms / dt_ms
        if abs(ratio - round(ratio)) > 1e-6:
            raise StimulusError(
                f"a step of {dt_ms:g} ms does not divide into the stimulus's {self.dt_ms:g} ms",
                advice=f"Choose a step that is a whole fraction of {self.dt_ms:g} ms.",
            )
        k = round(ratio)
        if dt_ms < self.dt_ms:
            return Stimulus(np.repeat(self.current_pa, k, axis=1), dt_ms)
        return Stimulus(self.current_pa[:, ::k] if self.epochs else block_means(self.current_pa, k), dt_ms)
