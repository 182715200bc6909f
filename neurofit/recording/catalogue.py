"""Recordings that anybody can have: ``data/recordings.toml`` says where, this module fetches them.

The real ones are downloaded when they are first asked for. A simulated one comes with neurofit, so that there is
always something to show.
"""

from __future__ import annotations

import hashlib
import os
import threading
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from neurofit.errors import RecordingError
from neurofit.resources import resource_dir

DATA_VARIABLE = "NEUROFIT_DATA"
DEMO, FALLBACK = "regular_spiking", "simulated"
# For a demo's download: without a network nobody should wait for it to fail.
DEMO_PATIENCE_S = 8.0


@dataclass(frozen=True)
class KnownRecording:
    """A public recording, real or simulated.

    Attributes
    ----------
    name
        What :func:`fetch_recording` calls it.
    file
        File or directory, below ``NEUROFIT_DATA`` and in the cache.
    files
        Of each file, its path below ``NEUROFIT_DATA``, its address (``None`` if neurofit brings it) and its sha256.
    licence, citation, note
        What may be done with it, whom to cite, and what it is.
    """

    name: str
    file: str
    files: tuple[tuple[str, str | None, str], ...]
    licence: str
    citation: str
    note: str

    @property
    def is_shipped(self) -> bool:
        """Is it part of neurofit?"""
        return all(url is None for _, url, _ in self.files)


@cache
def known_recordings() -> dict[str, KnownRecording]:
    """The recordings in ``data/recordings.toml``, by name."""
    table = tomllib.loads((resource_dir("data") / "recordings.toml").read_text(encoding="utf-8"))
    known = {}
    for name, entry in table["recordings"].items():
        file = entry["file"]
        if "files" in entry:
            files = tuple(
                (f"{file}/{part}", entry["base_url"] + part, sha256) for part, sha256 in entry["files"].items()
            )
        else:
            files = ((file, entry.get("url"), entry["sha256"]),)
        known[name] = KnownRecording(name, file, files, entry["licence"], entry["citation"], entry["note"])
    return known


def fetch_recording(name: str, *, patience_s: float | None = None) -> Path:
    """A file or directory to give to :func:`~neurofit.recording.load.load_recording`.

    Looked for below the directory that the environment variable ``NEUROFIT_DATA`` names, then in the user's
    cache, then at its public address, unless it comes with neurofit; every file's sha256 is checked.

    Parameters
    ----------
    name
        A key of :func:`known_recordings`, for example ``"regular_spiking"``.
    patience_s
        Give a download up after this many seconds; ``None`` tries again and waits.

    Raises
    ------
    RecordingError
        If there is no recording of that name, if a file below ``NEUROFIT_DATA`` is not the published one, or
        if it can be had from nowhere (then the error says what was tried).
    """
    known = known_recordings()
    if name not in known:
        raise RecordingError(f"no known recording {name}", expected=", ".join(known))
    recording = known[name]
    if recording.is_shipped:
        _check(recording, resource_dir("data"), "Restore it from git, or install neurofit again.")
        return resource_dir("data") / recording.file
    tried = []
    if directory := os.environ.get(DATA_VARIABLE):
        home = Path(directory).expanduser()
        place = home / recording.file
        if place.exists():
            _check(recording, home, f"Replace it, or unset {DATA_VARIABLE} to have it downloaded.")
            return place
        tried.append(f"{place} ({DATA_VARIABLE}): not there")
    else:
        tried.append(f"{DATA_VARIABLE}: not set")
    return _download(recording, tried, patience_s)


def demo_recording() -> tuple[Path, str]:
    """A recording to show neurofit with: a real one if it can be had at once, else the simulated cell.

    Returns
    -------
    tuple
        Its path, and a sentence that says which it is and why.
    """
    try:
        path = fetch_recording(DEMO, patience_s=DEMO_PATIENCE_S)
    except RecordingError as error:
        path = fetch_recording(FALLBACK)
        return path, f"No real recording within reach ({error.message}): using the simulated cell, {path}."
    return path, f"Using a real recording, {DEMO}: {path}."


def _check(recording: KnownRecording, directory: Path, advice: str) -> None:
    """Refuse files that are not the published ones: results obtained with them could not be compared."""
    for part, _, sha256 in recording.files:
        file = directory / part
        found = hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else "no such file"
        if found != sha256:
            raise RecordingError(
                f"this is not the published file of {recording.name}",
                where=file,
                expected=f"sha256 {sha256}",
                found=found,
                advice=advice,
            )


def _download(recording: KnownRecording, tried: list[str], patience_s: float | None) -> Path:
    """The recording in pooch's cache, downloaded as far as it is not there yet."""
    import pooch

    cache_dir = Path(pooch.os_cache("neurofit")) / "recordings"
    fetcher = pooch.create(
        path=cache_dir,
        base_url="",
        registry={part: f"sha256:{sha256}" for part, _, sha256 in recording.files},
        urls={part: url for part, url, _ in recording.files},
        retry_if_failed=2 if patience_s is None else 0,
    )

    def fetch() -> None:
        for part, _, _ in recording.files:
            fetcher.fetch(part)

    try:
        if patience_s is None:
            fetch()
        else:
            _within(patience_s, fetch)
    except Exception as error:  # no network, a proxy's page instead of the file, no room in the cache
        tried.append(f"{cache_dir / recording.file} (cache): not there, or not whole")
        tried.append(f"{recording.files[0][1]}: {type(error).__name__}")
        raise RecordingError(
            f"the recording {recording.name} cannot be had; tried " + "; ".join(tried),
            advice=f"Download it by hand and set {DATA_VARIABLE} to the directory that holds {recording.file}.",
        ) from error
    return cache_dir / recording.file


def _within(seconds: float, work: Callable[[], None]) -> None:
    """Do something that may hang; a thread, because looking up a name in a dead network knows no time limit.

    Raises
    ------
    TimeoutError
        If it takes longer. It is left to itself then and does not keep the process alive.
    """
    outcome: list[Exception | None] = []

    def run() -> None:
        try:
            work()
        except Exception as error:
            outcome.append(error)
        else:
            outcome.append(None)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if not outcome:
        raise TimeoutError(f"no answer within {seconds:g} s")
    if outcome[0] is not None:
        raise outcome[0]
