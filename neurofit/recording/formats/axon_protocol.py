"""The command current that an ABF header describes, where it can be trusted.

Epochs are not always what the amplifier got: something else may have decided, or the outputs may not have been
connected. Each such reason is looked for here. Some of them the user can settle, by saying that the epochs were used.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neurofit.recording.formats.axon_header import (
    FROM_EPOCHS,
    FROM_FILE,
    KINDS,
    NO_WAVEFORM,
    OFF,
    PULSES,
    Epoch,
    Output,
    Protocol,
)
from neurofit.recording.formats.axon_waveform import DRAWN, draw, fits
from neurofit.recording.limits import LARGEST_PA
from neurofit.recording.recording import Finding
from neurofit.recording.units import current_scale_pa

DIGITAL = "a digital output"
# Levels are typed by people. One with more digits than this is a damaged number.
MOST_DIGITS = 6


@dataclass(frozen=True)
class Command:
    """What the protocol says was injected.

    Attributes
    ----------
    current_pa
        ``[sweep, time]``, or ``None`` where it cannot be trusted.
    doubts
        Why not, one phrase each.
    describe
        The output channel and its epochs, in words.
    findings
        What else the outputs did.
    caveats
        What to know about the command where it is used.
    unverified_pa
        ``[sweep, time]`` where all that is missing is somebody's word for it: to compare a recorded current with.
    """

    current_pa: NDArray[np.float64] | None
    doubts: tuple[str, ...]
    describe: str
    findings: tuple[Finding, ...] = ()
    caveats: tuple[Finding, ...] = ()
    unverified_pa: NDArray[np.float64] | None = None


def protocol_command(
    protocol: Protocol, shape: tuple[int, ...], *, by_word: bool = False, scale_pa: float | None = None
) -> Command:
    """The command on the output channel in units of current.

    Parameters
    ----------
    protocol
        What the header says.
    shape
        ``(sweeps, samples)`` of the recorded voltage, which the command must have as well.
    by_word
        Does the user say that the epochs were used? Then only what keeps them from being drawn is a doubt.
    scale_pa
        The user's pA per unit of the output, in place of its own unit.
    """
    in_pa = [output for output in protocol.outputs if current_scale_pa(output.unit) is not None]
    others = _other_outputs(protocol, in_pa)
    possible = in_pa
    if by_word and scale_pa is not None:
        possible = in_pa or list(protocol.outputs)
    if not possible:
        return Command(None, ("no output channel is in units of current",), "no command in pA or nA", others)
    on = [output for output in possible if (output.enabled and output.source != NO_WAVEFORM) or by_word]
    if not on:
        off = "the protocol's waveform output is switched off, so no step was commanded"
        return Command(None, (off,), f"output {possible[0]} with its waveform off", others)
    # Where several outputs are in question, only those whose epochs do something are.
    busy = [output for output in on if not output.is_flat] or on[:1]
    if len(busy) > 1:
        names = ", ".join(map(str, busy))
        doubt = f"{len(busy)} outputs command a current, and nothing says which goes into this cell"
        return Command(None, (doubt,), f"outputs {names}", others)
    (output,) = busy
    describe = f"output {output}, {output.in_words()}"
    listed, doubts, findings = _listed(protocol, output, shape[0])
    doubts += [] if by_word else _unused(protocol, output)
    doubts += _undrawable(protocol, output, shape)
    if doubts and doubts != list(protocol.doubts):
        return Command(None, tuple(doubts), describe, others)
    scale = scale_pa if scale_pa is not None else current_scale_pa(output.unit)
    assert scale is not None, "an output in another unit is chosen only with a scale"
    current = np.round(draw(output, shape, listed) * scale, 6)
    if not np.isfinite(current).all() or np.abs(current).max() > LARGEST_PA:
        beyond = "the protocol's levels are beyond 100 nA, so its scale is wrong"
        return Command(None, (beyond,), describe, others)
    if doubts:
        return Command(None, tuple(doubts), describe, others, unverified_pa=current)
    return Command(current, (), describe, others, (*protocol.caveats, *findings, *_odd_levels(output)))


def _unused(protocol: Protocol, output: Output) -> list[str]:
    """Every reason to doubt that the epochs are what this output did; the user's word settles them."""
    doubts = list(protocol.doubts)
    if output.number != protocol.outputs.index(output):
        doubts.append("the header's list of outputs is out of order")
    if output.source not in (FROM_EPOCHS, FROM_FILE):
        doubts.append("the header does not say where the command came from")
    if any(epoch.kind == OFF and epoch.duration for epoch in output.epochs):
        doubts.append("an epoch is switched off but has a duration, so it is not known what the output did then")
    return doubts


def _undrawable(protocol: Protocol, output: Output, shape: tuple[int, ...]) -> list[str]:
    """Every reason why the epochs cannot be drawn, whatever the user says."""
    doubts = []
    if output.source == FROM_FILE:
        doubts.append("the command came from a stimulus file, which is not in the recording")
    doubts += [
        f"the protocol holds a {KINDS.get(kind, f'kind of epoch ({kind}) that is not known')}, which is not drawn"
        for kind in sorted({epoch.kind for epoch in output.active} - set(DRAWN))
    ]
    if any(epoch.kind == PULSES and not 0 < epoch.width <= epoch.period for epoch in output.active):
        doubts.append("the protocol holds a pulse train whose pulses have no width or no period")
    if protocol.alternates:
        doubts.append("the protocol alternates between outputs from sweep to sweep")
    if output.conditioned:
        doubts.append("a conditioning train precedes every sweep")
    numbers = [epoch.number for epoch in output.active]
    if numbers != sorted(set(numbers)):
        doubts.append("the header's epochs are out of order")
    if protocol.shape != tuple(shape):
        doubts.append("the header's number or length of sweeps is not that of the recording")
    elif protocol.planned < shape[0]:
        doubts.append(f"the protocol has {protocol.planned} sweeps and the recording {shape[0]}")
    if not fits(output, shape):
        doubts.append("the protocol's epochs do not fit into the sweep")
    return doubts


def _listed(
    protocol: Protocol, output: Output, sweeps: int
) -> tuple[tuple[int, list[float]] | None, list[str], list[Finding]]:
    """What a user list makes of the output's levels: the levels, why they are not known, and what to say."""
    if not protocol.user_lists:
        return None, [], []
    lists = [found for found in protocol.user_lists if found is not None]
    if len(protocol.user_lists) == len(lists) == 1 and lists[0].output == output.number:
        levels = lists[0].levels(output.active, sweeps)
        if levels is not None:
            said = (
                f"A user list sets the level of epoch {chr(ord('A') + levels[0])} from sweep to sweep "
                f"({', '.join(f'{level:g}' for level in levels[1][:4])}{', ...' if sweeps > 4 else ''} "
                f"{output.unit}); the protocol's command is drawn with these."
            )
            return levels, [], [Finding("user-list", "warning", said)]
    return None, ["a user list changes the protocol from sweep to sweep, in a way that is not certain"], []


def _odd_levels(output: Output) -> tuple[Finding, ...]:
    """Levels that nobody types, as a damaged header has them."""

    def is_odd(value: float) -> bool:
        return len(f"{value:.9e}".split("e")[0].strip("-").replace(".", "").rstrip("0")) > MOST_DIGITS or (
            0 < abs(value) < 1e-6
        )

    def of(epoch: Epoch) -> tuple[float, float]:
        return epoch.level, epoch.increment

    odd = [value for epoch in output.active for value in of(epoch) if is_odd(value)]
    odd += [output.holding] if is_odd(output.holding) else []
    if not odd:
        return ()
    message = (
        f"The protocol's levels hold numbers that nobody types ({', '.join(f'{value:g}' for value in odd[:3])} "
        f"{output.unit}): the header may be damaged, and the current wrong."
    )
    return (Finding("odd-levels", "warning", message),)


def _other_outputs(protocol: Protocol, in_pa: list[Output]) -> tuple[Finding, ...]:
    """Stimuli beside the current: another analogue output with epochs, or digital outputs that switch."""
    others = [
        str(output) for output in protocol.outputs if output not in in_pa and output.enabled and not output.is_flat
    ]
    if protocol.digital:
        others.append(DIGITAL)
    if not others:
        return ()
    return (
        Finding(
            "other-output",
            # A digital output most often triggers a camera or an oscilloscope.
            "note" if others == [DIGITAL] else "warning",
            f"During the sweeps the protocol also drives {' and '.join(others)}: a light or a stimulator "
            "there would be part of the stimulus.",
        ),
    )
