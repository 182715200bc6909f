"""Is an artefact of the rig named?  Share of observations in which it is among the three statistics named first.

    PYTHONPATH=. python tests/benchmarks/bench_artefacts.py [--observations 100] [--references 500 2000]

A toy cell with two free conductances, one sweep, one observation at a time. An artefact is put into an observation that
the model made; the reference has none (``clean``), or noise of .1 to .5 mV and an offset of N(0, 2) mV, which the
observation then has too (``rig``). ``summary``: 21 statistics and the five features of the rig; ``raw``: the raw check,
with the 21 statistics beside its own five. ``named instead``: what else stood among the first three, with its share.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurofit import check
from tests.benchmarks import toy_cells as toy

Array = NDArray[np.float64]

# The step as the current of a cell of 300 pA, for the series resistance.
CURRENT_PA = np.where((np.arange(1200) >= 100) & (np.arange(1200) < 1100), 300.0, 0.0)
BASELINE, NOISE, JUMP, CHARGING, BANDWIDTH = check.RIG_FEATURES


@dataclass(frozen=True)
class Artefact:
    """What is put in, and the names that are right for it."""

    right: frozenset[str]
    rig: dict[str, float]
    cell: toy.Cell

    def observed(self, n: int, rng: np.random.Generator, surrounding: dict[str, Any]) -> Array:
        """``[n, time]``: cells of the prior with the artefact, measured by a rig like the reference's."""
        cells = toy.simulate(toy.prior(n, rng), rng, self.cell)
        fixed = self.rig.get("offset_mv", 0.0)
        measured = check.Nuisances(**{**self.rig, **surrounding}).applied_to(
            cells, dt_ms=toy.KEEP_MS, current_pa=CURRENT_PA, seed=2
        )
        return measured + fixed if "offset_mv" in surrounding else measured


def artefact(*right: str, cell: toy.Cell | None = None, **rig: float) -> Artefact:
    return Artefact(frozenset(right), rig, cell or toy.Cell())


ARTEFACTS = {
    "offset + 5 mV": artefact(BASELINE, "resting potential", offset_mv=5.0),
    "offset + 10 mV": artefact(BASELINE, "resting potential", offset_mv=10.0),
    "noise 0.5 mV": artefact(NOISE, noise_sd_mv=0.5),
    "series resistance 10 MOhm": artefact(JUMP, series_resistance_mohm=10.0),
    "series resistance 20 MOhm": artefact(JUMP, series_resistance_mohm=20.0),
    "low-pass 1 kHz": artefact(BANDWIDTH, corner_khz=1.0),
    "capacitance x 1.3": artefact(CHARGING, cell=toy.Cell(capacitance=1.3)),
}
SURROUNDINGS: dict[str, dict[str, Any]] = {"clean": {}, "rig": toy.RIG.to_dict()}
# What lies inside the reference cannot be named.
INSIDE = {("rig", "noise 0.5 mV")}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("--observations", type=int, default=100)
    arguments.add_argument("--references", type=int, nargs="+", default=[500, 2000])
    options = arguments.parse_args()
    report = sys.stdout.write
    report(f"{'reference':10}{'n':>5} {'space':8} {'artefact':26}{'of three':>9}{'first':>6}   named instead\n")
    rng = np.random.default_rng(1)
    cells = toy.simulate(toy.prior(max(options.references), rng), rng)
    for surrounding, rig in SURROUNDINGS.items():
        reference = check.Nuisances(**rig).applied_to(cells, dt_ms=toy.KEEP_MS, seed=1)
        for kind, put_in in ARTEFACTS.items():
            if (surrounding, kind) in INSIDE:
                continue
            observed = put_in.observed(options.observations, rng, rig)
            for n in options.references:
                for space, named in first_three(observed, reference[:n]).items():
                    report(f"{surrounding:10}{n:5} {space:8} {kind:26}{line(named, put_in.right)}\n")
                    sys.stdout.flush()


def line(named: list[list[str]], right: frozenset[str]) -> str:
    """Shares of observations, and what was named besides."""
    of_three = np.mean([bool(right & set(names)) for names in named])
    first = np.mean([names[0] in right for names in named])
    others = Counter(name for names in named for name in names if name not in right).most_common(3)
    return f"{of_three:9.2f}{first:6.2f}   " + ", ".join(f"{name} {count / len(named):.2f}" for name, count in others)


def first_three(observed: Array, reference: Array) -> dict[str, list[list[str]]]:
    """The names of the first three effects, by space and observation."""
    found: dict[str, list[list[str]]] = {"summary": [], "raw": []}
    simulated = features(reference)
    for cell in observed:
        measured = features(cell[None])
        results = {
            "summary": check.summary(**arguments(measured, simulated, len(toy.NAMES) + len(check.RIG_FEATURES))),
            "raw": check.raw(
                cell,
                reference,
                dt_ms=toy.KEEP_MS,
                step_ms=toy.STEP_MS,
                summary=arguments(measured, simulated, len(toy.NAMES)),
            ),
        }
        for space, result in results.items():
            found[space].append([effect.name for effect in result.effects[:3]])
    return found


def features(voltage_mv: Array) -> tuple[Array, NDArray[np.bool_]]:
    """The 21 statistics and the rig's five, ``[n, 26]``, and where they are defined."""
    values, defined = toy.features(voltage_mv)
    rig = check.rig_features(voltage_mv, dt_ms=toy.KEEP_MS, step_ms=toy.STEP_MS)
    return np.hstack([values, rig]), np.hstack([defined, np.ones(rig.shape, dtype=bool)])


def arguments(observed: tuple[Array, Any], simulated: tuple[Array, Any], kept: int) -> dict[str, Any]:
    """The first statistics, as :func:`neurofit.check.summary` wants them."""
    return {
        "observed": observed[0][:, :kept],
        "observed_defined": observed[1][:, :kept],
        "reference": simulated[0][:, :kept],
        "reference_defined": simulated[1][:, :kept],
        "names": [*toy.NAMES, *check.RIG_FEATURES][:kept],
        "units": [*toy.UNITS, *check.RIG_FEATURES.values()][:kept],
    }


if __name__ == "__main__":
    main()
