"""Values of log records as what JSON has: bounded, and in Unicode."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

MOST_CHARACTERS = 32_768
"""Of one text; the rest is cut."""

_MOST_PARTS = 1_000
_DEEPEST = 8
_INT64_MAX = 2**63 - 1
_CUT = "... (cut)"


def text_of(value: object) -> str:
    """``value`` as text without lone surrogates, which readers of JSON refuse. Never raises."""
    try:
        text = str.__str__(value) if isinstance(value, str) else str(value)
    except Exception as error:  # a class of the user's may raise anything
        text = f"<{type(value).__name__} that raised {type(error).__name__}>"
    if len(text) > MOST_CHARACTERS:
        text = text[:MOST_CHARACTERS] + _CUT
    if text.isascii():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def plain_value(value: Any) -> Any:
    """``value`` as JSON has it; what it has not becomes text. In bounded time, never raises."""
    return _Reduction().of(value, _DEEPEST)


class _Reduction:
    """Of one value; everything in it counts."""

    __slots__ = ("_parts_left",)

    def __init__(self) -> None:
        self._parts_left = _MOST_PARTS

    def of(self, value: Any, depth_left: int) -> Any:
        kind = type(value)
        if value is None or kind is bool:
            return value
        if kind is int:
            return value if -_INT64_MAX <= value <= _INT64_MAX else hex(value)[:100]
        if kind is float:
            return value if math.isfinite(value) else repr(value)
        if depth_left and isinstance(value, (Mapping, list, tuple, set, frozenset)):
            try:
                if isinstance(value, Mapping):
                    return self._mapping(value, depth_left - 1)
                return self._items(value, depth_left - 1)
            except Exception as error:
                return f"<{kind.__name__} that raised {type(error).__name__}>"
        return text_of(value)

    def _mapping(self, value: Mapping[Any, Any], depth_left: int) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for key, item in value.items():
            if not self._has_room():
                made["..."] = _CUT
                break
            made[text_of(key)] = self.of(item, depth_left)
        return made

    def _items(self, value: Iterable[Any], depth_left: int) -> list[Any]:
        made: list[Any] = []
        for item in value:
            if not self._has_room():
                made.append(_CUT)
                break
            made.append(self.of(item, depth_left))
        return made

    def _has_room(self) -> bool:
        self._parts_left -= 1
        return self._parts_left >= 0
