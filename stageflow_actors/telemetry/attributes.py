"""Values as attributes of OpenTelemetry: what no exporter can encode becomes text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

AttributeValue = str | bool | int | float | Sequence[str]
"""What we give as an attribute."""

_INT64_MAX = 2**63 - 1
_MOST_CHARACTERS = 4096
_MOST_ITEMS = 128


def attributes_of(given: Mapping[str, Any]) -> dict[str, AttributeValue]:
    """Those that have a value; long texts and lists are cut."""
    return {text_of(name): value_of(each) for name, each in given.items() if each is not None}


def value_of(value: Any) -> AttributeValue:
    """One value."""
    kind = type(value)
    if kind is str:
        return text_of(value)
    if kind is bool or kind is float or (kind is int and abs(value) <= _INT64_MAX):
        return value  # type: ignore[no-any-return]
    if isinstance(value, (list, tuple)):
        return tuple(text_of(each) for each in value[:_MOST_ITEMS])
    return text_of(value)


def text_of(value: object) -> str:
    """As text that is Unicode, and not too long."""
    if type(value) is str and len(value) <= _MOST_CHARACTERS and value.isascii():
        return value
    try:
        text = value if type(value) is str else str(value)
    except Exception:
        text = f"<{type(value).__name__}>"
    text = text[:_MOST_CHARACTERS]
    return text if text.isascii() else text.encode("utf-8", "replace").decode()
