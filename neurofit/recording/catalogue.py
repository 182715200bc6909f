"""Real recordings that anybody can have: ``data/recordings.toml`` says where, this module fetches them."""

from __future__ import annotations

import hashlib
import os
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from neurofit.errors import RecordingError
from neurofit.resources import resource_dir

DATA_VARIABLE = "NEUROFIT_DATA"


@dataclass(frozen=True)
class KnownRecording:
    """A public recording.

    Attributes
    ----------
    name
        What :func:`fetch_recording` calls it.
    file
        File or directory, below ``NEUROFIT_DATA`` and in the cache.
    files
        Of each file, its path below ``NEUROFIT_DATA``, its address and its sha256.
    licence, citation, note
        What may be done with it, whom to cite, and what it is.
    """

    name: str
    file: str
    files: tuple[tuple[str, str, str], ...]
    licence: str
    citation: str
    note: str


@cache
def known_recordings() -> dict[str, KnownRecording]:
    """The recordings in ``data/recordings.toml``, by name."""
    table = tomllib.loads((resource_dir("data") / "recordings.toml").read_text(encoding="utf-8"))
    known = {}
    for name, entry in table["recordings"].items():
        file = entry["file"]
        if "files" in entry:
            files = tuple(
                (f"{file}/{part}", entry["base_url"] + part, sha256) for part, sha256 in entry[("files")].items()
            )
        else:
            files = ((file, entry["url"], entry["sha256"]),)
        known[name] = KnownRecording(name, file, files, entry["licence"], entry["citation"], entry["note"])
    return known


def fetch_recording(name: str) -> Path:
    """A file or directory to give to :func:`~neurofit.recording.load.load_recording`.

    Looked for below the directory that the environment variable ``NEUROFIT_DATA`` names, then in the user's
    cache, then at its public address; every file's sha256 is checked.

    Parameters
    ----------
    name
        A key of :func:`known_recordings`, for example ``"regular_spiking"``.

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
    tried = []
    if directory := os.environ.get(DATA_VARIABLE):
        place = Path(directory).expanduser() / recording.file
        if place.exists():
            _check(recording, Path(directory).expanduser())
            return place
        tried.append(f"{place} ({DATA_VARIABLE}): not there")
    else:
        tried.append(f"{DATA_VARIABLE}: not set")
    return _download(recording, tried)


def _check(recording: KnownRecording, directory: Path) -> None:
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
                advice=f"Replace it, or unset {DATA_VARIABLE} to have it downloaded.",
            )


def _download(recording: KnownRecording, tried: list[str]) -> Path:
    """The recording in pooch's cache, downloaded as far as it is not there yet."""
    import pooch

    cache_dir = Path(pooch.os_cache("neurofit")) / "recordings"
    fetcher = pooch.create(
        path=cache_dir,
        base_url="",
        registry={part: f"sha256:{sha256}" for part, _, sha256 in recording.files},
        urls={part: url for part, url, _ in recording.files},
        retry_if_failed=2,
    )
    try:
        for part, _, _ in recording.files:
            fetcher.fetch(part)
    except Exception as error:  # no network, a proxy's page instead of the file, no room in the cache
        tried.append(f"{cache_dir / recording.file} (cache): not there, or not whole")
        tried.append(f"{recording.files[0][1]}: {type(error).__name__}")
        raise RecordingError(
            f"the recording {recording.name} cannot be had: " + "; ".join(tried),
            advice=(f"Download it by hand and set {DATA_VARIABLE} to the directory that holds {recording.file}."),
        ) from error
    return cache_dir / recording.file
