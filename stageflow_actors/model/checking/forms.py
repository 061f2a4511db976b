"""The forms in which data may reach a validator: itself, a copy, as JSON, with its sets thawed."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from types import NoneType
from typing import Any

import pydantic_core
from pydantic import BaseModel

from stageflow_actors.model.frozen import DEFAULT_MAX_DEPTH, FrozenDict, FrozenList

_SCALARS = frozenset({str, int, float, bool, NoneType})
_OF_THE_MODEL = ("function-before", "function-after", "function-wrap", "function-plain")
"""Steps of a compiled model that call a function: a validator, or a constructor of some types."""


@functools.lru_cache(maxsize=1024)
def runs_functions(model: type[BaseModel]) -> bool:
    """Whether validating ``model`` calls functions that could write to the data.

    A fact about a class, remembered because reading it takes longer than a check.
    """
    schema = getattr(model, "__pydantic_core_schema__", None)
    if not isinstance(schema, dict):
        return True  # not complete yet
    todo: list[Any] = [schema]
    while todo:
        part = todo.pop()
        if isinstance(part, dict):
            if part.get("type") in _OF_THE_MODEL or part.get("custom_init") or "post_init" in part:
                return True
            todo += part.values()
        elif isinstance(part, (list, tuple)):
            todo += part
    return False


def copied(data: Any) -> Any:
    """``data`` in containers of its own, which may be written to; what is no container stays."""
    return _rebuild(data, frozenset, {}, DEFAULT_MAX_DEPTH)


def thawed(data: Any) -> Any:
    """A copy of ``data`` with a set for every frozen one.

    Sets are frozen on their way between stages, so a model must not tell the two apart.
    """
    return _rebuild(data, set, {}, DEFAULT_MAX_DEPTH)


def _rebuild(value: Any, freezer: Callable[[Any], Any], made: dict[int, Any], room: int) -> Any:
    kind = type(value)
    if kind in _SCALARS or not room:
        return value  # data that is nested deeper cannot leave its stage anyway
    if id(value) in made:
        return made[id(value)]
    if kind is dict or kind is FrozenDict:
        plain: dict[Any, Any] = {}
        made[id(value)] = plain
        plain.update((key, _rebuild(part, freezer, made, room - 1)) for key, part in value.items())
        return plain
    if kind is list or kind is FrozenList:
        items: list[Any] = []
        made[id(value)] = items
        items.extend(_rebuild(part, freezer, made, room - 1) for part in value)
        return items
    if kind is tuple:
        return tuple(_rebuild(part, freezer, made, room - 1) for part in value)
    if kind is set:
        return set(value)
    return freezer(value) if kind is frozenset else value


def has_frozen_sets(data: Any) -> bool:
    """Whether a frozen set is somewhere in ``data``."""
    return any(type(part) is frozenset for part in _parts(data))


def json_form(data: Any) -> bytes | None:
    """``data`` as JSON text; ``None`` where it has anything that JSON has not, or no end.

    Lone surrogates are such a thing, NaN and Infinity are not: their text reads back.
    """
    for part in _parts(data):
        if isinstance(part, dict):
            if not all(type(key) is str for key in part):
                return None
        elif not isinstance(part, list) and type(part) not in _SCALARS:
            return None
    try:
        return pydantic_core.to_json(data, inf_nan_mode="constants")
    except Exception:  # a cycle, too deep, no Unicode
        return None


def _parts(data: Any) -> Iterable[Any]:
    """``data`` and everything in its containers, each container once."""
    todo, seen = [data], set()
    while todo:
        part = todo.pop()
        yield part
        if isinstance(part, (dict, list, tuple)) and id(part) not in seen:
            seen.add(id(part))
            todo += part.values() if isinstance(part, dict) else part
