"""The command line: ``neurofit COMMAND``; ``neurofit --help`` lists them.

Heavy packages are imported by the commands that need them, so that help and inspection are quick. Exit codes: 0 done,
1 failed on the way (the same command goes on), 2 bad input (nothing was overwritten), 3 the fit stopped before training
with the verdict "rejected" (the same command with --anyway goes on).
"""

from __future__ import annotations

import functools
import logging
import os
import sys
import tomllib
import warnings
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from neurofit.disk import writing
from neurofit.errors import BadInput, NeurofitError, SlowSimulation

if TYPE_CHECKING:
    from neurofit.check import Nuisances
    from neurofit.infer.method import Method
    from neurofit.simulation.entries import Entry

app = typer.Typer(
    name="neurofit",
    help="From a current-clamp recording to a calibrated posterior over a neuron model's parameters, with a verdict.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
models = typer.Typer(help="List, show, copy and check model templates.", no_args_is_help=False, rich_markup_mode=None)
app.add_typer(models, name="models")

Recorded = Annotated[Path, typer.Argument(help="An .abf file, an .ibw wave, or a folder of .ibw waves.")]
STOPPED = 3
RunFolder = Annotated[Path, typer.Argument(help="A run directory, as made by 'neurofit fit'.")]
Protocol = Annotated[str | None, typer.Option(help="Which protocol of a folder that holds several.")]
Scheduler = Annotated[
    str | None, typer.Option(help="Simulate on a Dask cluster: its scheduler's address, such as tcp://node1:8786.")
]
Anyway = Annotated[
    bool, typer.Option("--anyway", help="Go on where the check of the prior finds that the model cannot make the cell.")
]
Workers = Annotated[int | None, typer.Option(min=1, help="Processes side by side; default: one per processor.")]


def command(on: typer.Typer, name: str | None = None) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Register a command whose errors become one paragraph and an exit code."""

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(function)
        def run(*args: Any, **kwargs: Any) -> None:
            _quiet()
            try:
                function(*args, **kwargs)
            except NeurofitError as error:
                _stop(f"neurofit: {error}", 2 if isinstance(error, BadInput) else 1)
            except KeyboardInterrupt:
                _stop("\nneurofit: stopped. What was finished is kept: the same command goes on from there.", 1)
            except BrokenPipeError:
                # whoever read our output has gone; there is nothing left to say
                os._exit(1)
            except OSError as error:
                _stop(f"neurofit: the system refused something: {error}. What was finished is kept.", 1)
            except MemoryError:
                _stop("neurofit: there is not enough memory. What was finished is kept; try fewer --workers.", 1)

        return on.command(name or function.__name__.replace("_", "-"))(run)

    return decorate


@command(app)
def inspect(
    recording: Recorded,
    protocol: Protocol = None,
    picture: Annotated[Path | None, typer.Option(help="Where to save the picture (.png, .pdf, .svg).")] = None,
    no_picture: Annotated[bool, typer.Option("--no-picture", help="Print only.")] = False,
) -> None:
    """Say what is in a recording and what is wrong with it, and draw it."""
    from neurofit.recording.describe import inspect as described

    target = None if no_picture else picture or Path(f"{recording.stem}.png")
    with writing(target) if target is not None else nullcontext():
        _print(described(recording, target, protocol))
    if target is not None:
        _print(f"Picture: {target}")


@models.callback(invoke_without_command=True)
def list_them(context: typer.Context) -> None:
    """List the templates that come with neurofit."""
    if context.invoked_subcommand is None:
        from neurofit.template import list_models, load_model

        for name in list_models():
            model = load_model(name)
            _print(f"{name:<20} {model.title} ({len(model.free)} free parameters)")


@command(models)
def show(name: Annotated[str, typer.Argument(help="A template's name or file.")]) -> None:
    """Print a template as it stands in its file."""
    from neurofit.template import find_model

    _print(find_model(name).read_text(encoding="utf-8"))


@command(models)
def copy(
    name: Annotated[str, typer.Argument(help="The template to start from.")],
    to: Annotated[Path, typer.Argument(help="The new file, yours to edit.")],
) -> None:
    """Copy a template to a file of your own."""
    from neurofit.template import copy_model

    _print(f"{copy_model(name, to)}: edit it, then 'neurofit models check {to}'.")


@command(models, "check")
def check_model(name: Annotated[str, typer.Argument(help="A template's name or file.")]) -> None:
    """Read a template and say what is wrong with it, or what it holds."""
    from rich.table import Table

    from neurofit.template import load_model

    model = load_model(name)
    table = Table("parameter", "unit", "value", "prior", "description", title=f"{model.name}: {model.title}")
    for p in model.parameters:
        table.add_row(p.name, p.unit, f"{p.value:g}", str(p.prior) if p.prior else "fixed", p.description)
    _print(table)
    steps = f"{model.method}, {model.dt_ms:g} ms, {model.precision} precision"
    _print(f"{model.path} is sound: {len(model.free)} free parameters, {steps}.")


@command(app)
def features(
    markdown: Annotated[bool, typer.Option("--markdown", help="As the page docs/features.md.")] = False,
) -> None:
    """List the features: unit, what they mean, how they are measured, tolerance."""
    from neurofit.features.listing import catalogue_table, features_page

    _print(features_page() if markdown else catalogue_table())


@command(app)
def fit(
    recording: Recorded,
    model: Annotated[str, typer.Option(help="A template's name, or your own .toml file.")],
    out: Annotated[Path, typer.Option(help="The run directory; one with a started run of the same command goes on.")],
    sweeps: Annotated[str, typer.Option(help="even, odd, all, or numbers such as 0,2,4-8.")] = "even",
    step: Annotated[int, typer.Option(min=1, help="Which current step to fit.")] = 1,
    method: Annotated[str, typer.Option(help="tsnpe, npe, npe-c, nle or nre; see docs/methods.md.")] = "tsnpe",
    density: Annotated[str, typer.Option(help="The networks' density estimator: maf, nsf or mdn.")] = "maf",
    rounds: Annotated[int | None, typer.Option(min=1, help="Rounds of inference.")] = None,
    simulations: Annotated[int | None, typer.Option(min=100, help="Simulations in each round.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Fixes every draw.")] = 1,
    workers: Workers = None,
    scheduler: Scheduler = None,
    protocol: Protocol = None,
    tolerance: Annotated[
        list[str] | None, typer.Option(help="feature=value in place of its own tolerance; may be repeated.")
    ] = None,
    rig: Annotated[
        list[str] | None,
        typer.Option(help="NAME = NUMBER or PRIOR of a rig's imperfection in the raw check; see docs/artefacts.md."),
    ] = None,
    anyway: Anyway = False,
) -> None:
    """Fit a model to a recording: posterior, predictions, checks, verdict, report."""
    chosen = _method(method, density, rounds, simulations)
    _fit(recording, model, out, sweeps, step, chosen, seed, workers, scheduler, protocol, tolerance, rig, anyway)


@command(app)
def simulate(
    recording: Recorded,
    model: Annotated[str, typer.Option(help="A template's name, or your own .toml file.")],
    out: Annotated[Path, typer.Option(help="The directory; one that the same command has begun goes on.")],
    simulations: Annotated[int, typer.Option(min=1, help="Parameter sets to draw from the template's prior.")] = 10_000,
    sweeps: Annotated[str, typer.Option(help="even, odd, all, or numbers such as 0,2,4-8.")] = "all",
    step: Annotated[int, typer.Option(min=1, help="Which current step.")] = 1,
    keep_voltage: Annotated[int, typer.Option(min=0, help="Keep the voltage of the first so many, thinned.")] = 0,
    seed: Annotated[int, typer.Option(min=0, help="Fixes every draw.")] = 1,
    workers: Workers = None,
    scheduler: Scheduler = None,
    protocol: Protocol = None,
) -> None:
    """Simulate a recording's protocol from a template's prior: parameters and features, as many as you like."""
    from neurofit.progress import Terminal
    from neurofit.recording import load_recording
    from neurofit.simulating import simulate_prior
    from neurofit.template import load_model

    done = simulate_prior(
        load_recording(recording, protocol=protocol),
        load_model(model),
        out,
        simulations=simulations,
        seed=seed,
        sweeps=sweeps,
        step=step,
        keep_voltage=keep_voltage,
        workers=workers,
        scheduler=scheduler,
        progress=Terminal(),
    )
    for line in done.lines():
        _print(line)


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
    _print(why)
    # the two cells are two runs: one must not stand in the way of the other
    simulated = path == fetch_recording("simulated")
    where = out or Path("fits/demo-simulated" if simulated else "fits/demo")
    chosen = _method("tsnpe", "maf", rounds, simulations)
    _fit(path, model, where, "even", 1, chosen, 1, workers, None, None, None, None, anyway)


@command(app)
def check(run: RunFolder) -> None:
    """Print a run's verdict and its checks."""
    from neurofit.check.caveats import reading_said
    from neurofit.result import load_fit
    from neurofit.stages import WHAT_NEXT

    done = load_fit(run)
    _print(str(done.verdict))
    for result in done.checks.values():
        _print(str(result))
        _print(f"  {reading_said(result)}")
    _print("\n".join(done.nearness.sentences()))
    if done.stopped:
        _print(WHAT_NEXT)
        return
    _print(f"What these checks would have seen. {' '.join(done.sensitivity['fit'].sentences())}")
    _print(f"Calibration, tolerances included: {done.findings_of_fit['calibration']['sentence']}")


@command(app)
def posterior(
    run: RunFolder,
    level: Annotated[float, typer.Option(help="Of the intervals, between 0 and 1.")] = 0.9,
    truth: Annotated[
        list[str] | None, typer.Option(help="NAME=VALUE, or a .csv file with a row of them; may be repeated.")
    ] = None,
    parameters: Annotated[str | None, typer.Option(help="Those to draw, separated by commas; default: all.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Two by two, .png, .pdf or .svg.")] = None,
    marginals: Annotated[Path | None, typer.Option(help="One by one, with the prior.")] = None,
    conditional: Annotated[Path | None, typer.Option(help="Slices through the most probable parameters.")] = None,
    samples: Annotated[int, typer.Option(min=1, help="Draws in --out.")] = 5000,
    out: Annotated[Path | None, typer.Option(help="Table of draws, .csv.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the draws in --out.")] = 0,
    netcdf: Annotated[Path | None, typer.Option(help="The posterior for ArviZ, .nc.")] = None,
) -> None:
    """Print a run's posterior with its units, draw it, and write draws from it."""
    from neurofit.report.posterior import read_truth, summary_lines
    from neurofit.result import load_fit

    done = load_fit(run)
    known = read_truth(truth or [], done.model)
    chosen = [name.strip() for name in parameters.split(",")] if parameters else None
    for line in summary_lines(done, level, known):
        _print(line)
    if plot is not None:
        done.pairplot(plot, chosen, known)
    if marginals is not None:
        done.marginalplot(marginals, chosen, known)
    if conditional is not None:
        done.conditionalplot(conditional, chosen)
    if out is not None:
        done.write_draws(out, samples, seed)
    if netcdf is not None:
        done.to_netcdf(netcdf)
    for written in filter(None, (plot, marginals, conditional, out, netcdf)):
        _print(f"Written: {written}")


@command(app)
def robust(
    run: RunFolder,
    method: Annotated[str, typer.Option(help="noise or weights; see docs/robust.md.")] = "noise",
    seed: Annotated[int, typer.Option(min=0, help="Of its draws.")] = 1,
) -> None:
    """Let some of the cell's features be off: a wider posterior, printed beside the plain one."""
    from neurofit.progress import Terminal
    from neurofit.report.robust import robust_lines
    from neurofit.result import load_fit

    done = load_fit(run)
    way: Any = method
    for line in robust_lines(done.robust(way, seed, Terminal())):
        _print(line)
    _print(f"Tables and figure: {run / 'robust'}. 'neurofit report {run}' puts it on the page.")


@command(app)
def predict(
    run: RunFolder,
    recording: Annotated[Path | None, typer.Option(help="Another recording whose current to inject.")] = None,
    sweeps: Annotated[str, typer.Option(help="even, odd, all, or numbers.")] = "all",
    step: Annotated[int, typer.Option(min=1, help="Which current step.")] = 1,
    draws: Annotated[int, typer.Option(min=1, help="Posterior draws.")] = 100,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    protocol: Protocol = None,
    out: Annotated[Path | None, typer.Option(help="Table of predicted features, .csv.")] = None,
) -> None:
    """Predict features under any current, and hold them against the recording's where there is one."""
    from neurofit.recording import load_recording, parse_sweeps
    from neurofit.recording.split import split
    from neurofit.report.tables import prediction_table
    from neurofit.result import load_fit

    done = load_fit(run)
    part = None
    if recording is not None:
        loaded = load_recording(recording, protocol=protocol)
        part = split(loaded, parse_sweeps(sweeps, loaded.sweep_numbers), step).fitted
    table = prediction_table(done, part, draws, seed)
    target = out or run / ("predictions.csv" if recording is None else f"predictions-{recording.stem}.csv")
    with writing(target):
        table.to_csv(target, float_format="%.6g")
    _print(table.loc[["@" not in str(name) or str(name).startswith("spike_count") for name in table.index]].to_string())
    _print(f"All features: {target}")


@command(app)
def report(
    run: RunFolder, out: Annotated[Path | None, typer.Option(help="The page; default: report.html in the run.")] = None
) -> None:
    """Write a run's report again."""
    from neurofit.progress import Terminal
    from neurofit.result import load_fit

    _print(f"Report: {load_fit(run).report(out, Terminal())}")


@command(app)
def compare(
    runs: Annotated[list[Path], typer.Argument(help="Two or more runs on the same recording.")],
    out: Annotated[Path, typer.Option(help="The page.")] = Path("comparison.html"),
) -> None:
    """Hold several fits of one recording side by side."""
    from neurofit.report.compare import labels, write_comparison
    from neurofit.report.tables import comparison_lines
    from neurofit.result import load_fit

    fits = [load_fit(run) for run in runs]
    write_comparison(fits, out)
    for line in comparison_lines(fits):
        _print(line)
    for name, run, done in zip(labels(fits), runs, fits, strict=True):
        _print(f"{name} ({run}): {done.verdict.word}")
    _print(f"Comparison, with every feature: {out}")


@command(app)
def cache(clear: Annotated[bool, typer.Option("--clear", help="Remove the programs.")] = False) -> None:
    """Show the compiled programs that are kept, or remove them: they are compiled again when they are needed."""
    from rich.table import Table

    from neurofit.simulation import entries
    from neurofit.simulation.cache import cache_dir

    if clear:
        removed, left = entries.clear()
        _print(f"{cache_dir()}: {_programs(removed)} removed.")
        for entry in left:
            _print(f"Left as it is: {entry.path.name} ({entry.state}).")
        return
    found = entries.entries()
    table = Table("template", "protocol, most sweeps", "size (MB)", "last used", "state")
    for entry in found:
        used = datetime.fromtimestamp(entry.used).isoformat(" ", "minutes")
        table.add_row(entry.template, entry.protocol, f"{entry.size_bytes / 1e6:.1f}", used, entry.state)
    if found:
        _print(table)
    _print(f"{cache_dir()}: {_programs(found)}.")


def _programs(found: Sequence[Entry]) -> str:
    size_mb = sum(entry.size_bytes for entry in found) / 1e6
    return f"{len(found)} compiled program{'' if len(found) == 1 else 's'}, {size_mb:.1f} MB"


def _fit(
    path: Path,
    model: str,
    out: Path,
    sweeps: str,
    step: int,
    method: Method,
    seed: int,
    workers: int | None,
    scheduler: str | None,
    protocol: str | None,
    tolerance: list[str] | None,
    rig: list[str] | None,
    anyway: bool,
) -> None:
    from neurofit.recording import load_recording
    from neurofit.recording.describe import describe

    loaded = load_recording(path, protocol=protocol)
    _print(describe(loaded))

    from neurofit.fitting import fit as run_fit
    from neurofit.progress import Terminal
    from neurofit.template import load_model

    done = run_fit(
        loaded,
        load_model(model),
        out,
        seed=seed,
        sweeps=sweeps,
        step=step,
        method=method,
        tolerance=_tolerances(tolerance or []),
        rig=_rig(rig) if rig else None,
        anyway=anyway,
        workers=workers,
        scheduler=scheduler,
        progress=Terminal(),
    )
    if done.stopped:
        # the run itself has said why
        _stop(f"neurofit: the fit stopped before training. Report: {done.run / 'report.html'}", STOPPED)
    from neurofit.report.tables import closing_lines

    for line in closing_lines(done):
        _print(line)


def _method(name: Any, density: Any, rounds: int | None, simulations: int | None) -> Method:
    from neurofit.infer.method import Method

    default = Method.named(name)
    return replace(
        default,
        rounds=rounds or default.rounds,
        simulations=simulations or default.simulations,
        schedule=replace(default.schedule, density=density),
    )


def _tolerances(given: list[str]) -> dict[str, float]:
    result = {}
    for text in given:
        name, _, value = text.partition("=")
        try:
            result[name.strip()] = float(value)
        except ValueError as error:
            raise BadInput(f"--tolerance {text}", expected="feature=number, such as spike_count=0.5") from error
    return result


def _rig(given: list[str]) -> Nuisances:
    from neurofit.check import Nuisances

    try:
        return Nuisances.from_dict(tomllib.loads("\n".join(given)))
    except tomllib.TOMLDecodeError as error:
        raise BadInput(
            f"--rig {' --rig '.join(given)} is not TOML: {error}",
            expected="NAME = NUMBER or PRIOR, such as 'noise_sd_mv = {family = \"uniform\", low = 0.1, high = 0.5}'",
        ) from error


def _print(what: Any) -> None:
    from rich.console import Console

    Console(highlight=False, soft_wrap=isinstance(what, str)).print(what, markup=False)


def _stop(text: str, code: int) -> None:
    sys.stderr.write(text + "\n")
    raise typer.Exit(code)


def _quiet() -> None:
    """Other packages' remarks to their own developers are no news to a user of the command line; our warning is."""
    warnings.filterwarnings("ignore", module=r"(nflows|sbi|torch|neo|efel|brian2|joblib|distributed)\b")
    logging.getLogger("brian2").setLevel(logging.ERROR)
    warnings.filterwarnings("always", category=SlowSimulation)
    show = warnings.showwarning

    def say(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> None:
        if issubclass(category, SlowSimulation):
            sys.stderr.write(f"neurofit: {message}\n")
        else:
            show(message, category, *where, **more)

    warnings.showwarning = say


if __name__ == "__main__":
    app()
