"""Every value in data that came from outside: it may be very deep, or contain itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from stageflow_actors.model.frozen import FrozenDict, FrozenList
from stageflow_actors.model.plain import Path

Trail = tuple[Any, Any] | None
"""The way to a value from its end: the trail of what holds it, and the key it has there."""

DICTS = frozenset({dict, FrozenDict})
LISTS = frozenset({list, FrozenList, tuple})


def path_of(trail: Trail) -> Path:
    """``trail`` from the root."""
    path: list[Any] = []
    while trail is not None:
        trail, step = trail
        path.append(step)
    return tuple(path[::-1])


def walk(data: Any) -> Iterator[tuple[Any, Trail]]:
    """``data`` and all values in it, in their order; each container once."""
    waiting: list[tuple[Any, Trail]] = [(data, None)]
    seen: set[int] = set()
    while waiting:
        value, trail = waiting.pop()
        kind = type(value)
        is_dict = kind in DICTS
        if is_dict or kind in LISTS:
            if id(value) in seen:
                continue
            seen.add(id(value))
            steps = value.items() if is_dict else enumerate(value)
            waiting += [(part, (trail, step)) for step, part in reversed([*steps])]
        yield value, trail


def path_to_surrogate(data: Any) -> Path | None:
    """Where the first text in ``data`` is that has no form in UTF-8, if there is one."""
    for value, trail in walk(data):
        texts = value if type(value) in DICTS else (value,)
        for text in texts:
            if isinstance(text, str) and not _is_unicode(text):
                return path_of(trail)
    return None


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
