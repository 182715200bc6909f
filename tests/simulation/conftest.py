"""Programs that tests share: one shape of stimulus for all, so that each model is compiled once.

They are kept between runs in pytest's own cache, unless NEUROFIT_CACHE names another place.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from neurofit.recording import Stimulus
from neurofit.template import Model, load_model

TEMPLATES = Path(__file__).parent / "templates"

# 300 ms at 0.1 ms, a step from 50 to 250 ms.
N_SAMPLES, DT_MS = 3000, 0.1
START, STOP = 500, 2500


def steps(*levels_pa: float, holding_pa: float = 0.0) -> Stimulus:
    """The step at every level, ``[sweep, time]``."""
    current = np.full((len(levels_pa), N_SAMPLES), float(holding_pa))
    current[:, START:STOP] += np.array(levels_pa)[:, None]
    return Stimulus(current, DT_MS)


# A compiler's script that only makes the files it is asked for, in no time.
TOUCH = 'while [ $# -gt 0 ]; do if [ "$1" = -o ]; then touch "$2"; fi; shift; done'


def wrapped_compiler(folder: Path, script: str) -> str:
    """A value for CXX: g++ as far as its version goes, and then a shell script."""
    path = folder / "wrapped compiler"
    path.write_text(f'#!/bin/sh\ncase "$*" in *--version*) exec g++ "$@";; esac\n{script}\n')
    path.chmod(0o755)
    return f"'{path}'"


@pytest.fixture(scope="session", autouse=True)
def programs(pytestconfig: pytest.Config) -> Iterator[Path]:
    """The folder of compiled programs."""
    before = os.environ.get("NEUROFIT_CACHE")
    folder = Path(before).absolute() if before else pytestconfig.cache.mkdir("neurofit-programs")
    os.environ["NEUROFIT_CACHE"] = str(folder)
    yield folder
    if before is None:
        del os.environ["NEUROFIT_CACHE"]


@pytest.fixture(scope="session")
def hh() -> Model:
    return load_model("hh_pospischil")


@pytest.fixture(scope="session")
def lif() -> Model:
    return load_model("lif")


@pytest.fixture(scope="session")
def passive() -> Model:
    return load_model(TEMPLATES / "passive.toml")


@pytest.fixture(scope="session")
def integrator() -> Model:
    return load_model(TEMPLATES / "integrator.toml")


@pytest.fixture
def spike_times() -> Callable[[np.ndarray], list[np.ndarray]]:
    """``[..., time]`` -> for each trace the times in ms at which it crosses -20 mV upwards, between samples."""

    def times(voltage_mv: np.ndarray) -> list[np.ndarray]:
        found = []
        for trace in voltage_mv.reshape(-1, voltage_mv.shape[-1]).astype(np.float64):
            up = np.flatnonzero((trace[:-1] < -20) & (trace[1:] >= -20))
            found.append((up + (-20 - trace[up]) / (trace[up + 1] - trace[up])) * DT_MS)
        return found

    return times
