"""``Contents``: finds in a text what somebody has said, whole or in parts, quoted or cut off."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator

from stageflow_actors.model.redaction.patterns import CONTENT

SHORTEST = 12
"""Characters of what is masked at all: shorter texts are in everything."""
SHORTEST_PART = 24
"""Characters of a part of something longer. Half of them are the same by chance more often."""
_MOST = 1_000_000
"""Characters that are looked for, of all texts together."""
_FEW = 4
"""Different characters that a part needs: a line of dashes says nothing."""
_STRIDE = SHORTEST_PART - SHORTEST + 1
"""From one place that a short look takes to the next."""
_SHORT = 2_000
"""Characters of all texts together that are searched as fast as the index is asked."""
_MOST_SEARCHES = 24
"""In longer ones: making the index takes as long."""


class Contents:
    """The texts not to be shown; of very many, the first. Asked for when a text needs them."""

    __slots__ = ("_find", "_index", "_joined", "_searches", "_texts")

    def __init__(self, find: Callable[[], Iterable[str]]) -> None:
        self._find = find
        self._texts: tuple[str, ...] | None = None
        self._joined = ""
        self._index: dict[str, tuple[str, int]] | None = None
        self._searches = 0

    def may_be_in(self, text: str) -> bool:
        """Whether one of them, or a part of one, may be in ``text``: a short look."""
        return self._may_be_whole_in(text) or self._may_have_part(text)

    def may_be_in_any(self, texts: Iterable[str], joined: str) -> bool:
        """The same for several that are ``joined`` to one text."""
        if self._may_be_whole_in(joined):
            return True
        if len(joined) < SHORTEST_PART or not self._known():
            return False
        return any(len(text) >= SHORTEST_PART and self._may_have_part(text) for text in texts)

    def _may_be_whole_in(self, text: str) -> bool:
        if len(text) < SHORTEST:
            return False
        for whole in self._known():  # noqa: SIM110 - any() takes half as long again
            if whole in text:
                return True
        return False

    def _may_have_part(self, text: str) -> bool:
        """In each part of 24 characters is one of the places that are looked at."""
        last = len(text) - SHORTEST
        if len(text) < SHORTEST_PART or not self._known():
            return False
        joined = self._joined
        if len(joined) > _SHORT:
            self._searches += last // _STRIDE + 1
            if self._searches > _MOST_SEARCHES:
                return True
        for at in range(0, last + 1, _STRIDE):  # noqa: SIM110 - any() takes half as long again
            if text[at : at + SHORTEST] in joined:
                return True
        return False

    def without_whole(self, text: str) -> str:
        """``text`` with ``[content]`` for each of them."""
        for whole in self._known():
            if whole in text:
                text = text.replace(whole, CONTENT)
        return text

    def without_parts(self, text: str) -> str:
        """``text`` with ``[content]`` for each long part of one of them."""
        if len(text) < SHORTEST_PART or not self._known():
            return text
        parts = tuple(self._parts_in(text))
        return "".join(parts) if len(parts) > 1 else text

    def _known(self) -> tuple[str, ...]:
        if self._texts is None:
            texts = tuple(_bounded(_forms(self._find())))
            self._joined = "\0".join(texts)
            self._texts = texts
        return self._texts

    def _parts_in(self, text: str) -> Iterator[str]:
        """The text in pieces, the mask in the place of those that are parts of contents.

        Of contents every twelfth place is known, so one of them is in each part of 24 characters.
        """
        if self._index is None:
            self._index = _places(self._known())
        index, kept, at, last = self._index, 0, 0, len(text) - SHORTEST
        while at <= last:
            place = index.get(text[at : at + SHORTEST])
            if place is None:
                at += 1
                continue
            start, end = _grown(text, at, kept, *place)
            if end - start < SHORTEST_PART:
                at += 1
                continue
            yield text[kept:start]
            yield CONTENT
            kept = at = end
        yield text[kept:]


def _grown(text: str, at: int, floor: int, whole: str, place: int) -> tuple[int, int]:
    """From where to where ``text`` is the same as ``whole``, around these places."""
    start, end, before, after = at, at + SHORTEST, place, place + SHORTEST
    while start > floor and before and text[start - 1] == whole[before - 1]:
        start, before = start - 1, before - 1
    while end < len(text) and after < len(whole) and text[end] == whole[after]:
        end, after = end + 1, after + 1
    return start, end


def _places(texts: Iterable[str]) -> dict[str, tuple[str, int]]:
    index: dict[str, tuple[str, int]] = {}
    for whole in texts:
        for place in range(0, len(whole) - SHORTEST + 1, SHORTEST):
            part = whole[place : place + SHORTEST]
            if len(set(part)) > _FEW:
                index.setdefault(part, (whole, place))
    return index


def _forms(texts: Iterable[str]) -> Iterator[str]:
    """Each as it is, as it stands in a ``repr`` and in JSON, and line by line: some tracebacks are
    indented.
    """
    for given in texts:
        text = given.strip()
        if text.isascii() and text.isprintable() and '"' not in text and "\\" not in text:
            yield text  # all of these are the same
            continue
        yield from dict.fromkeys((text, repr(text)[1:-1], json.dumps(text)[1:-1]))
        if "\n" in text:
            yield from map(str.strip, text.splitlines())


def _bounded(texts: Iterable[str]) -> Iterator[str]:
    room = _MOST
    for text in texts:
        if len(text) < SHORTEST:
            continue
        yield text[:room]
        room -= len(text)
        if room < SHORTEST:
            return
