"""Ranked search in short passages, with the full-text index of SQLite.

A question that was heard, not typed, has wrong words in it. So words are compared by their stems, a
word that no passage has is replaced by the nearest one that some passage has, and the score of a
passage says how much of the question it accounts for: a question that no passage accounts for has
no answer here.
"""

from __future__ import annotations

import math
import sqlite3
import threading
from collections.abc import Iterable
from typing import NamedTuple

from .near_words import NearWords
from .words import content_words

TITLE_SHARE = 0.3
"""How much of what the question leaves open a passage gains by its title being asked for."""


class Passage(NamedTuple):
    """A short text that can be an answer. ``about`` has more words to find it by."""

    key: str
    title: str
    text: str
    about: str = ""
    owner: str = ""


class Hit(NamedTuple):
    """A passage, and the share of the question that it accounts for, 0 to 1."""

    key: str
    title: str
    text: str
    score: float


class _Word(NamedTuple):
    """A word of the question: what it is taken for, how surely, how much it says, who has it."""

    taken_for: str
    likeness: float
    weight: float
    rows: frozenset[int]
    titles: frozenset[int]


class PassageIndex:
    """Passages in memory. Each belongs to an owner, whose searches see no others'."""

    def __init__(self, passages: Iterable[Passage]) -> None:
        self._lock = threading.Lock()
        self._database = sqlite3.connect(":memory:", check_same_thread=False)
        self._database.execute(
            "CREATE VIRTUAL TABLE passages USING fts5(key UNINDEXED, owner UNINDEXED, "
            "title, text, about, tokenize='porter unicode61')"
        )
        kept = list(passages)
        self._database.executemany(
            "INSERT INTO passages (key, owner, title, text, about) VALUES (?, ?, ?, ?, ?)",
            [(one.key, one.owner, one.title, one.text, one.about) for one in kept],
        )
        everything = " ".join(f"{one.title} {one.text} {one.about}" for one in kept)
        self._near_words = NearWords(self._database, content_words(everything))

    def close(self) -> None:
        """Let go of the passages."""
        with self._lock:
            self._database.close()

    def search(self, question: str, *, owner: str = "", limit: int = 3) -> list[Hit]:
        """The passages of ``owner`` that account for most of ``question``, the best one first."""
        with self._lock:
            count = self._count(owner)
            words = [self._look_up(word, owner, count) for word in content_words(question)]
            known = [word for word in words if word.rows]
            if not known:
                return []
            total = sum(word.weight for word in words)
            hits = [
                (Hit(key, title, text, round(_score(row, title, known, total), 3)), rank)
                for row, key, title, text, rank in self._rows_with_any(known, owner)
            ]
        hits.sort(key=lambda found: (-found[0].score, found[1]))
        return [hit for hit, _rank in hits[:limit]]

    def _count(self, owner: str) -> int:
        counted = self._database.execute("SELECT count(*) FROM passages WHERE owner = ?", [owner])
        return int(counted.fetchone()[0])

    def _look_up(self, word: str, owner: str, count: int) -> _Word:
        taken_for, likeness = word, 1.0
        rows = self._rows_with(word, owner)
        if not rows:
            taken_for, likeness = self._near_words.nearest(word)
            rows = self._rows_with(taken_for, owner) if taken_for else rows
        titles = self._rows_with(taken_for, owner, column="title") if rows else rows
        # A word that no passage has says as much as one that a single passage has.
        weight = math.log1p(count / max(len(rows), 1))
        return _Word(taken_for, likeness**2, weight, rows, titles)

    def _rows_with(self, word: str, owner: str, column: str = "") -> frozenset[int]:
        wanted = f'{column} : "{word}"' if column else f'"{word}"'
        found = self._database.execute(
            "SELECT rowid FROM passages WHERE passages MATCH ? AND owner = ?", [wanted, owner]
        )
        return frozenset(row for (row,) in found)

    def _rows_with_any(
        self, words: list[_Word], owner: str
    ) -> list[tuple[int, str, str, str, float]]:
        """Row, key, title, text, and rank by BM25: the lower, the better; titles count double."""
        wanted = " OR ".join(f'"{word.taken_for}"' for word in words)
        return self._database.execute(
            "SELECT rowid, key, title, text, bm25(passages, 0, 0, 2, 1, 1) FROM passages "
            "WHERE passages MATCH ? AND owner = ?",
            [wanted, owner],
        ).fetchall()


def _score(row: int, title: str, known: list[_Word], total: float) -> float:
    """The share of the question that the passage has, and more if its title is asked for."""
    share = sum(word.weight * word.likeness for word in known if row in word.rows) / total
    in_title = sum(word.likeness for word in known if row in word.titles)
    asked_for = min(in_title / max(len(content_words(title)), 1), 1.0)
    return share + (1 - share) * TITLE_SHARE * asked_for
