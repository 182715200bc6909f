"""What its user says about a recording, where the file does not say it or says it wrong."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from neurofit.errors import RecordingError

HEADER = "header"
OPTIONS = {
    "protocol": "--protocol",
    "voltage_channel": "--voltage-channel",
    "voltage_scale_mv": "--voltage-scale",
    "current_channel": "--current-channel",
    "current_scale_pa": "--current-scale",
    "command": "--command",
    "sampling_rate_hz": "--sampling-rate",
}


@dataclass(frozen=True)
class Choices:
    """What was said; ``None`` where nothing was.

    Attributes
    ----------
    protocol
        Which protocol of a directory of Igor waves.
    voltage_channel, current_channel
        Name of a channel, column or series, or its number (from 0) as the file orders them.
    voltage_scale_mv, current_scale_pa
        mV, and pA, per stored unit: of the channel's numbers, or of the protocol's levels.
    command
        A file with the injected current, or ``"header"``: the epochs in the recording's header, which were used.
    sampling_rate_hz
        Samples a second, for a file that does not say it.
    """

    protocol: str | None = None
    voltage_channel: str | None = None
    voltage_scale_mv: float | None = None
    current_channel: str | None = None
    current_scale_pa: float | None = None
    command: str | None = None
    sampling_rate_hz: float | None = None

    def __post_init__(self) -> None:
        for name in ("voltage_scale_mv", "current_scale_pa", "sampling_rate_hz"):
            value = getattr(self, name)
            if value is not None and (not np.isfinite(value) or value == 0):
                raise RecordingError(f"{OPTIONS[name]} must be a number other than 0", found=f"{value}")
        if self.sampling_rate_hz is not None and self.sampling_rate_hz < 0:
            raise RecordingError("the sampling rate must be positive", found=f"{self.sampling_rate_hz}")
        if self.command is not None and self.current_channel is not None:
            raise RecordingError(
                "the current is either on a channel or in a command, not both",
                found=f"{OPTIONS['current_channel']} {self.current_channel} and {OPTIONS['command']} {self.command}",
            )

    @property
    def said(self) -> dict[str, str | float]:
        """Only what was said."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    @property
    def command_file(self) -> Path | None:
        """The file that holds the injected current."""
        return Path(self.command) if self.command is not None and self.command != HEADER else None

    def only(self, where: str | Path, kind: str, *names: str) -> None:
        """Refuse what has no meaning for a kind of file: an option that does nothing misleads.

        Raises
        ------
        RecordingError
            If anything but ``names`` was said.
        """
        for name, value in self.said.items():
            if name not in names:
                raise RecordingError(
                    f"{OPTIONS[name]} {value} has no meaning for {kind}",
                    where=where,
                    expected=", ".join(OPTIONS[known] for known in names) or "no such option",
                )
