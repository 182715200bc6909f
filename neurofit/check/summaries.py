"""The check of summary statistics."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neurofit.check import caveats, words
from neurofit.check.combine import WEIGHTS, combine
from neurofit.check.conformal import Fit, HeldOut, Rows, held_out
from neurofit.check.definedness import Patterns
from neurofit.check.inputs import (
    Table,
    array,
    copies_warning,
    first_of_copies,
    number_of_references,
    settings,
    table,
)
from neurofit.check.joint import Joint
from neurofit.check.marginal import effects, largest, strangest_column
from neurofit.check.ranking import Ranking, each, numbers
from neurofit.check.result import CheckResult
from neurofit.errors import CheckError
from neurofit.scores import QuantileScores

Array = NDArray[np.float64]


def summary(
    observed: ArrayLike,
    reference: ArrayLike,
    *,
    observed_defined: ArrayLike | None = None,
    reference_defined: ArrayLike | None = None,
    names: Sequence[str] | None = None,
    units: Sequence[str] | None = None,
    tolerances: ArrayLike | None = None,
    label: str = "reference simulations",
    level: float = 0.05,
    seed: int = 0,
) -> CheckResult:
    """Are these summary statistics like those of the simulations, one by one and together?

    **One observation is one cell with all its sweeps**, and the dimensions of ``reference`` say what a cell is: with
    ``[n, features]``, observed ``[cells, features]`` are different cells, each an independent draw; with ``[n, sweeps,
    features]``, each row one parameter draw in every sweep, ``[sweeps, features]`` is one cell and ``[cells, sweeps,
    features]`` are several. Observations that are more alike than independent simulations, as sweeps of one cell in
    the place of cells are, are noticed, said, and ranked as one.

    Two tests, ``joint`` (local Mahalanobis distance of quantile scores, :class:`neurofit.check.joint.Joint`)
    and ``marginal`` (largest absolute quantile score), each against a cross-conformal null
    (:mod:`neurofit.check.conformal`), then one p-value by a calibrated Cauchy combination.

    **Undefined statistics** are data. A statistic whose definedness varies, or differs between observation
    and simulations, adds a column 0 or 1, "is it defined?"; statistics that are always defined together share
    it. In the column of its value an undefined row takes the score 0, that of the median of the defined: it
    is then neither strange nor usual for that value, and the flag keeps it among rows that lack it too.
    Rows that define the same statistics are put on one scale (:mod:`neurofit.check.definedness`), so that
    the level holds for silent cells and for firing ones, not only for all together.

    Parameters
    ----------
    observed, reference
        As above; at least 50 references, better 500.
    observed_defined, reference_defined
        Masks like ``observed`` and ``reference``; without one, everything is defined. What stands under False
        is not looked at.
    names, units
        Of the features, for the words; of a :class:`neurofit.FeatureTable` they are ``labels`` and ``units``, and
        ``observed.against(simulated)`` holds all of these arguments.
    tolerances
        ``[features]``, what counts as a difference in each, in its unit: if the simulations span a hundred
        times as much in most, a warning says that they would hardly reject anything.
    label
        What the reference is: ``"prior predictive"`` answers "can this model and prior make this cell?",
        ``"last round's simulations"`` "does the fit?".
    level
        At which level the words call something strange.
    seed
        Of the folds. The same seed gives the same result, bit by bit.

    Returns
    -------
    CheckResult
        A failed check is a value.

    Raises
    ------
    CheckError
        If the arrays cannot be compared: shapes, NaN or infinity where defined, too few references.

    Notes
    -----
    p is at least 1 / (n + 1). For several observations each test takes their mean ``Phi^-1(1 - p)``
    (``marginal``: the largest mean score) and ranks it among groups of references of the same size.

    Examples
    --------
    >>> import numpy as np
    >>> simulated = np.random.default_rng(0).normal([-70.0, 5.0], [0.2, 1.0], (1000, 2))
    >>> result = summary([-67.1, 5.2], simulated, names=["resting potential", "rate"], units=["mV", "Hz"])
    >>> print(result.sentences[1])
    Resting potential -67.1 mV lies above >99.9 % of simulations (99 % range -70.6 to -69.5).
    """
    where = "check.summary"
    settings(level, seed, where)
    both = table(observed, reference, observed_defined, reference_defined, names, units, where=where)
    tolerance = _tolerances(tolerances, both, where)
    given = both.n
    both, _ = each_once(both, where)
    n, observations = both.n, len(both.columns) - both.n

    held = align(held_out(fit(both), n, observations, seed), both)
    one_by_one = {"joint": held["joint"], "marginal": held["columns"].map(largest)}
    alike = caveats.resemblance(both.columns, n, seed)
    dependent = alike <= caveats.TOO_ALIKE
    ranking = Ranking(n, observations, seed, dependent)
    columns = ranking.columns(held["columns"])
    contests = {"joint": ranking.test(held["joint"]), "marginal": strangest_column(columns)}
    # of several observations the marginal test alone sees that they agree
    whole = combine(contests, WEIGHTS if observations == 1 else None)
    p_value = float(whole.p_value)
    p_each = each(one_by_one, observations)
    what = effects(both, columns)
    return CheckResult(
        space="summary",
        reference=label,
        effects=what,
        stretches=(),
        sentences=(
            words.verdict(p_value, level, n, observations, label, dependent),
            *words.effects(what, level, n, observations),
            *words.together(both, what, p_value, level),
            *words.individuals(p_each, level),
            words.advice(p_value, level, {} if dependent else p_each),
        ),
        warnings=(
            *((copies_warning(given - n, given),) if n < given else ()),
            *both.warnings,
            *caveats.size(n, level, len(whole.null)),
            *caveats.dispersion(ranking.test(one_by_one["marginal"]), "statistic", label),
            *caveats.width(what, tolerance),
            *caveats.dependence(alike, observations),
        ),
        n_reference=n,
        n_observations=observations,
        seed=int(seed),
        **numbers(contests, whole, p_each),
    )


def tests(training: Array) -> Callable[[Array], dict[str, Array]]:
    """Both tests, fitted to columns ``[n, columns]``: a function of ``[rows, columns]``.

    Scores by name: ``"columns"`` (signed, ``[rows, columns]``) and ``"joint"`` (``[rows]``).
    """
    scores = QuantileScores(training)
    joint = Joint(scores(training))

    def score(columns: Array) -> dict[str, Array]:
        z = scores(columns)
        return {"columns": z, "joint": joint(z)}

    return score


def fit(both: Table) -> Fit:
    """The tests of a table by row numbers, as :func:`neurofit.check.conformal.held_out` wants them."""

    def of(training: Rows) -> Callable[[Rows], dict[str, Array]]:
        score = tests(both.columns[training])
        return lambda rows: score(both.columns[rows])

    return of


def align(held: dict[str, HeldOut], both: Table) -> dict[str, HeldOut]:
    """The scores of both tests with every pattern of definedness on one scale."""
    patterns = Patterns.of(both)
    return {
        "columns": patterns.align_columns(held["columns"]),
        "joint": patterns.align_distances(held["joint"]),
    }


def each_once(both: Table, where: str) -> tuple[Table, Rows]:
    """The table without exact copies of references, and the numbers of those that are left.

    A held-out row whose copy was fitted looks too usual, and a well-specified observation beside it too
    strange.
    """
    reference = both.columns[: both.n]
    if not any(len(np.unique(column)) > both.n / 4 for column in reference.T):
        return both, np.arange(both.n)  # rows of nothing but counts coincide by nature
    kept = first_of_copies(reference)
    return (both if len(kept) == both.n else rows_of(both, kept, where)), kept


def rows_of(both: Table, kept: Rows, where: str) -> Table:
    """The table with some of its references."""
    number_of_references(len(kept), len(both.columns) - both.n, where)
    columns = np.concatenate([both.columns[kept], both.columns[both.n :]])
    return replace(both, columns=columns, n=len(kept))


def _tolerances(given: ArrayLike | None, both: Table, where: str) -> dict[str, float]:
    if given is None:
        return {}
    values = array(given, "tolerances", where)
    if values.ndim == 1 and len(values) and len(both.names) % len(values) == 0:
        values = np.tile(values, len(both.names) // len(values))  # the same in every sweep
    if values.shape != (len(both.names),) or not (values > 0).all():
        raise CheckError(
            "tolerances do not suit the features",
            where=where,
            expected=f"{len(both.names)} positive numbers, in the features' units",
            found=f"shape {values.shape}",
        )
    return dict(zip(both.names, map(float, values), strict=True))
