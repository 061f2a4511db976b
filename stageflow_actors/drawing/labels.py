"""Names as a picture can show them: no control characters, not too long, their width known."""

from __future__ import annotations

import unicodedata

MAX_CELLS = 40
"""Longer names are cut in pictures."""

_ELLIPSIS = "\N{HORIZONTAL ELLIPSIS}"
_UNSHOWN = frozenset({"Cc", "Cf", "Cs", "Cn", "Co", "Zl", "Zp"})
"""Control and formatting characters, surrogates, what has no glyph, line separators."""


def shown(text: str) -> str:
    """``text`` on one line, with what cannot be shown written as an escape."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_escape(char) if _is_unshown(char) else char for char in text)


def shown_lines(text: str) -> str:
    """The same for text of several lines, which stay lines."""
    return "\n".join(map(shown, text.splitlines()))


def short(text: str, max_cells: int = MAX_CELLS) -> str:
    """``shown(text)``, cut to ``max_cells``."""
    clean = shown(text)
    if cells(clean) <= max_cells:
        return clean
    room, kept = max_cells - 1, []
    for char in clean:
        room -= cells(char)
        if room < 0:
            break
        kept.append(char)
    return "".join(kept) + _ELLIPSIS


def cells(text: str) -> int:
    """How many columns of a terminal ``text`` takes."""
    return len(text) if text.isascii() else sum(map(_cells_of, text))


def padded(text: str, width: int) -> str:
    """``text`` with blanks behind it, ``width`` columns together."""
    return text + " " * (width - cells(text))


def _cells_of(char: str) -> int:
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def _is_unshown(char: str) -> bool:
    return unicodedata.category(char) in _UNSHOWN


def _escape(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")
