"""A recording as neurofit sees it: sweeps of voltage and injected current, and what was found about them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from neurofit.errors import RecordingError
from neurofit.recording.stimulus import Step, Stimulus
from neurofit.recording.thresholds import QualityThresholds

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CurrentFrom = Literal["protocol", "recorded", "header", "file"]


@dataclass(frozen=True)
class Finding:
    """Something about a recording that its user should know.

    Attributes
    ----------
    kind
        A fixed word for programs, for example ``"electrode-resistance"``.
    severity
        ``"note"`` (worth knowing) or ``"warning"`` (may spoil a fit).
    message
        One sentence with numbers and units.
    sweeps
        The sweep numbers it concerns; empty where it concerns the whole recording.
    """

    kind: str
    severity: Literal["note", "warning"]
    message: str
    sweeps: tuple[int, ...] = ()


@dataclass(frozen=True)
class Source:
    """Where a recording came from, enough to find the same bytes again.

    Attributes
    ----------
    path
        File or directory.
    sha256
        Of the file, or of the files of a directory in order of name.
    format
        ``"ABF2"``, ``"Igor binary waves"``...
    current_from
        ``"protocol"`` (the command in the file's header), ``"recorded"`` (a current channel), and by the user's word
        ``"header"`` (rebuilt from the header's epochs) or ``"file"`` (a file that holds it).
    protocol
        Which of a directory's protocols was asked for; empty if none was.
    said
        What else its user said about it, by the names of :func:`~neurofit.recording.load.load_recording`'s arguments,
        with the ``command_sha256`` of a file that holds the current; empty if nothing was.
    """

    path: str
    sha256: str
    format: str
    current_from: CurrentFrom
    protocol: str = ""
    said: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Recording:
    """Sweeps of one cell under current clamp.

    Attributes
    ----------
    voltage_mv, current_pa
        ``[sweep, time]``; voltage as recorded (no junction potential subtracted, no bridge rebalanced).
    dt_ms
        Sampling interval.
    sweep_numbers
        The number each row has in the file.
    start_ms
        Time of the first sample from the start of the file's sweep (not 0 after a window was selected).
    findings
        What is notable or wrong.
    source
        The file.
    set_aside
        ``{sweep number: reason}`` of the sweeps that are spoilt; they are not fitted unless asked for by number.
    thresholds
        What the findings were made with.
    """

    voltage_mv: NDArray[np.float64]
    current_pa: NDArray[np.float64]
    dt_ms: float
    sweep_numbers: tuple[int, ...]
    start_ms: float
    findings: tuple[Finding, ...]
    source: Source
    set_aside: dict[int, str] = field(default_factory=dict)
    thresholds: QualityThresholds = field(default_factory=QualityThresholds)

    def __repr__(self) -> str:
        aside = f", {len(self.set_aside)} set aside" if self.set_aside else ""
        return (
            f"Recording({self.n_sweeps} sweeps of {self.duration_ms:g} ms at {self.dt_ms:g} ms, "
            f"{self.source.format}, {len(self.findings)} findings{aside})"
        )

    @property
    def usable(self) -> tuple[int, ...]:
        """The numbers of the sweeps that are not set aside."""
        return tuple(number for number in self.sweep_numbers if number not in self.set_aside)

    def with_taken(self, numbers: Iterable[int]) -> Recording:
        """The same recording in which these sweeps are not set aside, as findings then say.

        Raises
        ------
        RecordingError
            If one of them holds values that are not numbers.
        """
        taken = {number: self.set_aside[number] for number in sorted(numbers) if number in self.set_aside}
        for number in taken:
            if not np.isfinite(self.voltage_mv[self.sweep_numbers.index(number)]).all():
                raise RecordingError(
                    f"sweep {number} cannot be used: {taken[number]}",
                    where=self.source.path,
                    expected=f"sweeps among {ranges(self.usable)}",
                )
        said = [
            Finding("taken-anyway", "warning", f"Sweep {number} is used as asked for, though {reason}.", (number,))
            for number, reason in taken.items()
        ]
        rest = [f for f in self.findings if not (f.kind == "set-aside" and set(f.sweeps) <= set(taken))]
        aside = {number: reason for number, reason in self.set_aside.items() if number not in taken}
        return replace(self, findings=(*said, *rest), set_aside=aside) if taken else self

    @property
    def n_sweeps(self) -> int:
        return self.voltage_mv.shape[0]

    @property
    def duration_ms(self) -> float:
        return self.voltage_mv.shape[1] * self.dt_ms

    @property
    def time_ms(self) -> NDArray[np.float64]:
        """``[time]``, from the start of the file's sweep."""
        return self.start_ms + np.arange(self.voltage_mv.shape[1], dtype=np.float64) * self.dt_ms

    @cached_property
    def stimulus(self) -> Stimulus:
        """The injected current of these sweeps."""
        return Stimulus(self.current_pa, self.dt_ms)

    def plot(self) -> Figure:
        """Draw every sweep with its current, the firing, the rest, and the warnings."""
        from neurofit.recording.draw import draw_recording

        return draw_recording(self)

    def select(self, sweeps: Sequence[int] | None = None, window_ms: tuple[float, float] | None = None) -> Recording:
        """Some sweeps, by their numbers in the file, and a stretch of time.

        Parameters
        ----------
        sweeps
            Sweep numbers, in the order wanted; ``None`` keeps all.
        window_ms
            ``(start, stop)`` from the start of the file's sweep; ``None`` keeps all.

        Raises
        ------
        RecordingError
            If a sweep is not there or the window reaches outside the recording.
        """
        chosen = list(self.sweep_numbers) if sweeps is None else [int(s) for s in sweeps]
        missing = sorted(set(chosen) - set(self.sweep_numbers))
        if missing or not chosen:
            raise RecordingError(
                f"no sweep {', '.join(map(str, missing))} in this recording" if missing else "no sweep selected",
                where=self.source.path,
                expected=f"sweeps among {ranges(self.sweep_numbers)}",
            )
        rows = [self.sweep_numbers.index(s) for s in chosen]
        start, stop = 0, self.voltage_mv.shape[1]
        if window_ms is not None:
            start, stop = (round((t - self.start_ms) / self.dt_ms) for t in window_ms)
            if not 0 <= start < stop <= self.voltage_mv.shape[1]:
                raise RecordingError(
                    f"the window {window_ms[0]:g} to {window_ms[1]:g} ms does not lie inside the sweeps",
                    where=self.source.path,
                    expected=f"a stretch of {self.start_ms:g} to {self.start_ms + self.duration_ms:g} ms",
                )
        return replace(
            self,
            voltage_mv=self.voltage_mv[rows, start:stop],
            current_pa=self.current_pa[rows, start:stop],
            sweep_numbers=tuple(chosen),
            start_ms=self.start_ms + start * self.dt_ms,
            findings=tuple(f for f in self.findings if not f.sweeps or set(f.sweeps) & set(chosen)),
            set_aside={number: reason for number, reason in self.set_aside.items() if number in chosen},
        )

    def at(self, dt_ms: float) -> Recording:
        """Every k-th sample, so that recorded and simulated voltage are sampled alike.

        Raises
        ------
        StimulusError
            If ``dt_ms`` is not a whole multiple of the recording's interval.
        """
        current = self.stimulus.at(dt_ms)
        k = round(dt_ms / self.dt_ms)
        return replace(self, voltage_mv=self.voltage_mv[:, ::k], current_pa=current.current_pa, dt_ms=current.dt_ms)

    def window_of(self, step: Step, before_ms: float = 100.0, after_ms: float = 150.0) -> tuple[float, float]:
        """The stretch of the file's sweep that a test step belongs to.

        It starts ``before_ms`` before the current last left its holding level on the way to the step (so that
        a pre-pulse and the rest before it are inside) and ends ``after_ms`` after the step, or where the
        recording or the next test step does not leave that much.

        Parameters
        ----------
        step
            One of ``recording.stimulus.test_steps``.
        before_ms, after_ms
            How much of the holding current to keep on either side.

        Returns
        -------
        tuple
            ``(start_ms, stop_ms)`` from the start of the file's sweep, for :meth:`select`.
        """
        epochs = self.stimulus.epochs
        if not epochs:  # a current that moves: the whole stretch, with what is held around it
            start, stop = step.start_ms - before_ms, step.stop_ms + after_ms
            return self.start_ms + max(start, 0.0), self.start_ms + min(stop, self.duration_ms)
        index = next(i for i, epoch in enumerate(epochs) if epoch.start_ms == step.start_ms)
        holding = self.stimulus.holding_pa
        leave = index
        while leave > 0 and np.abs(epochs[leave - 1].level_pa - holding).max() > 0.05:
            leave -= 1
        previous_start = epochs[leave - 1].start_ms if leave > 0 else 0.0
        following = epochs[index + 1].stop_ms if index + 1 < len(epochs) else step.stop_ms
        start = max(epochs[leave].start_ms - before_ms, previous_start)
        stop = min(step.stop_ms + after_ms, following)
        return self.start_ms + start, self.start_ms + stop


def ranges(numbers: Sequence[int]) -> str:
    """Sweep numbers as people write them: ``0-3, 7`` for (0, 1, 2, 3, 7)."""
    parts: list[list[int]] = []
    for n in sorted(numbers):
        if parts and n == parts[-1][-1] + 1:
            parts[-1].append(n)
        else:
            parts.append([n])
    return ", ".join(str(p[0]) if len(p) == 1 else f"{p[0]}-{p[-1]}" for p in parts)
