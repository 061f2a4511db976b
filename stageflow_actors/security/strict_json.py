"""JSON from outside, read so that it can mean one thing only."""

from __future__ import annotations

import json
from typing import Any, NoReturn


def read_object(raw: bytes) -> dict[str, Any] | None:
    """The JSON object that ``raw`` is in UTF-8, or ``None``.

    ``None`` also where a member is there twice, or a number is ``NaN`` or infinite: readers differ
    in what they make of these, and the one who signed may have meant another one.
    """
    try:
        value = json.loads(
            raw.decode("utf-8"), object_pairs_hook=_members, parse_constant=_refuse_constant
        )
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member is there twice")
    return members


def _refuse_constant(_name: str) -> NoReturn:
    raise ValueError("no number of JSON")
