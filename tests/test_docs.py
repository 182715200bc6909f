"""Every block of code in README.md and docs/*.md is checked, each in a way that stands in ``CHECKED``; every link too.

The tutorials' pages are made from tutorials that run (``tests/test_tutorials.py``).
"""

from __future__ import annotations

import ast
import inspect
import re
import shlex
import shutil
import tomllib
from collections.abc import Iterator
from contextlib import chdir
from functools import reduce
from glob import glob
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import typer
from click import Command, Group
from distributed.cli import dask_scheduler, dask_worker
from typer.testing import CliRunner

import neurofit as nf
from neurofit import cli
from tests.tiny import write_cell

pytestmark = pytest.mark.xdist_group("docs")  # one laboratory for all

ROOT = Path(__file__).parents[1]
PAGES = {
    str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
    for path in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md")))
}
TUTORIALS = {f"docs/tutorials/{path.stem}.md" for path in (ROOT / "tutorials").glob("*.py")}

# How each block of a page is checked, in their order.
# run      it runs, at a small size, after the page's blocks before it
# parsed   each command is parsed by its own program, and does not run
# bound    each name exists, and each call's arguments fit its signature
# whole    it is a template, and is kept for the blocks that follow it
# piece    its tables take their place in a template, which is then read
# rig      it is pasted at the end of every shipped template, which is then read
# current  pasted into hh_pospischil and simulated by tests/simulation/test_currents.py
# diff     each line is in the templates on either side
CHECKED = {
    "README.md": ["parsed", "run", "run"],
    "docs/artefacts.md": ["run", "parsed", "parsed"],
    "docs/checks.md": ["run", "parsed"],
    "docs/cluster.md": ["parsed", "parsed", "bound"],
    "docs/currents.md": ["current"] * 5,
    "docs/from_brian2modelfitting.md": ["whole", "run"],
    "docs/from_sbi.md": ["run", "run", "run"],
    "docs/many_cells.md": ["parsed", "run", "parsed", "parsed", "parsed", "run"],
    "docs/method.md": ["parsed"],
    "docs/methods.md": ["run", "parsed"],
    "docs/posterior.md": ["run", "run", "bound"],
    "docs/protocols.md": ["run", "run"],
    "docs/recordings.md": ["parsed", "bound"],
    "docs/robust.md": ["run", "run", "parsed"],
    "docs/simulate.md": ["run", "run"],
    "docs/templates.md": ["run", "piece", "rig", "diff"],
    "docs/traces.md": ["run"],
    "docs/training.md": ["parsed"],
}
# The small size of a block that runs, in one process.
METHOD = nf.Method(rounds=1, simulations=200, members=1, schedule=nf.Schedule(density="mdn", epochs=4), cases=150)
FIT_OPTIONS = ["--anyway", "--workers", "1"]
SMALL = {
    "hh_pospischil": "lif",
    '"other.abf"': '"cell.abf"',
    '"fits", seed=1': '"fits", seed=1, method=METHOD, anyway=True, workers=1',
    "simulations=20_000, seed=1": "simulations=400, schedule=METHOD.schedule, members=1, seed=1, workers=1",
    'out="fits/cell", seed=1': 'out="fits/cell", seed=1, method=METHOD, anyway=True, workers=1',
    "--out sims/mine": "--out sims/mine --simulations 400",
    "200000": "400",
    "200_000": "400",
    "10_000": "400",
    "sample(5000,": "sample(300,",
    "rounds=2, simulations=2000)": "rounds=1, simulations=200, members=1, cases=150), workers=1",
    ".train()": ".train(max_num_epochs=2)",
}
# What the text of a page says is there already.
GIVEN = {
    "docs/artefacts.md": {
        "simulated_mv": np.random.default_rng(0).normal(-70, 1, (100, 1, 1200)),
        "recorded_mv": np.full((1, 1200), -70.0),
    }
}
NOT_INSTALLED = {"arviz", "dask_jobqueue"}


class Block(NamedTuple):
    page: str
    language: str
    text: str
    check: str


def blocks_of(page: str) -> Iterator[tuple[str, str]]:
    """Language and text; a block that is indented instead of fenced holds commands."""
    for found in re.finditer(
        r"^```(\w*)\n(.*?)^```|(?<=\n\n)((?: {4}[^\n]+\n)+)", PAGES[page], re.DOTALL | re.MULTILINE
    ):
        yield (found[1], found[2]) if found[3] is None else ("sh", inspect.cleandoc(found[3]))


BLOCKS = [
    Block(page, language, text, "nothing" if number >= len(checks) else checks[number])
    for page, checks in CHECKED.items()
    for number, (language, text) in enumerate(blocks_of(page))
]


def checked(*checks: str) -> list[Any]:
    return [
        pytest.param(block, id=f"{block.page}-{number}") for number, block in enumerate(BLOCKS) if block.check in checks
    ]


def test_every_block_is_checked() -> None:
    with_blocks = {page for page in PAGES if page not in TUTORIALS and list(blocks_of(page))}
    assert with_blocks == set(CHECKED)
    for page, checks in CHECKED.items():
        assert [block.check for block in BLOCKS if block.page == page] == checks
    ways = {
        "sh": {"run", "parsed"},
        "python": {"run", "bound"},
        "toml": {"whole", "piece", "current", "rig"},
        "diff": {"diff"},
    }
    for block in BLOCKS:
        assert block.check in ways[block.language], block


def test_every_small_size_is_of_some_block() -> None:
    running = "".join(block.text for block in BLOCKS if block.check == "run")
    assert [old for old in SMALL if old not in running] == []


def parse(line: str) -> None:
    """Fails for a program, a command, an option or a file that is not there."""
    program, *words = [word for word in shlex.split(line, comments=True) if "=." not in word]
    if program == "neurofit":
        command: Command = typer.main.get_command(cli.app)
        while isinstance(command, Group):
            command = command.commands[words.pop(0)]
        command.make_context(command.name, words)
        for value in (after for word, after in pairwise(words) if word == "--rig"):
            nf.check.Nuisances.from_dict(tomllib.loads(value))
    elif program == "dask":
        {"scheduler": dask_scheduler, "worker": dask_worker}[words[0]].main.make_context(words[0], words[1:])
    elif program == "make":
        assert set(words) <= set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)), line
    elif program == "pip":
        assert words[:3] == ["install", "-c", "constraints.txt"], line
        project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
        assert words[3] in {f"neurofit[{extra}]" for extra in project["optional-dependencies"]}, line
    else:
        assert program == "python", line
        script = (ROOT / words[0]).read_text(encoding="utf-8")
        assert all(f'"{word}"' in script for word in words if word.startswith("--")), line


@pytest.mark.parametrize("block", [block for block in checked("run", "parsed") if block.values[0].language == "sh"])
def test_every_command_is_one(block: Block) -> None:
    for line in block.text.splitlines():
        parse(line)


def test_make_knows_the_two_commands() -> None:
    assert [line.split()[1] for line in BLOCKS[0].text.splitlines()] == ["demo", "test"]


@pytest.mark.parametrize("block", checked("bound"))
def test_every_call_fits_its_signature(block: Block) -> None:
    tree = ast.parse(block.text)
    names: dict[str, Any] = {"nf": nf}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {a.asname or a.name: import_module(a.name) for a in node.names if a.name not in NOT_INSTALLED}
        elif isinstance(node, ast.ImportFrom) and node.module not in NOT_INSTALLED:
            names |= {a.name: getattr(import_module(str(node.module)), a.name) for a in node.names}
    bound = 0
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        first, *rest = ast.unparse(call.func).split(".")
        if first in names:
            signature = inspect.signature(reduce(getattr, rest, names[first]))
            signature.bind(*call.args, **{str(keyword.arg): keyword.value for keyword in call.keywords})
            bound += 1
    assert bound


@pytest.mark.parametrize("block", checked("piece"))
def test_a_piece_of_a_template_takes_its_place(block: Block, tmp_path: Path) -> None:
    text = nf.load_model("lif").text
    for table in re.split(r"^(?=\[)", block.text, flags=re.MULTILINE)[1:]:
        name = re.escape(table.partition("\n")[0])
        text, replaced = re.subn(rf"^{name}\n.*?(?=^\[|\Z)", table + "\n", text, flags=re.DOTALL | re.MULTILINE)
        assert replaced == 1, table
    (tmp_path / "mine.toml").write_text(text, encoding="utf-8")
    nf.load_model(tmp_path / "mine.toml")


@pytest.mark.parametrize("name", nf.list_models())
@pytest.mark.parametrize("block", checked("rig"))
def test_the_rig_goes_behind_every_template(block: Block, name: str, tmp_path: Path) -> None:
    shipped = nf.load_model(name)
    (tmp_path / "mine.toml").write_text(f"{shipped.text}\n{block.text}", encoding="utf-8")
    mine = nf.load_model(tmp_path / "mine.toml")
    assert set(mine.free) - set(shipped.free) == {"rig_series_resistance", "rig_offset", "rig_noise"}


@pytest.mark.parametrize("block", checked("diff"))
def test_the_worked_example_is_the_shipped_template(block: Block) -> None:
    plain, with_h = ((ROOT / f"models/hh_pospischil{end}.toml").read_text().splitlines() for end in ("", "_ih"))
    for line in filter(None, block.text.splitlines()):
        assert line[0] == "+" or line[1:] in plain
        assert line[0] == "-" or line[1:] in with_h


@pytest.fixture(scope="module")
def laboratory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small cell and a small fit to it."""
    place = tmp_path_factory.mktemp("laboratory")
    write_cell(place / "cell.abf")
    with chdir(place):  # a run knows its recording by the path that it was given
        recording = nf.load_recording("cell.abf")
        nf.fit(recording, nf.load_model("lif"), "fits/cell", method=METHOD, anyway=True, workers=1)
    (place / "cells").mkdir()
    for name in ("one", "two"):
        shutil.copyfile(place / "cell.abf", place / "cells" / f"{name}.abf")
    (place / "truth.csv").write_text("g_leak [nS],E_leak [mV]\n8,-70\n", encoding="utf-8")
    return place


@pytest.mark.slow
@pytest.mark.parametrize("page", sorted({block.page for block in BLOCKS if block.check == "run"}))
def test_a_page_runs(page: str, laboratory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it stands, but for a small cell and a small method; its blocks in one folder, Python in one session."""
    shutil.copytree(laboratory, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("neurofit.commands.fits.named_method", lambda *_: METHOD)
    names = {"METHOD": METHOD, **GIVEN.get(page, {})}
    for block in (block for block in BLOCKS if block.page == page):
        if block.check == "whole":
            name = tomllib.loads(block.text)["name"]
            Path(f"{name}.toml").write_text(block.text, encoding="utf-8")
        if block.check != "run":
            continue
        text = reduce(lambda text, change: text.replace(*change), SMALL.items(), block.text)
        if block.language == "python":
            exec(compile(text, page, "exec"), names)
            continue
        for line in text.splitlines():
            # as a shell hands them over
            words = [w for word in shlex.split(line, comments=True)[1:] for w in sorted(glob(word)) or [word]]
            done = CliRunner().invoke(cli.app, [*words, *(FIT_OPTIONS if words[0] == "fit" else [])])
            assert done.exit_code == 0, (line, done.output)


def anchors(page: str) -> set[str]:
    """Of its headings, as GitHub makes them."""
    text = re.sub(r"^```.*?^```", "", PAGES[page], flags=re.DOTALL | re.MULTILINE)
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_somewhere(page: str) -> None:
    text = re.sub(r"^```.*?^```", "", PAGES[page], flags=re.DOTALL | re.MULTILINE)
    for link in re.findall(r"""(?:\]\(|src=")([^)\s"]+)""", text):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = (ROOT / page).parent / path if path else ROOT / page
        assert target.exists(), link
        assert not anchor or anchor in anchors(str(target.resolve().relative_to(ROOT))), link


def test_every_page_is_led_to() -> None:
    """From the README, at most one page away."""
    for page in set(PAGES) - {"README.md", "CONTRIBUTING.md"}:
        start = "docs/tutorials/README.md" if page in TUTORIALS else "README.md"
        assert f"]({Path(page).relative_to(Path(start).parent)})" in PAGES[start], page
