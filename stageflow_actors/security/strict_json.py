"""Reads JSON from outside that means the same to every reader, and nothing else."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from typing import Any

_STRING_OR_SIGN = r'(?s:"[^"\\]*(?:\\.[^"\\]*)*"?|[\[\]{},:])'
_SURROGATE = r"\\u[dD][89a-fA-F]"


class JsonRefusedError(ValueError):
    """The text is refused; the message says why, and quotes nothing of it."""


def read_json(body: bytes, *, max_depth: int, max_values: int) -> Any:
    """What ``body`` says, as UTF-8.

    Raises:
        JsonRefusedError: it is no JSON, or has what readers understand differently: NaN, infinities
            and numbers beyond all bounds, lone surrogates, a key twice in an object. Or it is
            nested deeper than ``max_depth``, or has more than ``max_values`` values and keys.
    """
    text = _text(body)
    _check_size(text, max_depth, max_values)
    value = _value(text, _finite)
    if re.search(_SURROGATE, text):
        _check_surrogates(value)
    return value


def read_object(body: bytes) -> dict[str, Any] | None:
    """The object that ``body`` is in UTF-8, or ``None``; for what is bounded and checked elsewhere.

    ``None`` also where a member is there twice, or a number is ``NaN`` or ``Infinity``: readers
    differ in what they make of these, and the one who signed may have meant another one.
    """
    try:
        value = _value(_text(body), float)
    except JsonRefusedError:
        return None
    return value if isinstance(value, dict) else None


def _text(body: bytes) -> str:
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise JsonRefusedError(f"It is no UTF-8: byte {error.start}.") from None


def _value(text: str, number_of: Callable[[str], float]) -> Any:
    try:
        return json.loads(
            text,
            parse_constant=_refuse_constant,
            parse_float=number_of,
            object_pairs_hook=_without_repetition,
        )
    except JsonRefusedError:
        raise
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise JsonRefusedError(f"It is no JSON: {where}.") from None
    except RecursionError:
        raise JsonRefusedError("It is nested too deep.") from None
    except ValueError:  # an integer of thousands of digits
        raise JsonRefusedError("It has a number with too many digits.") from None


def _check_size(text: str, max_depth: int, max_values: int) -> None:
    """Before anything is built. What is no JSON at all may pass: it is refused by the parser."""
    depth, signs = 0, 0
    for match in re.finditer(_STRING_OR_SIGN, text):
        sign = text[match.start()]
        if sign == '"':
            continue
        if sign in "[{":
            depth += 1
            if depth > max_depth:
                raise JsonRefusedError(f"It is nested deeper than {max_depth} levels.")
        elif sign in "]}":
            depth -= 1
            continue
        signs += 1  # each container, comma and colon comes with one value or key
        if signs > max_values:
            raise JsonRefusedError(f"It has more than {max_values} values.")


def _refuse_constant(_name: str) -> Any:
    raise JsonRefusedError("It has NaN or an infinity.")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise JsonRefusedError("It has a number that is too large.")
    return number


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    read = dict(pairs)
    if len(read) != len(pairs):
        raise JsonRefusedError("An object has a key twice.")
    return read


def _check_surrogates(value: Any) -> None:
    pending = [value]
    while pending:
        each = pending.pop()
        if isinstance(each, str):
            try:
                each.encode("utf-8")
            except UnicodeEncodeError:
                raise JsonRefusedError("It has a lone surrogate.") from None
        elif isinstance(each, dict):
            pending += [*each, *each.values()]
        elif isinstance(each, list):
            pending += each
