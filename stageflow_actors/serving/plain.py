"""Values of user code as what JSON has, without a word about the code that they come from."""

from __future__ import annotations

import base64
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from datetime import date, time
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

from pydantic import BaseModel

_MAX_DEPTH = 100
_MAX_PARTS = 250_000
_MAX_INTEGER = 2**63
_CUT = "<cut>"
_SCALARS = frozenset({str, int, float})  # what most values are made of


def plain(value: Any) -> Any:
    """``value`` from what JSON has; never raises.

    Bytes become ``{"base64": ...}``, models and data classes objects, NaN, infinities and integers
    of more than 64 bits text. Anything else is named by its class, as in ``<Thing>``. What has
    more than 250,000 parts, or more than 100 levels, is cut.
    """
    return _Reduction().reduce(value, _MAX_DEPTH)


class _Reduction:
    """Reduces one value in bounded time, however it is nested or shared."""

    __slots__ = ("_parts_left",)

    def __init__(self) -> None:
        self._parts_left = _MAX_PARTS

    def reduce(self, value: Any, depth_left: int) -> Any:
        self._parts_left -= 1
        if self._parts_left < 0:
            return _CUT
        kind = type(value)
        if value is None or kind is bool:
            return value
        if kind in _SCALARS:
            return _scalar(value)
        try:
            return self._reduced(value, depth_left)
        except Exception:  # a container or a model of the user's may raise anything
            return _named(value)

    def _reduced(self, value: Any, depth_left: int) -> Any:
        if isinstance(value, dict) and depth_left:
            return self._object(_items_of(value), depth_left - 1)
        if isinstance(value, Enum):
            return self.reduce(value.value, depth_left)
        if isinstance(value, str | int | float):
            return _scalar(value)
        if isinstance(value, date | time):
            return value.isoformat()
        if isinstance(value, UUID | Decimal):
            return str(value)
        if isinstance(value, bytes | bytearray | memoryview):
            return {"base64": base64.b64encode(value).decode("ascii")}
        return self._container(value, depth_left - 1) if depth_left else _named(value)

    def _container(self, value: Any, depth_left: int) -> Any:
        if isinstance(value, Mapping):
            return self._object(_items_of(value), depth_left)
        if isinstance(value, BaseModel):
            names = [*type(value).model_fields]
        elif is_dataclass(value) and not isinstance(value, type):
            names = [each.name for each in fields(value)]
        elif isinstance(value, list | tuple | set | frozenset):
            return self._items(value, depth_left)
        else:
            return _named(value)
        return self._object(((name, getattr(value, name)) for name in names), depth_left)

    def _object(self, items: Iterable[tuple[str, Any]], depth_left: int) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for key, item in items:
            if self._parts_left <= 0:
                made["..."] = _CUT
                break
            made[key] = self.reduce(item, depth_left)
        return made

    def _items(self, items: Iterable[Any], depth_left: int) -> list[Any]:
        made: list[Any] = []
        for item in items:
            if self._parts_left <= 0:
                made.append(_CUT)
                break
            made.append(self.reduce(item, depth_left))
        return made


def _items_of(value: Mapping[Any, Any]) -> Iterator[tuple[str, Any]]:
    return ((_key(key), item) for key, item in value.items())


def _scalar(value: float | str) -> Any:
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, int):
        number = int.__index__(value)
        return number if -_MAX_INTEGER <= number < _MAX_INTEGER else hex(number)
    number_ = float.__float__(value)
    return number_ if math.isfinite(number_) else repr(number_)


def _text(value: str) -> str:
    """As it is, but for lone surrogates, which no JSON reader has to take."""
    return str.__str__(value) if value.isascii() else value.encode("utf-8", "replace").decode()


def _key(key: Any) -> str:
    if type(key) is str:
        return _text(key)
    if isinstance(key, Enum):
        key = key.value
    return _text(str(key)) if isinstance(key, str | int | float | UUID) else _named(key)


def _named(value: Any) -> str:
    return f"<{type(value).__name__}>"
