"""False positives, power and time of the checks on a toy cell, as a table.

    PYTHONPATH=. python tests/benchmarks/bench_checks.py [--quick] [--sbi]

Level .05. False positives over 400 well-specified observations per reference set and two priors; power is
the mean over 15 kinds of misspecification, one observation at a time, 100 each. ``rig``: white noise and an
offset on every recording and simulation, the baseline subtracted. ``five sweeps``: one cell at five
currents. ``mixed sweeps``: three sweeps of one well-specified cell with two of another. ``--sbi`` adds sbi's
MMD on the tutorial's seven statistics.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurofit import check
from neurofit.check.mmd import sbi_mmd
from tests.benchmarks import toy_cells as toy

Array = NDArray[np.float64]
Check = Callable[[Array, Array], dict[str, list[float]]]

CURRENTS = (-1.0, 1.5, 2.5, 3.5, 5.0)
NARROW = np.array([40.0, 5.0])
STEP_MS = toy.STEP_MS
WELL, BATCH = 400, 100


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("--quick", action="store_true", help="one reference set of 500 only")
    arguments.add_argument("--sbi", action="store_true", help="also sbi's MMD, as the baseline")
    options = arguments.parse_args()
    sizes = {500: 1} if options.quick else {500: 3, 2000: 2}
    report = sys.stdout.write
    report(f"{'space':22}{'n':>5}  {'test':16}{'false +':>8}{'power':>7}   kinds below .9\n")
    one = Cells(lambda theta, rng, cell: toy.simulate(theta, rng, cell), sizes)
    rigged = Cells(lambda theta, rng, cell: toy.rig(toy.simulate(theta, rng, cell), rng), sizes)
    several = Cells(lambda theta, rng, cell: toy.family(theta, rng, CURRENTS, cell), sizes)
    table: list[tuple[str, Cells, Check]] = [
        ("seven statistics", one, summary_of(lambda v: (toy.tutorial_statistics(v), None))),
        ("21 statistics", one, summary_of(toy.features)),
        ("raw", one, partial(raw, statistics=False, rig=False)),
        ("raw and 21 statistics", one, partial(raw, statistics=True, rig=False)),
        ("rig: 21 statistics", rigged, summary_of(toy.features)),
        ("rig: raw, 21 stat.", rigged, partial(raw, statistics=True, rig=True)),
        ("five sweeps: raw", several, partial(raw, statistics=False, rig=False)),
    ]
    if options.sbi:
        table.insert(1, ("seven statistics: sbi", one, sbi))
    for name, cells, test in table:
        for n in sizes:
            for line in measure(name, n, cells, test):
                report(line)
                sys.stdout.flush()
    report("\nSeconds for one observation\n")
    for line in times(one, several):
        report(line)


class Cells:
    """References and observations under two priors: a wide one, a narrow one for two cells outside it."""

    def __init__(self, simulate: Callable[..., Array], sizes: dict[int, int]) -> None:
        rng = np.random.default_rng(1)
        most = max(n * sets for n, sets in sizes.items())
        self.sets = sizes
        narrow = toy.PRIOR_LOW, NARROW
        draw = {"wide": partial(toy.prior, rng=rng), "narrow": lambda n: rng.uniform(*narrow, (n, 2))}
        self.reference = {prior: simulate(theta(most), rng, None) for prior, theta in draw.items()}
        self.observed: dict[str, dict[str, Array]] = {
            prior: {"well": simulate(theta(WELL), rng, None)} for prior, theta in draw.items()
        }
        for kind, cell in toy.KINDS.items():
            self.observed["wide"][kind] = simulate(toy.prior(BATCH, rng), rng, cell)
        for g_na, g_k in ((70.0, 15.0), (78.0, 10.0)):
            cell_theta = np.tile([g_na, g_k], (BATCH, 1))
            self.observed["narrow"][f"g_Na {g_na:g}, g_K {g_k:g}"] = simulate(cell_theta, rng, None)
        if self.reference["wide"].ndim == 3:
            well = self.observed["wide"]["well"]
            self.observed["wide"]["mixed sweeps"] = np.concatenate([well[:BATCH, :3], well[BATCH : 2 * BATCH, 3:]], 1)


def measure(name: str, n: int, cells: Cells, test: Check) -> Iterator[str]:
    """Lines of the table for one space and number of references."""
    rejected: dict[str, dict[str, list[float]]] = {}
    for number in range(cells.sets[n]):
        for prior, observed in cells.observed.items():
            reference = cells.reference[prior][number * n : (number + 1) * n]
            for kind, traces in observed.items():
                for first in range(0, len(traces), BATCH):
                    for which, p in test(traces[first : first + BATCH], reference).items():
                        rejected.setdefault(which, {}).setdefault(kind, []).append(np.mean(np.array(p) <= 0.05))
    for which, kinds in rejected.items():
        share = {kind: float(np.mean(found)) for kind, found in kinds.items()}
        false_positives = share.pop("well")
        weak = ", ".join(f"{kind} {power:.2f}" for kind, power in share.items() if power < 0.9)
        power = np.mean(list(share.values()))
        yield f"{name:22}{n:5}  {which:16}{false_positives:8.3f}{power:7.2f}   {weak}\n"


def summary_of(statistics: Callable[[Array], tuple[Array, NDArray[np.bool_] | None]]) -> Check:
    def test(observed: Array, reference: Array) -> dict[str, list[float]]:
        (x, x_defined), (y, y_defined) = statistics(observed), statistics(reference)
        result = check.summary(x, y, observed_defined=x_defined, reference_defined=y_defined)
        return {which: list(p) for which, p in result.p_observations.items()}

    return test


def raw(observed: Array, reference: Array, *, statistics: bool, rig: bool) -> dict[str, list[float]]:
    given: dict[str, Any] | None = None
    if statistics:
        (x, x_defined), (y, y_defined) = toy.features(observed), toy.features(reference)
        given = {"observed": x, "reference": y, "observed_defined": x_defined, "reference_defined": y_defined}
    result = check.raw(observed, reference, dt_ms=toy.KEEP_MS, step_ms=STEP_MS, summary=given, subtract_baseline=rig)
    return {which: list(p) for which, p in result.p_observations.items()}


def sbi(observed: Array, reference: Array) -> dict[str, list[float]]:
    x, y = toy.tutorial_statistics(observed), toy.tutorial_statistics(reference)
    return {"sbi MMD": [sbi_mmd(row, y, seed=i) for i, row in enumerate(x[:2])]}  # seconds each


def times(one: Cells, several: Cells) -> Iterator[str]:
    for n in one.sets:
        reference, observed = one.reference["wide"][:n], one.observed["wide"]["well"][0]
        rng = np.random.default_rng(0)
        mixing = rng.standard_normal((5, 30))
        x = rng.standard_normal((n + 1, 5)) @ mixing + 0.3 * rng.standard_normal((n + 1, 30))
        sweeps, cell = several.reference["wide"][:n], several.observed["wide"]["well"][0]
        calls: dict[str, Callable[[], object]] = {
            "summary, 30 features": lambda x=x: check.summary(x[0], x[1:]),
            "raw, 1200 samples": lambda o=observed, r=reference: check.raw(o, r, dt_ms=0.1, step_ms=STEP_MS),
            "raw, 5 sweeps": lambda o=cell, r=sweeps: check.raw(o, r, dt_ms=0.1, step_ms=STEP_MS),
            "detectable_shifts, 30": lambda x=x: check.detectable_shifts(x[1:]),
        }
        for name, call in calls.items():
            call()
            start = time.perf_counter()
            call()
            yield f"{name:24}{n:5}{time.perf_counter() - start:8.2f}\n"


if __name__ == "__main__":
    main()
