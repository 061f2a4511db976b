"""The words for what was expected and what was found; only short values are shown whole."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, get_args
from uuid import UUID

from pydantic_core.core_schema import ErrorType

from stageflow_actors.model.frozen import FrozenDict

_VALUE_LIMIT = 60
_TEXT_LIMIT = 200
_LARGEST_INT_SHOWN = 10**24
_SHOWN = frozenset({Decimal, date, datetime, time, timedelta, UUID})
_PLAIN: Mapping[str, str] = FrozenDict(
    {
        "missing": "a value",
        "extra_forbidden": "no such key",
        "recursion_loop": "data that does not contain itself",
        "recursion_depth_exceeded": "data that is nested less deep",
    }
)
_JUDGED: Mapping[str, str] = FrozenDict(
    {"value_error": "Value error,", "assertion_error": "Assertion failed,"}
)
_KNOWN_KINDS = frozenset(get_args(ErrorType))
_SHORTEST_SECRET = 3
"""Shorter texts are in anything."""
WITHHELD = "(not shown: it quotes a masked value)"


def expected(kind: str, message: str, *, is_hidden: bool, secrets: Iterable[str]) -> str:
    """What was expected instead, from pydantic's ``message``, which may quote the data.

    For a hidden value it is named without the message, where that could quote it.
    """
    if kind in _PLAIN:
        return _PLAIN[kind]
    text = single_line(message)
    if is_hidden:
        valid = re.match(r"Input should be (a valid [\w ]+)", text)
        return valid[1] if valid else "a value that passes its check"
    if kind not in _KNOWN_KINDS or kind in _JUDGED:
        return _expected_by_user(text, secrets)
    text = text.removeprefix("Input should be ")
    text = re.sub(r"^(\w+) should (be|have|match) ", _rephrase, text)
    return text if text[1:2].isupper() else text[0].lower() + text[1:]


def _expected_by_user(text: str, secrets: Iterable[str]) -> str:
    """``text`` is what a validator of the user's had to say, who may quote anything."""
    for prefix in _JUDGED.values():
        text = text.removeprefix(prefix).strip()
    reason = WITHHELD if quotes(text, secrets) else text
    return f"what its validator accepts{': ' if reason else ''}{reason}"


def _rephrase(match: re.Match[str]) -> str:
    verb = {"be": "that is", "have": "with", "match": "that matches"}[match[2]]
    return f"{match[1]} {verb} "


def got(value: Any, is_hidden: bool = False) -> str:
    """Type and shortened value; of containers and objects the type and the size only."""
    name = type(value).__name__
    if value is None:
        return "None"
    if is_hidden:
        return f"{name} (masked)"
    if isinstance(value, Enum):
        return f"{name}.{value.name}"
    if isinstance(value, (dict, list, tuple, set, frozenset)):
        part = "key" if isinstance(value, dict) else "item"
        return f"{name} with {len(value):,} {part}{'' if len(value) == 1 else 's'}"
    if isinstance(value, (bytes, bytearray, str)):
        return _got_text(value, name)
    if type(value) is int and abs(value) > _LARGEST_INT_SHOWN:
        return f"int of {value.bit_length():,} bits"
    if type(value) in (int, float, bool, complex):
        return f"{name} {value!r}"
    return f"{name} {_shortened(str(value), _VALUE_LIMIT)}" if type(value) in _SHOWN else name


def _got_text(value: bytes | bytearray | str, name: str) -> str:
    if type(value) is str and len(value) <= _VALUE_LIMIT:
        return f"{name} {value!r}"
    size = f"({len(value):,} long)"
    return f"{name} {value[:_VALUE_LIMIT]!r}... {size}" if type(value) is str else f"{name} {size}"


def single_line(text: str) -> str:
    """``text`` shortened, without line breaks, and in characters that can be written anywhere."""
    plain = text[: 2 * _TEXT_LIMIT].encode("utf-8", "backslashreplace").decode()
    return _shortened(" ".join(plain.split()), _TEXT_LIMIT)


def quotes(text: str, secrets: Iterable[str]) -> bool:
    """Whether ``text`` has one of ``secrets`` in it."""
    return any(len(secret) >= _SHORTEST_SECRET and secret in text for secret in secrets)


def _shortened(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[:limit]}..."
