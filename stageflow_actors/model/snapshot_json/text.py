"""JSON text read strictly: what a plain reader would lose or invent is kept as ``Unreadable``."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, NamedTuple

from stageflow_actors.errors import SnapshotError
from stageflow_actors.model.frozen import DEFAULT_MAX_DEPTH
from stageflow_actors.model.plain import Path
from stageflow_actors.model.snapshot_json.refusals import refused, shown

_DEEPEST = DEFAULT_MAX_DEPTH + 10
"""Levels of nesting: those of data, and of the parts of a snapshot around it."""

_LEXEME = r'"(?:[^"\\]|\\.)*"|[\[\]{},:]'


_HINT = "Pass what to_json() gave."


class Unreadable(NamedTuple):
    """Stands in what was read for something that has to be refused."""

    problem: str
    path: Path = ()


def parse(text: str | bytes) -> Any:
    """What ``text`` says.

    Raises:
        SnapshotError: it is no JSON, or nested too deep.
    """
    if not isinstance(text, (str, bytes)):
        raise refused((), f"a snapshot is read from text, got {shown(text)}.", _HINT)
    try:
        return _load(text if isinstance(text, str) else text.decode())
    except UnicodeDecodeError as error:
        raise refused((), f"The text is not in UTF-8 from byte {error.start} on.", _HINT) from None
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise refused((), f"The text is no JSON: {error.msg} at {where}.", _HINT) from None


def _load(text: str, parse_int: Callable[[str], Any] | None = None) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_to_dict, parse_int=parse_int)
    except RecursionError:
        raise _too_deep(text) from None
    except json.JSONDecodeError:
        raise
    except ValueError:  # an integer of more digits than Python reads
        return _load(text, _to_int)


def _to_dict(pairs: list[tuple[str, Any]]) -> dict[str, Any] | Unreadable:
    made = dict(pairs)
    if len(made) == len(pairs):
        return made
    seen: set[str] = set()
    for key, _value in pairs:
        if key in seen:
            break
        seen.add(key)
    return Unreadable("this key is there twice.", (key,))


def _to_int(digits: str) -> int | Unreadable:
    try:
        return int(digits)
    except ValueError:
        return Unreadable(f"an integer of {len(digits)} digits is too long to be read.")


def _too_deep(text: str) -> SnapshotError:
    """The error with the path to where ``text``, well-formed up to there, gets too deep."""
    path: list[str | int] = []
    last = ""
    for token in re.finditer(_LEXEME, text):
        match token[0]:
            case "[" | "{":
                if len(path) == _DEEPEST:
                    problem = f"this is nested deeper than {_DEEPEST} levels."
                    return refused(tuple(path), problem, "Flatten it.")
                path.append(0 if token[0] == "[" else "")
            case _ if not path:
                break
            case "]" | "}":
                path.pop()
            case ",":
                path[-1] = path[-1] + 1 if isinstance(path[-1], int) else ""
            case ":":
                path[-1] = json.loads(last)
            case string:
                last = string
    problem = "the text is nested too deep for what is left of the stack."
    return refused((), problem, "Read it with fewer calls around it.")
