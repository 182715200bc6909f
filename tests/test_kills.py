"""A fit that is killed goes on with the same command, and ends as if it never had been."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.tiny import write_cell

REPOSITORY = Path(__file__).resolve().parents[1]


def ended_well(*arguments: object) -> str:
    """What a program of these tests printed; it forks, so it is a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", *map(str, arguments)], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


@pytest.mark.slow
def test_killed_before_any_file_gets_its_name_the_same_command_ends_the_same(tmp_path: Path) -> None:
    told = ended_well("tests.kills", write_cell(tmp_path / "cell.abf"), tmp_path)
    for stage in ("Simulating round 1", "Training round 1", "Simulating round 2", "Checking the fit"):
        assert f"'{stage}'; files there" in told, told
    assert "each equal to the uninterrupted fit's" in told


@pytest.mark.slow
def test_killed_at_random_moments_with_its_workers_or_without_the_same_command_ends_the_same() -> None:
    told = ended_well("tests.benchmarks.bench_kills", 5, "--no-report")
    assert "equal the uninterrupted fit's" in told
    assert "no process was left behind" in told
