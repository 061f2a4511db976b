"""What the assistant knows: the hotel, its guests, and what they have said before."""

from __future__ import annotations

import json
import sqlite3
import threading
from functools import partial
from typing import Any

from .passages import Passage
from .words import DATA


def hotel_passages() -> list[Passage]:
    """What every guest may know."""
    return [_passage(fact) for fact in _read("hotel.json")]


def guest_passages(kind: str) -> list[Passage]:
    """What only the guest of a room may know: ``profile``, or ``memory`` of the stay."""
    return [
        passage
        for room, guest in _read("guests.json").items()
        for passage in map(partial(_passage, owner=room), guest[kind])
    ]


def rooms() -> list[str]:
    """The rooms that have a guest."""
    return sorted(_read("guests.json"))


class Preferences:
    """How guests want to be spoken to, by room."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._database = sqlite3.connect(":memory:", check_same_thread=False)
        self._database.execute("CREATE TABLE preferences (room, name, value)")
        self._database.executemany(
            "INSERT INTO preferences VALUES (?, ?, ?)",
            [
                (room, name, value)
                for room, guest in _read("guests.json").items()
                for name, value in guest["preferences"].items()
            ],
        )

    def of(self, room: str) -> dict[str, Any]:
        """``words_per_minute`` and ``answers`` ("short" or "full") of the guest."""
        with self._lock:
            found = self._database.execute(
                "SELECT name, value FROM preferences WHERE room = ?", [room]
            )
            return dict(found.fetchall())

    def close(self) -> None:
        """Let go of them."""
        with self._lock:
            self._database.close()


def _read(name: str) -> Any:
    return json.loads((DATA / name).read_text(encoding="utf-8"))


def _passage(fact: dict[str, str], owner: str = "") -> Passage:
    return Passage(fact["id"], fact["title"], fact["text"], fact["about"], owner)
