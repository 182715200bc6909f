"""Finds the reference draws again, in two ways each, and writes what was checked beside them.

PYTHONPATH=. python tests/references/make.py [problem ...] [--raw FOLDER]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import tomli_w
from numpy.typing import NDArray

from neurofit.threads import one_thread
from tests.references.comparing import compare
from tests.references.finding import brute_force, closed_form, importance, walkers
from tests.references.problems import FOLDER, NAMES, Problem, load

Array = NDArray[np.float64]
Way = Callable[[Problem, int, int], tuple[Array, dict[str, Any]]]
KEPT = {"hh_tutorial": 2048, "lif": 2000}

# The way whose draws are kept, and another that shares nothing with it but the likelihood.
FOUND: dict[str, tuple[tuple[str, Way], tuple[str, Way]]] = {
    "linear_4": (("closed form", closed_form), ("walkers", walkers)),
    "linear_12": (("closed form", closed_form), ("walkers", walkers)),
    "crescents": (("walkers", partial(walkers, steps=8_000)), ("brute force", brute_force)),
    "bent_12": (("walkers", partial(walkers, steps=10_000)), ("importance sampling", importance)),
    "hh_tutorial": (("brute force", brute_force), ("walkers", partial(walkers, steps=40))),
    "lif": (
        ("importance sampling", partial(importance, simulations=60_000, chains=600, steps=100)),
        # walkers alone come back from the tail of the adaptation too slowly to be a check
        ("importance sampling from other walkers", partial(importance, simulations=60_000, chains=1000, steps=150)),
    ),
}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("problems", nargs="*", default=NAMES)
    arguments.add_argument("--raw", type=Path, help="also keep the draws of both ways here")
    options = arguments.parse_args()
    for name in options.problems:
        with one_thread():
            make(name, options.raw)


def make(name: str, raw: Path | None) -> None:
    """Write ``draws.npy`` and ``reference.toml`` of one problem."""
    problem, results = load(name), []
    for seed, (words, way) in enumerate(FOUND[name], start=1):
        draws, facts = way(problem, KEPT.get(name, 3000), seed)
        results.append((draws, {"how": words, **_plain(facts)}))
        if raw is not None:
            np.save(raw / f"{name}-{seed}.npy", draws)
    (draws, found), (others, checked) = results
    between = compare(others, draws)
    np.save(FOLDER / name / "draws.npy", draws.astype(np.float32))
    agreement = {
        "c2st_network": between.network,
        "c2st_forest": between.forest,
        "sd_ratio_least": between.ratio.min(),
        "sd_ratio_largest": between.ratio.max(),
        "largest_shift_sd": np.abs(between.shift).max(),
    }
    with (FOLDER / name / "reference.toml").open("wb") as file:
        tomli_w.dump({"reference": found, "check": checked, "agreement": _plain(agreement)}, file)
    sys.stdout.write(f"{name}: {found} {checked} {agreement}\n")
    sys.stdout.flush()


def _plain(facts: dict[str, Any]) -> dict[str, Any]:
    """To four digits."""
    return {key: float(f"{value:.4g}") if isinstance(value, float) else value for key, value in facts.items()}


if __name__ == "__main__":
    main()
