"""The words for sweeps mean what they say."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurofit.errors import RecordingError
from neurofit.recording import parse_sweeps

SEVENTEEN = list(range(17))
CASES = {
    "all": SEVENTEEN,
    "even": [0, 2, 4, 6, 8, 10, 12, 14, 16],
    "odd": [1, 3, 5, 7, 9, 11, 13, 15],
    " Even ": [0, 2, 4, 6, 8, 10, 12, 14, 16],
    "3": [3],
    "0,2,4-8": [0, 2, 4, 5, 6, 7, 8],
    "4 - 6, 5": [4, 5, 6],
    "8,0": [0, 8],
    "0:17:2": [0, 2, 4, 6, 8, 10, 12, 14, 16],
    "1::4": [1, 5, 9, 13],
    ":3": [0, 1, 2],
    "15:": [15, 16],
    "0:100:8": [0, 8, 16],
    "0:4,10": [0, 1, 2, 3, 10],
}


@pytest.mark.parametrize("text", CASES)
def test_meaning(text: str) -> None:
    assert parse_sweeps(text, SEVENTEEN) == CASES[text]


def test_even_and_odd_go_by_position_the_rest_by_number() -> None:
    numbers = [325, 326, 327, 370, 371]
    assert parse_sweeps("even", numbers) == [325, 327, 371]
    assert parse_sweeps("odd", numbers) == [326, 370]
    assert parse_sweeps("326,370-371", numbers) == [326, 370, 371]
    assert parse_sweeps("325:371:1", numbers) == [325, 326, 327, 370]


@given(st.sets(st.integers(0, 999), min_size=1, max_size=30))
def test_even_and_odd_share_out_every_sweep(numbers: set[int]) -> None:
    ordered = sorted(numbers)
    odd = parse_sweeps("odd", ordered) if len(ordered) > 1 else []
    assert sorted(parse_sweeps("even", ordered) + odd) == ordered


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("17", "not there: 17"),
        ("0-20", "not there: 17-20"),
        ("", "cannot tell"),
        ("1,,2", "cannot tell"),
        ("evens", "cannot tell"),
        ("5-2", "cannot tell"),
        ("-3", "cannot tell"),
        ("1:5:0", "cannot tell"),
        ("1.5", "cannot tell"),
        ("0-99999999999", "cannot tell"),
        ("20:30", "selects no sweep"),
    ],
)
def test_misuse_says_what_was_meant(text: str, says: str) -> None:
    with pytest.raises(RecordingError, match=says):
        parse_sweeps(text, SEVENTEEN)


def test_odd_of_a_single_sweep_selects_none() -> None:
    with pytest.raises(RecordingError, match="selects no sweep"):
        parse_sweeps("odd", [3])
