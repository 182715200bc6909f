"""Where the real recordings are, for every test that needs them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]


def _recordings() -> Path | None:
    """The directory of real recordings; a wrong NEUROFIT_DATA is an error, never a reason to skip."""
    named = os.environ.get("NEUROFIT_DATA")
    if named:
        place = Path(named).expanduser()
        assert place.is_dir(), f"NEUROFIT_DATA is {named}, which is not a directory"
        return place.resolve()
    place = REPOSITORY.parent / "shared" / "recordings"
    return place.resolve() if place.is_dir() else None


@pytest.fixture(scope="session")
def recordings_dir() -> Path:
    """``171116sh_0018.abf``, ``2019_07_24_0055_fsi.abf`` and ``SSCx_C060109A3/``."""
    place = _recordings()
    if place is None:
        pytest.skip("no real recordings at hand: set NEUROFIT_DATA to their directory")
    return place


@pytest.fixture(scope="session")
def traps_dir(recordings_dir: Path) -> Path:
    """Files that a loader must refuse or handle, never misread; beside the recordings."""
    place = recordings_dir.parent / "traps"
    if not place.is_dir():
        pytest.skip(f"no trap files at hand: {place} is not there")
    return place


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whatever asks for the real recordings carries their marker."""
    for item in items:
        if {"recordings_dir", "traps_dir"} & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.recordings)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """With the recordings at hand nothing may be skipped: a test that does not run proves nothing."""
    skipped = terminalreporter.stats.get("skipped", [])
    if skipped and _recordings() is not None:
        terminalreporter.write_line(f"{len(skipped)} skipped although the recordings are at hand", red=True)
        if terminalreporter._session is not None:
            terminalreporter._session.exitstatus = pytest.ExitCode.TESTS_FAILED
