"""A fit's results as tables and as the lines that close a run on the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from neurofit.recording import Recording
from neurofit.recording.recording import ranges
from neurofit.report.compare import comparison_table, labels
from neurofit.report.words import interval, number, percent, reasons

if TYPE_CHECKING:
    from neurofit.result import Fit


def prediction_table(fit: Fit, part: Recording | None = None, draws: int = 100, seed: int = 0) -> pd.DataFrame:
    """Features that the posterior predicts, one row each, beside the recording's.

    Parameters
    ----------
    part
        Whose current is injected; the fitted sweeps by default.
    draws
        Posterior draws.

    Returns
    -------
    pandas.DataFrame
        ``unit``, ``recorded``, ``5 %``, ``median``, ``95 %``, ``defined`` (share of the draws).
    """
    from neurofit.features import recorded_features

    chosen = fit.split.fitted if part is None else part
    predicted = fit.predict(chosen, draws, seed).features
    recorded = recorded_features(chosen)
    rows = []
    for j, name in enumerate(predicted.names):
        values = predicted.values[predicted.defined[:, j], j]
        low, middle, high = np.quantile(values, [0.05, 0.5, 0.95]) if len(values) else (np.nan,) * 3
        rows.append(
            (name, predicted.units[j], recorded.values[0, j], low, middle, high, predicted.defined[:, j].mean())
        )
    columns = ["feature", "unit", "recorded", "5 %", "median", "95 %", "defined"]
    return pd.DataFrame(rows, columns=columns).set_index("feature")


def comparison_lines(fits: Sequence[Fit]) -> Iterator[Any]:
    """What several fits predict for the features of the whole cell and for the spike counts, for the terminal."""
    from rich.table import Column, Table

    found, names = comparison_table(fits), labels(fits)
    found = found[["@" not in str(name) or str(name).startswith("spike_count@") for name in found.index]]
    table = Table(
        Column("feature", no_wrap=True),
        "unit",
        "recorded",
        *(Column(name, overflow="fold") for name in names),
        title="Predicted: median (90 %)",
    )
    for feature, row in found.iterrows():
        cells = []
        for name in names:
            middle, band = row[f"{name} median"], interval(row[f"{name} 5 %"], row[f"{name} 95 %"])
            missed = " *" if row[f"{name} missed"] else ""
            cells.append(f"{number(middle)} ({band}){missed}" if np.isfinite(middle) else f"undefined{missed}")
        table.add_row(str(feature), "" if row["unit"] == "1" else row["unit"], number(row["recorded"]), *cells)
    table.caption = "*: missed"
    yield table


def closing_lines(fit: Fit) -> Iterator[Any]:
    """What a run says when it is done: parameters, spike counts, verdict, and where everything is."""
    from rich.table import Table

    parameters = Table("parameter", "unit", "median", "90 %", "prior", "remark", title="Posterior up to the tolerances")
    for name, row in fit.parameters.iterrows():
        interval = f"{row['5 %']:.4g} to {row['95 %']:.4g}"
        parameters.add_row(
            str(name), row["unit"], f"{row['median']:.4g}", interval, row["prior"], str(row["remark"] or "")
        )
    yield parameters

    counts = Table("sweeps", "number", "level (pA)", "recorded", "predicted (90 %)", title="Spike counts")
    for name, part in fit.findings_of_fit["counts"].items():
        for i, sweep in enumerate(part["sweeps"]):
            band = f"{part['median'][i]:g} ({part['low'][i]:g} to {part['high'][i]:g})"
            inside = part["low"][i] <= part["recorded"][i] <= part["high"][i]
            counts.add_row(
                name if i == 0 else "",
                str(sweep),
                f"{part['levels_pa'][i]:+.0f}",
                f"{part['recorded'][i]:g}",
                band + ("" if inside else "  *"),
            )
        counts.add_section()
    error = fit.findings_of_fit["counts"]["fitted"]["error"]
    counts.caption = f"90 %: of the model's counts with an error of {error:.2g} spikes, tolerance and misses of the fit"
    yield counts
    yield from count_sentences(fit)
    yield ""
    yield str(fit.verdict)
    yield ""
    yield f"Calibration, tolerances included: {fit.findings_of_fit['calibration']['sentence']}"
    yield _counted(fit)
    yield f"What these checks would have seen. {' '.join(fit.sensitivity['fit'].sentences())}"
    yield f"Everything is in {fit.run.path}: report.html, posterior.csv, parameters.csv, run.toml"
    yield f"Report: {fit.run / 'report.html'}"


def _counted(fit: Fit) -> str:
    """What went wrong or may have, each with its number."""
    found = fit.findings_of_fit
    drawn = int(fit.simulations("predicted fitted").valid.sum())
    bound = [f"{name} {said}" for name, said in found["at_bounds"].items()]
    why = f" ({reasons(found['invalid_reasons'])})" if found["invalid"] else ""
    return (
        f"{found['invalid']:,} of {found['simulations']:,} simulations invalid{why}; "
        f"{percent(found['leakage'], 1)} of the posterior leaked out of its region and was drawn again; "
        f"effective sample size {number(found['efficiency'] * drawn, 2)} of {drawn} draws under the tolerances "
        f"(at least); {'; '.join(bound) if bound else 'no parameter piles up at a bound of its prior'}."
    )


def count_sentences(fit: Fit) -> Iterator[str]:
    """Spike counts in a sentence for the fitted sweeps and for each held-out part."""
    for name, part in fit.findings_of_fit["counts"].items():
        numbers = part["numbers"]
        what = f"Fitted sweeps ({ranges(part['sweeps'])})" if name == "fitted" else f"Held out, {name}"
        if not numbers["spiking_sweeps"]:
            yield f"{what}: no sweep spikes; {percent(numbers['hits'])} of draws have every count within one spike."
            continue
        text = (
            f"{what}: median error of the predicted count {numbers['median_error']:g} spikes in "
            f"{numbers['spiking_sweeps']} sweeps that spike, 90 % bands hold {numbers['covered']} of them "
            f"(the model's own, without its error: {numbers['covered_by_model']})"
        )
        if name == "fitted":
            yield f"{text}; {percent(numbers['hits'])} of draws have every count within one spike."
        else:
            yield (
                f"{text}. Interpolating the fitted counts over current errs by "
                f"{numbers['interpolation_median_error']:.2g} (mean {numbers['interpolation_mean_error']:.2f} against "
                f"{numbers['mean_error']:.2f})."
            )
