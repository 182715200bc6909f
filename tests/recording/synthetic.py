"""A cell whose every property is known: a passive membrane that fires by a rule, behind an electrode."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from neurofit.recording import Recording, Source

SPIKE_MV, SPIKE_MS = 95.0, 1.0  # height, and width at half of it
PASSIVE_PA = 1e9  # a rheobase that no step reaches


@dataclass(frozen=True)
class Cell:
    """A recording's recipe. Every quality problem is 0 unless planted.

    Attributes
    ----------
    levels_pa
        One sweep a level.
    electrode_mohm, electrode_drift_mohm
        Unbalanced resistance in the first sweep, and how it changes to the last.
    noise_mv, hum_mv, hum_hz
        Standard deviation of white noise; amplitude of mains hum.
    drift_mv, jump_mv
        Change of rest from the first sweep to the last; step of rest half way.
    command_error_pa
        What the command says too much in the test steps.
    own_spikes
        Action potentials at rest in each sweep.
    block_pa
        Above this the cell fires three times and falls silent at -30 mV.
    clip_mv
        Where the converter ends.
    """

    levels_pa: tuple[float, ...] = tuple(np.arange(-100.0, 301.0, 50.0).tolist())
    dt_ms: float = 0.05
    rest_mv: float = -65.0
    holding_pa: float = 0.0
    resistance_mohm: float = 100.0
    tau_ms: float = 20.0
    rheobase_pa: float = 60.0
    electrode_mohm: float = 1.0
    electrode_drift_mohm: float = 0.0
    noise_mv: float = 0.1
    hum_mv: float = 0.0
    hum_hz: float = 50.0
    drift_mv: float = 0.0
    jump_mv: float = 0.0
    command_error_pa: float = 0.0
    own_spikes: int = 0
    block_pa: float = np.inf
    clip_mv: float = np.inf
    seed: int = 0

    START_MS, STOP_MS, END_MS = 250.0, 750.0, 1500.0

    def command_pa(self) -> NDArray[np.float64]:
        """``[sweep, time]``, as the header says."""
        time = np.arange(round(self.END_MS / self.dt_ms)) * self.dt_ms
        inside = (time >= self.START_MS - 1e-9) & (time < self.STOP_MS - 1e-9)
        return np.where(inside, np.array(self.levels_pa)[:, None], self.holding_pa)

    def record(self) -> Recording:
        """The recording, without findings."""
        generator = np.random.default_rng(self.seed)
        command = self.command_pa()
        sweeps, samples = command.shape
        time = np.arange(samples) * self.dt_ms
        inside = command != self.holding_pa
        true = command - self.command_error_pa * inside
        share = np.linspace(0.0, 1.0, sweeps)[:, None] if sweeps > 1 else np.zeros((1, 1))
        decay = np.exp(-self.dt_ms / self.tau_ms)
        # A cell that fires holds its membrane near threshold by its own conductances, one in block does not.
        blocked = np.array(self.levels_pa)[:, None] > self.block_pa
        ceiling_mv = np.where(blocked, 35.0, 20.0) if self.rheobase_pa < PASSIVE_PA else np.inf
        felt = np.minimum(true - self.holding_pa, 1e3 * ceiling_mv / self.resistance_mohm)
        driven = lfilter([1 - decay], [1, -decay], felt, axis=1)
        voltage = self.rest_mv + 1e-3 * self.resistance_mohm * driven
        for row in range(sweeps):
            voltage[row] += self._spikes(row, time, generator)
        voltage += self.drift_mv * share + self.jump_mv * (np.arange(sweeps) >= sweeps // 2)[:, None]
        electrode = lfilter(
            [1 - np.exp(-self.dt_ms / 0.03)], [1, -np.exp(-self.dt_ms / 0.03)], true - self.holding_pa, axis=1
        )
        voltage += 1e-3 * (self.electrode_mohm + self.electrode_drift_mohm * share) * electrode
        phase = generator.uniform(0, 2 * np.pi, (sweeps, 1))
        voltage += self.hum_mv * np.sin(2 * np.pi * self.hum_hz * time / 1e3 + phase)
        voltage += generator.normal(0, self.noise_mv, voltage.shape)
        voltage = np.minimum(voltage, self.clip_mv)
        return Recording(
            voltage_mv=voltage,
            current_pa=command,
            dt_ms=self.dt_ms,
            sweep_numbers=tuple(range(sweeps)),
            start_ms=0.0,
            findings=(),
            source=Source("synthetic", "", "synthetic", "protocol"),
        )

    def counts(self) -> list[int]:
        """Action potentials in the step of each sweep."""
        return [len(self._in_step(row)) for row in range(len(self.levels_pa))]

    def _in_step(self, row: int) -> NDArray[np.float64]:
        level = self.levels_pa[row]
        if level > self.block_pa:
            return self.START_MS + np.array([20.0, 30.0, 40.0])
        if level <= self.rheobase_pa:
            return np.empty(0)
        interval = 2500.0 / (level - self.rheobase_pa) + 10.0
        return np.arange(self.START_MS + 20.0, self.STOP_MS - 5.0, interval)

    def _spikes(self, row: int, time: NDArray[np.float64], generator: np.random.Generator) -> NDArray[np.float64]:
        own = generator.uniform(950.0, 1300.0, 1) + 40.0 * np.arange(self.own_spikes) if self.own_spikes else []
        wave = np.zeros(len(time))
        for moment in [*self._in_step(row), *own]:
            wave += SPIKE_MV * np.exp(-4 * np.log(2) * ((time - moment) / SPIKE_MS) ** 2)
        return wave
