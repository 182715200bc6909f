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
    assert np.abs(computed("vector_exprel(x[i])", x) / exprel(x) - 1).max() < 1e-13
    # the one quotient of k/exprel(x) must not lose what the two of it kept
    assert np.abs(computed("0.5/vector_exprel(x[i])", x) * exprel(x) / 0.5 - 1).max() < 1e-13


def test_exp_of_a_small_number_less_one(computed: Computed) -> None:
    x = np.concatenate([np.logspace(-300, 2, 5001), -np.logspace(-300, 2, 5001), [0.0]])
    found, expected = computed("vector_expm1(x[i])", x), np.expm1(x)
    assert (np.abs(found - expected) <= np.abs(expected) * 3e-14).all()


def test_log(computed: Computed) -> None:
    u = np.concatenate([(np.arange(100_000) + 0.5) / 100_000, 2.0 ** -np.arange(0, 40), 1 - 2.0 ** -np.arange(2, 40)])
    found, expected = computed("vector_log(x[i])", u), np.log(u)
    assert np.abs(found - expected).max() < 1e-9
    below = u < 1
    assert np.abs(found[below] / expected[below] - 1).max() < 1e-9


def test_square_root(computed: Computed) -> None:
    y = np.logspace(-12, 3, 100_001)
    assert np.allclose(computed("vector_sqrt(x[i])", y), np.sqrt(y), rtol=1e-10, atol=0)


def test_cosine(computed: Computed) -> None:
    f = np.linspace(-0.5, 0.5, 100_001)
    assert np.abs(computed("vector_cos_turns(x[i])", f) - np.cos(2 * np.pi * f)).max() < 1e-9


def test_in_single_precision(computed: Computed) -> None:
    x = np.linspace(-80, 80, 50_001).astype(np.float32).astype(np.float64)
    assert (np.abs(computed("vector_exp((float)x[i])", x) / np.exp(x) - 1) < (1 + np.abs(x)) * 2e-7).all()
    small = np.concatenate([np.logspace(-30, 1, 5001), -np.logspace(-30, 1, 5001), [0.0]]).astype(np.float32)
    small = small.astype(np.float64)
    assert np.allclose(computed("vector_expm1((float)x[i])", small), np.expm1(small), rtol=1e-6, atol=0)
    assert np.allclose(computed("vector_exprel((float)x[i])", small), exprel(small), rtol=1e-6, atol=0)
    u = ((np.arange(100_000) + 0.5) / 100_000).astype(np.float32).astype(np.float64)
    assert np.allclose(computed("vector_log((float)x[i])", u), np.log(u), rtol=3e-6, atol=1e-7)
    f = np.linspace(-0.5, 0.5, 10_001).astype(np.float32).astype(np.float64)
    assert np.abs(computed("vector_cos_turns((float)x[i])", f) - np.cos(2 * np.pi * f)).max() < 1e-6
    assert computed("pow((float)x[i], 4)", np.array([1.5, -2.0])).tolist() == [1.5**4, 16.0]


@pytest.mark.parametrize(("precision", "within"), [("double", 1e-9), ("single", 2e-5)])
def test_the_noise_of_a_key_and_a_step_is_splitmix_and_box_muller(
    computed: Computed, precision: str, within: float
) -> None:
    key, steps = 2**53 - 7, np.arange(5000)

    def mixed(step: int) -> int:
        z = (key * 0xD1B54A32D192ED03 + step * 0x9E3779B97F4A7C15) % 2**64
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB % 2**64
        return z ^ (z >> 31)

    bits = np.array([mixed(step) for step in steps.tolist()], dtype=np.uint64)
    u = ((bits >> np.uint64(33)).astype(np.float64) + 0.5) / 2**31
    turn = (bits & np.uint64(2**31 - 1)).astype(np.float64) / 2**31
    expected = np.sqrt(-2 * np.log(u)) * np.cos(2 * np.pi * turn)
    found = computed(f"keyed_normal_{precision}({key}.0, x[i])", steps.astype(np.float64))
    assert np.abs(found - expected).max() < within
