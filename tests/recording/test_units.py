"""Units as acquisition programs write them."""

from __future__ import annotations

import pytest

from neurofit.recording.units import current_scale_pa, voltage_scale_mv


@pytest.mark.parametrize(("unit", "scale"), [("V", 1e3), ("mV", 1.0), ("uV", 1e-3), ("µV", 1e-3), (" mV\0", 1.0)])
def test_voltages(unit: str, scale: float) -> None:
    assert voltage_scale_mv(unit) == scale
    assert current_scale_pa(unit) is None


@pytest.mark.parametrize(("unit", "scale"), [("A", 1e12), ("mA", 1e9), ("uA", 1e6), ("nA", 1e3), ("pA", 1.0)])
def test_currents(unit: str, scale: float) -> None:
    assert current_scale_pa(unit) == scale
    assert voltage_scale_mv(unit) is None


@pytest.mark.parametrize("unit", ["", "dB", "deg C", "um", "mmHg", "C", "VA", "MV", "pa", "mV/pA", "?"])
def test_neither(unit: str) -> None:
    assert voltage_scale_mv(unit) is None
    assert current_scale_pa(unit) is None
