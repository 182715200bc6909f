"""Which sweeps and which stretch of a recording are fitted, and which are held out to be predicted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from neurofit.errors import StimulusError
from neurofit.recording.recording import Recording

# Features need no more than this; the recording is thinned to a whole multiple of its own interval below it.
SAMPLE_MS = 0.1


@dataclass(frozen=True, eq=False)
class Split:
    """A recording cut into what is fitted and what is not.

    Attributes
    ----------
    fitted
        The chosen sweeps around the chosen test step, or around the stretch in which a current moves.
    held_out
        ``{name: Recording}``: the other usable sweeps of that step, and every usable sweep of the other steps.
    """

    fitted: Recording
    held_out: dict[str, Recording]


def split(recording: Recording, sweeps: Sequence[int], step: int = 1) -> Split:
    """Cut a recording around one of its test steps.

    Parameters
    ----------
    sweeps
        Numbers of the sweeps to fit.
    step
        Which of ``recording.stimulus.test_steps``, counted from 1.

    Raises
    ------
    StimulusError
        If the recording has no such step.
    RecordingError
        If it lacks one of the sweeps.
    """
    steps = recording.stimulus.test_steps
    if not steps:
        raise StimulusError(
            "there is no current to fit",
            where=recording.source.path,
            expected="a current that differs between sweeps, or from the level it is held at",
        )
    if not 1 <= step <= len(steps):
        raise StimulusError(
            f"there is no step {step}",
            where=recording.source.path,
            expected=f"a step from 1 to {len(steps)}",
        )
    fitted = _around(recording, sweeps, step)
    rest = [s for s in recording.usable if s not in set(sweeps)]
    name = f"step {step}, other sweeps" if recording.stimulus.epochs else "other sweeps"
    held_out = {name: _around(recording, rest, step)} if rest else {}
    for other in range(1, len(steps) + 1):
        if other != step:
            held_out[f"step {other}"] = _around(recording, recording.usable, other)
    return Split(fitted, held_out)


def _around(recording: Recording, sweeps: Sequence[int], step: int) -> Recording:
    chosen = recording.stimulus.test_steps[step - 1]
    start, stop = recording.window_of(chosen)
    every = _thinning(recording, chosen.start_ms, start, stop)
    grid = every * recording.dt_ms
    # the step's edge must fall on the thinned grid, or current and voltage would part by a sample
    edge = recording.start_ms + chosen.start_ms
    start = max(edge - int((edge - start) / grid + 1e-6) * grid, recording.start_ms)
    return recording.select(sweeps, (start, stop)).at(grid)


def _thinning(recording: Recording, edge_ms: float, start_ms: float, stop_ms: float) -> int:
    """One sample in so many is kept: the most below SAMPLE_MS with which every edge of the window's steps is kept."""
    most = max(1, int(SAMPLE_MS / recording.dt_ms + 1e-6))
    starts = [recording.start_ms + epoch.start_ms for epoch in recording.stimulus.epochs]
    inside = [round((t - recording.start_ms - edge_ms) / recording.dt_ms) for t in starts if start_ms < t < stop_ms]
    return max(k for k in range(1, most + 1) if all(sample % k == 0 for sample in inside))
