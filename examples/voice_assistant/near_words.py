"""The known word that a misheard one may have been."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

NEAR = 0.66
"""From this likeness on, one word may have been heard for the other."""
SHORTEST = 5
"""Letters of the shortest word that is looked for: a short one is like too many others."""
_CANDIDATES = 20


class NearWords:
    """Known words, found by the groups of three letters that they share with another word."""

    def __init__(self, database: sqlite3.Connection, words: Iterable[str]) -> None:
        self._database = database
        database.execute("CREATE VIRTUAL TABLE words USING fts5(word, tokenize='trigram')")
        database.executemany("INSERT INTO words VALUES (?)", [(word,) for word in words])

    def nearest(self, word: str) -> tuple[str, float]:
        """The known word most like ``word`` and the likeness; ``("", 0.0)`` if none is near."""
        if len(word) < SHORTEST:
            return "", 0.0
        groups = [f'"{word[start : start + 3]}"' for start in range(len(word) - 2)]
        candidates = self._database.execute(
            "SELECT word FROM words WHERE words MATCH ? ORDER BY rank LIMIT ?",
            [" OR ".join(groups), _CANDIDATES],
        )
        likeness, near = max(
            ((likeness_of(word, known), known) for (known,) in candidates), default=(0.0, "")
        )
        return (near, likeness) if likeness >= NEAR else ("", 0.0)


def likeness_of(left: str, right: str) -> float:
    """1 for the same word, 0 for two words of which every letter differs: edit distance."""
    costs = list(range(len(right) + 1))
    for row, letter in enumerate(left, 1):
        diagonal, costs[0] = costs[0], row
        for column, other in enumerate(right, 1):
            changed = diagonal + (letter != other)
            diagonal = costs[column]
            costs[column] = min(changed, diagonal + 1, costs[column - 1] + 1)
    return 1 - costs[-1] / max(len(left), len(right), 1)
