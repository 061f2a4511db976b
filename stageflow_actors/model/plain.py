"""Types of fields: plain data, deeply frozen, and times that have their zone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timezone
from types import NoneType
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from stageflow_actors.errors import StageOutputError
from stageflow_actors.model.frozen import FrozenDict, FrozenList, freeze

Path = tuple[str | int, ...]
"""The way to a value, from the root."""

_NOTHING = FrozenDict()
_SCALARS = frozenset({str, int, float, bool, NoneType})
_CONTAINERS = frozenset({FrozenDict, FrozenList, tuple, frozenset})
_ZONES = frozenset({timezone, ZoneInfo})


def freeze_dict(value: dict[str, Any]) -> dict[str, Any]:
    """``value`` in read-only containers; it may hold anything.

    Raises:
        PydanticCustomError: it contains itself, or is nested too deep.
    """
    return _frozen(value)[0] if value else _NOTHING


def freeze_plain_dict(value: dict[str, Any]) -> dict[str, Any]:
    """``value`` in read-only containers; it may hold nothing but plain data.

    Raises:
        PydanticCustomError: it contains itself, or is nested too deep.
        ValidationError: it holds an opaque object, or a time without a zone; it has the path.
    """
    if not value:
        return _NOTHING
    frozen, is_plain = _frozen(value)
    _check_parts(frozen, is_plain)
    return frozen


def to_plain_time(value: Any) -> datetime:
    """``value``, or what it says in ISO 8601, as a ``datetime`` that has its zone.

    Raises:
        PydanticCustomError: it is neither, or has no zone.
    """
    if isinstance(value, str):
        value = _read_time(value)
    if type(value) is datetime and type(value.tzinfo) in _ZONES:
        return value
    if not isinstance(value, datetime):
        raise PydanticCustomError("time_type", "Input should be a datetime, or text in ISO 8601")
    offset = value.utcoffset()
    if offset is None:
        raise PydanticCustomError("time_zone", "A time needs its zone, as in datetime.now(UTC)")
    # Of a class, or in a zone of a class, that may change: only what it says now is kept.
    return datetime.combine(value.date(), value.time(), timezone(offset))


PlainDict = Annotated[dict[str, Any], AfterValidator(freeze_plain_dict)]
"""Plain data under names."""

AnyDict = Annotated[dict[str, Any], AfterValidator(freeze_dict)]
"""Anything under names; its containers are frozen, what else it holds is not."""

Time = Annotated[datetime, BeforeValidator(to_plain_time)]
"""A point in time, with its zone."""


_FIRST_YEAR, _LAST_YEAR = 1900, 2100
"""Between them, seconds since the Unix epoch are exact to the microsecond as a float."""


def packed_time(value: datetime) -> float | datetime:
    """``value`` as seconds since the Unix epoch, where that says all: they pickle much faster."""
    is_exact = value.tzinfo is UTC and _FIRST_YEAR <= value.year <= _LAST_YEAR
    return value.timestamp() if is_exact else value


def time_of(packed: float | datetime) -> datetime:
    """What ``packed_time`` was given."""
    return packed if isinstance(packed, datetime) else datetime.fromtimestamp(packed, UTC)


def _frozen(value: dict[str, Any]) -> tuple[dict[str, Any], bool]:
    try:
        return freeze(value)
    except StageOutputError as refused:
        raise PydanticCustomError(
            "frozen_data", "{problem}", {"problem": refused.message}
        ) from refused


def _read_time(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise PydanticCustomError("time_text", "Input should be a time in ISO 8601") from None


def _check_parts(frozen: dict[str, Any], is_plain: bool) -> None:
    """Refuse the first opaque object and the first time without a zone; parts are met once each."""
    waiting: list[tuple[Path, Any]] = [((), frozen)]
    seen: set[int] = set()
    while waiting:
        path, value = waiting.pop()
        kind = type(value)
        if kind in _CONTAINERS:
            if id(value) not in seen:
                seen.add(id(value))
                parts = [part for part in _parts(value) if type(part[1]) not in _SCALARS]
                waiting += [((*path, step), part) for step, part in reversed(parts)]
        elif kind is datetime and value.tzinfo is None:
            raise _refused(path, value, "A time needs its zone, as in datetime.now(UTC)")
        elif not (is_plain or freeze(value)[1]):
            raise _refused(path, value, f"Plain data is needed, and no {kind.__name__}")


def _parts(container: Any) -> Iterator[tuple[str | int, Any]]:
    if type(container) is not FrozenDict:
        yield from enumerate(container)
        return
    for key, item in container.items():
        step = key if type(key) in _SCALARS else f"<{type(key).__name__}>"
        yield str(step), item
        yield str(step), key


def _refused(path: Path, value: Any, problem: str) -> ValidationError:
    error = PydanticCustomError("plain_data", "{problem}", {"problem": problem})
    details = InitErrorDetails(type=error, loc=path, input=value)
    return ValidationError.from_exception_data("plain data", [details])
