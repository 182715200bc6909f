"""The check in a network's own space: what it was trained to read from a voltage, or from anything else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neurofit.check import caveats, words
from neurofit.check.combine import combine
from neurofit.check.conformal import Rows, held_out
from neurofit.check.inputs import all_finite, array, number_of_references, settings, table
from neurofit.check.joint import Joint
from neurofit.check.marginal import effects
from neurofit.check.nearest import Nearest
from neurofit.check.ranking import Ranking, each, numbers
from neurofit.check.result import CheckResult
from neurofit.check.scores import QuantileScores
from neurofit.check.summaries import each_once
from neurofit.errors import CheckError

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
    (:class:`neurofit.check.nearest.Nearest`), each against a cross-conformal null, then one p-value by a calibrated
    Cauchy combination. A network is blind to what it was not trained to read: a pass here says less than one in
    :func:`neurofit.check.raw`.

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
    read, has_own = _reader(network)
    z, z_observed = _embedded(read, x, "reference"), _embedded(read, y, "observed")
    names = [f"component {j}" for j in range(z.shape[1])]
    both = table(z_observed, z, None, None, names, None, where=WHERE)
    both, copies = each_once(both, WHERE)
    n, observations = both.n, len(both.columns) - both.n

    def fit(training: Rows) -> Callable[[Rows], dict[str, Array]]:
        scores = QuantileScores(both.columns[training])
        z = scores(both.columns[training])
        tests: dict[str, Callable[[Array], Array]] = {"joint": Joint(z), "nearest": Nearest(z)}

        def score(rows: Rows) -> dict[str, Array]:
            of_rows = scores(both.columns[rows])
            return {"columns": of_rows, **{name: test(of_rows) for name, test in tests.items()}}

        return score

    held = held_out(fit, n, observations, seed)
    tests = {name: held[name] for name in ("joint", "nearest")}
    alike = caveats.resemblance(both.columns, n, seed)
    ranking = Ranking(n, observations, seed, alike <= caveats.TOO_ALIKE)
    contests = {name: ranking.test(scores) for name, scores in tests.items()}
    whole = combine(contests)
    p_value, p_each = float(whole.p_value), each(tests, observations)
    middle, last = np.quantile(held["nearest"].reference, [0.5, 0.99]).tolist()
    own = float(np.median(held["nearest"].observed))
    return CheckResult(
        space="embedding",
        reference=label,
        effects=effects(both, ranking.columns(held["columns"])),
        stretches=(),
        sentences=(
            words.verdict(p_value, level, n, observations, label, alike <= caveats.TOO_ALIKE),
            _distance(own, middle, last, observations),
            *words.individuals(p_each, level),
            words.advice(p_value, level),
        ),
        warnings=(
            *(() if has_own else ("the network has no embedding of its own: its inputs were compared as they are",)),
            *copies,
            *caveats.size(n, level, len(whole.null)),
            *caveats.dependence(alike, observations),
        ),
        n_reference=n,
        n_observations=observations,
        seed=int(seed),
        **numbers(contests, whole, p_each),
    )


def _distance(own: float, middle: float, last: float, observations: int) -> str:
    """``In the network's space its five nearest simulations are 3.1 times as far as a simulation's (99 %: ...).``"""
    whose = "its" if observations == 1 else "the observations'"
    outside = " No simulation is anywhere near, and what the network says of it is an extrapolation."
    return (
        f"In the network's space {whose} five nearest simulations are {own / middle:.3g} times as far away as those of "
        f"a simulation are (99 % of simulations: up to {last / middle:.3g} times)."
        f"{outside if own > FAR * last else ''}"
    )


def _embedded(read: Callable[[Array], ArrayLike], x: Array, name: str) -> Array:
    """What the network makes of ``[rows, ...]``: ``[rows, components]``."""
    axes = ("row", *(f"axis {axis}" for axis in range(1, x.ndim)))
    all_finite(x, name, WHERE, axes, "Leave out the simulations that failed; a NaN never passes.")
    found = [np.asarray(read(x[first : first + CHUNK]), dtype=np.float64) for first in range(0, len(x), CHUNK)]
    if any(part.ndim == 0 or len(part) != len(x[i * CHUNK : (i + 1) * CHUNK]) for i, part in enumerate(found)):
        raise CheckError(
            "the network does not give one row for each of its inputs",
            where=WHERE,
            expected=f"{len(x)} rows for {name}",
            found=f"shape {found[0].shape} for {len(x[:CHUNK])}",
        )
    z = np.concatenate(found).reshape(len(x), -1)
    all_finite(z, f"the network's output for {name}", WHERE, ("row", "component"), "Is the network trained?")
    return z


def _reader(network: Any) -> tuple[Callable[[Array], ArrayLike], bool]:
    """A function of ``[rows, ...]``, and whether it is a network of its own rather than its scaled input."""
    for name in ("posterior_estimator", "_neural_net"):
        network = getattr(network, name, None) or network
    module = getattr(network, "embedding_net", network)
    if not hasattr(module, "state_dict"):
        if callable(module) and not hasattr(network, "sample"):
            return module, True
        raise CheckError(
            "not a network that can be asked for an embedding",
            where=WHERE,
            expected="an sbi posterior, density estimator or trained inference object, a torch module, or a function",
            found=type(network).__name__,
            advice="A posterior of summaries reads them as they are: use check.summary.",
        )
    import torch

    weight = next((p for p in module.parameters() if p.is_floating_point()), torch.zeros(()))

    def read(x: Array) -> ArrayLike:
        training = module.training
        module.eval()
        try:
            with torch.no_grad():
                return module(torch.as_tensor(x, dtype=weight.dtype, device=weight.device)).cpu().numpy()
        finally:
            module.train(training)

    # sbi puts its standardising before the embedding network, and without one an identity in its place
    leaves = [part for part in module.modules() if not list(part.children())]
    plain = all(isinstance(part, torch.nn.Identity) or type(part).__name__ == "Standardize" for part in leaves)
    return read, not plain
