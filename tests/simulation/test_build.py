"""What Brian2 makes of a template: vectorised, whatever the template holds, and nobody else's business."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from neurofit.recording import Stimulus
from neurofit.simulation import compile_for, simulate
from neurofit.simulation.build import recorded_voltage
from neurofit.simulation.compiler import is_gcc
from neurofit.simulation.program import describe
from neurofit.template import Model, list_models, load_model, parse_model
from tests.simulation.conftest import TEMPLATES, TOUCH, steps, wrapped_compiler

EVERYTHING = Path(__file__).parents[1] / "template" / "good" / "everything.toml"


def vectorised_loops(project: Path, unit: str) -> tuple[set[int], int]:
    """Lines of the loops that gcc says it vectorised, and the line of the loop over neurons."""
    source = project / "code_objects" / f"{unit}.cpp"
    flags = re.search(r"^OPTIMISATIONS = (.*)$", (project / "makefile").read_text(), re.MULTILINE)
    assert flags
    done = subprocess.run(
        ["g++", "-c", *shlex.split(flags[1]), "-I.", "-fopt-info-vec-optimized", str(source), "-o", "/dev/null"],
        cwd=project,
        capture_output=True,
        text=True,
        check=True,
    )
    reported = re.findall(rf"{source.name}:(\d+):\d+: optimized: +loop vectorized", done.stderr)
    lines = source.read_text().splitlines()
    (loop,) = (number for number, line in enumerate(lines, 1) if "for(int _idx=0; _idx<_N" in line)
    return {int(number) for number in reported}, loop


@pytest.mark.skipif(not is_gcc(), reason="only gcc reports what it vectorised")
@pytest.mark.parametrize("precision", ["double", "single"])
@pytest.mark.parametrize("name", list_models())
def test_the_loop_over_neurons_is_vectorised(
    name: str, precision: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # everything is written, with the real flags, but only what is looked at is compiled
    monkeypatch.setenv("CXX", wrapped_compiler(tmp_path, TOUCH))
    monkeypatch.setenv("NEUROFIT_CACHE", str(tmp_path))
    model = replace(load_model(name), precision=precision)
    project = compile_for(model, Stimulus(steps(0).current_pa, max(0.1, model.dt_ms))).directory
    for unit in ("cells_stateupdater_codeobject", "cells_run_regularly_1_codeobject"):
        reported, loop = vectorised_loops(project, unit)
        assert loop in reported, unit


def test_what_is_compiled_is_in_the_folder(hh: Model) -> None:
    program = compile_for(hh, steps(0))
    assert json.loads((program.directory / "description.json").read_text()) == program.description
    assert list(program.manifest["parameters"]) == list(hh.free)
    assert not list(program.directory.rglob("*.o"))


def test_a_drawn_spike_as_an_expression(lif: Model, hh: Model) -> None:
    assert recorded_voltage(describe(hh, 10, 1, 0.1)) == hh.recorded
    fine = recorded_voltage(describe(lif, 10, 1, 0.1))
    assert "clip(t_ref - (0.1*ms), (0.1*ms), 1.0*ms)" in fine
    assert "30.0*mV" in fine
    coarse = recorded_voltage(describe(lif, 10, 1, 2.0))
    assert "clip" not in coarse
    assert "(t - lastspike) < (2.0*ms)" in coarse


@pytest.mark.slow
@pytest.mark.parametrize("method", ["rk4", "staggered_exponential_euler"])
def test_whatever_loads_compiles_and_runs(method: str) -> None:
    model = parse_model(EVERYTHING.read_text().replace('"rk4"', f'"{method}"'), "x")
    current = np.zeros((2, 300))
    current[1, 100:] = 500
    traces = simulate(model, Stimulus(current, 0.1), {"E": [10.0, 12.0]})
    assert traces.valid.all()
    quiet, driven = traces.voltage_mv[:, 0], traces.voltage_mv[:, 1]
    assert np.abs(quiet[:, :50] + 70).max() < 0.01
    onsets = (driven[:, 1:] == 40) & (driven[:, :-1] != 40)
    assert onsets.sum(axis=1).tolist() == [2, 2]


@pytest.mark.slow
def test_an_edit_changes_what_is_simulated(passive: Model, tmp_path: Path) -> None:
    mine = tmp_path / "mine.toml"
    text = passive.text.replace("g*(E - v) + I_inj", "g*(E - v) + I_pump + I_inj").replace('"dv/dt', '"""\ndv/dt')
    text = text.replace('/C : volt"', '/C : volt\nI_pump = -g_pump*(v + 100*mV) : amp\n"""\nrecorded = "v + 3*mV"')
    text += '\n[parameters.g_pump]\nunit = "nS"\nvalue = 10\ndescription = "added"\nsource = "a test"\n'
    mine.write_text(text)
    theta = {"sigma": 0.0}
    assert simulate(passive, steps(50), theta).voltage_mv[0, 0, 2000] == pytest.approx(-70 + 50 / 10, abs=1e-3)
    edited = simulate(load_model(mine), steps(50), theta).voltage_mv[0, 0]
    assert edited[0] == pytest.approx(-85 + 3, abs=1e-3)
    assert edited[2000] == pytest.approx(-85 + 50 / 20 + 3, abs=1e-3)


def test_another_prior_changes_what_is_drawn_but_not_the_program(hh: Model) -> None:
    edited = parse_model(hh.text.replace("low = 50, high = 600", "low = 190, high = 210"), "x")
    assert compile_for(edited, steps(0)).directory == compile_for(hh, steps(0)).directory
    draws = edited.prior.sample(100, np.random.default_rng(0))[:, 0]
    assert (draws >= 190).all()
    assert (draws <= 210).all()


def test_building_is_done_in_another_process(tmp_path: Path) -> None:
    """A fresh process, as other tests of this one have Brian2 step cells themselves."""
    code = """if True:
        import sys, numpy as np, neurofit as nf
        nf.simulate(nf.load_model(sys.argv[1]), nf.Stimulus(np.zeros((1, 50)), 0.1), {"g": [5.0]}, seed=1)
        from brian2.stateupdaters.base import StateUpdateMethod
        assert "staggered_exponential_euler" not in StateUpdateMethod.stateupdaters
        assert "neurofit.simulation.updater" not in sys.modules
    """
    subprocess.run(
        [sys.executable, "-c", code, str(TEMPLATES / "passive.toml")],
        env={**os.environ, "NEUROFIT_CACHE": str(tmp_path)},
        check=True,
    )
    assert list(tmp_path.glob("passive-*/main"))
