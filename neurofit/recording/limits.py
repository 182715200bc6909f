"""What no recording of a neuron goes beyond; a file that does has a wrong unit or a damaged header."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from neurofit.errors import RecordingError
from neurofit.recording.recording import Recording

LARGEST_MV = 5000.0
LARGEST_PA = 1e5  # 100 nA: no pipette passes more into a neuron
DT_RANGE_MS = (0.001, 1.0)


def check_interval(where: Path, dt_ms: float) -> None:
    """Refuse a sampling interval at which no action potential was ever recorded."""
    low, high = DT_RANGE_MS
    if not low <= dt_ms <= high:
        raise RecordingError(
            "the sampling interval is wrong, or was never set",
            where=where,
            expected=f"{low:g} to {high:g} ms",
            found=f"{dt_ms:g} ms",
        )


def check_values(recording: Recording) -> None:
    """Refuse values that are not numbers in a current or in half of the sweeps, or that no amplifier gives.

    Fewer sweeps than half are set aside for it when the recording is examined.
    """
    whole = np.isfinite(recording.voltage_mv.sum(axis=1))
    largest_mv = float(np.abs(recording.voltage_mv[whole]).max(initial=0.0))
    largest_pa = float(np.abs(recording.current_pa).max())
    if 2 * np.count_nonzero(whole) <= recording.n_sweeps or not np.isfinite(largest_pa):
        what = "the recording holds values that are not numbers"
    elif largest_mv > LARGEST_MV:
        what = f"the voltage reaches {largest_mv:.3g} mV"
    elif largest_pa > LARGEST_PA:
        what = f"the current reaches {largest_pa / 1e3:.3g} nA"
    else:
        return
    raise RecordingError(
        f"{what}, as no recording of a neuron does: a unit or scale in the header is wrong, or it is damaged",
        where=recording.source.path,
    )
