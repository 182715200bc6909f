"""The command line: ``neurofit COMMAND``; ``neurofit --help`` lists them.

Heavy packages are imported by the commands that need them, so that help and inspection are quick. Exit codes: 0 done,
1 failed on the way (the same command goes on), 2 bad input (nothing was overwritten), 3 the fit stopped before training
with the verdict "rejected" (the same command with --anyway goes on).
"""

from __future__ import annotations

# in the order in which --help lists them
from neurofit.commands import recordings, templates, fits, runs, programs  # isort: skip  # noqa: F401
from neurofit.commands.command import app

__all__ = ["app"]

if __name__ == "__main__":
    app()
