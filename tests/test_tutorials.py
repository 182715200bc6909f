"""Every tutorial runs as a plain script, and what its page says is what comes out: each holds its own claims."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TUTORIALS = sorted((ROOT / "tutorials").glob("*.py"))
NEEDS_A_RECORDING = re.compile(r"fetch_recording\(\"(?!simulated)")


def run(tutorial: Path, where: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """At the small size, in a folder of its own."""
    return subprocess.run(
        [sys.executable, str(tutorial)],
        cwd=where,
        env=os.environ | {"NEUROFIT_TUTORIAL": "small", "MPLBACKEND": "agg", "PYTHONPATH": str(ROOT)} | environment,
        capture_output=True,
        text=True,
    )


@pytest.mark.slow
@pytest.mark.parametrize("tutorial", TUTORIALS, ids=lambda path: path.stem)
def test_it_runs_and_its_claims_hold(tutorial: Path, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    environment = {}
    if NEEDS_A_RECORDING.search(tutorial.read_text(encoding="utf-8")):
        environment["NEUROFIT_DATA"] = str(request.getfixturevalue("recordings_dir"))
    done = run(tutorial, tmp_path, **environment)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("tutorial", TUTORIALS, ids=lambda path: path.stem)
def test_it_is_a_notebook_with_a_title_a_size_and_a_page(tutorial: Path) -> None:
    text = tutorial.read_text(encoding="utf-8")
    title = re.match(r"# %% \[markdown\]\n# # (.+)\n", text)
    assert title, "a notebook in percent format starts with its title"
    assert text.count('"NEUROFIT_TUTORIAL"') == 1
    assert '# %% tags=["check"]' in text, "its claims are held to what comes out"
    page = (ROOT / f"docs/tutorials/{tutorial.stem}.md").read_text(encoding="utf-8")
    assert page.startswith(f"# {title[1]}\n"), "make tutorials writes its page"
    for kind, cell in re.findall(r"^# %%(.*)\n((?:(?!# %%).*\n)*)", text, flags=re.MULTILINE):
        cell = cell.strip().replace("# %matplotlib", "%matplotlib")
        said = re.sub(r"^# ?", "", cell, flags=re.MULTILINE) if "markdown" in kind else cell
        assert "check" in kind or said in page, "the page is of another version of the tutorial: make tutorials"
    for link in re.findall(r"\]\(([^)]+)\)", page):
        assert "://" in link or (ROOT / "docs/tutorials" / link.partition("#")[0]).is_file(), link
