"""Without a C++ compiler: the same cells, stepped by Brian2's NumPy target.

What is simulated is described once, in :mod:`neurofit.simulation.build`; only who computes it differs. Voltages agree
with the compiled program's to the last digits of float32 below threshold (to 0.05 mV where that computes in single
precision; here it is always double), and spikes to a sample.

It runs in a process of its own, as a build does: Brian2's device and preferences are global. That process takes batch
after batch, since importing Brian2 takes longer than a small one.
"""

from __future__ import annotations

import functools
import os
import threading
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from joblib.externals.loky import ProcessPoolExecutor
from joblib.externals.loky.process_executor import BrokenProcessPool
from numpy.typing import NDArray

from neurofit.errors import SimulationError, SlowSimulation
from neurofit.simulation.build import cells, start
from neurofit.simulation.keys import mix
from neurofit.template.units import parse_unit
from neurofit.workers import end_with

_warning = threading.Lock()
_warned: set[tuple[str, ...]] = set()


@dataclass(frozen=True)
class SlowProgram:
    """Stands in for a :class:`neurofit.simulation.program.Program` where nothing can be compiled."""

    description: dict[str, Any]

    def run(
        self,
        theta: NDArray[np.float64],
        keys: NDArray[np.uint64],
        sweep: NDArray[np.int32],
        start_v_mv: NDArray[np.float64],
        current_pa: NDArray[np.float64],
    ) -> NDArray[np.float32]:
        """Recorded voltage in mV, ``[neuron, time]``; see :meth:`neurofit.simulation.program.Program.run`.

        Raises
        ------
        SimulationError
            If Brian2 fails or its process is killed.
        """
        process = _process(os.getpid())
        try:
            job = process.submit(_simulate, self.description, theta, keys, sweep, start_v_mv, current_pa)
            return np.asarray(job.result())
        except BaseException as error:
            # nothing goes on computing behind an interruption, and a process that broke is of no further use
            _process.cache_clear()
            process.shutdown(kill_workers=True)
            if isinstance(error, BrokenProcessPool):
                raise SimulationError(
                    "The process that simulates was killed: perhaps there was not enough memory."
                ) from error
            if isinstance(error, Exception):
                raise SimulationError(f"Brian2 could not simulate {self.description['name']}: {error}") from error
            raise


def warn_slow(missing: tuple[str, ...]) -> None:
    """Say, once in a process, that simulations will be slow, why, and what to do."""
    with _warning:
        if missing in _warned:
            return
        _warned.add(missing)
    warnings.warn(
        f"{' and '.join(missing)} cannot be found, so models are not compiled and every simulation takes 20 to 40 "
        "times as long. The results are the same to within 0.05 mV, and one sample in the times of spikes. To be "
        "fast again, install a C++ compiler and make (Debian and Ubuntu: apt install g++ make; macOS: xcode-select "
        "--install), or set CXX to your compiler.",
        SlowSimulation,
        # the line that called simulate()
        stacklevel=5,
    )


def keyed_normal(key: NDArray[np.float64], step: int) -> NDArray[np.float64]:
    """The noise: what ``keyed_normal_of`` in ``vector_math.h`` computes."""
    with np.errstate(over="ignore"):
        z = np.asarray(key, np.uint64) * np.uint64(0xD1B54A32D192ED03)
        z = mix(z + np.asarray(step, np.uint64) * np.uint64(0x9E3779B97F4A7C15))
    u = ((z >> np.uint64(33)).astype(np.float64) + 0.5) / 2**31
    w = (z & np.uint64(0x7FFFFFFF)).astype(np.float64) * (2 * np.pi / 2**31)
    return np.asarray(np.sqrt(-2 * np.log(u)) * np.cos(w))


@functools.cache
def _process(_: int) -> ProcessPoolExecutor:
    """This process's helper; a fork of this process, known by its id, gets another."""
    return ProcessPoolExecutor(max_workers=1, initializer=end_with, initargs=(os.getpid(),))


def _simulate(
    description: dict[str, Any],
    theta: NDArray[np.float64],
    keys: NDArray[np.uint64],
    sweep: NDArray[np.int32],
    start_v_mv: NDArray[np.float64],
    current_pa: NDArray[np.float64],
) -> NDArray[np.float32]:
    """Simulate a batch in this process."""
    import brian2 as b2

    # a preference file of the user's must not change what is simulated
    b2.prefs.reset_to_defaults()
    b2.prefs.codegen.target = "numpy"
    # or Brian2 writes all of the noise into the text of an error that it then does not raise, at every step
    b2.prefs.codegen.runtime.numpy.discard_units = True
    b2.prefs.core.stop_on_keyboard_interrupt = False
    b2.BrianLogger.log_level_error()
    noise = b2.Function(keyed_normal, arg_units=[1, 1], return_unit=1)
    values: dict[str, NDArray[Any]] = {
        name: theta[:, j] * parse_unit(description["units"][name]).scale for j, name in enumerate(description["free"])
    }
    values |= {"v": start_v_mv * 1e-3, "key": keys.astype(np.float64), "sweep": sweep}
    # a voltage that blows up becomes infinite or NaN, which is what it is
    with np.errstate(all="ignore"):
        group, monitor = cells(b2, {**description, "n_neurons": len(theta)}, current_pa, noise)
        group.set_states(values, units=False)
        start(group, description)
        network = b2.Network(group, monitor)
        network.run(description["n_samples"] * description["sample_dt_ms"] * b2.ms, namespace={})
        return np.asarray(monitor.v_recorded, dtype=np.float32)
