"""Where in a sweep the features look: stretches of samples around a stimulus's test step."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neurofit.recording import Stimulus
from neurofit.recording.stimulus import LEVEL_TOLERANCE_PA

REST_MS = 100.0  # how much of the holding current before the first change counts as rest
STEADY_FRACTION = 0.2  # the last part of the step that counts as steady
AFTER_MS = (50.0, 150.0)  # after the step's end, of which at least ...
LEAST_AFTER_MS = 10.0  # ... so much must be there
REBOUND_MS = 50.0  # a spike within this after the step is an answer to it
EDGE_MS = 2.0  # so long the current must hold on either side of a change to read the voltage's jump

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Windows:
    """Sample ranges of a stimulus that the features look at, and its test step.

    Attributes
    ----------
    rest, step, steady, after
        ``rest`` is empty if the stimulus begins with the step, ``after`` if it ends with it.
    before
        Everything before the current first changes.
    holding
        Stretches under the holding current that no step has a part in.
    edges, jump_pa
        Samples at which the current changes, and by how much, ``[edge, sweep]``.
    delta_pa
        ``[sweep]``: the step's level minus the holding level.
    start_ms, stop_ms
        The step.
    """

    rest: slice
    step: slice
    steady: slice
    after: slice
    before: slice
    holding: tuple[slice, ...]
    edges: tuple[int, ...]
    jump_pa: Array
    delta_pa: Array
    start_ms: float
    stop_ms: float

    @staticmethod
    def of(stimulus: Stimulus) -> Windows:
        """Of a stimulus's test step.

        Raises
        ------
        StimulusError
            If it holds no step.
        """
        step, current = stimulus.test_step, stimulus.current_pa

        def samples(ms: float) -> int:
            return round(ms / stimulus.dt_ms)

        start, stop = samples(step.start_ms), samples(step.stop_ms)
        changes = [samples(epoch.start_ms) for epoch in stimulus.epochs[1:]]
        first = min(changes, default=start)
        following = min((change for change in changes if change > stop), default=stimulus.n_samples)
        after = slice(stop + samples(AFTER_MS[0]), min(stop + samples(AFTER_MS[1]), following))
        held = slice(stop + samples(REBOUND_MS), following)
        at_holding = stop < stimulus.n_samples and bool(
            (np.abs(current[:, stop] - stimulus.holding_pa) <= LEVEL_TOLERANCE_PA).all()
        )
        held_for = np.diff([0, *changes, stimulus.n_samples]) >= samples(EDGE_MS)
        edges = tuple(np.array(changes)[held_for[:-1] & held_for[1:]].tolist()) if changes else ()
        return Windows(
            rest=slice(max(0, first - samples(REST_MS)), first),
            step=slice(start, stop),
            steady=slice(stop - max(1, round(STEADY_FRACTION * (stop - start))), stop),
            after=after if _length(after) >= samples(LEAST_AFTER_MS) else slice(stop, stop),
            before=slice(0, first),
            holding=tuple(s for s in (slice(0, first), held if at_holding else slice(0, 0)) if _length(s) > 1),
            edges=edges,
            jump_pa=np.array([current[:, e] - current[:, e - 1] for e in edges]).reshape(len(edges), len(current)),
            delta_pa=step.level_pa - stimulus.holding_pa,
            start_ms=step.start_ms,
            stop_ms=step.stop_ms,
        )


def _length(stretch: slice) -> int:
    return int(stretch.stop - stretch.start)
