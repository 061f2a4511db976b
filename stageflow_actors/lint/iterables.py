"""Collections that hold contexts, as those of a batch do: what comes out of them, and of copies."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from typing import Any

from stageflow_actors.lint.records import Arguments
from stageflow_actors.lint.values import (
    UNKNOWN,
    Bound,
    Each,
    Known,
    Many,
    Named,
    Text,
    Texts,
    Value,
    Values,
    joined,
)

_COPIES = (list, tuple, set, frozenset, iter, reversed, sorted, list.copy)
_PICK_ONE = (next, min, max, list.pop)
_CALL_A_KEY = (sorted, min, max, list.sort)
_PUT_IN = (list.append, list.extend, list.insert)

Call = Callable[[Value, Arguments], Values]
"""What a function returns for these arguments; reads it."""


def items_of(values: Values) -> Values:
    """What comes out of iterating over them."""
    return joined(*map(_items, values))


def unpacked(values: Values, targets: Sequence[ast.expr]) -> list[Values]:
    """What each of the names on the left of an assignment gets."""
    several = [_unpacked(value, targets) for value in values]
    return [joined(*each) for each in zip(*several, strict=True)]


def part_of(holder: Value, key: ast.expr) -> Values:
    """What ``args[0]``, ``kwargs["name"]``, ``ctxs[i]`` and ``ctxs[1:]`` stand for."""
    if isinstance(holder, Each):
        return (holder,) if isinstance(key, ast.Slice) else holder.items
    if not isinstance(key, ast.Constant):
        return UNKNOWN
    at = key.value
    if isinstance(holder, Many) and isinstance(at, int) and at < len(holder.items):
        return holder.items[at]
    if isinstance(holder, Named) and isinstance(at, str):
        return holder.items.get(at, UNKNOWN)
    return UNKNOWN


def method_of(holder: Each, name: str) -> Values:
    """A method of a list; nothing is known of other attributes."""
    method = vars(list).get(name)
    return UNKNOWN if method is None else (Bound(Known(method), ((holder,),)),)


def returned_by(function: Any, arguments: Arguments, call: Call) -> Values | None:
    """What a function of Python makes of collections; ``None`` if it is not one of these."""
    given = arguments.positional
    if not given:
        return None
    if _is_in(_CALL_A_KEY, function):
        for key in arguments.keywords.get("key", ()):
            call(key, Arguments([items_of(given[0])]))
    if function is enumerate:
        return (Each((Many((UNKNOWN, items_of(given[0]))),)),)
    if function is zip:
        return (Each((Many(tuple(map(items_of, given))),)),) if arguments.is_complete else UNKNOWN
    if function is map or (function is filter and len(given) > 1):
        items = [items_of(each) for each in given[1:]]
        made = joined(*(call(each, Arguments(list(items))) for each in given[0]))
        return (Each(made if function is map else items[0]),)
    if _is_in(_PICK_ONE, function):
        return items_of(given[0]) if len(given) == 1 or function is list.pop else joined(*given)
    if _is_in(_COPIES, function):
        return (Each(items_of(given[0])),)
    is_method = _is_in(tuple(vars(list).values()), function) and not _is_in(_PUT_IN, function)
    return UNKNOWN if is_method else None


def for_each(values: Values) -> Values:
    """Also the items, for a function that may be called with the collection or with one of them."""
    items = [each.items for each in values if isinstance(each, Each)]
    return joined(values, *items)


def _items(value: Value) -> Values:
    if isinstance(value, Each):
        return value.items
    if isinstance(value, Many):
        return joined(*value.items)
    return tuple(map(Text, value.texts)) if isinstance(value, Texts) else UNKNOWN


def _unpacked(value: Value, targets: Sequence[ast.expr]) -> list[Values]:
    has_star = any(isinstance(target, ast.Starred) for target in targets)
    if isinstance(value, Many) and len(value.items) == len(targets) and not has_star:
        return list(value.items)
    if not isinstance(value, Each | Many):
        return [UNKNOWN] * len(targets)
    items = _items(value)
    return [(Each(items),) if isinstance(each, ast.Starred) else items for each in targets]


def _is_in(functions: Sequence[Any], function: Any) -> bool:
    """Compared by identity: the ``==`` of what is called may be user code."""
    return any(function is each for each in functions)
