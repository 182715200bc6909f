"""Commands about runs that are finished."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from neurofit.commands.command import app, command, say
from neurofit.commands.options import Reading, RunFolder, reads
from neurofit.disk import writing


@command(app)
def check(run: RunFolder) -> None:
    """Print a run's verdict and its checks."""
    from neurofit.check.caveats import reading_said
    from neurofit.result import load_fit
    from neurofit.stages import WHAT_NEXT

    done = load_fit(run)
    say(str(done.verdict))
    for result in done.checks.values():
        say(str(result))
        say(f"  {reading_said(result)}")
    say("\n".join(done.nearness.sentences()))
    if done.stopped:
        say(WHAT_NEXT)
        return
    say(f"What these checks would have seen. {' '.join(done.sensitivity['fit'].sentences())}")
    say(f"Calibration, tolerances included: {done.findings_of_fit['calibration']['sentence']}")


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
        say(line)
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
        say(f"Written: {written}")


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
        say(line)
    say(f"Tables and figure: {run / 'robust'}. 'neurofit report {run}' puts it on the page.")


@command(app)
@reads
def predict(
    run: RunFolder,
    reading: Reading,
    recording: Annotated[Path | None, typer.Option(help="Another recording whose current to inject.")] = None,
    sweeps: Annotated[str, typer.Option(help="even, odd, all, or numbers.")] = "all",
    step: Annotated[int, typer.Option(min=1, help="Which current step.")] = 1,
    draws: Annotated[int, typer.Option(min=1, help="Posterior draws.")] = 100,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    out: Annotated[Path | None, typer.Option(help="Table of predicted features, .csv.")] = None,
) -> None:
    """Predict features under any current, and hold them against the recording's where there is one."""
    from neurofit.recording import chosen_sweeps, load_recording
    from neurofit.recording.split import split
    from neurofit.report.tables import prediction_table
    from neurofit.result import load_fit

    done = load_fit(run)
    part = None
    if recording is not None:
        loaded, chosen = chosen_sweeps(load_recording(recording, **reading), sweeps)
        part = split(loaded, chosen, step).fitted
    table = prediction_table(done, part, draws, seed)
    target = out or run / ("predictions.csv" if recording is None else f"predictions-{recording.stem}.csv")
    with writing(target):
        table.to_csv(target, float_format="%.6g")
    say(table.loc[["@" not in str(name) or str(name).startswith("spike_count") for name in table.index]].to_string())
    say(f"All features: {target}")


@command(app)
def report(
    run: RunFolder, out: Annotated[Path | None, typer.Option(help="The page; default: report.html in the run.")] = None
) -> None:
    """Write a run's report again."""
    from neurofit.progress import Terminal
    from neurofit.result import load_fit

    say(f"Report: {load_fit(run).report(out, Terminal())}")


@command(app)
def compare(
    runs: Annotated[list[Path], typer.Argument(help="Two or more runs on the same recording.")],
    out: Annotated[Path, typer.Option(help="The page.")] = Path("comparison.html"),
) -> None:
    """Hold several fits of one recording side by side."""
    from neurofit.report.compare import labels, write_comparison
    from neurofit.report.held_out import Choice
    from neurofit.report.tables import comparison_lines
    from neurofit.result import load_fit

    fits = [load_fit(run) for run in runs]
    write_comparison(fits, out)
    for line in comparison_lines(fits):
        say(line)
    if (choice := Choice.of(labels(fits), fits)) is not None:
        say(" ".join(choice.sentences()))
    for name, run, done in zip(labels(fits), runs, fits, strict=True):
        say(f"{name} ({run}): {done.verdict.word}")
    say(f"Comparison, with every feature: {out}")
