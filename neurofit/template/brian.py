"""Importing Brian2 as a library, without what it does to a script that is about Brian2."""

from __future__ import annotations

import logging
import sys
import warnings
from pathlib import Path


def load_brian2() -> None:
    """Import Brian2 and put back what its first import changes for the whole process.

    It replaces Python's report of uncaught errors by one that asks for a bug report to Brian2, sends every warning
    through its log, and opens a debug log and a copy of the running script in the temporary folder, which stay there
    when a process is killed. A session that has imported Brian2 by itself keeps all of that, and its preferences are
    left alone in any case.
    """
    if "brian2" in sys.modules:
        return
    report, show = sys.excepthook, warnings.showwarning
    import brian2  # noqa: F401
    from brian2.utils.logger import BrianLogger

    sys.excepthook = report
    if warnings.showwarning is not show:
        logging.captureWarnings(False)
    if BrianLogger.console_handler is not None:
        logging.getLogger("py.warnings").removeHandler(BrianLogger.console_handler)
    if BrianLogger.file_handler is not None:
        logging.getLogger("brian2").removeHandler(BrianLogger.file_handler)
        BrianLogger.file_handler.close()
    for file in filter(None, (BrianLogger.tmp_log, BrianLogger.tmp_script)):
        Path(file).unlink(missing_ok=True)
    BrianLogger.file_handler = BrianLogger.tmp_log = BrianLogger.tmp_script = None
