"""Which cells got one protocol."""

from __future__ import annotations

import hashlib

import numpy as np

from neurofit.recording import Recording
from neurofit.recording.stimulus import LEVEL_TOLERANCE_PA

# Currents of two cells that differ by no more than this share of their span are one protocol: what amplifiers and
# recorded channels differ by, not what anybody would command.
SAME_SHARE = 0.01


def protocol_id(protocol: Recording) -> str:
    """Of a protocol's current, to what an amplifier can set, and its sampling."""
    levels = np.round(protocol.current_pa / LEVEL_TOLERANCE_PA).astype(np.int64)
    return hashlib.sha256(levels.tobytes() + f"{levels.shape} {protocol.dt_ms:.9f}".encode()).hexdigest()


def different_protocol(protocol: Recording, other: Recording) -> str:
    """In what another recording's protocol differs; nothing where it is the same up to :data:`SAME_SHARE`."""
    if other.sweep_numbers != protocol.sweep_numbers:
        return f"sweeps {list(other.sweep_numbers)} in place of {list(protocol.sweep_numbers)}"
    if other.current_pa.shape != protocol.current_pa.shape or not np.isclose(other.dt_ms, protocol.dt_ms):
        return (
            f"{other.current_pa.shape[1]} samples of {other.dt_ms:g} ms in place of {protocol.current_pa.shape[1]} of "
            f"{protocol.dt_ms:g} ms"
        )
    apart = float(np.abs(other.current_pa - protocol.current_pa).max())
    span = float(np.ptp(protocol.current_pa))
    return "" if apart <= max(1.0, SAME_SHARE * span) else f"currents that differ by up to {apart:.3g} pA"
