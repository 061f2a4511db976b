"""``gathered``: the texts in plain data, so that one look can tell of all of them."""

from __future__ import annotations

import functools
from types import NoneType
from typing import Any

from stageflow_actors.model.frozen import FrozenDict, FrozenList
from stageflow_actors.model.redaction.glance import may_show
from stageflow_actors.model.redaction.names import is_secret_name

BETWEEN = "\0"
"""To join two texts with: what may be found over it is looked for again, in each of them."""

_NUMBERS = frozenset({int, float, bool, NoneType})
_MAPPINGS = frozenset({dict, FrozenDict})
_LISTS = frozenset({list, tuple, FrozenList})
_DEEPEST = 20
_MOST = 500
_LONGEST_KEPT = 64


def gathered(data: Any) -> tuple[list[str], list[str]] | None:
    """The values of ``data`` that are texts, and its names.

    ``None``, where something in it needs a closer look: the name of a secret, odd types, or more
    of it than usual.
    """
    gathering = _Gathering()
    if not gathering.take(data, _DEEPEST):
        return None
    return gathering.texts, gathering.names


class _Gathering:
    __slots__ = ("_left", "names", "texts")

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.names: list[str] = []
        self._left = _MOST

    def take(self, value: Any, depth_left: int) -> bool:
        """Whether all of it was looked at."""
        kind = type(value)
        if kind is str:
            self.texts.append(value)
            return True
        if kind in _MAPPINGS:
            for name in value:
                if type(name) is not str or _needs_a_look(name):
                    return False
            self.names.extend(value)
            value = value.values()
        elif kind not in _LISTS:
            return kind in _NUMBERS
        self._left -= len(value) + 1
        if not depth_left or self._left < 0:
            return False
        for item in value:
            kind = type(item)
            if kind is str:
                self.texts.append(item)
            elif kind not in _NUMBERS and not self.take(item, depth_left - 1):
                return False
        return True


def _needs_a_look(name: str) -> bool:
    return _is_known(name) if len(name) <= _LONGEST_KEPT else _is_telling(name)


@functools.lru_cache(maxsize=4096)
def _is_known(name: str) -> bool:
    return _is_telling(name)


def _is_telling(name: str) -> bool:
    return is_secret_name(name) or may_show(name)
