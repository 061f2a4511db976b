"""``Tape``: what clients may read of one run: its events, and the pieces that it streams out.

Every reader has a position of its own: the number of the last entry that it has had. A client that
comes back with that number goes on where it was.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Any

import pydantic_core

from stageflow_actors.model.streaming import Audience
from stageflow_actors.serving.desk import Entry
from stageflow_actors.serving.faults import Fault, ProblemError
from stageflow_actors.serving.settings import ServingSettings

ENDED = "run.ended"
"""The type of the last entry of every run."""

_MAX_TYPE = 200
_BEYOND_ASCII = r"[^\x00-\x7f]+"


class Tape:
    """Entries in their order, numbered from 1 without gaps.

    An event of more than ``max_event_bytes`` loses its ``data``, and has ``truncated`` instead.
    Beyond ``max_bytes`` of all the oldest go; ``dropped`` counts them.
    """

    __slots__ = (
        "_ends",
        "_entries",
        "_max_bytes",
        "_max_event_bytes",
        "_removed",
        "cut",
        "dropped",
    )

    def __init__(self, max_event_bytes: int, max_bytes: int) -> None:
        self._entries: list[Entry] = []
        self._max_event_bytes = max_event_bytes
        self._max_bytes = max_bytes
        self._ends = [0]
        self._removed = 0
        self.cut = 0
        self.dropped = 0

    @classmethod
    def of(cls, entries: Sequence[Entry], settings: ServingSettings) -> Tape:
        """One that holds ``entries``, which follow one another."""
        tape = cls(settings.max_event_bytes, settings.max_tape_bytes)
        tape._removed = tape.dropped = entries[0].number - 1 if entries else 0
        for entry in entries:
            tape._add(entry)
        return tape

    @property
    def entries(self) -> tuple[Entry, ...]:
        """Those that are here."""
        return tuple(self._entries[self.dropped - self._removed :])

    def __len__(self) -> int:
        """The number of the last entry."""
        return self._removed + len(self._entries)

    @property
    def size(self) -> int:
        """Bytes of all entries that are here together."""
        return self.bytes_after(self.dropped)

    def bytes_after(self, number: int) -> int:
        """Of those after that one, where it is here; else of all."""
        return self._ends[-1] - self._ends[max(0, number - self._removed)]

    def after(self, number: int, max_bytes: int) -> tuple[Entry, ...]:
        """Those after that one, of so many bytes together; one, however large it is.

        After 0 come those that are here.

        Raises:
            ProblemError: there is no entry of that number, or the next one is gone.
        """
        if number > len(self):
            raise ProblemError(Fault.CURSOR, "There is no event of that id in this run.")
        if 0 < number < self.dropped:
            raise ProblemError(Fault.CURSOR_GONE)
        start = max(number, self.dropped) - self._removed
        until = bisect_right(self._ends, self._ends[start] + max_bytes) - 1
        return tuple(self._entries[start : max(until, start + 1)])

    def append(self, type_: str, document: Mapping[str, Any]) -> None:
        """Add an event."""
        made = to_json(document)
        if len(made) > self._max_event_bytes and "data" in document:
            rest = {key: value for key, value in document.items() if key != "data"}
            type_, made = type_[:_MAX_TYPE], to_json({**rest, "truncated": True})
            self.cut += 1
        self._add(Entry(len(self) + 1, type_, made))

    def append_piece(
        self, type_: str, document: Mapping[str, Any], audience: Audience, blob: bytes | None
    ) -> None:
        """Add a piece."""
        self._add(Entry(len(self) + 1, type_, to_json(document), audience, blob))

    def _add(self, entry: Entry) -> None:
        self._entries.append(entry)
        self._ends.append(self._ends[-1] + entry.size)
        while self.size > self._max_bytes and self.dropped < len(self) - 1:
            self.dropped += 1
        gone = self.dropped - self._removed
        if gone > len(self._entries) // 2:  # all at once: each removal moves what is left
            del self._entries[:gone], self._ends[:gone]
            self._removed += gone


def to_json(document: Mapping[str, Any]) -> bytes:
    """``document``, which has only what JSON has, in ASCII: some readers of events take others of
    Unicode's line ends for the end of a line.
    """
    made = pydantic_core.to_json(document, inf_nan_mode="null")
    if made.isascii():
        return made
    return re.sub(_BEYOND_ASCII, _escaped, made.decode()).encode("ascii")


def _escaped(found: re.Match[str]) -> str:
    return json.dumps(found[0])[1:-1]
