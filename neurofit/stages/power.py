"""What the checks of this run would have seen: said beforehand, and beside a pass.

For this model, this protocol and this number of simulations: how large a shift of each feature, and how much voltage
offset, observation noise, series resistance or low-pass filter, the run's own checks would have rejected four times in
five. Some simulations of the set that the cell is compared with are simulated again with their full voltage. Into that
an artefact is put at several sizes, and features are measured as ever. The tests are fitted to other simulations.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurofit import check
from neurofit.check.nuisance import Nuisances
from neurofit.check.seen import least_seen, raw_sees, summary_sees
from neurofit.check.sensitivity import Artefact, Sensitivity, Shift
from neurofit.features import FeatureTable, extract_features
from neurofit.infer import Summaries
from neurofit.infer.summaries import noisy
from neurofit.progress import Advance, Progress
from neurofit.recording import Recording
from neurofit.simulation import batches, compile_for, draw_keys, run_batch
from neurofit.stages.seeds import stream_seed
from neurofit.stages.simulating import SimulationSet
from neurofit.stages.spaces import MOST_REFERENCES, kept_every, rig_of
from neurofit.store import Run
from neurofit.template import Model

Array = NDArray[np.float64]

# Simulations that an artefact is put into, as many as that and no more than this share of the set.
ALTERED, ALTERED_SHARE = 100, 0.1
LEVEL, TARGET = 0.05, 0.8
# A third of fewer could not reach the level.
FEWEST = 60
# From small to severe; a filter is the more severe the lower its corner.
SIZES = {
    "offset_mv": (2.0, 5.0, 10.0, 20.0, 40.0),
    "noise_sd_mv": (0.1, 0.2, 0.5, 1.0, 2.0),
    "series_resistance_mohm": (2.0, 5.0, 10.0, 20.0, 40.0),
    "corner_khz": (4.0, 2.0, 1.0, 0.5, 0.25),
}


def sensitivity(
    run: Run,
    when: str,
    name: str,
    simulated: SimulationSet,
    model: Model,
    fitted: Recording,
    declared: Summaries,
    *,
    seed: int,
    progress: Progress,
) -> Sensitivity:
    """What the checks against one set would have seen, worked out once.

    Parameters
    ----------
    when
        ``"prior"`` or ``"fit"``: which question the checks ask.
    name
        Of the set, as it was simulated.
    simulated
        With the voltage of its first rows.
    """

    def compute() -> dict[str, Any]:
        with progress.bar("What these checks would see", len(SIZES) + 1) as advance:
            measured = _Measured(rig_of(run), name, simulated, model, fitted, declared, seed)
            if min(len(measured.reference), len(measured.kept_mv)) < FEWEST:
                return Sensitivity(LEVEL, TARGET, len(measured.reference), 0, (), ()).to_dict()
            artefacts = measured.artefacts(advance)
            advance(len(SIZES), "shifts of features")
            n, altered = len(measured.reference), len(measured.altered)
            found = Sensitivity(LEVEL, TARGET, n, altered, artefacts, measured.shifts())
            advance(len(SIZES) + 1, "done")
            return found.to_dict()

    return Sensitivity.from_dict(run.json(f"checks/{when}-power.json", compute))


def read_sensitivity(run: Run, when: str) -> Sensitivity:
    """What :func:`sensitivity` found."""
    return Sensitivity.from_dict(run.read_json(f"checks/{when}-power.json"))


class _Measured:
    """A set split into simulations to compare with and simulations to alter."""

    def __init__(
        self,
        rig: Nuisances,
        name: str,
        simulated: SimulationSet,
        model: Model,
        fitted: Recording,
        declared: Summaries,
        seed: int,
    ) -> None:
        self.rig = rig
        self.simulated, self.model, self.fitted, self.declared, self.seed = simulated, model, fitted, declared, seed
        valid = np.flatnonzero(simulated.valid)
        n = min(ALTERED, int(ALTERED_SHARE * len(valid)))
        # from the end, whose voltage is not kept unless the set is small
        self.altered, rest = valid[-n:], valid[:-n]
        self.reference = rest[:MOST_REFERENCES]
        assert simulated.voltage_mv is not None
        self.kept_mv = simulated.voltage_mv[rest[rest < len(simulated.voltage_mv)]]
        # the same keys: the same voltage as it was
        keys = draw_keys(seed, zlib.crc32(name.encode()), len(simulated.z))[self.altered]
        theta = model.prior.from_unbounded(simulated.z[self.altered])
        program = compile_for(model, fitted.stimulus)
        runs = [
            run_batch(program, model, fitted.stimulus, theta[rows], keys[rows]) for rows in batches(n, fitted.n_sweeps)
        ]
        self.voltage_mv = np.concatenate(runs)

    def artefacts(self, advance: Advance) -> tuple[Artefact, ...]:
        """The share of altered simulations that either check rejects, for each kind and size of artefact."""
        highest_khz = 0.5 / self.fitted.dt_ms
        sizes = {kind: tuple(s for s in of if kind != "corner_khz" or s < highest_khz) for kind, of in SIZES.items()}
        tables: list[FeatureTable] = []

        def thinned() -> Iterator[NDArray[np.floating]]:
            # one size at a time: its voltage is measured, thinned and dropped
            for count, (kind, of) in enumerate(sizes.items()):
                advance(count, Artefact.called(kind))
                for size in of:
                    voltage = self._recorded_by(Nuisances(**{kind: size}))
                    tables.append(self._features(voltage))
                    yield self._by_rig(voltage[:, :, :: self._every], len(self.simulated.z))

        step = self.fitted.stimulus.test_step
        raw = raw_sees(
            self._by_rig(self.kept_mv, 0),
            thinned(),
            dt_ms=self._every * self.fitted.dt_ms,
            step_ms=(step.start_ms, step.stop_ms),
            level=LEVEL,
            seed=stream_seed(self.seed, "check"),
        )
        values, defined = self._noisy(self.simulated.features.rows(self.reference), 6)
        altered = [self._noisy(table, 7 + i) for i, table in enumerate(tables)]
        summary = summary_sees(
            values,
            [found for found, _ in altered],
            reference_defined=defined,
            altered_defined=[mask for _, mask in altered],
            level=LEVEL,
            seed=stream_seed(self.seed, "check"),
        )
        found, first = [], 0
        for kind, of in sizes.items():
            mine = slice(first, first := first + len(of))
            least = (least_seen(of, shares[mine], TARGET) for shares in (summary, raw))
            found.append(Artefact(kind, of, summary[mine], raw[mine], *least))
        return tuple(found)

    def _recorded_by(self, rig: Nuisances) -> NDArray[np.floating]:
        return rig.applied_to(
            self.voltage_mv,
            dt_ms=self.fitted.dt_ms,
            current_pa=self.fitted.current_pa,
            seed=stream_seed(self.seed, "check", 5),
        )

    def shifts(self) -> tuple[Shift, ...]:
        """The shift of each fitted feature that the summary check would reject."""
        table = self.simulated.features.rows(self.reference)
        values, defined = self._noisy(table, 6)
        chosen = table.select(self.declared.names)
        found = check.detectable_shifts(
            values,
            reference_defined=defined,
            names=chosen.names,
            units=chosen.units,
            level=LEVEL,
            target=TARGET,
            seed=stream_seed(self.seed, "check"),
        )
        labels = dict(zip(chosen.names, chosen.labels, strict=True))
        own = self.declared.tolerance * np.where(self.declared.log, np.abs(self.declared.observed), 1.0)
        tolerance = dict(zip(chosen.names, own.tolist(), strict=True))
        return tuple(Shift(d.name, labels[d.name], d.unit, d.shift, tolerance[d.name]) for d in found)

    def _by_rig(self, thinned_mv: NDArray[Any], first_row: int) -> NDArray[Any]:
        """Thinned voltage with what the raw check puts into its reference."""
        return self.rig.applied_to(
            thinned_mv,
            dt_ms=self._every * self.fitted.dt_ms,
            current_pa=self.fitted.current_pa[:, :: self._every],
            seed=stream_seed(self.seed, "check", 4),
            first_row=first_row,
        )

    @property
    def _every(self) -> int:
        return kept_every(self.fitted)

    def _noisy(self, table: FeatureTable, use: int) -> tuple[Array, NDArray[np.bool_]]:
        values, defined = noisy(table, self.declared, np.random.default_rng(stream_seed(self.seed, "check", use)))
        return np.where(defined, values, 0.0), defined

    def _features(self, voltage_mv: NDArray[np.floating]) -> FeatureTable:
        return extract_features(
            voltage_mv,
            self.fitted.stimulus,
            sweep_numbers=self.fitted.sweep_numbers,
            spikes_drawn=self.model.spike is not None,
        )
