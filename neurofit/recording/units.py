"""Units as acquisition programs write them, as factors to mV, pA and ms; and names, as they may be printed."""

from __future__ import annotations

_EXPONENT = {"": 0, "m": -3, "u": -6, "µ": -6, "μ": -6, "n": -9, "p": -12, "f": -15}


class InUnit:
    """What was recorded in a unit, as its file has it."""

    unit: str

    @property
    def is_voltage(self) -> bool:
        return voltage_scale_mv(self.unit) is not None

    @property
    def is_current(self) -> bool:
        return current_scale_pa(self.unit) is not None


def voltage_scale_mv(unit: str) -> float | None:
    """Factor from ``unit`` to mV, or ``None`` where it is not a voltage.

    >>> voltage_scale_mv("V"), voltage_scale_mv(" mV"), voltage_scale_mv("pA")
    (1000.0, 1.0, None)
    """
    return _scale(unit, "V", -3)


def current_scale_pa(unit: str) -> float | None:
    """Factor from ``unit`` to pA, or ``None`` where it is not a current.

    >>> current_scale_pa("nA"), current_scale_pa("A"), current_scale_pa("deg C")
    (1000.0, 1000000000000.0, None)
    """
    return _scale(unit, "A", -12)


def time_scale_ms(unit: str) -> float | None:
    """Factor from ``unit`` to ms, or ``None`` where it is not a time.

    >>> time_scale_ms("s"), time_scale_ms("ms"), time_scale_ms("Hz")
    (1000.0, 1.0, None)
    """
    return _scale(unit, "s", -3)


def printable(text: str) -> str:
    """A name from a file without what would steer a terminal.

    >>> printable("IN 0\\x1b[31m")
    'IN 0?[31m'
    """
    return "".join(character if character.isprintable() else "?" for character in text)


def _scale(unit: str, base: str, exponent: int) -> float | None:
    # Prefixes differ by case only in the milli and mega that nobody records in; the base letter must match.
    text = unit.strip().strip("\0")
    if not text.endswith(base) or text[:-1] not in _EXPONENT:
        return None
    return float(10.0 ** (_EXPONENT[text[:-1]] - exponent))
