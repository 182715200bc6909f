"""Without a compiler the same is simulated, more slowly; it is said once; nothing of it stays behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from neurofit.commands.command import command
from neurofit.errors import SimulationError, SlowSimulation
from neurofit.recording import Stimulus
from neurofit.simulation import simulate, slow
from neurofit.template import Model, load_model, parse_model
from tests.simulation.conftest import DT_MS, steps
from tests.simulation.test_build import EVERYTHING
from tests.simulation.test_program import processes_with

# What the documentation promises: below threshold, and for the times of spikes.
CLOSE_MV, CLOSE_MS = 1e-4, DT_MS
# What is kept: two steps of float32 at -100 mV.
ROUNDING_MV = 2e-5

Array = np.ndarray


@pytest.fixture
def without_compiler(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Take the compiler away."""

    def hide() -> None:
        monkeypatch.setenv("CXX", "no-such-compiler")
        monkeypatch.setattr(slow, "_warned", set())

    return hide


def both(model: Model, stimulus: Stimulus, theta: object, hide: Callable[[], None]) -> tuple[Array, Array]:
    """``[trace, time]``: compiled and not."""
    compiled = simulate(model, stimulus, theta, seed=5)  # type: ignore[arg-type]
    hide()
    with pytest.warns(SlowSimulation):
        slowly = simulate(model, stimulus, theta, seed=5)  # type: ignore[arg-type]
    assert slowly.voltage_mv.dtype == compiled.voltage_mv.dtype
    assert slowly.voltage_mv.shape == compiled.voltage_mv.shape
    assert np.array_equal(slowly.valid, compiled.valid)
    n = stimulus.n_samples
    return compiled.voltage_mv.reshape(-1, n).astype(float), slowly.voltage_mv.reshape(-1, n).astype(float)


@pytest.mark.parametrize("noisy", [False, True])
@pytest.mark.parametrize(
    ("name", "precision", "within"),
    # a template in single precision is stepped in double where it is not compiled
    [("hh_pospischil", "single", 0.05), ("hh_pospischil", "double", ROUNDING_MV), ("lif", "double", ROUNDING_MV)],
)
def test_the_result_is_the_compiled_programs(
    name: str,
    precision: str,
    within: float,
    noisy: bool,
    without_compiler: Callable[[], None],
    spike_times: Callable[[Array], list[Array]],
) -> None:
    model = replace(load_model(name), precision=precision)
    theta = model.table(model.prior.sample(8, np.random.default_rng(1)))
    if not noisy:
        theta["sigma"] = 0.0
    compiled, slowly = both(model, steps(-100, 150, 400), theta, without_compiler)
    ours, theirs = spike_times(compiled), spike_times(slowly)
    silent = np.array([len(times) == 0 for times in ours])
    assert 3 < silent.sum() < 22
    assert np.abs(slowly - compiled)[silent].max() < within
    for mine, other in zip(ours, theirs, strict=True):
        assert len(mine) == len(other)
        assert np.allclose(mine, other, atol=CLOSE_MS, rtol=0)


def test_the_noise_is_the_compiled_programs(passive: Model, without_compiler: Callable[[], None]) -> None:
    theta = {"sigma": np.linspace(1, 100, 20), "C": 100.0, "g": 1.0}
    compiled, slowly = both(passive, steps(0), theta, without_compiler)
    assert np.ptp(compiled[-1]) > 10
    assert np.abs(slowly - compiled).max() < ROUNDING_MV
    assert slow.keyed_normal(np.array([2.0**53 - 1]), 10**7).shape == (1,)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["rk4", "staggered_exponential_euler"])
def test_whatever_compiles_runs_without(method: str, without_compiler: Callable[[], None]) -> None:
    model = parse_model(EVERYTHING.read_text().replace('"rk4"', f'"{method}"'), "x")
    current = np.zeros((2, 300))
    current[1, 100:] = 500
    compiled, slowly = both(model, Stimulus(current, 0.1), {"E": [10.0, 12.0]}, without_compiler)
    assert (compiled == 40).any(), "it fires"
    assert np.abs(slowly - compiled).max() < CLOSE_MV


def test_what_blows_up_is_flagged_in_silence(
    passive: Model, without_compiler: Callable[[], None], capfd: pytest.CaptureFixture[str]
) -> None:
    theta = {"E": [-70.0, 1e300, 700.0, -70.0], "sigma": [20.0, 20.0, 20.0, 1e200]}
    without_compiler()
    with pytest.warns(SlowSimulation) as said:
        traces = simulate(passive, steps(0, 100), theta)
    assert traces.valid.tolist() == [True, False, False, False]
    assert len(said) == 1
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("present", [[], ["make"], ["g++"]])
def test_what_is_missing_is_said_once_with_what_to_do(
    passive: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, present: list[str]
) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in present:
        (tools / name).write_text("#!/bin/sh\n")
        (tools / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tools))
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("NEUROFIT_CACHE", str(tmp_path / "programs"))
    monkeypatch.setattr(slow, "_warned", set())
    missing = " and ".join(name for name in ("g++", "make") if name not in present)
    short = Stimulus(np.zeros(20), DT_MS)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        for _ in range(2):
            assert simulate(passive, short, {}).valid.all()
    (warning,) = said
    assert warning.category is SlowSimulation
    assert warning.filename == __file__
    message = str(warning.message)
    assert message.startswith(f"{missing} cannot be found")
    for words in ("20 to 40 times", "0.05 mV", "apt install g++ make", "xcode-select", "CXX"):
        assert words in message
    assert not (tmp_path / "programs").exists(), "nothing was compiled"


def test_the_command_line_says_it_once(passive: Model, without_compiler: Callable[[], None]) -> None:
    app = typer.Typer()

    @command(app)
    def twice() -> None:
        for _ in range(2):
            simulate(passive, Stimulus(np.zeros(20), DT_MS), {})

    without_compiler()
    with warnings.catch_warnings():
        result = CliRunner().invoke(app, [])
    assert result.exit_code == 0, result.output
    (line,) = result.stderr.splitlines()
    assert line.startswith("neurofit: no-such-compiler cannot be found")


FEATURES = """
import numpy as np, neurofit as nf
from neurofit.features.simulated import simulate_features
from neurofit.simulation import compile_for, draw_keys
from neurofit.workers import open_pool
model = nf.load_model("lif")
current = np.zeros((1, 3000)); current[:, 1000:2000] = 50
stimulus = nf.Stimulus(current, 0.1)
compile_for(model, stimulus)
theta, keys = model.prior.sample(4, np.random.default_rng(0)), draw_keys(1, 0, 4)
with open_pool(2) as pool:
    parts = simulate_features(model, stimulus, [slice(i, i + 1) for i in range(4)], lambda rows: theta[rows],
                              lambda rows: keys[rows], sweep_numbers=[0], pool=pool)
    print(sum(int((part.reason == 0).sum()) for part in parts))
"""


def test_worker_processes_do_not_repeat_it(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "always", "-c", FEATURES],
        env={**os.environ, "CXX": "no-such-compiler", "NEUROFIT_CACHE": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["4"]
    assert done.stderr.count("cannot be found") == 1


def test_a_killed_process_is_an_error_and_the_next_batch_gets_another(
    passive: Model, without_compiler: Callable[[], None]
) -> None:
    without_compiler()
    short = Stimulus(np.zeros(20), DT_MS)
    with pytest.warns(SlowSimulation):
        before = simulate(passive, short, {}).voltage_mv
    process = slow._process(os.getpid())
    (helper,) = process._processes
    os.kill(helper, signal.SIGKILL)
    with pytest.raises(SimulationError, match="was killed: perhaps there was not enough memory"):
        simulate(passive, short, {})
    assert np.array_equal(simulate(passive, short, {}).voltage_mv, before)


ENDLESS = """
import numpy as np, neurofit as nf
nf.simulate(nf.load_model("lif"), nf.Stimulus(np.zeros((1, 200)), 0.1), {})
open("started", "w").close()
nf.simulate(nf.load_model("lif"), nf.Stimulus(np.zeros((1, 2_000_000)), 0.1), {})
"""


@pytest.mark.skipif(not Path("/proc/self/environ").is_file(), reason="needs /proc to see what is left")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_an_interruption_leaves_nothing_running(tmp_path: Path, how: signal.Signals) -> None:
    name, value = "NEUROFIT_TEST_MARKER", f"{os.getpid()}-{time.time_ns()}"
    process = subprocess.Popen(
        [sys.executable, "-c", ENDLESS],
        cwd=tmp_path,
        env={**os.environ, "CXX": "no-such-compiler", name: value},
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 120
    while not (tmp_path / "started").is_file() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert len(processes_with(f"{name}={value}")) >= 2
    process.send_signal(how)
    process.wait(timeout=60)
    deadline = time.monotonic() + 60
    while processes_with(f"{name}={value}") and time.monotonic() < deadline:
        time.sleep(0.05)
    assert processes_with(f"{name}={value}") == []
