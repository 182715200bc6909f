"""What an ABF header of either generation says about the analogue outputs, in one form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from neurofit.recording.formats.abf_file import text
from neurofit.recording.recording import Finding

OFF, STEP, RAMP, PULSES = 0, 1, 2, 3
KINDS = {
    OFF: "off",
    STEP: "step",
    RAMP: "ramp",
    PULSES: "pulse train",
    4: "triangle train",
    5: "cosine train",
    6: "resistance pulse",
    7: "biphasic train",
}
NO_WAVEFORM, FROM_EPOCHS, FROM_FILE = 0, 1, 2
# What a user list varies is a number in which the kinds of parameter follow one another, each with a place for every
# epoch: ten of them until pCLAMP 10, fifty since pCLAMP 11. Before the first kind there are eleven single parameters.
LIST_SINGLES, LIST_PLACES = 11, (50, 10)


@dataclass(frozen=True)
class Epoch:
    """An epoch of an output: level + sweep * increment, for duration + sweep * lengthening samples.

    Attributes
    ----------
    number
        Its place in the protocol, 0 for epoch A.
    kind
        A key of :data:`KINDS`.
    level, increment
        In the output's unit.
    duration, lengthening, period, width
        Samples of one channel; period and width are those of a train.
    """

    number: int
    kind: int
    level: float
    increment: float
    duration: int
    lengthening: int
    period: int = 0
    width: int = 0


@dataclass(frozen=True)
class UserList:
    """Values that replace a parameter of the protocol from sweep to sweep.

    Attributes
    ----------
    output
        Number of the output whose parameter it is.
    parameter
        Which one, as the header codes it.
    values
        One a sweep, as text.
    """

    output: int
    parameter: int
    values: tuple[str, ...]

    def levels(self, epochs: tuple[Epoch, ...], sweeps: int) -> tuple[int, list[float]] | None:
        """Number of the epoch whose level it sets and the level in each sweep; ``None`` where that is not certain."""
        try:
            values = [float(value) for value in self.values]
        except ValueError:
            return None
        numbers = {epoch.number for epoch in epochs}
        for places in LIST_PLACES:
            first = LIST_SINGLES + places
            if first <= self.parameter < first + places and max(numbers, default=0) < places:
                number = self.parameter - first
                is_whole = number in numbers and len(values) >= sweeps and bool(np.isfinite(values).all())
                return (number, values[:sweeps]) if is_whole else None
        return None


@dataclass(frozen=True)
class Output:
    """An analogue output and its waveform.

    Attributes
    ----------
    number, name, unit
        As the header has them.
    holding
        Level outside the epochs, in ``unit``.
    enabled, source
        Is its waveform on, and where is it from (:data:`FROM_EPOCHS`)?
    keeps_last
        Does it stay at the last epoch's level between sweeps?
    conditioned
        Does a train precede every sweep?
    epochs
        All of them, those that are off too.
    """

    number: int
    name: str
    unit: str
    holding: float
    enabled: bool
    source: int
    keeps_last: bool
    conditioned: bool
    epochs: tuple[Epoch, ...]

    def __str__(self) -> str:
        return f"'{self.name}' ({self.unit or 'no unit'})"

    @property
    def active(self) -> tuple[Epoch, ...]:
        """The epochs that are not off."""
        return tuple(epoch for epoch in self.epochs if epoch.kind != OFF)

    @property
    def is_flat(self) -> bool:
        """Does it stay at its holding level, as far as the epochs say?"""
        return self.source != FROM_FILE and all(
            epoch.kind in (STEP, RAMP, PULSES) and epoch.level == self.holding and not epoch.increment
            for epoch in self.active
        )

    def in_words(self) -> str:
        """Its epochs: ``2 steps, 1 ramp``."""
        kinds = [KINDS.get(epoch.kind, "unknown") for epoch in self.active]
        counted = [f"{kinds.count(k)} {k}{'s' if kinds.count(k) > 1 else ''}" for k in dict.fromkeys(kinds)]
        return ", ".join(counted) or "no epochs"


@dataclass(frozen=True)
class Protocol:
    """What both generations of the header say.

    Attributes
    ----------
    outputs
        In the header's order.
    user_lists
        Those that are in use; ``None`` for one that cannot be read.
    shape
        Sweeps that the header counts, and samples of one channel in each.
    planned
        Sweeps in a run, as they were planned.
    alternates
        Do the outputs take turns from sweep to sweep?
    digital
        Does a digital output switch?
    doubts
        What of the header itself speaks against it, one phrase each.
    caveats
        What to know about the command, if it is used all the same.
    """

    outputs: tuple[Output, ...]
    user_lists: tuple[UserList | None, ...]
    shape: tuple[int, int]
    planned: int
    alternates: bool
    digital: bool
    doubts: tuple[str, ...] = ()
    caveats: tuple[Finding, ...] = ()


def abf2_protocol(reader: Any, user_lists: tuple[UserList | None, ...]) -> Protocol:
    """The protocol of an ABF2 file that Neo's ``AxonIO`` has open."""
    header: dict[str, Any] = reader._axon_info
    protocol = header["protocol"]
    outputs = []
    for index, dac in enumerate(header["listDACInfo"]):
        epochs = header["dictEpochInfoPerDAC"].get(index, {}).values()
        outputs.append(
            Output(
                number=int(dac["nDACNum"]),
                name=text(dac["DACChNames"]),
                unit=text(dac["DACChUnits"]),
                holding=decimal(dac["fDACHoldingLevel"]),
                enabled=bool(dac["nWaveformEnable"]),
                source=int(dac["nWaveformSource"]),
                keeps_last=bool(dac["nInterEpisodeLevel"]),
                conditioned=bool(dac["nConditEnable"]),
                epochs=tuple(
                    Epoch(
                        int(epoch["nEpochNum"]),
                        int(epoch["nEpochType"]),
                        decimal(epoch["fEpochInitLevel"]),
                        decimal(epoch["fEpochLevelInc"]),
                        int(epoch["lEpochInitDuration"]),
                        int(epoch["lEpochDurationInc"]),
                        int(epoch["lEpochPulsePeriod"]),
                        int(epoch["lEpochPulseWidth"]),
                    )
                    for epoch in epochs
                ),
            )
        )
    return Protocol(
        outputs=tuple(outputs),
        user_lists=user_lists,
        shape=(int(header["lActualEpisodes"]), int(protocol["lNumSamplesPerEpisode"]) // len(header["listADCInfo"])),
        planned=int(protocol["lEpisodesPerRun"]),
        alternates=bool(protocol["nAlternateDACOutputState"]),
        digital=bool(protocol["nDigitalEnable"])
        and any(epoch["nDigitalValue"] or epoch["nDigitalTrainValue"] for epoch in header["EpochInfo"]),
    )


def decimal(value: float) -> float:
    """A 32 bit level as its user typed it: 0.05 nA, not 0.0500000007."""
    return float(str(np.float32(value)))
