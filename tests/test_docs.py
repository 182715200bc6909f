"""What the README tells a newcomer to type is what neurofit understands, and its Python runs as it stands."""

from __future__ import annotations

import re
import shlex
from functools import partial
from pathlib import Path

import pytest
import typer

from neurofit import fitting
from neurofit.cli import app
from tests.tiny import METHOD, write_cell

ROOT = Path(__file__).parents[1]
PAGES = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "README.md", *(ROOT / "docs").glob("*.md"))}

EDITED = "hh_pospischil_ih"


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGES[page], re.DOTALL)


@pytest.mark.parametrize("page", PAGES)
def test_every_command_is_one(page: str) -> None:
    lines = [line for block in blocks(page, "sh") for line in block.splitlines() if line.startswith("neurofit ")]
    assert lines or page != "README.md"
    for line in lines:
        command = typer.main.get_command(app)
        words = shlex.split(line, comments=True)[1:]
        while hasattr(command, "commands"):
            command = command.commands[words.pop(0)]
        command.make_context(command.name, words)  # fails for unknown options and missing arguments


def test_make_knows_the_two_commands() -> None:
    rules = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    told = [
        line.split()[1] for block in blocks("README.md", "sh") for line in block.splitlines() if "make " in line[:5]
    ]
    assert told == ["demo", "test"]
    assert set(told) <= set(rules)


def test_the_worked_example_is_the_shipped_template() -> None:
    (change,) = blocks("templates.md", "diff")
    plain, with_h = ((ROOT / f"models/{name}.toml").read_text().splitlines() for name in ("hh_pospischil", EDITED))
    for line in filter(None, change.splitlines()):
        assert line[0] == "+" or line[1:] in plain
        assert line[0] == "-" or line[1:] in with_h


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_somewhere(page: str) -> None:
    home = ROOT if page == "README.md" else ROOT / "docs"
    for link in re.findall(r"\]\(([^)]+)\)", PAGES[page]):
        assert "://" in link or (home / link.partition("#")[0]).is_file(), link


@pytest.mark.slow
def test_the_python_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it stands, but for a small cell and a small method."""
    monkeypatch.chdir(tmp_path)
    write_cell(tmp_path / "cell.abf")
    monkeypatch.setattr(fitting, "Method", partial(type(METHOD), **vars(METHOD)))
    (code,) = blocks("README.md", "python")
    names: dict[str, object] = {}
    exec(
        compile(
            code.replace('"hh_pospischil"', '"lif"').replace("seed=1)", "seed=1, anyway=True)", 1), "README.md", "exec"
        ),
        names,
    )
    assert (tmp_path / "report.html").stat().st_size > 100_000
    assert len(names["draws"]) == 1000  # type: ignore[arg-type]
