"""Run tutorials as notebooks and write each as a page with its figures, beside this file.

    python docs/tutorials/render.py [NAME ...]

Cells tagged ``check`` hold what a page claims to the result: they are run and not shown.
"""

from __future__ import annotations

import base64
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import jupytext
from nbclient import NotebookClient

PAGES = Path(__file__).resolve().parent
TUTORIALS = PAGES.parents[1] / "tutorials"


def main() -> None:
    # rich says so wherever a bar is drawn in a notebook
    os.environ.setdefault("PYTHONWARNINGS", 'ignore:install "ipywidgets"')
    for name in sys.argv[1:] or sorted(path.stem for path in TUTORIALS.glob("*.py")):
        started = time.perf_counter()
        notebook = jupytext.read(TUTORIALS / f"{name}.py")
        with tempfile.TemporaryDirectory() as folder:
            NotebookClient(notebook, timeout=None, resources={"metadata": {"path": folder}}).execute()
        for figure in PAGES.glob(f"{name}_*.png"):
            figure.unlink()
        (PAGES / f"{name}.md").write_text(page(name, notebook.cells), encoding="utf-8")
        print(f"{name}: {time.perf_counter() - started:.0f} s")


def page(name: str, cells: list[Any]) -> str:
    """Markdown; figures go to files beside it."""
    parts, figures = [], 0
    for cell in cells:
        if cell.cell_type == "markdown":
            parts.append(cell.source)
            continue
        if "check" in cell.metadata.get("tags", []):
            continue
        parts.append(f"```python\n{cell.source}\n```")
        said = ""
        for output in cell.outputs:
            data = output.get("data", {})
            if "image/png" in data:
                figures += 1
                file = PAGES / f"{name}_{figures}.png"
                file.write_bytes(base64.b64decode(data["image/png"]))
                parts.append(f"![figure {figures}]({file.name})")
            elif output.get("name") != "stderr":
                said += output.get("text") or data.get("text/plain", "")
        if said:
            parts.append(f"```text\n{said.rstrip()}\n```")
    size = "the small size of the tests" if os.environ.get("NEUROFIT_TUTORIAL") == "small" else "full size"
    source = f"*This page is [tutorials/{name}.py](../../tutorials/{name}.py), run at {size}.*"
    return "\n\n".join([parts[0], source, *parts[1:]]) + "\n"


if __name__ == "__main__":
    main()
