"""Igor binary waves: one channel of one sweep a file, so a sweep is a pair of files."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from neurofit.errors import RecordingError
from neurofit.recording.formats.igor_wave import Wave, read_wave
from neurofit.recording.recording import Finding, Recording, Source, ranges
from neurofit.recording.steps import describe_steps, fit_steps

FILE_NAME = re.compile(r"^(?P<prefix>.+)_(?P<protocol>[^_]+)_ch(?P<channel>\d+)_(?P<number>\d+)\.ibw$", re.IGNORECASE)
SCHEME = "<prefix>_<protocol>_ch<channel>_<number>.ibw"


@dataclass(frozen=True)
class _Name:
    """A file and what its name says."""

    path: Path
    prefix: str
    protocol: str
    number: int


@dataclass(frozen=True)
class _Sweep:
    """The two waves of a sweep."""

    number: int
    voltage: Wave
    current: Wave

    @property
    def sampling(self) -> tuple[int, float]:
        """Samples, and interval in ms."""
        return len(self.voltage.values), self.voltage.dt_ms


def read_igor(path: Path | Sequence[Path], protocol: str | None) -> tuple[Recording, list[Path]]:
    """Voltage and injected current from pairs of Igor binary waves.

    Parameters
    ----------
    path
        One wave (its partner is looked for beside it), a directory of waves, or a list of waves.
    protocol
        Which protocol of a directory that holds several, as its file names say.

    Returns
    -------
    recording, files
        The recording, its ``source.sha256`` empty, and the files that it was read from in order of name.

    Raises
    ------
    RecordingError
        If the files cannot be paired or read, or are of several protocols and none was chosen.
    """
    where, files = _files(path)
    names, unnamed = _named(files)
    chosen = _choose(where, names, protocol, unnamed)
    sweeps, findings = _pair(where, chosen)
    sweeps, aside = _alike(where, sweeps)
    findings += aside
    if unnamed:
        listed = ", ".join(p.name for p in unnamed[:3]) + (" ..." if len(unnamed) > 3 else "")
        findings.append(
            Finding("set-aside", "warning", f"{len(unnamed)} waves not named {SCHEME} were set aside: {listed}.")
        )
    recorded = np.stack([sweep.current.current_pa for sweep in sweeps])
    dt_ms = sweeps[0].voltage.dt_ms
    fitted = fit_steps(recorded, dt_ms)
    findings += [
        Finding("current-source", "note", ("The injected current was recorded, in the waves in units of current.")),
        describe_steps(recorded, fitted, dt_ms),
    ]
    recording = Recording(
        voltage_mv=np.stack([sweep.voltage.voltage_mv for sweep in sweeps]),
        current_pa=recorded if fitted is None else fitted,
        dt_ms=dt_ms,
        sweep_numbers=tuple(sweep.number for sweep in sweeps),
        start_ms=0.0,
        findings=tuple(findings),
        source=Source(str(where), "", "Igor binary waves", "recorded"),
    )
    used = [wave.path for sweep in sweeps for wave in (sweep.voltage, sweep.current)]
    return recording, sorted(used, key=lambda file: file.name)


def _files(path: Path | Sequence[Path]) -> tuple[Path, list[Path]]:
    """What to call the source, and the files in question."""
    if not isinstance(path, Path):
        files = list(path)
        parents = {file.parent for file in files}
        return (parents.pop() if len(parents) == 1 else files[0]), files
    if path.is_dir():
        return path, sorted(p for p in path.iterdir() if p.suffix.lower() == ".ibw" and _is_here(p))
    match = FILE_NAME.match(path.name)
    if match is None:
        raise RecordingError(
            "one Igor wave is half of a sweep, and this file's name does not say which is the other half",
            where=path,
            expected=f"a file named {SCHEME}",
            advice="Give both files (load_recording([voltage, current])), or a directory of files so named.",
        )
    same = ("prefix", "protocol", "number")
    beside = ((p, FILE_NAME.match(p.name)) for p in sorted(path.parent.iterdir()) if p == path or _is_here(p))
    return path, [p for p, other in beside if other and other.group(*same) == match.group(*same)]


def _is_here(path: Path) -> bool:
    """Is this a file of its directory? A link may lead anywhere, a pipe never ends; nobody named either."""
    return path.is_file() and not path.is_symlink()


def _named(files: list[Path]) -> tuple[list[_Name], list[Path]]:
    """The files whose names say what they are, in order of number, and those whose names do not."""
    names, unnamed = [], []
    for file in files:
        match = FILE_NAME.match(file.name)
        if match is None:
            unnamed.append(file)
        else:
            names.append(_Name(file, match["prefix"], match["protocol"], int(match["number"])))
    if not names and len(unnamed) == 2:  # two files are a pair, whatever they are called
        names, unnamed = [_Name(file, "", "", 0) for file in unnamed], []
    return sorted(names, key=lambda name: (name.number, name.path.name)), unnamed


def _choose(where: Path, names: list[_Name], protocol: str | None, unnamed: list[Path]) -> list[_Name]:
    """The files of one protocol of one cell."""
    if not names:
        found = f"{len(unnamed)} waves with other names"
        raise RecordingError("no pair of Igor waves", where=where, expected=(f"files named {SCHEME}"), found=found)
    groups = defaultdict(list)
    for name in names:
        groups[name.prefix, name.protocol].append(name)
    listing = ", ".join(
        f"{key[1]} ({len({name.number for name in group})} sweeps, files {key[0]}_{key[1]}_...)"
        for key, group in sorted(groups.items())
    )
    kept = {key: group for key, group in groups.items() if protocol in (None, key[1])}
    if not kept:
        raise RecordingError(f"no protocol {protocol} here", where=where, found=listing)
    protocols = sorted({key[1] for key in kept})
    if len(protocols) > 1:
        raise RecordingError(
            f"the waves are of {len(protocols)} protocols; the sweeps of one recording must share one",
            where=where,
            found=listing,
            advice=f'Choose with protocol="{protocols[0]}" (command line: --protocol {protocols[0]}).',
        )
    if len(kept) > 1:
        raise RecordingError(
            f"the waves of protocol {protocols[0]} have {len(kept)} prefixes: they may be of several cells",
            where=where,
            found=listing,
            advice="Give the files of one cell, as a list or in a directory of their own.",
        )
    return next(iter(kept.values()))


def _pair(where: Path, names: list[_Name]) -> tuple[list[_Sweep], list[Finding]]:
    """Sweeps in order of number. A pair is told by its units: channel numbers differ from rig to rig."""
    by_number: dict[int, list[Wave]] = defaultdict(list)
    for name in names:
        by_number[name.number].append(read_wave(name.path))
    sweeps, orphans = [], []
    for number, waves in by_number.items():
        voltages = [wave for wave in waves if wave.is_voltage]
        currents = [wave for wave in waves if wave.is_current]
        if len(voltages) > 1 or len(currents) > 1:
            raise RecordingError(
                f"sweep {number} has {len(voltages)} waves in units of voltage and {len(currents)} in units of current",
                where=where,
                expected="one of each",
                found=", ".join(map(str, waves)),
                advice="Give the two files of one cell, as a list.",
            )
        if voltages and currents:
            sweeps.append(_Sweep(number, voltages[0], currents[0]))
        else:
            orphans.append(", ".join(map(str, waves)))
    listed = "; ".join(orphans[:3]) + (" ..." if len(orphans) > 3 else "")
    if not sweeps:
        raise RecordingError(
            "no sweep has both its voltage and its current",
            where=where,
            expected="for each sweep number one wave in V and one in A",
            found=listed,
            advice=("Put the partner's file beside this one, or set the waves' units in Igor and export again."),
        )
    if not orphans:
        return sweeps, []
    message = f"{len(orphans)} sweeps lack their voltage or their current and were set aside: {listed}."
    return sweeps, [Finding("orphan-waves", "warning", message)]


def _alike(where: Path, sweeps: list[_Sweep]) -> tuple[list[_Sweep], list[Finding]]:
    """The sweeps that most agree with in length and sampling; a few others are set aside."""
    for sweep in sweeps:
        if sweep.sampling != (len(sweep.current.values), sweep.current.dt_ms):
            raise RecordingError(
                f"voltage and current of sweep {sweep.number} were not sampled alike",
                where=where,
                found=" and ".join(
                    f"{len(wave.values)} samples of {wave.dt_ms:g} ms in {wave.path.name}"
                    for wave in (sweep.voltage, sweep.current)
                ),
            )
    kinds = Counter(sweep.sampling for sweep in sweeps).most_common()
    (common, n) = kinds[0]
    others = [sweep.number for sweep in sweeps if sweep.sampling != common]
    if len(others) >= n:
        raise RecordingError(
            "the sweeps differ in length or sampling",
            where=where,
            found=", ".join(f"{count} of {samples} samples of {dt:g} ms" for (samples, dt), count in kinds),
            advice="Give the sweeps of one kind, as a list of files.",
        )
    if not others:
        return sweeps, []
    message = f"Sweeps {ranges(others)} differ in length or sampling from the other {n} and were set aside."
    return [s for s in sweeps if s.sampling == common], [Finding("set-aside", "warning", message)]
