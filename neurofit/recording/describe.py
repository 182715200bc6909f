"""What is in a recording and what is wrong with it, for people: the text of ``neurofit inspect``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from neurofit.errors import RecordingError
from neurofit.recording.baseline import measure_rest
from neurofit.recording.load import load_recording
from neurofit.recording.recording import Finding, Recording, Source, ranges
from neurofit.recording.spikes import count_spikes, spike_times_ms

if TYPE_CHECKING:
    from rich.console import Group
    from rich.table import Table

PICTURES = (".png", ".pdf", ".svg")
CURRENT_FROM = {
    "recorded": "recorded beside the voltage",
    "protocol": "the command in the file's protocol",
    "header": "rebuilt from the epochs in the file's header, by its user's word",
    "file": "a file of its own, by its user's word",
}


def inspect(
    path: str | Path | Sequence[str | Path], picture: Path | None = None, **reading: Any
) -> tuple[Recording, Group]:
    """Load a recording, draw it if asked to, and say what is in it.

    Parameters
    ----------
    path, **reading
        As for :func:`~neurofit.recording.load.load_recording`.
    picture
        Where to save a picture of it: ``.png``, ``.pdf`` or ``.svg``.

    Returns
    -------
    tuple
        The recording, and its description, to be printed with ``rich.print``.

    Raises
    ------
    RecordingError
        If the recording cannot be loaded, or the picture is of another kind.
    """
    if picture is not None and picture.suffix.lower() not in PICTURES:
        raise RecordingError("no such kind of picture", where=picture, expected=", ".join(PICTURES))
    recording = load_recording(path, **reading)
    if picture is not None:
        from neurofit.recording.draw import draw_recording

        draw_recording(recording).savefig(picture, dpi=150)
    return recording, describe(recording)


def describe(recording: Recording) -> Group:
    """File, sweeps, test steps, spike counts and findings, as something that rich can print."""
    from rich.console import Group
    from rich.text import Text

    warnings = [finding for finding in recording.findings if finding.severity == "warning"]
    notes = [finding for finding in recording.findings if finding.severity != "warning"]
    parts: list[Text | Table] = [_summary(recording), _sweeps(recording)]
    for title, style, findings in (("Warnings", "bold yellow", warnings), ("Notes", "bold", notes)):
        if findings:
            parts.append(Text(f"\n{title}", style=style))
            parts += [_finding(finding, style) for finding in findings]
    if not warnings:
        parts.insert(2, Text("\nNo warnings.", style="green"))
    return Group(*parts)


def _summary(recording: Recording) -> Table:
    """The file in a few lines."""
    from rich.table import Table
    from rich.text import Text

    source = recording.source
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    rows = {
        "Recording": source.path,
        "Format": source.format,
        "Sweeps": (f"{recording.n_sweeps} of {recording.duration_ms:g} ms, numbers {ranges(recording.sweep_numbers)}"),
        "Sampling": f"{1 / recording.dt_ms:g} kHz (every {recording.dt_ms:g} ms)",
        "Current": CURRENT_FROM[source.current_from],
        **({"Said by hand": said_by_hand(source)} if source.said else {}),
        "sha256": source.sha256,
    }
    if recording.set_aside:
        rows["Set aside"] = f"sweeps {ranges(tuple(recording.set_aside))}; a fit leaves them out"
    for index, step in enumerate(recording.stimulus.test_steps, start=1):
        levels = f"{step.level_pa.min():.0f} to {step.level_pa.max():.0f} pA"
        if not step.varies:
            levels = f"{step.level_pa[0]:.0f} pA"
        start, stop = recording.start_ms + step.start_ms, recording.start_ms + step.stop_ms
        if recording.stimulus.epochs:
            rows[f"Test step {index}"] = f"{start:g} to {stop:g} ms ({stop - start:g} ms), {levels}"
        else:
            word, span = recording.stimulus.word.capitalize(), recording.current_pa
            rows[word] = (
                f"{start:g} to {stop:g} ms ({stop - start:g} ms), mean {levels}, "
                f"{span.min():.0f} to {span.max():.0f} pA in all; injected as it is, not as steps"
            )
    for name, value in rows.items():
        table.add_row(name, Text(value))  # not markup: file names may hold brackets
    return table


def said_by_hand(source: Source) -> str:
    """What its user said about a recording: ``command header, voltage_channel IN 0``."""
    return ", ".join(f"{name} {value}" for name, value in source.said.items() if name != "command_sha256")


def _sweeps(recording: Recording) -> Table:
    """One line a sweep: rest, and level and spike count of each test step."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("Sweep", justify="right")
    table.add_column("At holding (mV)", justify="right")
    steps = recording.stimulus.test_steps
    for index, _ in enumerate(steps, start=1):
        name = f"Step {index} (pA)" if recording.stimulus.epochs else "Mean (pA)"
        table.add_column(name, justify="right")
        table.add_column("Spikes", justify="right")
    if not steps:
        table.add_column("Spikes", justify="right")
    table.add_column("Findings")
    times = spike_times_ms(recording)
    rest = measure_rest(recording)
    counts = [count_spikes(times, step) for step in steps] or [count_spikes(times)]
    for row, number in enumerate(recording.sweep_numbers):
        cells = [str(number), f"{rest[row]:.1f}" if np.isfinite(rest[row]) else "?"]
        for index, count in enumerate(counts):
            cells += [f"{steps[index].level_pa[row]:.0f}"] if steps else []
            cells.append(str(count[row]))
        kinds = dict.fromkeys(finding.kind for finding in recording.findings if number in finding.sweeps)
        table.add_row(*cells, ", ".join(kinds))
    return table


def _finding(finding: Finding, style: str) -> Table:
    """A finding with its kind in front, wrapped in its own column."""
    from rich.table import Table
    from rich.text import Text

    line = Table.grid(padding=(0, 2))
    line.add_column(style=style, no_wrap=True, min_width=20)
    line.add_column(overflow="fold")
    sweeps = f" Sweeps {ranges(finding.sweeps)}." if finding.sweeps else ""
    line.add_row(finding.kind, Text(finding.message + sweeps))
    return line
