"""Makes simulated_cell.abf, and simulated_cell_truth.toml, which says everything that is true of it.

    python data/make_simulated_cell.py [directory]

The cell is the template beside this script (simulated_cell.toml), simulated by neurofit's own engine. This script adds
what a template does not hold: the currents of single synaptic inputs, and the rig, which are an electrode in series
whose resistance no bridge balances, an offset (liquid junction potential, drift), a low-pass filter, amplifier noise,
mains hum and a 16 bit converter. It takes a minute, most of it to compile the cell, and a gigabyte of memory.

On the same machine the file comes out the same to the last bit. Another compiler or processor rounds differently,
which may move a sample by one step of the converter, and no action potential.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import scipy.optimize
import scipy.signal
import tomli_w
from abf2_writer import STEP_MV, Epoch, command, write_abf2
from numpy.typing import NDArray

import neurofit as nf

HERE = Path(__file__).resolve().parent
NAME = "simulated_cell"
SEED = 1
# The protocol of the real recording that the demo prefers, so that either serves: 17 sweeps of 3 s at 20 kHz.
DT_MS, SWEEPS, SAMPLES, INTERVAL_S = 0.05, 17, 60_000, 10.0
EPOCHS = [
    Epoch(2_000),
    Epoch(10_000, -100, 25),  # the first test step, from 146.85 ms
    Epoch(10_000),
    Epoch(10_000, -100),  # a pre-pulse
    Epoch(10_000, -100, 25),  # the second test step, from 1646.85 ms
]
TESTS = (1, 4)  # which epochs those are
LEAD_MS = 500.0  # simulated before each sweep and thrown away: the dendrite, the h current and the filter settle
SPIKE_MV = -20.0  # what rises through this is an action potential
DATE = 20250101  # a header needs one


@dataclass(frozen=True)
class Synapses:
    """Excitatory inputs to the soma: currents that come at random, each of its own size.

    Times are exponentially distributed, peaks log-normally; each current rises and decays exponentially. At rest the
    median one makes a potential of about 0.3 mV.
    """

    rate_hz: float = 8.0
    peak_pa: float = 20.0
    peak_log_sd: float = 0.5
    rise_ms: float = 0.5
    decay_ms: float = 4.0

    def current(self, rng: np.random.Generator, samples: int) -> NDArray[np.float64]:
        """One sweep's current in pA, ``[time]``."""
        arrivals = np.zeros(samples)
        count = rng.poisson(self.rate_hz * samples * DT_MS / 1e3)
        # the first sample stays empty: a simulation starts at rest under the current there
        np.add.at(
            arrivals, rng.integers(1, samples, count), rng.lognormal(np.log(self.peak_pa), self.peak_log_sd, count)
        )
        time = np.arange(0, 12 * self.decay_ms, DT_MS)
        shape = np.exp(-time / self.decay_ms) - np.exp(-time / self.rise_ms)
        return scipy.signal.lfilter(shape / shape.max(), 1.0, arrivals)


@dataclass(frozen=True)
class Rig:
    """What lies between the membrane and the file.

    Attributes
    ----------
    series_resistance_mohm
        Of the electrode, not balanced: the command's share of the recorded voltage.
    offset_mv
        Recorded minus true potential in the first sweep: a liquid junction potential that was not subtracted.
    drift_mv, wander_mv
        Change of the offset from the first sweep to the last, and its spread (sd) about that line.
    filter_hz, filter_poles
        Bessel low-pass filter, at -3 dB.
    noise_mv
        White noise (sd of a sample) before the filter.
    hum_hz, hum_mv
        Mains hum and its amplitude (half of peak to peak); a third of it again at three times the frequency.
    """

    series_resistance_mohm: float = 9.0
    offset_mv: float = 10.0
    drift_mv: float = -0.8
    wander_mv: float = 0.15
    filter_hz: float = 5_000.0
    filter_poles: int = 4
    noise_mv: float = 0.08
    hum_hz: float = 50.0
    hum_mv: float = 0.04

    def record(
        self, membrane_mv: NDArray[np.float64], command_pa: NDArray[np.float64], rng: np.random.Generator
    ) -> NDArray[np.float64]:
        """The potential that reaches the converter, ``[sweep, time]`` in mV."""
        sweeps, samples = membrane_mv.shape
        offset = self.offset_mv + self.drift_mv * np.linspace(0, 1, sweeps) + rng.normal(0, self.wander_mv, sweeps)
        voltage = membrane_mv + 1e-3 * self.series_resistance_mohm * command_pa + offset[:, None]
        voltage += rng.normal(0, self.noise_mv, voltage.shape)
        phase = 2 * np.pi * (self.hum_hz * np.arange(samples) * DT_MS / 1e3 + rng.random((sweeps, 1)))
        voltage += self.hum_mv * (np.sin(phase) + np.sin(3 * phase) / 3)
        low_pass = scipy.signal.bessel(self.filter_poles, self.filter_hz, norm="mag", fs=1e3 / DT_MS, output="sos")
        start = scipy.signal.sosfilt_zi(low_pass)[:, None, :] * voltage[:, :1]
        return scipy.signal.sosfilt(low_pass, voltage, zi=start)[0]


def simulate(model: nf.Model, synapses: Synapses) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The soma's potential in mV and the command in pA, ``[sweep, time]``, with the lead before each sweep."""
    lead = round(LEAD_MS / DT_MS)
    command_pa = np.pad(command(EPOCHS, SWEEPS, SAMPLES), ((0, 0), (lead, 0)))
    rng = np.random.default_rng([SEED, 1])
    inputs = np.stack([synapses.current(rng, lead + SAMPLES) for _ in range(SWEEPS)])
    theta = {name: [parameter.value] for name, parameter in by_name(model).items() if parameter.prior}
    traces = nf.simulate(model, nf.Stimulus(command_pa + inputs, DT_MS), theta, seed=SEED)
    return traces.voltage_mv[0].astype(np.float64), command_pa


def by_name(model: nf.Model) -> dict[str, Any]:
    return {parameter.name: parameter for parameter in model.parameters}


def measure(membrane_mv: NDArray[np.float64]) -> dict[str, Any]:
    """What the cell does, read from its own potential (no electrode, offset or amplifier): ``[sweep, time]``."""
    bounds = SAMPLES // 64 + np.cumsum([0, *(epoch.samples for epoch in EPOCHS)])
    first, second = ((bounds[k], bounds[k + 1]) for k in TESTS)
    levels = np.array([EPOCHS[TESTS[0]].level_pa + k * EPOCHS[TESTS[0]].increment_pa for k in range(SWEEPS)])
    before = np.median(membrane_mv[:, : first[0]], axis=1)
    late = membrane_mv[:, first[1] - 2_000 : first[1]].mean(axis=1)
    low = levels < 0
    strongest = membrane_mv[0, first[0] : first[1]] - before[0]
    time = np.arange(1_000) * DT_MS  # 50 ms, before the sag
    decay = scipy.optimize.curve_fit(
        lambda t, a, tau: a * (1 - np.exp(-t / tau)), time, strongest[:1_000], p0=(late[0] - before[0], 20.0)
    )[0]
    rises = {name: crossings(membrane_mv, *span) for name, span in (("first", first), ("second", second))}
    counts = {name: [len(sweep) for sweep in sweeps] for name, sweeps in rises.items()}
    spikes = rises["first"][-1]
    peaks = [float(membrane_mv[-1, k : k + 60].max()) for k in spikes]
    intervals = np.diff(spikes) * DT_MS
    return {
        "rest_mv": round(float(np.median(before)), 2),
        "input_resistance_mohm": round(1e3 * float(np.polyfit(levels[low], (late - before)[low], 1)[0]), 1),
        "time_constant_ms": round(float(decay[1]), 1),
        "sag_ratio": round(float(np.convolve(strongest, np.ones(100) / 100, "valid").min() / (late[0] - before[0])), 3),
        "rheobase_pa": float(levels[np.flatnonzero(counts["first"])[0]]),
        "first_peak_mv": round(peaks[0], 1),
        "last_peak_mv": round(peaks[-1], 1),
        "first_interval_ms": round(float(intervals[0]), 1),
        "last_interval_ms": round(float(intervals[-1]), 1),
        "spike_counts": {"levels_pa": levels.tolist(), **{f"{name}_step": n for name, n in counts.items()}},
        "spike_times_ms": {
            f"{name}_step": [[round(int(k) * DT_MS, 2) for k in sweep] for sweep in sweeps]
            for name, sweeps in rises.items()
        },
    }


def crossings(voltage_mv: NDArray[np.float64], start: int, stop: int) -> list[NDArray[np.int64]]:
    """For each sweep, the samples at which it rises through ``SPIKE_MV``."""
    above = voltage_mv >= SPIKE_MV
    rises = above[:, 1:] & ~above[:, :-1]
    return [start + np.flatnonzero(sweep[start - 1 : stop - 1]) for sweep in rises]


def make(directory: Path) -> str:
    """Write both files; the sha256 of the recording."""
    model, synapses, rig = nf.load_model(HERE / f"{NAME}.toml"), Synapses(), Rig()
    membrane_mv, command_pa = simulate(model, synapses)
    recorded_mv = rig.record(membrane_mv, command_pa, np.random.default_rng([SEED, 2]))
    sweep = np.s_[:, -SAMPLES:]
    recording = directory / f"{NAME}.abf"
    write_abf2(
        recording,
        recorded_mv[sweep],
        EPOCHS,
        dt_us=1e3 * DT_MS,
        interval_s=INTERVAL_S,
        filter_hz=rig.filter_hz,
        date=DATE,
        protocol=NAME,
        comment=f"Simulated, not a real cell: see {NAME}_truth.toml",
    )
    sha256 = hashlib.sha256(recording.read_bytes()).hexdigest()
    parameters = by_name(model)
    truth = {
        "recording": {"file": recording.name, "sha256": sha256, "made_by": Path(__file__).name, "seed": SEED},
        # What the shipped templates have a parameter for too.
        "comparable": {
            "C_pf": parameters["C"].value + parameters["C_d"].value,
            "R_s_mohm": rig.series_resistance_mohm,
            "V_offset_mv": round(rig.offset_mv + rig.drift_mv / 2, 3),
        },
        "rig": {**asdict(rig), "converter_step_mv": STEP_MV},
        "synapses": asdict(synapses),
        "cell": {name: {"value": float(p.value), "unit": p.unit} for name, p in parameters.items()},
        "features": measure(membrane_mv[sweep]),
        "versions": {name: version(name) for name in ("neurofit", "brian2", "numpy", "scipy")},
    }
    head = f"# What is true of {recording.name}, written by {Path(__file__).name}.\n"
    head += "# The features are the membrane's own, without the rig.\n"
    (directory / f"{NAME}_truth.toml").write_text(head + tomli_w.dumps(truth), encoding="utf-8")
    return sha256


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", nargs="?", type=Path, default=HERE, help="where to write (beside this script)")
    digest = make(parser.parse_args().directory)
    sys.stdout.write(f"sha256 {digest}\nIf it changed, recordings.toml must say the new one.\n")
