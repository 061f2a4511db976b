"""Frames of a direct line: a number, a kind and bytes, cut out of a stream as they arrive."""

from __future__ import annotations

import struct
from collections.abc import Iterator

ANSWER, ONLY_BY_RAY = 0, 1
"""Kinds of replies: here it is; it holds references, or was raised, which only Ray carries."""
_HEAD = struct.Struct("<IQB")
_HEAD_BYTES = _HEAD.size


def frame(number: int, kind: int, body: bytes) -> bytes:
    """One frame."""
    return _HEAD.pack(len(body), number, kind) + body


class Frames:
    """Cuts what arrives into frames."""

    __slots__ = ("_held",)

    def __init__(self) -> None:
        self._held = bytearray()

    def feed(self, data: bytes) -> Iterator[tuple[int, int, bytes]]:
        """The frames that are complete now: number, kind, body."""
        held = self._held
        held += data
        start = 0
        while len(held) - start >= _HEAD_BYTES:
            size, number, kind = _HEAD.unpack_from(held, start)
            end = start + _HEAD_BYTES + size
            if len(held) < end:
                break
            yield number, kind, bytes(memoryview(held)[start + _HEAD_BYTES : end])
            start = end
        del held[:start]
