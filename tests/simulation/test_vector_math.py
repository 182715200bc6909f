"""Our own exp, log and cosine against NumPy's, compiled with the flags of a simulation program."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy.special import exprel

from neurofit.simulation.compiler import compiler, compiler_flags

HEADER = Path(__file__).parents[2] / "neurofit" / "simulation" / "vector_math.h"
PROGRAM = """
#include "{header}"
#include <cstdio>
#include <vector>
int main() {{
    std::vector<double> x({n}), y({n});
    if (std::fread(x.data(), 8, {n}, stdin) != {n}) return 1;
    for (int i = 0; i < {n}; i++) y[i] = {call};
    std::fwrite(y.data(), 8, {n}, stdout);
}}
"""
Array = np.ndarray


Computed = Callable[[str, Array], Array]


@pytest.fixture
def computed(tmp_path: Path) -> Computed:
    """``(C++ expression of x[i], x) -> its values``."""

    def values(call: str, x: Array) -> Array:
        source, binary = tmp_path / "main.cpp", tmp_path / "main"
        source.write_text(PROGRAM.format(header=HEADER, n=len(x), call=call))
        subprocess.run([*compiler(), *compiler_flags(), str(source), "-o", str(binary)], check=True)
        return np.frombuffer(subprocess.run([binary], input=x.tobytes(), capture_output=True, check=True).stdout)

    return values


def test_exp(computed: Computed) -> None:
    x = np.concatenate([np.linspace(-700, 700, 100_001), np.linspace(-1e-3, 1e-3, 10_001)])
    assert (np.abs(computed("vector_exp(x[i])", x) / np.exp(x) - 1) < (10 + np.abs(x)) * 1e-16).all()
    far = computed("vector_exp(x[i])", np.array([-1e6, -800.0, 0.0, 800.0, 1e6]))
    assert far == pytest.approx([np.exp(-708), np.exp(-708), 1.0, np.exp(708), np.exp(708)], rel=1e-12)


def test_exprel(computed: Computed) -> None:
    x = np.concatenate([np.linspace(-600, 600, 100_001), np.linspace(-1e-4, 1e-4, 10_001), [0.0]])
    assert np.abs(computed("vector_exprel(x[i])", x) / exprel(x) - 1).max() < 1e-10
    # the one quotient of k/exprel(x) must not lose what the two of it kept
    assert np.abs(computed("0.5/vector_exprel(x[i])", x) * exprel(x) / 0.5 - 1).max() < 1e-10


def test_log(computed: Computed) -> None:
    u = np.concatenate([(np.arange(100_000) + 0.5) / 100_000, 2.0 ** -np.arange(0, 40), 1 - 2.0 ** -np.arange(2, 40)])
    found, expected = computed("vector_log(x[i])", u), np.log(u)
    assert np.abs(found - expected).max() < 1e-10
    below = u < 1
    assert np.abs(found[below] / expected[below] - 1).max() < 1e-9


def test_cosine(computed: Computed) -> None:
    f = np.linspace(-0.5, 0.5, 100_001)
    assert np.abs(computed("vector_cos_turns(x[i])", f) - np.cos(2 * np.pi * f)).max() < 1e-9
