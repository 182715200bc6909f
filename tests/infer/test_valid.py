"""Settings that cannot be meant are refused in words, each by its name, and whatever is set has a limit."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest

from neurofit.errors import BadInput
from neurofit.infer import Method, Schedule
from neurofit.infer.valid import LARGEST_SEED, METHOD, SCHEDULE, SEED, require_one

NAN, INF = float("nan"), float("inf")
METHODS = {
    "name": ("abc", "NPE", None),
    "rounds": (0, -1, 1.5, NAN, "two", True, None),
    "simulations": (0, -5, 99, 400.0, NAN, None),
    "members": (0, -1, 2.0, None),
    "truncation": (-0.1, 1, 1.5, NAN, "0.1", None),
    "margin": (-1, NAN, INF, None),
    "nearest": (0, -1, 0.5, None),
    "cases": (0, 149, 300.5, None),
    "schedule": ({"epochs": 4}, None),
}
SCHEDULES = {
    "density": ("made", "NSF", None, 1),
    "hidden": (0, -1, 1.5, None),
    "transforms": (0, None),
    "epochs": (0, -1, 2.5, NAN, None),
    "batches": (0, -1, None),
    "patience": (0, -0.1, 1.5),
    "peak_rate": (0, -1, NAN, INF, None),
    "warm_up": (0, 1, -0.1, NAN, None),
    "weight_decay": (-1, NAN, INF, None),
    "validation": (0, 1, 0.6, -0.1, NAN, None),
}


def each(table: dict[str, tuple[object, ...]]) -> list[tuple[str, object]]:
    return [(name, value) for name, values in table.items() for value in values]


@pytest.mark.parametrize(("name", "value"), each(METHODS))
def test_a_method_that_cannot_be_meant(name: str, value: object) -> None:
    with pytest.raises(BadInput, match=name):
        Method(**{name: value})  # type: ignore[arg-type]


@pytest.mark.parametrize(("name", "value"), each(SCHEDULES))
def test_a_schedule_that_cannot_be_meant(name: str, value: object) -> None:
    with pytest.raises(BadInput, match=rf"^Schedule: {name} = .* cannot be used\. Expected: .*"):
        Schedule(**{name: value})  # type: ignore[arg-type]
    with pytest.raises(BadInput, match=name):
        Method.from_dict({**Method().to_dict(), "schedule": {**Schedule().to_dict(), name: value}})


def test_every_setting_has_a_limit_and_a_case_here() -> None:
    assert METHOD.keys() | {"schedule"} == {field.name for field in fields(Method)} == METHODS.keys()
    assert SCHEDULE.keys() == {field.name for field in fields(Schedule)} == SCHEDULES.keys()


def test_the_ends_of_what_can_be_meant_are_allowed() -> None:
    least = Schedule(hidden=1, transforms=1, epochs=1, batches=1, weight_decay=0, validation=0.5)
    method = Method(rounds=1, simulations=100, members=1, truncation=0, margin=0, nearest=1, schedule=least)
    assert Method.from_dict(method.to_dict()) == method
    for density in ("maf", "nsf", "mdn"):
        assert replace(least, density=density).density == density
    assert Method(rounds=np.int64(3), truncation=np.float32(0.5)).rounds == 3  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", [-1, 1.5, NAN, None, "1", True, LARGEST_SEED + 1])
def test_what_is_no_seed(seed: object) -> None:
    with pytest.raises(BadInput, match=f"seed = {seed!r} cannot be used. Expected: a whole number from 0 to"):
        require_one("seed", seed, SEED)


def test_seeds() -> None:
    for seed in (0, 1, np.int64(5), LARGEST_SEED):
        require_one("seed", seed, SEED)
