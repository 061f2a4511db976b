"""What a fault may be given: anything else is refused with what it was."""

from __future__ import annotations

import math


def check_number(name: str, value: object, *, least: float = 0.0, most: float = math.inf) -> None:
    """A finite number from ``least`` to ``most``.

    Raises:
        ValueError: it is not.
    """
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not is_number or not math.isfinite(value) or not least <= value <= most:  # type: ignore[operator, arg-type]
        raise ValueError(f"{name} is {value!r:.80}: give a number{_between(least, most)}.")


def check_whole(name: str, value: object, *, least: int, most: float = math.inf) -> None:
    """A whole number from ``least`` to ``most``.

    Raises:
        ValueError: it is not.
    """
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    if not is_whole or not least <= value <= most:  # type: ignore[operator]
        raise ValueError(f"{name} is {value!r:.80}: give a whole number{_between(least, most)}.")


def _between(least: float, most: float) -> str:
    return f", at least {least:g}" if math.isinf(most) else f" from {least:g} to {most:g}"
