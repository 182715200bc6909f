"""The benchmarks are not run here, but they do fit the package as it is."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

NAMES = sorted(path.stem for path in (Path(__file__).parent / "benchmarks").glob("bench_*.py"))


@pytest.mark.parametrize("name", NAMES)
def test_what_a_benchmark_imports_is_there(name: str) -> None:
    assert callable(importlib.import_module(f"tests.benchmarks.{name}").main)
