"""Every error of neurofit says in one paragraph where, what, and what to do; its kind decides the exit code."""

import inspect

import pytest

from neurofit import errors
from neurofit.errors import BadInput, NeurofitError, RunFailed

KINDS = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, NeurofitError)]


@pytest.mark.parametrize("kind", [k for k in KINDS if k is not NeurofitError])
def test_every_kind_is_either_bad_input_or_a_failed_run(kind: type[NeurofitError]) -> None:
    assert issubclass(kind, BadInput) != issubclass(kind, RunFailed)
    assert kind.__name__ in str(errors.__doc__)


def test_a_paragraph() -> None:
    error = BadInput("the unit is wrong", where="cell.toml: C", expected="pF", found="mV", advice="Mend it.")
    assert str(error) == "cell.toml: C: the unit is wrong. Expected: pF. Found: mV. Mend it."
    assert "\n" not in str(error)
    assert (error.where, error.expected, error.found) == ("cell.toml: C", "pF", "mV")
