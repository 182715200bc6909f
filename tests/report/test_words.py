"""Numbers, intervals and units as the page prints them."""

from __future__ import annotations

import math

import pytest

from neurofit.report import words


@pytest.mark.parametrize(
    ("x", "text"),
    [
        (0.0, "0"),
        (-0.0, "0"),
        (5.0, "5"),
        (0.5, "0.5"),
        (-61.98, "-62.0"),
        (97.114, "97.1"),
        (1234.4, "1,234"),
        (0.012345, "0.0123"),
        (-0.0004, "-0.0004"),
        (1.3e-7, "1.3e-07"),
        (999.96, "1,000"),
        (None, "undefined"),
        (math.nan, "undefined"),
        (math.inf, "∞"),
    ],
)
def test_a_number_keeps_its_measured_digits(x: float | None, text: str) -> None:
    assert words.number(x) == text


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [
        (1.39e-5, 1.03, "0.00 to 1.03"),
        (-58.44, -55.7, "-58.4 to -55.7"),
        (4.0, 4.0, "4 to 4"),
        (841.8, 1783.06, "842 to 1,783"),
        (0.0, 0.0, "0 to 0"),
        (1e-5, 2e-5, "1e-05 to 2e-05"),
        (None, 2.0, "undefined"),
        (math.nan, 2.0, "undefined"),
    ],
)
def test_both_ends_of_an_interval_have_the_same_decimals(low: float | None, high: float | None, text: str) -> None:
    assert words.interval(low, high) == text


@pytest.mark.parametrize(
    ("unit", "text"),
    [("1", ""), ("mV", "mV"), ("Mohm", "MΩ"), ("mS/uF", "mS/µF"), ("pA*ms**0.5", "pA·√ms"), ("Hz/pA", "Hz/pA")],
)
def test_units_are_written_as_people_write_them(unit: str, text: str) -> None:
    assert words.unit(unit) == text


def test_a_label_without_unit_has_no_brackets() -> None:
    assert (words.with_unit("rate", "1"), words.with_unit("C", "pF")) == ("rate", "C (pF)")


@pytest.mark.parametrize(
    ("numbers", "text"),
    [
        ((0, 2, 4, 6), "0, 2 … 6"),
        ((0, 1, 2, 3), "0-3"),
        ((4,), "4"),
        ((0, 3, 4), "0, 3-4"),
        ((1, 3, 5, 7, 20, 22, 24, 26, 40), "1, 3 … 7, 20, 22 … 26, 40"),
        ((0, 1, 2, 5, 7, 9, 11), "0-2, 5, 7 … 11"),
    ],
)
def test_every_other_sweep_is_said_shortly(numbers: tuple[int, ...], text: str) -> None:
    assert words.sweep_numbers(numbers) == text
