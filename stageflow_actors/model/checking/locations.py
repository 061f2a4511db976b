"""Where in the data a violation is: pydantic's locations without the names of union members."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from pydantic_core import ErrorDetails

_STEP_LIMIT = 80
_KEY = "[key]"
"""Pydantic's last step to a key, where that, not its value, is refused."""

Step = int | str
"""An index, a key or the name of a field."""

Path = tuple[Step, ...]


def locate(error: ErrorDetails, data: Any, *, by_identity: bool) -> Path:
    """The steps through ``data`` to what ``error`` is about.

    The value at fault is found again by identity, or by equality where the validator has read a
    JSON text of the data. Where it is not there, as a validator has put another in its place, the
    location stays as it is.
    """
    location, target = error["loc"], error["input"]
    if location and location[-1] == _KEY:
        location = location[:-1]
        ends = ((*steps, location[-1]) for steps, end in _ways(data, location[:-1], set()))
        return next(ends, location)
    if error["type"] == "missing":
        for steps, end in _ways(data, location[:-1], set()):
            if _is_same(end, target, by_identity):
                return (*steps, location[-1])
        return location
    for steps, end in _ways(data, location, set()):
        if _is_same(end, target, by_identity):
            return steps
    return location


def path_text(path: Sequence[Step]) -> str:
    """``path`` as in ``words.3.start``; empty for the data as a whole."""
    return ".".join(map(_step_text, path))


def _step_text(step: Step) -> str:
    text = str(step)  # pydantic has replaced what cannot be encoded
    return text if len(text) <= _STEP_LIMIT else f"{text[:_STEP_LIMIT]}..."


def _ways(value: Any, location: Path, been_at: set[tuple[int, int]]) -> Iterator[tuple[Path, Any]]:
    """Every way along ``location`` with what is at its end; a name that is no step is left out."""
    place = (id(value), len(location))
    if place in been_at:
        return
    been_at.add(place)
    if not location:
        yield (), value
        return
    step, rest = location[0], location[1:]
    for child in _child(value, step):
        for steps, end in _ways(child, rest, been_at):
            yield (step, *steps), end
    if isinstance(step, str):
        yield from _ways(value, rest, been_at)


def _child(value: Any, step: Step) -> Iterator[Any]:
    """What ``step`` leads to, if it leads anywhere."""
    if isinstance(value, dict):
        if step in value:
            yield value[step]
    elif isinstance(step, int):
        if isinstance(value, (list, tuple, set, frozenset, deque)):
            yield from islice(value, step, step + 1)
    elif step in getattr(value, "__dict__", ()):
        yield vars(value)[step]


def _is_same(value: Any, target: Any, by_identity: bool) -> bool:
    if by_identity:
        return value is target
    # A list that a validator has read is a plain one; that of a stage may be frozen.
    return bool(value == target and isinstance(value, type(target)))
