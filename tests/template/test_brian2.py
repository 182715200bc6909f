"""Using neurofit leaves the user's Brian2, log and temporary folder as they are."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

LOOK = """
import logging, os, sys, warnings
hook, show = sys.excepthook, warnings.showwarning
{use}
import brian2
from brian2.devices.device import RuntimeDevice
assert sys.excepthook is hook, "uncaught errors are reported by Python"
assert warnings.showwarning is show, "warnings are shown by Python"
assert not logging.getLogger("py.warnings").handlers
assert type(brian2.get_device()) is RuntimeDevice
assert brian2.prefs.as_file == brian2.prefs.defaults_as_file, "preferences are Brian2's own"
from brian2.stateupdaters.base import StateUpdateMethod
assert "staggered_exponential_euler" not in StateUpdateMethod.stateupdaters
assert os.listdir(os.environ["TMPDIR"]) == [], os.listdir(os.environ["TMPDIR"])
# and Brian2 works
group = brian2.NeuronGroup(2, "dv/dt = -v/(10*brian2.ms) : 1".replace("brian2.", ""), method="exact")
group.v = 1
brian2.prefs.codegen.target = "numpy"
brian2.run(10*brian2.ms)
assert abs(group.v[0] - 0.36788) < 1e-4
brian2.get_logger("brian2.x").warn("a warning of Brian2's")
warnings.warn("a warning of Python's")
raise KeyError("an uncaught error")
"""


@pytest.mark.parametrize(
    "use",
    [
        "import neurofit.simulation.rest",
        "import neurofit.template.linear",
        "import neurofit; neurofit.load_model('lif')",
    ],
)
def test_the_process_is_left_as_it_was(use: str, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(LOOK.format(use=use))
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    done = subprocess.run(
        [sys.executable, str(script)],
        env={**os.environ, "TMPDIR": str(temporary)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr.rstrip().endswith("KeyError: 'an uncaught error'"), done.stderr
    assert "AssertionError" not in done.stderr
    assert "unexpected error" not in done.stderr, "Brian2 does not ask for a bug report"
    assert "a warning of Brian2's" in done.stderr
    assert "UserWarning: a warning of Python's" in done.stderr


def test_a_session_that_began_with_brian2_is_left_alone(tmp_path: Path) -> None:
    code = """
import sys, logging
import brian2
from brian2.utils.logger import BrianLogger
before = (sys.excepthook, BrianLogger.file_handler, BrianLogger.tmp_log, logging.getLogger("brian2").handlers[:])
brian2.set_device("cpp_standalone", build_on_run=False)
brian2.prefs.codegen.target = "numpy"
device = brian2.get_device()
import neurofit as nf
nf.load_model("lif")
after = (sys.excepthook, BrianLogger.file_handler, BrianLogger.tmp_log, logging.getLogger("brian2").handlers[:])
assert before == after and before[1] is not None
assert brian2.get_device() is device
assert brian2.prefs.codegen.target == "numpy"
"""
    subprocess.run([sys.executable, "-c", code], check=True)
