"""What values hold: secrets by their type or name, and sentences, at any depth.

A walk looks at a bounded number of values: it is for what people write down, not for bulk data.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice
from types import FunctionType, MethodType, ModuleType, NoneType
from typing import Any

from pydantic import Secret, SecretBytes, SecretStr

from stageflow_actors.model.frozen import FrozenDict
from stageflow_actors.model.redaction.names import is_secret_name

_MOST_VALUES = 2_000
_NO_PARTS = (str, bytes, ModuleType, FunctionType, MethodType, type, int, float)
_LEAVES = frozenset({str, bytes, int, float, bool, NoneType, FunctionType, type})
_LISTS = (list, tuple, set, frozenset)
_DICTS = frozenset({dict, FrozenDict})
_SECRETS = (Secret, SecretStr, SecretBytes)


def secrets_in(roots: Iterable[Any]) -> list[str]:
    """The values of secret types, and of what has the name of a secret, at any depth."""
    found: list[str] = []
    for is_secret, value in _parts(roots):
        if is_secret:
            found += _text(value)
        if type(value) not in _LEAVES and isinstance(value, _SECRETS):
            found += _text(value.get_secret_value())
    return found


def sentences_in(root: Any) -> list[str]:
    """The texts of more than one word, at any depth."""
    return [
        value
        for _is_secret, value in _parts([root])
        if isinstance(value, str) and len(value.split(None, 2)) > 1
    ]


def _parts(roots: Iterable[Any]) -> list[tuple[bool, Any]]:
    """The values in ``roots``, wide before deep, and whether each has the name of a secret.

    What is in something that has such a name has it, too.
    """
    todo = [(False, root) for root in roots if root is not None]
    seen: dict[int, Any] = {}
    for is_secret, value in todo:  # grows meanwhile
        if type(value) in _LEAVES or isinstance(value, _NO_PARTS) or id(value) in seen:
            continue
        seen[id(value)] = value  # kept, so that its id stays its own
        if len(todo) >= _MOST_VALUES:
            break
        try:
            if type(value) in _DICTS:  # most are, and are done faster by themselves
                items = islice(value.items(), _MOST_VALUES)
                todo += [(is_secret or _is_named(key), part) for key, part in items]
                continue
            todo += islice(_parts_of(value, is_secret), _MOST_VALUES)
        except Exception:  # noqa: S112 - a class of the user's that cannot be looked into
            continue
    return todo[:_MOST_VALUES]


def _parts_of(value: Any, is_secret: bool) -> Iterable[tuple[bool, Any]]:
    if isinstance(value, _LISTS):
        return [(is_secret, part) for part in islice(value, _MOST_VALUES)]
    named = value
    if not isinstance(value, dict) and not isinstance(value, Mapping):
        named = getattr(value, "__dict__", None)
        if not isinstance(named, Mapping):
            return ()
    return ((is_secret or _is_named(key), part) for key, part in named.items())


def _is_named(key: Any) -> bool:
    return isinstance(key, str) and is_secret_name(key)


def _text(value: Any) -> Iterable[str]:
    if isinstance(value, str):
        return (value,)
    return (value.decode("utf-8", "replace"),) if isinstance(value, bytes) else ()
