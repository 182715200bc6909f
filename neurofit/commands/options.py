"""Options that several commands share, and how their words become settings."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from neurofit.errors import BadInput

if TYPE_CHECKING:
    from neurofit.check import Nuisances
    from neurofit.infer.method import Method

Recorded = Annotated[Path, typer.Argument(help="An .abf file, an .ibw wave, or a folder of .ibw waves.")]
RunFolder = Annotated[Path, typer.Argument(help="A run directory, as made by 'neurofit fit'.")]
Protocol = Annotated[str | None, typer.Option(help="Which protocol of a folder that holds several.")]
Scheduler = Annotated[
    str | None, typer.Option(help="Simulate on a Dask cluster: its scheduler's address, such as tcp://node1:8786.")
]
Anyway = Annotated[
    bool, typer.Option("--anyway", help="Go on where the check of the prior finds that the model cannot make the cell.")
]
Threshold = Annotated[
    list[str] | None,
    typer.Option(help="NAME=NUMBER in place of a threshold of quality; may be repeated; see docs/protocols.md."),
]
KeepAll = Annotated[bool, typer.Option("--keep-all", help="Use the sweeps that are set aside like all others.")]
Workers = Annotated[int | None, typer.Option(min=1, help="Processes side by side; default: one per processor.")]


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
