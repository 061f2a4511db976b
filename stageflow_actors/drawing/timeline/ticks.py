"""Round moments for a time axis, and times in words."""

from __future__ import annotations

from itertools import count
from typing import NamedTuple

_UNITS = ((300.0, 1.0, "s"), (14_400.0, 60.0, "min"), (float("inf"), 3600.0, "h"))
"""Up to how many seconds, the seconds of one, its name."""
_LEAST_S = 1e-6


class Tick(NamedTuple):
    """A moment on the axis, in seconds since its beginning, and what stands there."""

    at_s: float
    label: str


def ticks(seconds: float, most: int) -> list[Tick]:
    """At most ``most`` + 1 round moments from 0 on, none beyond ``seconds``, in one unit."""
    per_unit, unit = _unit_of(seconds)
    step = _round_step(max(seconds, _LEAST_S) / per_unit / max(1, most))
    digits = max(0, -_exponent(step))
    last = int(max(seconds, 0.0) / per_unit / step + 1e-9)
    return [
        Tick(number * step * per_unit, f"{number * step:.{digits}f} {unit}" if number else "0")
        for number in range(last + 1)
    ]


def duration(seconds: float) -> str:
    """``12.3 ms``, ``1.2 s``, ``3 min 20 s``, ``2 h 05 min``."""
    seconds = max(0.0, seconds)
    if seconds < 0.99995:
        return f"{seconds * 1000:.1f} ms"
    if seconds < 119.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 120:
        return f"{minutes} min {rest:02} s"
    return f"{minutes // 60} h {minutes % 60:02} min"


def percent(part: float) -> str:
    """A share from 0 to 1; what is there is never shown as nothing."""
    return "<1%" if 0 < part < 0.005 else f"{part * 100:.0f}%"


def _unit_of(seconds: float) -> tuple[float, str]:
    if seconds < 1.0:
        return (0.001, "ms") if seconds >= 0.002 else (1e-6, "µs")
    return next((per_unit, unit) for most, per_unit, unit in _UNITS if seconds < most)


def _round_step(least: float) -> float:
    """The smallest of 1, 2, 5, 10, 20, 50 ... and of their tenths that is not below ``least``."""
    exponent = -9
    for exponent in count(-9):
        for digit in (1, 2, 5):
            step = digit * 10.0**exponent
            if step >= least * (1 - 1e-9):
                return float(f"{step:.12g}")
    raise AssertionError("there is always a larger step")


def _exponent(step: float) -> int:
    return int(f"{step:e}".partition("e")[2])
