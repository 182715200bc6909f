"""The check in a network's own space: what it was trained to read from a voltage, or from anything else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neurofit.check import caveats, words
from neurofit.check.combine import WEIGHTS, combine
from neurofit.check.conformal import Rows, held_out
from neurofit.check.inputs import all_finite, array, copies_warning, number_of_references, settings, table
from neurofit.check.joint import Joint
from neurofit.check.marginal import effects
from neurofit.check.nearest import Nearest
from neurofit.check.quantile_joint import PrincipalJoint
from neurofit.check.ranking import Ranking, each, numbers
from neurofit.check.reader import Reader
from neurofit.check.result import CheckResult
from neurofit.check.summaries import each_once
from neurofit.errors import CheckError
from neurofit.scores import QuantileScores

Array = NDArray[np.float64]

CHUNK = 1000
# Further than twice the distance of the last in a hundred: no simulation is anywhere near.
FAR = 2.0
WHERE = "check.embedding"


def embedding(
    network: Any,
    observed: ArrayLike,
    reference: ArrayLike,
    *,
    label: str = "reference simulations",
    level: float = 0.05,
    seed: int = 0,
) -> CheckResult:
    """Is what a network reads from this observation like what it reads from the simulations?

    Two tests on the network's output, ``joint`` (:class:`neurofit.check.joint.Joint`) and ``nearest``
    (:class:`neurofit.check.nearest.Nearest`), and for a torch network one on its hidden layers (``layers``:
    :class:`neurofit.check.quantile_joint.PrincipalJoint` of all units), each against a cross-conformal null, then one
    p-value by a calibrated Cauchy combination. The output is trained to keep what tells parameters and to lose the
    rest; hidden layers still have some of it (Lee et al. 2018, arXiv 1807.03888). A network is blind to what it was
    not trained to read all the same: a pass here says less than one in :func:`neurofit.check.raw`.

    **The reference must be simulations that the network was not trained on.** Those it has seen lie closer together
    in its space than any it has not, and observations that the model made would be rejected too often.

    Parameters
    ----------
    network
        A posterior or density estimator of sbi with an embedding network, a trained sbi inference object, a torch
        module, or a function from ``[rows, ...]`` to ``[rows, components]``.
    observed
        ``[...]`` as the network takes one input, or ``[observations, ...]``, each an independent cell.
    reference
        ``[n, ...]``; at least 50, better 500.
    label, level, seed
        As in :func:`neurofit.check.summary`.

    Returns
    -------
    CheckResult
        ``effects`` are of the network's components, which have no unit and no meaning of their own.

    Raises
    ------
    CheckError
        For NaN or infinity in the inputs or in what the network makes of them, shapes that do not match, or a network
        that is none of these.
    """
    settings(level, seed, WHERE)
    x, y = array(reference, "reference", WHERE), array(observed, "observed", WHERE)
    if x.ndim < 2 or y.ndim not in (x.ndim - 1, x.ndim) or y.shape[-(x.ndim - 1) :] != x.shape[1:]:
        raise CheckError(
            "observed and reference are not inputs of one network",
            where=WHERE,
            expected="reference [n, ...] and observed [...] or [observations, ...]",
            found=f"observed {y.shape}, reference {x.shape}",
        )
    y = y.reshape(-1, *x.shape[1:])
    number_of_references(len(x), len(y), WHERE)
    reader = Reader.of(network, WHERE)
    (z, hidden), (z_observed, hidden_observed) = _read(reader, x, "reference"), _read(reader, y, "observed")
    names = [f"component {j}" for j in range(z.shape[1])]
    both = table(z_observed, z, None, None, names, None, where=WHERE)
    both, kept = each_once(both, WHERE)
    n, observations = both.n, len(both.columns) - both.n
    layers = _standardised(np.concatenate([hidden[kept], hidden_observed]), n)

    def fit(training: Rows) -> Callable[[Rows], dict[str, Array]]:
        scores = QuantileScores(both.columns[training])
        z = scores(both.columns[training])
        joint, nearest = Joint(z), Nearest(z)
        inside = PrincipalJoint(layers[training]) if layers.size else None

        def score(rows: Rows) -> dict[str, Array]:
            of_rows = scores(both.columns[rows])
            found = {"columns": of_rows, "joint": joint(of_rows), "nearest": nearest(of_rows)}
            return found | ({"layers": inside(layers[rows])} if inside else {})

        return score

    held = held_out(fit, n, observations, seed)
    tests = {name: scores for name, scores in held.items() if name != "columns"}
    alike = caveats.resemblance(both.columns, n, seed)
    dependent = alike <= caveats.TOO_ALIKE
    ranking = Ranking(n, observations, seed, dependent)
    contests = {name: ranking.test(scores) for name, scores in tests.items()}
    whole = combine(contests, WEIGHTS)
    p_value, p_each = float(whole.p_value), each(tests, observations)
    middle, last = np.quantile(held["nearest"].reference, [0.5, 0.99]).tolist()
    own = float(np.median(held["nearest"].observed))
    return CheckResult(
        space="embedding",
        reference=label,
        effects=effects(both, ranking.columns(held["columns"])),
        stretches=(),
        sentences=(
            words.verdict(p_value, level, n, observations, label, dependent),
            _distance(own, middle, last, observations),
            *words.individuals(p_each, level),
            words.advice(p_value, level, {} if dependent else p_each),
        ),
        warnings=(
            *(
                ()
                if reader.has_own
                else ("the network has no embedding of its own: its inputs were compared as they are",)
            ),
            *((copies_warning(len(x) - n, len(x)),) if n < len(x) else ()),
            *caveats.size(n, level, len(whole.null)),
            *caveats.dependence(alike, observations),
        ),
        n_reference=n,
        n_observations=observations,
        seed=int(seed),
        **numbers(contests, whole, p_each),
    )


def _standardised(columns: Array, n: int) -> Array:
    """Units of one scale, without those that the reference never moves."""
    sd = columns[:n].std(0)
    moves = sd > 1e-9 * (1e-300 + np.abs(columns[:n]).max(0, initial=0.0))
    return columns[:, moves] / sd[moves]


def _distance(own: float, middle: float, last: float, observations: int) -> str:
    """``In the network's space its five nearest simulations are 3.1 times as far as a simulation's (99 %: ...).``"""
    whose = "its" if observations == 1 else "the observations'"
    outside = " No simulation is anywhere near, and what the network says of it is an extrapolation."
    return (
        f"In the network's space {whose} five nearest simulations are {own / middle:.3g} times as far away as those of "
        f"a simulation are (99 % of simulations: up to {last / middle:.3g} times)."
        f"{outside if own > FAR * last else ''}"
    )


def _read(reader: Reader, x: Array, name: str) -> tuple[Array, Array]:
    """Output and hidden layers of ``[rows, ...]``, each ``[rows, columns]``."""
    axes = ("row", *(f"axis {axis}" for axis in range(1, x.ndim)))
    all_finite(x, name, WHERE, axes, "Leave out the simulations that failed; a NaN never passes.")
    parts = [reader(x[first : first + CHUNK]) for first in range(0, len(x), CHUNK)]
    for i, (output, _) in enumerate(parts):
        rows = len(x[i * CHUNK : (i + 1) * CHUNK])
        if output.ndim == 0 or len(output) != rows:
            raise CheckError(
                "the network does not give one row for each of its inputs",
                where=WHERE,
                expected=f"{rows} rows",
                found=f"shape {output.shape}",
            )
    output, hidden = (np.concatenate(side).reshape(len(x), -1) for side in zip(*parts, strict=True))
    for values in (output, hidden):
        all_finite(values, f"the network's output for {name}", WHERE, ("row", "component"), "Is the network trained?")
    return output, hidden
