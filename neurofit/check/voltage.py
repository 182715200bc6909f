"""The check of raw voltage."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neurofit.check import caveats, envelope, quantile_joint, summaries, traces, words
from neurofit.check.combine import combine
from neurofit.check.conformal import Fit, HeldOut, Rows, held_out
from neurofit.check.inputs import Label, Table, copies_warning, first_of_copies, settings, table
from neurofit.check.marginal import effects, largest
from neurofit.check.ranking import Ranking, each, numbers
from neurofit.check.result import CheckResult, Effect
from neurofit.check.traces import Traces
from neurofit.errors import CheckError
from neurofit.scores import QuantileScores

Array = NDArray[np.float64]

TABLE_ARGUMENTS = ("observed", "reference", "observed_defined", "reference_defined", "names", "units")


def raw(
    observed: ArrayLike,
    reference: ArrayLike,
    *,
    dt_ms: float,
    observed_dt_ms: float | None = None,
    current_pa: ArrayLike | None = None,
    observed_current_pa: ArrayLike | None = None,
    step_ms: tuple[float, float] | None = None,
    summary: Mapping[str, Any] | None = None,
    subtract_baseline: bool = False,
    label: str = "reference simulations",
    level: float = 0.05,
    seed: int = 0,
) -> CheckResult:
    """Is this voltage like that of the simulations, at every time and in what it does overall?

    Tests: ``envelope`` (:mod:`neurofit.check.envelope`), ``quantile_joint`` and, for several sweeps,
    ``across_sweeps`` (:mod:`neurofit.check.quantile_joint`), and ``summary_joint`` where ``summary`` is
    given; each against a cross-conformal null, then one p-value by a calibrated Cauchy combination.

    **One observation is one cell with all its sweeps.** The dimensions of ``reference`` say what a cell is:
    with ``[n, time]`` a cell has one sweep, and ``observed`` ``[cell, time]`` are different cells; with ``[n,
    sweep, time]``, each row one parameter draw simulated at every sweep's current, ``observed`` ``[sweep,
    time]`` is one cell and ``[cell, sweep, time]`` are several. Five sweeps of one cell compared as five
    cells would be rejected nearly always.

    Parameters
    ----------
    observed, reference
        Voltage in mV as above, sampled alike and measured alike: a rig's noise and offset can be put into the
        reference with :class:`neurofit.check.Nuisances`. At least 50 references, better 500.
    dt_ms
        Sampling interval of both.
    observed_dt_ms, current_pa, observed_current_pa
        To be sure that both were measured alike: the observation's own sampling interval, and the injected current of
        reference and observation in pA, ``[time]`` or ``[sweep, time]``. A difference is an error.
    step_ms
        ``(start, stop)`` of the current step from the first sample; without it the whole sweep counts as step
        and there is no baseline.
    summary
        Summary statistics of the same cells and simulations, row for row, as a mapping of the arguments of
        :func:`neurofit.check.summary` (``observed``, ``reference``, ``observed_defined``,
        ``reference_defined``, ``names``, ``units``). Their joint test enters the p-value, their effects stand
        in one ranking with the rig's features (:func:`neurofit.check.rig_features`), which do not.
    subtract_baseline
        For recordings with an unknown offset: the mean before the step is taken off every sweep, and the
        envelope smoothed over 0.5 ms. The offset is then reported among the effects and does not count, but in
        ``summary`` if that holds it.
    label, level, seed
        As in :func:`neurofit.check.summary`.

    Returns
    -------
    CheckResult
        With ``stretches``: where, in which sweep, the voltage leaves the reference.

    Raises
    ------
    CheckError
        If the arrays are not of one design, hold NaN, or the windows do not fit.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> simulated = rng.normal(-70.0, 1.0, (500, 1)) + 0.1 * rng.standard_normal((500, 400))
    >>> cell = simulated[0].copy()
    >>> cell[200:240] += 10.0
    >>> result = raw(cell, simulated[1:], dt_ms=0.1)
    >>> [(s.sweep, round(s.start_ms), round(s.stop_ms)) for s in result.stretches]
    [(0, 20, 24)]
    """
    where = "check.raw"
    settings(level, seed, where)
    cells, simulated = traces.as_design(observed, reference, where)
    traces.measured_alike((dt_ms, observed_dt_ms), (current_pa, observed_current_pa), simulated.shape[1:], where)
    statistics = None if summary is None else _statistics(summary, len(cells), len(simulated), where)
    kept = first_of_copies(simulated)
    copies = len(simulated) - len(kept)
    if copies:
        simulated = simulated[kept]
        statistics = statistics and summaries.rows_of(statistics, kept, where)
        traces.number_of_references(len(simulated), len(cells), where)
    reduced = traces.reduce(cells, simulated, dt_ms, step_ms, subtract_baseline, where)
    n, observations = reduced.n, reduced.observations

    held = held_out(fit(reduced, statistics), n, observations, seed)
    if statistics:
        aligned = summaries.align({"columns": held["columns"], "joint": held["summary_joint"]}, statistics)
        held |= {"columns": aligned["columns"], "summary_joint": aligned["joint"]}
    tests = {"envelope": held["envelope"].map(largest)}
    tests |= {name: held[name] for name in ("quantile_joint", "across_sweeps", "summary_joint") if name in held}
    alike = caveats.resemblance(reduced.quantiles.reshape(n + observations, -1), n, seed)
    dependent = alike <= caveats.TOO_ALIKE
    ranking = Ranking(n, observations, seed, dependent)
    contests = {name: ranking.test(scores) for name, scores in tests.items()}
    whole = combine(contests)
    p_value = float(whole.p_value)
    p_each = each(tests, observations)
    sweeps = [f"sweep {row}" for row in range(reduced.points.shape[1])]
    where_out = envelope.stretches(held["envelope"], reduced.points, reduced.edges, dt_ms, level)
    tables = {"artefacts": reduced.artefacts, "columns": statistics}
    what = _named([(table, held[name]) for name, table in tables.items() if table], ranking)
    return CheckResult(
        space="raw",
        reference=label,
        effects=what,
        stretches=where_out,
        sentences=(
            words.verdict(p_value, level, n, observations, label, dependent),
            *words.stretches(where_out, subtract_baseline, sweeps, observations),
            *words.effects(what, level, n, observations, subtract_baseline),
            *words.individuals(p_each, level),
            words.advice(p_value, level, {} if dependent else p_each),
        ),
        warnings=(
            *((copies_warning(copies, n + copies),) if copies else ()),
            *(statistics.warnings if statistics else ()),
            *caveats.size(n, level, len(whole.null)),
            *caveats.dispersion(contests["envelope"], "stretch of time", label),
            *caveats.dependence(alike, observations),
        ),
        n_reference=n,
        n_observations=observations,
        seed=int(seed),
        **numbers(contests, whole, p_each),
    )


def _named(found: Sequence[tuple[Table, HeldOut]], ranking: Ranking) -> tuple[Effect, ...]:
    """The statistics of several tables of the same rows in one ranking, the most telling first."""
    if not found:
        return ()
    tables, scores = zip(*found, strict=True)
    before = np.cumsum([0, *(len(table.names) for table in tables)])
    both = Table(
        np.concatenate([table.columns for table in tables], axis=1),
        tuple(
            Label(label.kind, tuple(first + f for f in label.features))
            for first, table in zip(before.tolist(), tables, strict=False)
            for label in table.labels
        ),
        tuple(name for table in tables for name in table.names),
        tuple(unit for table in tables for unit in table.units),
        tables[0].n,
        (),
    )
    held = HeldOut(
        np.concatenate([score.reference for score in scores], axis=-1),
        np.concatenate([score.observed for score in scores], axis=-1),
        scores[0].fold,
    )
    return effects(both, ranking.columns(held))


def fit(reduced: Traces, statistics: Table | None) -> Fit:
    """The raw tests as :func:`neurofit.check.conformal.held_out` wants them."""
    points = reduced.points.reshape(len(reduced.points), -1)

    def of(training: Rows) -> Callable[[Rows], dict[str, Array]]:
        at_points = QuantileScores(points[training])
        quantiles = quantile_joint.tests(reduced.quantiles[training])
        rig = QuantileScores(reduced.artefacts.columns[training]) if reduced.artefacts else None
        of_statistics = summaries.fit(statistics)(training) if statistics else None

        def score(rows: Rows) -> dict[str, Array]:
            found = quantiles(reduced.quantiles[rows])
            found["envelope"] = at_points(points[rows])
            if rig and reduced.artefacts:
                found["artefacts"] = rig(reduced.artefacts.columns[rows])
            if of_statistics:
                scores = of_statistics(rows)
                found |= {"columns": scores["columns"], "summary_joint": scores["joint"]}
            return found

        return score

    return of


def _statistics(summary: Mapping[str, Any], cells: int, n: int, where: str) -> Table:
    unknown = sorted(set(summary) - set(TABLE_ARGUMENTS))
    missing = sorted({"observed", "reference"} - set(summary))
    if unknown or missing:
        raise CheckError(
            "summary does not hold the statistics",
            where=where,
            expected=f"a mapping with observed and reference, and perhaps {', '.join(TABLE_ARGUMENTS[2:])}",
            found=f"unknown: {', '.join(unknown) or 'none'}; missing: {', '.join(missing) or 'none'}",
        )
    given: dict[str, Any] = {name: summary.get(name) for name in TABLE_ARGUMENTS}
    both = table(**given, where=where)
    if (both.n, len(both.columns) - both.n) != (n, cells):
        raise CheckError(
            "the summary statistics are not of the same rows as the voltage",
            where=where,
            expected=f"{cells} observed and {n} reference rows",
            found=f"{len(both.columns) - both.n} and {both.n}",
        )
    return both
