"""Options that several commands share, and how their words become settings."""

from __future__ import annotations

import functools
import inspect
import tomllib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from neurofit.errors import BadInput

if TYPE_CHECKING:
    from neurofit.check import Nuisances
    from neurofit.infer.method import Method

Recorded = Annotated[
    Path,
    typer.Argument(
        help="A recording: .abf, .nwb, .csv, .npz..., an .ibw wave or a folder of them; see docs/recordings.md."
    ),
]
RunFolder = Annotated[Path, typer.Argument(help="A run directory, as made by 'neurofit fit'.")]
Scheduler = Annotated[
    str | None, typer.Option(help="Simulate on a Dask cluster: its scheduler's address, such as tcp://node1:8786.")
]
Anyway = Annotated[
    bool, typer.Option("--anyway", help="Go on where the check of the prior finds that the model cannot make the cell.")
]
KeepAll = Annotated[bool, typer.Option("--keep-all", help="Use the sweeps that are set aside like all others.")]
Workers = Annotated[int | None, typer.Option(min=1, help="Processes side by side; default: one per processor.")]

# How a recording is read, where its file does not say it or says it wrong: keywords of load_recording.
Reading = dict[str, Any]
_READING = {
    "protocol": Annotated[str | None, typer.Option(help="Which protocol of a folder that holds several.")],
    "voltage_channel": Annotated[
        str | None, typer.Option(help="The membrane potential: name of a channel or column, or its number from 0.")
    ],
    "voltage_scale_mv": Annotated[float | None, typer.Option("--voltage-scale", help="mV per unit as stored.")],
    "current_channel": Annotated[
        str | None, typer.Option(help="The injected current: name of a channel or column, or its number from 0.")
    ],
    "current_scale_pa": Annotated[
        float | None, typer.Option("--current-scale", help="pA per unit as stored, of the channel or the protocol.")
    ],
    "command": Annotated[
        str | None,
        typer.Option(
            help="A file with the injected current, or 'header': the epochs in the recording's header were used."
        ),
    ],
    "sampling_rate_hz": Annotated[
        float | None, typer.Option("--sampling-rate", help="In Hz, for a file that does not say it.")
    ],
    "threshold": Annotated[
        list[str] | None,
        typer.Option(help="NAME=NUMBER in place of a threshold of quality; may be repeated; see docs/protocols.md."),
    ],
}


def reads(function: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that say how a recording is read; it gets them as one argument, ``reading``."""

    @functools.wraps(function)
    def with_reading(**given: Any) -> None:
        from neurofit.recording import QualityThresholds

        reading = {name: given.pop(name) for name in _READING}
        texts = reading.pop("threshold")
        reading["thresholds"] = QualityThresholds.from_texts(texts) if texts else None
        function(**given, reading=reading)

    own = inspect.signature(function).parameters.values()
    hints = get_type_hints(function, include_extras=True)
    parameters = [p.replace(annotation=hints[p.name]) for p in own if p.name != "reading"]
    options = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)
        for name, annotation in _READING.items()
    ]
    with_reading.__signature__ = inspect.Signature([*parameters, *options])  # type: ignore[attr-defined]
    with_reading.__annotations__ = {p.name: p.annotation for p in [*parameters, *options]}
    return with_reading


def named_method(name: Any, density: Any, rounds: int | None, simulations: int | None) -> Method:
    from neurofit.infer.method import Method

    default = Method.named(name)
    return replace(
        default,
        rounds=rounds or default.rounds,
        simulations=simulations or default.simulations,
        schedule=replace(default.schedule, density=density),
    )


def tolerances_given(given: list[str]) -> dict[str, float]:
    result = {}
    for text in given:
        name, _, value = text.partition("=")
        try:
            result[name.strip()] = float(value)
        except ValueError as error:
            raise BadInput(f"--tolerance {text}", expected="feature=number, such as spike_count=0.5") from error
    return result


def rig_given(given: list[str]) -> Nuisances:
    from neurofit.check import Nuisances

    try:
        return Nuisances.from_dict(tomllib.loads("\n".join(given)))
    except tomllib.TOMLDecodeError as error:
        raise BadInput(
            f"--rig {' --rig '.join(given)} is not TOML: {error}",
            expected="NAME = NUMBER or PRIOR, such as 'noise_sd_mv = {family = \"uniform\", low = 0.1, high = 0.5}'",
        ) from error
