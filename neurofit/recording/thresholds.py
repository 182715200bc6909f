"""Where a note about quality becomes a warning: every number in one place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from neurofit.errors import BadInput


@dataclass(frozen=True)
class QualityThresholds:
    """Limits for :func:`neurofit.recording.quality.examine`. They are judgement, not statistics.

    Attributes
    ----------
    rest_drift_mv, rest_jump_mv
        Change of the resting potential from the first to the last sweep, and between neighbouring sweeps.
    rest_range_mv
        A rest outside this is not a living neuron's, or its unit is wrong.
    extreme_mv
        A voltage beyond this is not a membrane's.
    noise_mv
        Standard deviation of the baseline.
    hum_mv, hum_ratio
        Amplitude at 50 or 60 Hz, and how far it must stand above the frequencies beside it.
    spontaneous_ms
        An action potential this long after any step, at the holding current, is the cell's own.
    bridge_mohm
        Electrode resistance left over by the bridge.
    implausible_mohm
        Beyond this it is more likely that the command's scale is wrong.
    electrode_drift_mohm, electrode_drift_share
        Change of the electrode resistance over the sweeps, absolute and relative; both must be passed.
    offset_pa, offset_share, offset_errors
        Constant error of the command: absolute, relative to the largest step, in its own standard errors.
    jump_mv, jump_share
        How far jumps stray from proportionality: absolute, and relative to the median jump.
    clipped_samples
        Samples that lie exactly at the largest or smallest value.
    block_mv
        In depolarisation block the membrane (without the electrode's share) stays above this.
    still_ms
        A sweep whose voltage keeps one value so long, while the others' never does, was cut or lost.
    sweep_rest_mv, sweep_drift_mv
        A sweep is set aside if it rests so far from the others, or changes so much more within the sweep.
    sweep_noise_ratio, sweep_noise_mv
        Its baseline noise above the others': so many times as large, and larger by so much; both must be passed.
    sweep_electrode_mohm, sweep_electrode_share
        Its electrode resistance away from the others': absolute and relative; both must be passed.
    """

    rest_drift_mv: float = 5.0
    rest_jump_mv: float = 5.0
    rest_range_mv: tuple[float, float] = (-110.0, -30.0)
    extreme_mv: float = 150.0
    noise_mv: float = 1.0
    hum_mv: float = 0.2
    hum_ratio: float = 3.0
    spontaneous_ms: float = 100.0
    bridge_mohm: float = 5.0
    implausible_mohm: float = 80.0
    electrode_drift_mohm: float = 3.0
    electrode_drift_share: float = 0.2
    offset_pa: float = 20.0
    offset_share: float = 0.05
    offset_errors: float = 5.0
    jump_mv: float = 0.5
    jump_share: float = 0.3
    clipped_samples: int = 10
    block_mv: float = -50.0
    still_ms: float = 50.0
    sweep_rest_mv: float = 8.0
    sweep_drift_mv: float = 8.0
    sweep_noise_ratio: float = 3.0
    sweep_noise_mv: float = 0.3
    sweep_electrode_mohm: float = 5.0
    sweep_electrode_share: float = 0.5

    @staticmethod
    def from_texts(texts: Sequence[str]) -> QualityThresholds:
        """The defaults but for some, as ``"noise_mv=2"`` or, for a range, ``"rest_range_mv=-110,-25"``.

        Raises
        ------
        BadInput
            If a text names no threshold, or gives no number.
        """
        given: dict[str, Any] = {}
        known = asdict(QualityThresholds())
        for text in texts:
            name, _, value = (part.strip() for part in text.partition("="))
            if name not in known:
                raise BadInput(f"there is no threshold {name}", expected=", ".join(known), found=text)
            usual = known[name] if isinstance(known[name], tuple) else (known[name],)
            try:
                numbers = tuple(type(old)(new) for old, new in zip(usual, value.split(","), strict=True))
            except ValueError as error:
                raise BadInput(
                    f"the threshold {name} needs {'a number' if len(usual) == 1 else 'two numbers'}",
                    expected=f"such as {name}={','.join(map(str, usual))}",
                    found=text,
                ) from error
            given[name] = numbers if len(usual) > 1 else numbers[0]
        return QualityThresholds(**given)

    def changed(self) -> dict[str, Any]:
        """Those that are not the defaults, by name."""
        usual = asdict(QualityThresholds())
        own = {name: value for name, value in asdict(self).items() if value != usual[name]}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in own.items()}
