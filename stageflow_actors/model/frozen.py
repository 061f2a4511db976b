"""Deep freezing: what one stage hands to another can be read by everybody and written by nobody.

Plain data (the JSON types and a few scalars) is rebuilt from read-only containers and may then be
shared. Everything else is left in place and reported, so that the caller gives each reader a copy.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from pathlib import PosixPath, PurePosixPath, PureWindowsPath
from types import NoneType
from typing import Any, NoReturn
from uuid import UUID
from zoneinfo import ZoneInfo

from stageflow_actors.errors import FrozenDataError, StageOutputError

DEFAULT_MAX_DEPTH = 100
"""Levels of nesting; far above real data, far below Python's recursion limit."""

_ATOMS = frozenset(
    {
        str, int, float, bool, NoneType, bytes, complex, UUID, Decimal, Fraction,
        date, timedelta, PosixPath, PurePosixPath, PureWindowsPath, range,
    }
)  # fmt: skip
"""Exact types without mutable state; their subclasses may have some and are treated as opaque."""


_CLOCKS = frozenset({datetime, time})
_ZONES = frozenset({NoneType, timezone, ZoneInfo})
"""A time is plain if its zone is; a zone may be of any class."""


def _refuse(self: Any, *_args: Any, **_kwargs: Any) -> NoReturn:
    raise FrozenDataError(
        "This data belongs to another stage or to the run and is read-only.",
        hint="Take a copy first: dict(data), list(items) or copy.deepcopy(data).",
    )


class FrozenDict(dict[Any, Any]):
    """A ``dict`` that refuses to change; equal to, and serialised like, the plain one.

    ``copy()``, ``dict(x)`` and ``copy.deepcopy(x)`` give plain, mutable data.
    """

    __slots__ = ()

    __setitem__ = __delitem__ = __ior__ = _refuse
    clear = pop = popitem = setdefault = update = _refuse

    def copy(self) -> dict[Any, Any]:
        return dict(self)

    def __copy__(self) -> dict[Any, Any]:
        return dict(self)

    def __deepcopy__(self, memo: dict[int, Any]) -> dict[Any, Any]:
        return {copy.deepcopy(k, memo): copy.deepcopy(v, memo) for k, v in self.items()}

    def __reduce__(self) -> tuple[type[FrozenDict], tuple[dict[Any, Any]]]:
        return FrozenDict, (dict(self),)


class FrozenList(list[Any]):
    """A ``list`` that refuses to change; see ``FrozenDict``."""

    __slots__ = ()

    __setitem__ = __delitem__ = __iadd__ = __imul__ = _refuse
    append = extend = insert = pop = remove = clear = sort = reverse = _refuse

    def copy(self) -> list[Any]:
        return list(self)

    def __copy__(self) -> list[Any]:
        return list(self)

    def __deepcopy__(self, memo: dict[int, Any]) -> list[Any]:
        return [copy.deepcopy(item, memo) for item in self]

    def __reduce__(self) -> tuple[type[FrozenList], tuple[list[Any]]]:
        return FrozenList, (list(self),)


def freeze(value: Any, *, max_depth: int = DEFAULT_MAX_DEPTH) -> tuple[Any, bool]:
    """``(frozen, is_plain)``: ``value`` in read-only containers, and whether it may be shared.

    A ``set`` becomes a ``frozenset``. Where ``is_plain`` is false, objects that could still be
    changed are inside: give every reader a copy of its own.

    Raises:
        StageOutputError: the data contains itself (``OUTPUT-CYCLE``) or is nested deeper than
            ``max_depth`` (``OUTPUT-DEPTH``).
    """
    pass_ = _Pass()
    frozen = pass_.freeze(value, max_depth)
    if frozen is _TOO_DEEP:
        raise _too_deep(value, max_depth)
    return frozen, pass_.is_plain


_TOO_DEEP: Any = object()
_UNSEEN = 1 << 62
"""More room below than any place has."""


class _Pass:
    """One pass over one value. A part that occurs many times is frozen once, and stays one part.

    ``seen`` has each container's frozen twin, and the levels it had below it where it lay deepest.
    """

    __slots__ = ("is_plain", "seen")

    def __init__(self) -> None:
        self.is_plain = True
        self.seen: dict[int, tuple[Any, int]] = {}

    def freeze(self, value: Any, depth_left: int) -> Any:
        kind = type(value)
        if kind in _ATOMS:
            return value
        freezer = _CONTAINERS.get(kind)
        if freezer is None:
            is_clock = kind in _CLOCKS and type(value.tzinfo) in _ZONES
            self.is_plain = self.is_plain and is_clock
            return value
        known, room = self.seen.get(id(value), (None, _UNSEEN))
        if depth_left >= room:
            return known
        if not depth_left:
            return _TOO_DEEP
        # Met again in a deeper place: walked again, to see whether it fits there, too.
        frozen = freezer(self, value, depth_left - 1)
        if frozen is not _TOO_DEEP:
            frozen = frozen if known is None else known
            self.seen[id(value)] = frozen, depth_left
        return frozen

    def mapping(self, value: dict[Any, Any], depth_left: int) -> Any:
        plain: dict[Any, Any] = {}
        for key, item in value.items():
            if type(key) is not str and self.freeze(key, depth_left) is _TOO_DEEP:
                return _TOO_DEEP
            frozen = item if type(item) in _ATOMS else self.freeze(item, depth_left)
            if frozen is _TOO_DEEP:
                return _TOO_DEEP
            plain[key] = frozen
        return FrozenDict(plain)

    def items(self, value: Any, depth_left: int) -> list[Any] | None:
        items = []
        for item in value:
            frozen = item if type(item) in _ATOMS else self.freeze(item, depth_left)
            if frozen is _TOO_DEEP:
                return None
            items.append(frozen)
        return items


def _sequence(build: Callable[[list[Any]], Any]) -> Callable[[_Pass, Any, int], Any]:
    def freezer(pass_: _Pass, value: Any, depth_left: int) -> Any:
        items = pass_.items(value, depth_left)
        return _TOO_DEEP if items is None else build(items)

    return freezer


_CONTAINERS: dict[type, Callable[[_Pass, Any, int], Any]] = {
    dict: _Pass.mapping,
    FrozenDict: _Pass.mapping,
    list: _sequence(FrozenList),
    FrozenList: _sequence(FrozenList),
    tuple: _sequence(tuple),
    set: _sequence(frozenset),
    frozenset: _sequence(frozenset),
}


def _too_deep(value: Any, max_depth: int) -> StageOutputError:
    path = _path_to_cycle(value)
    if path is not None:
        return StageOutputError(
            f"The data contains itself at {path}.",
            hint="Refer to the repeated part by a key or an id.",
            code="OUTPUT-CYCLE",
        )
    return StageOutputError(
        f"The data is nested deeper than {max_depth} levels.",
        hint=f"Flatten it. Settings.max_data_depth is {DEFAULT_MAX_DEPTH} at most.",
        code="OUTPUT-DEPTH",
    )


def _path_to_cycle(root: Any) -> str | None:
    """Where the data meets one of its own ancestors; iterative, as the data may be very deep."""
    ancestors = {id(root)}
    finished: set[int] = set()
    trail: list[tuple[Any, Iterator[tuple[Any, Any]]]] = [(root, _parts(root))]
    keys: list[Any] = []
    while trail:
        value, parts = trail[-1]
        for key, part in parts:
            if type(part) not in _CONTAINERS or id(part) in finished:
                continue
            keys.append(key)
            if id(part) in ancestors:
                return "data" + "".join(f"[{step!r}]" for step in keys)
            ancestors.add(id(part))
            trail.append((part, _parts(part)))
            break
        else:
            trail.pop()
            ancestors.discard(id(value))
            finished.add(id(value))
            if keys:
                keys.pop()
    return None


def _parts(value: Any) -> Iterator[tuple[Any, Any]]:
    return iter(value.items() if isinstance(value, dict) else enumerate(value))
