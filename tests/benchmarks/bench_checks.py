"""False positives, power and time of the checks on a toy cell, as a table, beside sbi's MMD.

    make bench-checks                                       (about a quarter of an hour)
    PYTHONPATH=. python tests/benchmarks/bench_checks.py [--quick] [--without-sbi] [--only SPACE]

Level .05, one observation at a time unless a row says otherwise; the two-conductance Hodgkin-Huxley cell of
``toy_cells.py`` under two priors, to (40, 5) and to (80, 15) mS/cm2. False positives: 500 well-specified observations a
prior and reference set. Power: the mean over 28 kinds of misspecification, 13 under each prior and two cells outside
the narrow one, 100 observations each.

``rig``: noise U(.1, .5) mV and offset N(0, 2) mV in recordings and reference. ``embedding``: sbi's NPE with its own
CNN, trained on 4,000 other simulations. ``five cells``: each draws its parameters. ``five sweeps``: one cell at five
currents, and mixed sweeps, three of one cell with two of another. ``repeats as cells``: five sweeps of one
well-specified cell at one current, handed over as if they were five cells.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurofit import check
from neurofit.check.mmd import sbi_mmd
from tests.benchmarks import toy_cells as toy

Array = NDArray[np.float64]
# (observed, reference, prior) -> {test: p of each observation, or of each group}
Check = Callable[[Array, Array, str], dict[str, list[float]]]

CURRENTS = (-1.0, 1.5, 2.5, 3.5, 5.0)
PRIORS = {"narrow": np.array([40.0, 5.0]), "wide": toy.PRIOR_HIGH}
OUTSIDE = ((70.0, 15.0), (78.0, 10.0))
WELL, BATCH, GROUP, REPEATED = 500, 100, 5, 200
TRAINED_ON = 4000
# sbi takes a second for every one: two observations a kind, one reference set of 500
MOST_MMD, SBI = 2, {500: 1}


@dataclass
class Cells:
    """Observations and references of one design, simulated when first asked for.

    Attributes
    ----------
    simulate
        ``(theta, rng, cell) -> [n, ..., time]``.
    most
        How many references each prior gets.
    """

    simulate: Callable[..., Array]
    most: int

    @cache  # noqa: B019 - one instance a row, for the length of the program
    def reference(self, prior: str) -> Array:
        return self._drawn(prior, self.most, 1)

    @cache  # noqa: B019
    def observed(self, prior: str) -> dict[str, Array]:
        found = {"well": self._drawn(prior, WELL, 2)}
        for number, (kind, cell) in enumerate(toy.KINDS.items()):
            found[kind] = self._drawn(prior, BATCH, 3 + number, cell)
        if prior == "narrow":
            for g_na, g_k in OUTSIDE:
                theta = np.tile([g_na, g_k], (BATCH, 1))
                found[f"g_Na {g_na:g}, g_K {g_k:g}"] = self.simulate(theta, np.random.default_rng(99), None)
        return found

    def _drawn(self, prior: str, n: int, stream: int, cell: toy.Cell | None = None) -> Array:
        rng = np.random.default_rng([list(PRIORS).index(prior), stream])
        return self.simulate(rng.uniform(toy.PRIOR_LOW, PRIORS[prior], (n, 2)), rng, cell)

    # dataclasses with a cache need a hash of their own
    __hash__ = object.__hash__


def single(theta: Array, rng: np.random.Generator, cell: toy.Cell | None) -> Array:
    return toy.simulate(theta, rng, cell)


def rigged(theta: Array, rng: np.random.Generator, cell: toy.Cell | None) -> Array:
    return toy.rig(toy.simulate(theta, rng, cell), rng)


def several(theta: Array, rng: np.random.Generator, cell: toy.Cell | None) -> Array:
    return toy.family(theta, rng, CURRENTS, cell)


def mixed(cells: Cells) -> None:
    """Adds a kind: sweeps of two well-specified cells as if they were of one."""
    for prior in PRIORS:
        well = cells.observed(prior)["well"]
        cells.observed(prior)["mixed sweeps"] = np.concatenate([well[:BATCH, :3], well[BATCH : 2 * BATCH, 3:]], axis=1)


_last: list[tuple[Array, tuple[Array, NDArray[np.bool_]]]] = []


def features(voltage: Array) -> tuple[Array, NDArray[np.bool_]]:
    """``toy.more_features``, a trace at a time in Python: the last reference's are remembered."""
    if len(voltage) <= BATCH:
        return toy.more_features(voltage)
    if not _last or _last[0][0] is not voltage:
        _last[:] = [(voltage, toy.more_features(voltage))]
    return _last[0][1]


def summary_of(statistics: Callable[[Array], tuple[Array, NDArray[np.bool_] | None]]) -> Check:
    def test(observed: Array, reference: Array, prior: str) -> dict[str, list[float]]:
        (y, y_defined), (x, x_defined) = statistics(reference), statistics(observed)
        return one_by_one(check.summary(x, y, observed_defined=x_defined, reference_defined=y_defined))

    return test


def raw(
    observed: Array, reference: Array, prior: str, *, statistics: bool = False, baseline: bool = False
) -> dict[str, list[float]]:
    given: dict[str, Any] | None = None
    if statistics:
        (y, y_defined), (x, x_defined) = features(reference), features(observed)
        given = {"observed": x, "reference": y, "observed_defined": x_defined, "reference_defined": y_defined}
    options: dict[str, Any] = {"dt_ms": toy.KEEP_MS, "step_ms": toy.STEP_MS, "subtract_baseline": baseline}
    return one_by_one(check.raw(observed, reference, summary=given, **options))


@cache
def network(prior: str) -> Any:
    """sbi's NPE on the voltage, with sbi's own convolutional embedding."""
    import torch
    from sbi.inference import NPE
    from sbi.neural_nets import posterior_nn
    from sbi.neural_nets.embedding_nets import CNNEmbedding

    torch.manual_seed(0)
    rng = np.random.default_rng(50)
    theta = rng.uniform(toy.PRIOR_LOW, PRIORS[prior], (TRAINED_ON, 2))
    voltage = toy.simulate(theta, rng)
    build = posterior_nn("maf", embedding_net=CNNEmbedding(input_shape=voltage.shape[1:]))
    inference = NPE(density_estimator=build, show_progress_bars=False)
    inference.append_simulations(torch.as_tensor(theta).float(), torch.as_tensor(voltage).float())
    inference.train(max_num_epochs=40)
    return inference


def embedding(observed: Array, reference: Array, prior: str) -> dict[str, list[float]]:
    return one_by_one(check.embedding(network(prior), observed, reference))


def mmd(read: Callable[[Array, str], Array]) -> Check:
    def test(observed: Array, reference: Array, prior: str) -> dict[str, list[float]]:
        y = read(reference, prior)
        return {"sbi MMD": [sbi_mmd(row, y, seed=i) for i, row in enumerate(read(observed[:MOST_MMD], prior))]}

    return test


def embedded(voltage: Array, prior: str) -> Array:
    import torch

    net = network(prior)._neural_net.embedding_net.eval()
    with torch.no_grad():
        return np.asarray(net(torch.as_tensor(voltage).float()))


def one_by_one(result: check.CheckResult) -> dict[str, list[float]]:
    return {which: list(p) for which, p in result.p_observations.items()}


def groups(test: Callable[[Array, Array], check.CheckResult]) -> Check:
    """Five cells at a time."""

    def of(observed: Array, reference: Array, prior: str) -> dict[str, list[float]]:
        parts = [observed[i : i + GROUP] for i in range(0, len(observed), GROUP)]
        return {"all, 5 cells": [test(part, reference).p_value for part in parts]}

    return of


def seven(observed: Array, reference: Array) -> check.CheckResult:
    return check.summary(toy.tutorial_statistics(observed), toy.tutorial_statistics(reference))


def twenty_eight(observed: Array, reference: Array) -> check.CheckResult:
    (y, y_defined), (x, x_defined) = features(reference), features(observed)
    return check.summary(x, y, observed_defined=x_defined, reference_defined=y_defined)


def measure(name: str, n: int, sets: int, cells: Cells, test: Check) -> Iterator[str]:
    """Lines of the table for one space and number of references."""
    rejected: dict[str, dict[tuple[str, str], list[float]]] = {}
    for prior in PRIORS:
        for number in range(sets):
            reference = cells.reference(prior)[number * n : (number + 1) * n]
            for kind, traces in cells.observed(prior).items():
                for first in range(0, len(traces), BATCH):
                    for which, p in test(traces[first : first + BATCH], reference, prior).items():
                        shares = rejected.setdefault(which, {}).setdefault((prior, kind), [])
                        shares.append(float(np.mean(np.array(p) <= 0.05)))
    for which, kinds in rejected.items():
        share = {kind: float(np.mean(found)) for kind, found in kinds.items()}
        false = [share.pop((prior, "well")) for prior in PRIORS]
        weak = ", ".join(f"{kind} ({prior[0]}) {power:.2f}" for (prior, kind), power in share.items() if power < 0.7)
        power = float(np.mean(list(share.values())))
        yield f"{name:22}{n:5}  {which:16}{false[0]:7.3f}{false[1]:7.3f}{power:7.2f}   {weak}\n"


def repeats_as_cells(n: int) -> Iterator[str]:
    """Five sweeps of one well-specified cell at one current, as five cells: false positives."""
    rng = np.random.default_rng(60)
    theta = toy.prior(REPEATED, rng)
    sweeps = np.stack([toy.simulate(theta, rng) for _ in range(GROUP)], axis=1)
    reference = toy.simulate(toy.prior(n, rng), rng)
    for name, test in (("seven statistics", seven), ("28 statistics", twenty_eight)):
        p = np.array([test(cell, reference).p_value for cell in sweeps])
        yield f"{name:22}{n:5}  {'repeats as cells':16}{np.mean(p <= 0.05):7.3f}\n"


def times(one: Cells, family: Cells, sizes: dict[int, int]) -> Iterator[str]:
    for n in sizes:
        reference, observed = one.reference("wide")[:n], one.observed("wide")["well"][0]
        rng = np.random.default_rng(0)
        mixing = rng.standard_normal((5, 30))
        x = rng.standard_normal((n + 1, 5)) @ mixing + 0.3 * rng.standard_normal((n + 1, 30))
        sweeps, cell = family.reference("wide")[:n], family.observed("wide")["well"][0]
        options: dict[str, Any] = {"dt_ms": toy.KEEP_MS, "step_ms": toy.STEP_MS}
        calls: dict[str, Callable[[], object]] = {
            "summary, 30 features": partial(check.summary, x[0], x[1:]),
            "embedding, 30 parts": partial(check.embedding, np.asarray, x[0], x[1:]),
            "raw, 1200 samples": partial(check.raw, observed, reference, **options),
            "raw, 5 sweeps": partial(check.raw, cell, sweeps, **options),
            "detectable_shifts, 30": partial(check.detectable_shifts, x[1:]),
        }
        for name, call in calls.items():
            call()
            start = time.process_time()
            call()
            yield f"{name:24}{n:5}{time.process_time() - start:8.2f}\n"


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("--quick", action="store_true", help="one reference set of 500 only")
    arguments.add_argument("--without-sbi", action="store_true", help="leave out sbi's MMD, which takes longest")
    arguments.add_argument("--only", default="", help="the rows whose name has this in it")
    options = arguments.parse_args()
    sizes = {500: 1} if options.quick else {500: 3, 2000: 2}
    most = max(n * sets for n, sets in sizes.items())
    one, with_rig, family = (Cells(simulate, most) for simulate in (single, rigged, several))
    mixed(family)

    def tutorial(v: Array) -> tuple[Array, None]:
        return toy.tutorial_statistics(v), None

    rows: list[tuple[str, Cells, Check, dict[int, int]]] = [
        ("seven statistics", one, summary_of(tutorial), sizes),
        ("seven statistics", one, mmd(lambda v, _: toy.tutorial_statistics(v)), SBI),
        ("28 statistics", one, summary_of(features), sizes),
        ("raw", one, raw, sizes),
        ("raw", one, mmd(lambda v, _: v), SBI),
        ("raw, 28 statistics", one, partial(raw, statistics=True), sizes),
        ("embedding", one, embedding, sizes),
        ("embedding", one, mmd(embedded), SBI),
        ("rig: seven statistics", with_rig, summary_of(tutorial), sizes),
        ("rig: raw, 28 stat.", with_rig, partial(raw, statistics=True), sizes),
        ("rig: the same, no base", with_rig, partial(raw, statistics=True, baseline=True), sizes),
        ("five cells: seven", one, groups(seven), sizes),
        ("five cells: 28", one, groups(twenty_eight), sizes),
        ("five sweeps: raw", family, raw, sizes),
    ]
    report = sys.stdout.write
    report(f"{'space':22}{'n':>5}  {'test':16}{'false + (n, w)':>14}{'power':>7}   kinds below .7\n")
    for name, cells, test, of_row in rows:
        for n, sets in of_row.items():
            if options.only in name and not (options.without_sbi and of_row is SBI):
                for line in measure(name, n, sets, cells, test):
                    report(line)
                    sys.stdout.flush()
    if not options.only:
        for line in repeats_as_cells(500):
            report(line)
        report("\nProcessor seconds for one observation\n")
        for line in times(one, family, sizes):
            report(line)


if __name__ == "__main__":
    main()
