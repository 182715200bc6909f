"""Commands that simulate and fit."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from neurofit.commands.command import app, command, say, stop
from neurofit.commands.many import require_shared_options, run_many, run_shared
from neurofit.commands.options import (
    Anyway,
    KeepAll,
    Reading,
    Recorded,
    Scheduler,
    Workers,
    named_method,
    reads,
    rig_given,
    tolerances_given,
)

# Exit code of a fit that ended before training.
STOPPED = 3


@command(app)
@reads
def fit(
    recordings: Annotated[
        list[Path],
        typer.Argument(help="An .abf file, an .ibw wave, or a folder of .ibw waves; or several, each a cell."),
    ],
    reading: Reading,
    model: Annotated[list[str], typer.Option(help="A template's name, or your own .toml file; several are compared.")],
    out: Annotated[
        Path,
        typer.Option(
            help="The run directory; one with a started run of the same command goes on. For "
            "several cells or models, the folder of theirs."
        ),
    ],
    sweeps: Annotated[str, typer.Option(help="even, odd, all, or numbers such as 0,2,4-8.")] = "even",
    step: Annotated[int, typer.Option(min=1, help="Which current step to fit.")] = 1,
    method: Annotated[str, typer.Option(help="tsnpe, npe, npe-c, nle or nre; see docs/methods.md.")] = "tsnpe",
    density: Annotated[
        str | None,
        typer.Option(
            help="The networks' density estimator: maf (the default), nsf (the default with --shared) or mdn."
        ),
    ] = None,
    rounds: Annotated[int | None, typer.Option(min=1, help="Rounds of inference.")] = None,
    simulations: Annotated[int | None, typer.Option(min=100, help="Simulations in each round.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Fixes every draw.")] = 1,
    workers: Workers = None,
    scheduler: Scheduler = None,
    tolerance: Annotated[
        list[str] | None, typer.Option(help="feature=value in place of its own tolerance; may be repeated.")
    ] = None,
    rig: Annotated[
        list[str] | None,
        typer.Option(help="NAME = NUMBER or PRIOR of a rig's imperfection in the raw check; see docs/artefacts.md."),
    ] = None,
    anyway: Anyway = False,
    keep_all: KeepAll = False,
    shared: Annotated[
        bool, typer.Option("--shared", help="Learn one posterior for all cells of a protocol, then seconds for each.")
    ] = False,
) -> None:
    """Fit a model to a recording, or to each of several: posterior, predictions, checks, verdict, report."""
    settings: dict[str, Any] = {
        "seed": seed, "sweeps": sweeps, "step": step, "tolerance": tolerances_given(tolerance or []),
        "workers": workers, "scheduler": scheduler,
    }  # fmt: skip
    if shared:
        require_shared_options(model, method, rounds, rig, anyway, keep_all)
        run_shared(recordings, model[0], out, reading, {**settings, "simulations": simulations, "density": density})
        return
    settings |= {
        "method": named_method(method, density or "maf", rounds, simulations),
        "rig": rig_given(rig) if rig else None,
        "anyway": anyway,
        "keep_all": keep_all,
    }
    if len(recordings) > 1 or len(model) > 1:
        run_many(recordings, model, out, reading, settings)
    else:
        run_one(recordings[0], model[0], out, reading, settings)


@command(app)
@reads
def simulate(
    recording: Recorded,
    reading: Reading,
    model: Annotated[str, typer.Option(help="A template's name, or your own .toml file.")],
    out: Annotated[Path, typer.Option(help="The directory; one that the same command has begun goes on.")],
    simulations: Annotated[int, typer.Option(min=1, help="Parameter sets to draw from the template's prior.")] = 10_000,
    sweeps: Annotated[str, typer.Option(help="even, odd, all, or numbers such as 0,2,4-8.")] = "all",
    step: Annotated[int, typer.Option(min=1, help="Which current step.")] = 1,
    keep_voltage: Annotated[int, typer.Option(min=0, help="Keep the voltage of the first so many, thinned.")] = 0,
    seed: Annotated[int, typer.Option(min=0, help="Fixes every draw.")] = 1,
    workers: Workers = None,
    scheduler: Scheduler = None,
    keep_all: KeepAll = False,
) -> None:
    """Simulate a recording's protocol from a template's prior: parameters and features, as many as you like."""
    from neurofit.progress import Terminal
    from neurofit.recording import load_recording
    from neurofit.simulating import simulate_prior
    from neurofit.template import load_model

    done = simulate_prior(
        load_recording(recording, **reading),
        load_model(model),
        out,
        simulations=simulations,
        seed=seed,
        sweeps=sweeps,
        step=step,
        keep_all=keep_all,
        keep_voltage=keep_voltage,
        workers=workers,
        scheduler=scheduler,
        progress=Terminal(),
    )
    for line in done.lines():
        say(line)


@command(app)
def demo(
    out: Annotated[
        Path | None, typer.Option(help="The run directory; default: fits/demo, or fits/demo-simulated.")
    ] = None,
    model: Annotated[str, typer.Option(help="A template's name, or your own .toml file.")] = "hh_pospischil",
    rounds: Annotated[int | None, typer.Option(min=1, help="Rounds of inference.")] = None,
    simulations: Annotated[int | None, typer.Option(min=100, help="Simulations in each round.")] = None,
    workers: Workers = None,
    anyway: Anyway = False,
) -> None:
    """Fit the demo recording, or the simulated cell where no recording is within reach."""
    from neurofit.recording.catalogue import demo_recording, fetch_recording

    path, why = demo_recording()
    say(why)
    # the two cells are two runs: one must not stand in the way of the other
    simulated = path == fetch_recording("simulated")
    where = out or Path("fits/demo-simulated" if simulated else "fits/demo")
    method = named_method("tsnpe", "maf", rounds, simulations)
    run_one(path, model, where, {}, {"method": method, "workers": workers, "anyway": anyway})


def run_one(path: Path, model: str, out: Path, reading: Reading, settings: dict[str, Any]) -> None:
    """Fit one recording, saying first what is in it and at last what came of it."""
    from neurofit.recording import load_recording
    from neurofit.recording.describe import describe

    loaded = load_recording(path, **reading)
    say(describe(loaded))

    from neurofit.fitting import fit as run_fit
    from neurofit.progress import Terminal
    from neurofit.template import load_model

    done = run_fit(loaded, load_model(model), out, progress=Terminal(), **settings)
    if done.stopped:
        # the run itself has said why
        stop(f"neurofit: the fit stopped before training. Report: {done.run / 'report.html'}", STOPPED)
    from neurofit.report.tables import closing_lines

    for line in closing_lines(done):
        say(line)
