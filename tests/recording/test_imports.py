"""What makes ``neurofit --help`` slow is loaded when it is used."""

from __future__ import annotations

import subprocess
import sys

HEAVY = ("neo", "igor2", "scipy", "matplotlib", "rich", "pooch", "brian2", "efel", "torch", "pandas")


def test_the_room_opens_without_heavy_furniture() -> None:
    code = (
        f"import sys, neurofit.recording, neurofit.recording.describe; print([name for name in {HEAVY} if "
        "name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
