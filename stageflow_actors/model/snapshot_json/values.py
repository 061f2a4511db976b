"""Values that JSON gives back as they were; all others are refused, with their path."""

from __future__ import annotations

import math
from typing import Any

from stageflow_actors.errors import SnapshotError
from stageflow_actors.model.snapshot_json.refusals import WRITING_CODE, refused, shown
from stageflow_actors.model.snapshot_json.walk import DICTS, LISTS, Trail, path_of

_SAFE_BITS = 2_000
"""Integers up to here can be written, whatever the limit of this process."""


def to_plain_json(value: Any, trail: Trail) -> Any:
    """``value``, of whatever type, in dicts and lists of its own; a tuple becomes a list.

    Raises:
        SnapshotError: it, or something in it, would not come back as it was.
    """
    kind = type(value)
    if kind is str:
        return to_text(value, trail)
    if kind is bool or value is None:
        return value
    if kind is int:
        return to_whole(value, trail)
    if kind is float:
        return _to_finite(value, trail)
    if kind in DICTS:
        return {_to_key(key, trail): to_plain_json(v, (trail, key)) for key, v in value.items()}
    if kind in LISTS:
        return [to_plain_json(item, (trail, index)) for index, item in enumerate(value)]
    hint = "Put it in as text or as a number."
    raise unwritable(trail, f"{kind.__name__} is no type of JSON.", hint)


def to_text(value: str, trail: Trail) -> str:
    """``value``, if it comes back.

    Raises:
        SnapshotError: it has two surrogates that JSON would read as one character.
    """
    if value.isascii():
        return value
    read_back = value.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
    if read_back != value:
        problem = "surrogates next to each other would come back as one character."
        raise unwritable(trail, problem, "Join them: decode what you have from UTF-16.")
    return value


def to_whole(value: int, trail: Trail) -> int:
    """``value``, if Python can write and read that many digits.

    Raises:
        SnapshotError: it cannot.
    """
    if value.bit_length() > _SAFE_BITS:
        try:
            str(value)
        except ValueError:
            hint = "Put it in as text; sys.set_int_max_str_digits() has the limit."
            raise unwritable(trail, f"{shown(value)} is too long to be read.", hint) from None
    return value


def unwritable(trail: Trail, problem: str, hint: str = "") -> SnapshotError:
    """The error that the value at the end of ``trail`` has no form in JSON."""
    return refused(path_of(trail), problem, hint, WRITING_CODE)


def _to_finite(value: float, trail: Trail) -> float:
    if not math.isfinite(value):
        raise unwritable(trail, f"{value!r} is no number of JSON.", "Use null, or leave it out.")
    return value


def _to_key(key: Any, trail: Trail) -> str:
    if type(key) is not str:
        problem = f"the key {shown(key)} is no text."
        raise unwritable(trail, problem, "Keys of JSON are text: str(key).")
    return to_text(key, (trail, key))
