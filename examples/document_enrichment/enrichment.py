"""What is found out about one text: how hard it reads, what it is about, and its fingerprint.

All of it is plain Python that keeps a core busy, as enrichment often does.
"""

from __future__ import annotations

import re
import zlib
from collections import Counter
from collections.abc import Sequence
from typing import Any

SHINGLE_WORDS = 5
FINGERPRINT_SIZE = 512
_PRIME = (1 << 61) - 1
# Any odd numbers do, as long as they stay the same: fingerprints are compared between runs.
_FACTORS = [(0x9E3779B97F4A7C15 * (index + 1)) % _PRIME | 1 for index in range(FINGERPRINT_SIZE)]
_STOP_WORDS = frozenset(
    re.findall(
        r"\w+",
        """a all also an and are as at be been but by can do does each for from had has have if in
        into is it its may more no not of on one only or other so than that the their them then
        there these they this to two up was were what when where which who will with you your""",
    )
)


def enrich(text: str) -> dict[str, Any]:
    """``words``, ``reading_ease`` (0 to 100, higher is easier), ``topics`` and ``fingerprint``."""
    words = re.findall(r"[a-z]+(?:'[a-z]+)?", text.lower())
    sentences = max(1, len(re.findall(r"[.!?](?:\s|$)", text)))
    return {
        "words": len(words),
        "reading_ease": reading_ease(words, sentences),
        "topics": topics(words),
        "fingerprint": fingerprint(words),
    }


def reading_ease(words: Sequence[str], sentences: int) -> float:
    """Flesch's formula, with syllables counted as groups of vowels."""
    if not words:
        return 0.0
    syllables = sum(max(1, len(re.findall(r"[aeiouy]+", word))) for word in words)
    return round(206.835 - 1.015 * len(words) / sentences - 84.6 * syllables / len(words), 1)


def topics(words: Sequence[str], count: int = 5) -> list[str]:
    """The words that stand out, most frequent first; ties in the order they came."""
    telling = (word for word in words if len(word) > 3 and word not in _STOP_WORDS)
    return [word for word, _times in Counter(telling).most_common(count)]


def fingerprint(words: Sequence[str]) -> list[int]:
    """MinHash over runs of five words: texts that share most of them have similar fingerprints."""
    shingles = {
        zlib.crc32(" ".join(words[start : start + SHINGLE_WORDS]).encode())
        for start in range(max(1, len(words) - SHINGLE_WORDS + 1))
    }
    return [min(shingle * factor % _PRIME for shingle in shingles) for factor in _FACTORS]


def similarity(left: Sequence[int], right: Sequence[int]) -> float:
    """The share of the text, 0 to 1, that two fingerprints say is the same."""
    return sum(a == b for a, b in zip(left, right, strict=True)) / len(left)
