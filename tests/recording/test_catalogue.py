"""Known recordings are found where they may be, and are the published ones."""

from __future__ import annotations

import hashlib
import re
import threading
import time
from pathlib import Path
from typing import Any

import pooch
import pytest

from neurofit.errors import RecordingError
from neurofit.recording import catalogue, demo_recording, fetch_recording, known_recordings, load_recording
from neurofit.recording.catalogue import KnownRecording
from neurofit.resources import resource_dir

CONTENT = b"a recording"
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing is downloaded, and the cache is a new one."""

    def refuse(*_: Any, **__: Any) -> None:
        raise ConnectionError("no network in this test")

    monkeypatch.setattr(pooch.HTTPDownloader, "__call__", refuse)
    monkeypatch.setattr(pooch, "os_cache", lambda name: tmp_path / "cache" / name)


@pytest.fixture
def one(monkeypatch: pytest.MonkeyPatch) -> None:
    """A catalogue of one file and one directory."""
    parts = tuple((f"waves/{k}.ibw", f"https://example.org/waves/{k}.ibw", SHA256) for k in range(2))
    known = {
        "cell": KnownRecording(
            "cell", "cell.abf", (("cell.abf", "https://example.org/cell.abf", SHA256),), (""), (""), ("")
        ),
        "waves": KnownRecording("waves", "waves", parts, "", "", ""),
    }
    monkeypatch.setattr(catalogue, "known_recordings", lambda: known)


def test_the_catalogue_is_complete() -> None:
    known = known_recordings()
    assert set(known) == {"regular_spiking", "fast_spiking", "layer5_pyramidal", "simulated"}
    assert [name for name, recording in known.items() if recording.is_shipped] == ["simulated"]
    for recording in known.values():
        assert recording.licence in ("MIT", "CC-BY-4.0")
        assert recording.citation
        assert recording.note
        for part, url, sha256 in recording.files:
            assert part.startswith(recording.file)
            if url is not None:
                # A commit, not a branch: what is there today must be there tomorrow.
                assert re.match(r"https://raw\.githubusercontent\.com/[^/]+/[^/]+/[0-9a-f]{40}/", url)
                assert url.endswith(part.split("/")[-1])
            assert re.fullmatch(r"[0-9a-f]{64}", sha256)
    assert len(known["layer5_pyramidal"].files) == 124


@pytest.mark.parametrize("name", ["regular_spiking", "fast_spiking", "layer5_pyramidal"])
def test_the_checksums_are_those_of_the_recordings_at_hand(
    name: str, recordings_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEUROFIT_DATA", str(recordings_dir))
    place = fetch_recording(name)
    assert place == recordings_dir / known_recordings()[name].file
    protocol = "IDrest" if place.is_dir() else None
    assert load_recording(place, protocol=protocol).n_sweeps in (17, 32)


@pytest.mark.usefixtures("one")
def test_the_users_own_copy_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEUROFIT_DATA", str(tmp_path))
    (tmp_path / "cell.abf").write_bytes(CONTENT)
    assert fetch_recording("cell") == tmp_path / "cell.abf"


@pytest.mark.usefixtures("one")
def test_a_copy_that_differs_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEUROFIT_DATA", str(tmp_path))
    (tmp_path / "cell.abf").write_bytes(b"another")
    with pytest.raises(RecordingError, match=f"sha256 {SHA256}"):
        fetch_recording("cell")
    (tmp_path / "waves").mkdir()
    (tmp_path / "waves" / "0.ibw").write_bytes(CONTENT)
    with pytest.raises(RecordingError, match=r"1\.ibw.*no such file"):
        fetch_recording("waves")


@pytest.mark.usefixtures("one")
def test_the_cache_comes_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NEUROFIT_DATA", raising=False)
    cache = tmp_path / "cache" / "neurofit" / "recordings"
    (cache / "waves").mkdir(parents=True)
    for k in range(2):
        (cache / "waves" / f"{k}.ibw").write_bytes(CONTENT)
    assert fetch_recording("waves") == cache / "waves"


@pytest.mark.usefixtures("one")
def test_a_download_is_checked_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NEUROFIT_DATA", raising=False)
    asked = []

    def download(self: Any, url: str, output_file: str, fetcher: Any) -> None:
        asked.append(url)
        Path(output_file).write_bytes(CONTENT)

    monkeypatch.setattr(pooch.HTTPDownloader, "__call__", download)
    place = fetch_recording("waves")
    assert [file.name for file in sorted(place.iterdir())] == ["0.ibw", "1.ibw"]
    assert asked == ["https://example.org/waves/0.ibw", "https://example.org/waves/1.ibw"]
    fetch_recording("waves")
    assert len(asked) == 2


@pytest.mark.usefixtures("one")
@pytest.mark.parametrize("set_but_empty", [False, True])
def test_an_error_says_all_that_was_tried(set_but_empty: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if set_but_empty:
        monkeypatch.setenv("NEUROFIT_DATA", str(tmp_path))
    else:
        monkeypatch.delenv("NEUROFIT_DATA", raising=False)
    with pytest.raises(RecordingError) as caught:
        fetch_recording("cell")
    message = str(caught.value)
    assert "NEUROFIT_DATA" in message
    assert "https://example.org/cell.abf" in message
    assert "cache" in message
    assert (str(tmp_path / "cell.abf") in message) == set_but_empty


def test_a_wrong_name_lists_the_right_ones() -> None:
    with pytest.raises(RecordingError, match="regular_spiking, fast_spiking, layer5_pyramidal, simulated"):
        fetch_recording("pyramidal")


def test_the_simulated_cell_is_always_within_reach(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEUROFIT_DATA", str(tmp_path))
    assert fetch_recording("simulated") == resource_dir("data") / "simulated_cell.abf"


def test_a_damaged_simulated_cell_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known_recordings()  # before their directory is another one
    (tmp_path / "simulated_cell.abf").write_bytes(CONTENT)
    monkeypatch.setattr(catalogue, "resource_dir", lambda name: tmp_path)
    with pytest.raises(RecordingError, match=r"not the published file of simulated.*install neurofit again"):
        fetch_recording("simulated")


def test_the_demo_takes_a_real_recording_where_it_can(recordings_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEUROFIT_DATA", str(recordings_dir))
    path, sentence = demo_recording()
    assert path == recordings_dir / "171116sh_0018.abf"
    assert sentence == f"Using a real recording, regular_spiking: {path}."


@pytest.mark.parametrize("why", ["not set", "not there", "another file"])
def test_the_demo_falls_back_to_the_simulated_cell(why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEUROFIT_DATA", str(tmp_path))
    if why == "not set":
        monkeypatch.delenv("NEUROFIT_DATA")
    if why == "another file":
        (tmp_path / "171116sh_0018.abf").write_bytes(CONTENT)
    path, sentence = demo_recording()
    assert path == fetch_recording("simulated")
    assert sentence.startswith("No real recording within reach (")
    assert ("not the published file" if why == "another file" else f"{why}; ") in sentence
    assert ("ConnectionError" in sentence) == (why != "another file")
    assert sentence.endswith(f": using the simulated cell, {path}.")


def test_the_demo_does_not_wait_for_a_dead_network(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = threading.Event()
    monkeypatch.delenv("NEUROFIT_DATA", raising=False)
    monkeypatch.setattr(pooch.HTTPDownloader, "__call__", lambda *_, **__: answer.wait(60))
    monkeypatch.setattr(catalogue, "DEMO_PATIENCE_S", 0.1)
    start = time.monotonic()
    path, sentence = demo_recording()
    answer.set()
    assert time.monotonic() - start < 10
    assert path.name == "simulated_cell.abf"
    assert "TimeoutError" in sentence
