"""Events as JSON text that every reader takes, whatever is in them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import date, time
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from types import NoneType
from typing import Any
from uuid import UUID

_MAX_DEPTH = 100
_MAX_PARTS = 100_000
_REPR_LIMIT = 200

_SCALARS = frozenset({str, int, float, bool, NoneType})
_WRITTEN_AS_TEXT = (Decimal, PurePath, UUID)

_encode = json.JSONEncoder(allow_nan=False, check_circular=False, separators=(",", ":")).encode


def data_to_json(data: Mapping[str, Any] | None) -> str:
    """``data`` as one JSON object in ASCII on one line; never raises.

    What JSON has, and lone surrogates, come back from it as they were. NaN, infinities and integers
    that readers refuse become text, anything else its usual text form or its ``repr``, cut.
    """
    if not data:
        return "{}"
    try:
        if _is_flat(data):
            return _encode(data)
    except ValueError:  # NaN, or an integer of thousands of digits
        pass
    return _encode(_Reduction().mapping(data, _MAX_DEPTH))


def text_to_json(text: str) -> str:
    """``text`` as a JSON string in ASCII."""
    return _encode(str.__str__(text))


def _is_flat(data: Mapping[str, Any]) -> bool:
    return type(data) is dict and all(
        type(key) is str and type(value) in _SCALARS for key, value in data.items()
    )


class _Reduction:
    """Reduces one value to what JSON has, in bounded time, however it is nested or shared."""

    __slots__ = ("_ancestors", "_parts_left")

    def __init__(self) -> None:
        self._ancestors: set[int] = set()
        self._parts_left = _MAX_PARTS

    def reduce(self, value: Any, depth_left: int) -> Any:
        kind = type(value)
        if kind is float or kind is int:
            return _number(value)
        if kind in _SCALARS:
            return value
        try:
            return self._reduce_other(value, depth_left)
        except Exception as error:  # a user's own container or number may raise anything
            return f"<{kind.__name__} that raised {type(error).__name__}>"

    def mapping(self, value: Mapping[Any, Any], depth_left: int) -> dict[str, Any]:
        plain: dict[str, Any] = {}
        for key, item in value.items():
            if not self._has_room():
                plain["..."] = "<cut>"
                break
            text = self._key(key, depth_left)
            while text in plain:
                text += f" ({type(key).__name__})"
            plain[text] = self.reduce(item, depth_left - 1)
        return plain

    def _items(self, value: Iterable[Any], depth_left: int) -> list[Any]:
        plain: list[Any] = []
        for item in value:
            if not self._has_room():
                plain.append("<cut>")
                break
            plain.append(self.reduce(item, depth_left - 1))
        return plain

    def _has_room(self) -> bool:
        self._parts_left -= 1
        return self._parts_left >= 0

    def _key(self, key: Any, depth_left: int) -> str:
        plain = self.reduce(key, depth_left)
        return plain if type(plain) is str else _encode(plain)

    def _reduce_other(self, value: Any, depth_left: int) -> Any:
        if isinstance(value, Enum):
            return self.reduce(value.value, depth_left)
        if isinstance(value, str):
            return str.__str__(value)
        if isinstance(value, int):
            return _number(int.__index__(value))
        if isinstance(value, float):
            return _number(float.__float__(value))
        if isinstance(value, date | time):
            return value.isoformat()
        if isinstance(value, _WRITTEN_AS_TEXT):
            return str(value)
        if isinstance(value, Mapping | list | tuple | set | frozenset):
            return self._container(value, depth_left)
        return repr(value)[:_REPR_LIMIT]

    def _container(self, value: Any, depth_left: int) -> Any:
        if id(value) in self._ancestors:
            return "<contains itself>"
        if depth_left <= 0:
            return f"<deeper than {_MAX_DEPTH} levels>"
        self._ancestors.add(id(value))
        try:
            reduce = self.mapping if isinstance(value, Mapping) else self._items
            return reduce(value, depth_left)
        finally:
            self._ancestors.discard(id(value))


def _number(value: float) -> Any:
    """``value``, or text where JSON or its readers refuse the number."""
    try:
        _encode(value)
    except ValueError:
        return hex(value) if isinstance(value, int) else repr(value)
    return value
