"""The command current that an ABF2 header describes, where it can be trusted.

Neo draws the command from the header's epochs, and draws it wrong, in silence, for every kind of epoch but a
step, and whenever something else than the epochs decided what the amplifier got. Each such reason is looked
for here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurofit.recording.axon_channels import text
from neurofit.recording.limits import LARGEST_PA
from neurofit.recording.recording import Finding
from neurofit.recording.units import current_scale_pa

EPOCHS = {
    0: "off",
    1: "step",
    2: "ramp",
    3: "pulse train",
    4: "triangle train",
    5: "cosine train",
    6: "resistance pulse",
    7: "biphasic train",
}
OFF, STEP = 0, 1
NO_WAVEFORM, FROM_EPOCHS, FROM_FILE = 0, 1, 2
HOLDING_SHARE = 64  # the first 1/64 of a sweep is at the holding level, before the first epoch
DIGITAL = "a digital output"


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
    """

    current_pa: NDArray[np.float64] | None
    doubts: tuple[str, ...]
    describe: str
    findings: tuple[Finding, ...] = ()


def protocol_command(reader: Any, has_user_list: bool, shape: tuple[int, ...]) -> Command:
    """The command on the output channel in units of current.

    Parameters
    ----------
    reader
        Neo's ``AxonIO`` with its header parsed.
    has_user_list
        Does the file hold a user list?
    shape
        ``(sweeps, samples)`` of the recorded voltage, which the command must have as well.
    """
    header: dict[str, Any] = reader._axon_info
    outputs = list(enumerate(header["listDACInfo"]))
    currents = [index for index, dac in outputs if current_scale_pa(text(dac["DACChUnits"])) is not None]
    active = [
        index
        for index in currents
        if outputs[index][1]["nWaveformEnable"] and outputs[index][1]["nWaveformSource"] != NO_WAVEFORM
    ]
    findings = _other_outputs(header, set(currents))
    if not currents:
        return Command(None, ("no output channel is in units of current",), "no command in pA or nA", findings)
    if not active:
        return Command(
            None,
            ("the protocol's waveform output is switched off, so no step was commanded",),
            f"output {_name(header, currents[0])} with its waveform off",
            findings,
        )
    # Where several outputs are in pA, only those whose epochs do something are in question.
    busy = [index for index in active if not _is_flat(header, index)] or active[:1]
    if len(busy) > 1:
        names = ", ".join(_name(header, index) for index in busy)
        return Command(
            None,
            (f"{len(busy)} outputs command a current, and nothing says which goes into this cell",),
            f"outputs {names}",
            findings,
        )
    index = busy[0]
    describe = f"output {_name(header, index)}, {_epochs_in_words(header, index)}"
    doubts = _doubts(header, index, has_user_list, shape)
    if doubts:
        return Command(None, tuple(doubts), describe, findings)
    scale = current_scale_pa(text(header["listDACInfo"][index]["DACChUnits"]))
    assert scale is not None
    current = np.round(_draw(header, index, shape) * scale, 6)
    if not np.isfinite(current).all() or np.abs(current).max() > LARGEST_PA:
        doubts = ["the protocol's levels are beyond 100 nA, so its scale is wrong"]
    return Command(None if doubts else current, tuple(doubts), describe, findings)


def _doubts(header: dict[str, Any], index: int, has_user_list: bool, shape: tuple[int, ...]) -> list[str]:
    """Every reason why the header's epochs are not what this output did."""
    dac, protocol = header["listDACInfo"][index], header["protocol"]
    epochs = _epochs(header, index)
    kinds = sorted({int(epoch["nEpochType"]) for epoch in epochs} - {OFF, STEP})
    doubts = []
    if has_user_list:
        doubts.append("a user list changes the protocol from sweep to sweep, in a way that its epochs do not show")
    if dac["nWaveformSource"] == FROM_FILE:
        doubts.append("the command came from a stimulus file, which is not in the recording")
    elif dac["nWaveformSource"] != FROM_EPOCHS:
        doubts.append("the header does not say where the command came from")
    doubts += [
        f"the protocol holds a {EPOCHS.get(kind, f'kind of epoch ({kind}) that is not known')}, not only steps"
        for kind in kinds
    ]
    if any(e["nEpochType"] == OFF and e["lEpochInitDuration"] for e in _all_epochs(header, index)):
        doubts.append("an epoch is switched off but has a duration, so it is not known what the output did then")
    if dac["nInterEpisodeLevel"]:
        doubts.append("the output keeps the last epoch's level between sweeps, so sweeps do not start at holding")
    if protocol["nAlternateDACOutputState"]:
        doubts.append("the protocol alternates between outputs from sweep to sweep")
    if dac["nConditEnable"]:
        doubts.append("a conditioning train precedes every sweep")
    if int(dac["nDACNum"]) != index:
        doubts.append("the header's list of outputs is out of order")
    if [int(epoch["nEpochNum"]) for epoch in epochs] != sorted(int(epoch["nEpochNum"]) for epoch in epochs):
        doubts.append("the header's epochs are out of order")
    sweeps, samples = shape
    if int(header["lActualEpisodes"]) != sweeps or (
        protocol["lNumSamplesPerEpisode"] // len(header["listADCInfo"]) != samples
    ):
        doubts.append("the header's number or length of sweeps is not that of the recording")
    elif protocol["lEpisodesPerRun"] < sweeps:
        doubts.append(f"the protocol has {protocol['lEpisodesPerRun']} sweeps and the recording {sweeps}")
    lengths = np.array([[epoch["lEpochInitDuration"], epoch["lEpochDurationInc"]] for epoch in epochs], dtype=float)
    for sweep in (0, sweeps - 1):
        lasting = lengths.reshape(-1, 2) @ (1.0, float(sweep))
        if (lasting < 0).any() or lasting.sum() + samples // HOLDING_SHARE > samples:
            doubts.append("the protocol's epochs do not fit into the sweep")
            break
    return doubts


def _draw(header: dict[str, Any], index: int, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """``[sweep, time]`` of an output's steps, in its own unit.

    Neo's ``read_protocol`` draws the same, but draws every output, and fails if any other one has an epoch
    that ends after the sweep.
    """
    sweeps, samples = shape
    current = np.full(shape, _decimal(header["listDACInfo"][index]["fDACHoldingLevel"]))
    for sweep in range(sweeps):
        start = samples // HOLDING_SHARE
        for epoch in _epochs(header, index):
            stop = start + epoch["lEpochInitDuration"] + sweep * epoch["lEpochDurationInc"]
            level, increment = _decimal(epoch["fEpochInitLevel"]), _decimal(epoch["fEpochLevelInc"])
            current[sweep, start:stop] = level + sweep * increment
            start = stop
    return current


def _decimal(value: float) -> float:
    """A 32 bit level as its user typed it: 0.05 nA, not 0.0500000007."""
    return float(str(np.float32(value)))


def _other_outputs(header: dict[str, Any], currents: set[int]) -> tuple[Finding, ...]:
    """Stimuli beside the current: another analogue output with epochs, or digital outputs that switch."""
    others = [
        _name(header, index)
        for index, dac in enumerate(header["listDACInfo"])
        if index not in currents and dac["nWaveformEnable"] and not _is_flat(header, index)
    ]
    if header["protocol"]["nDigitalEnable"] and any(
        epoch["nDigitalValue"] or epoch["nDigitalTrainValue"] for epoch in header["EpochInfo"]
    ):
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


def _all_epochs(header: dict[str, Any], index: int) -> list[dict[str, Any]]:
    """The epochs of an output, as the header orders them."""
    return list(header["dictEpochInfoPerDAC"].get(index, {}).values())


def _epochs(header: dict[str, Any], index: int) -> list[dict[str, Any]]:
    """Those that are not off."""
    return [epoch for epoch in _all_epochs(header, index) if epoch["nEpochType"] != OFF]


def _is_flat(header: dict[str, Any], index: int) -> bool:
    """Does the output stay at its holding level, as far as the epochs say?"""
    dac = header["listDACInfo"][index]
    if dac["nWaveformSource"] == FROM_FILE:
        return False
    holding = dac["fDACHoldingLevel"]
    return all(
        epoch["nEpochType"] in (OFF, STEP) and epoch["fEpochInitLevel"] == holding and not epoch["fEpochLevelInc"]
        for epoch in _epochs(header, index)
    )


def _name(header: dict[str, Any], index: int) -> str:
    dac = header["listDACInfo"][index]
    return f"'{text(dac['DACChNames'])}' ({text(dac['DACChUnits']) or 'no unit'})"


def _epochs_in_words(header: dict[str, Any], index: int) -> str:
    kinds = [EPOCHS.get(int(e["nEpochType"]), "unknown") for e in _epochs(header, index)]
    if not kinds:
        return "no epochs"
    return ", ".join(
        f"{kinds.count(kind)} {kind}{'s' if kinds.count(kind) > 1 else ''}" for kind in dict.fromkeys(kinds)
    )
