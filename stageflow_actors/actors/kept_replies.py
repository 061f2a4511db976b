"""``KeptReplies``: what an actor has answered, for whoever did not get it and asks again."""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, TypeVar

ExecutionId = tuple[str, int]
"""A run, and the attempt of a stage in it."""

_MOST_KNOWN = 100_000
Id = TypeVar("Id", bound="str | ExecutionId")


class KeptReplies(Generic[Id]):
    """The last ``most`` replies, and of these the last that have ``most_bytes`` bytes together.

    That something was answered is known for much longer than what the answer was.
    """

    __slots__ = ("_bytes", "_kept", "_known", "_most", "_most_bytes")

    def __init__(self, most: int, most_bytes: int) -> None:
        self._most = most
        self._most_bytes = most_bytes
        self._bytes = 0
        self._kept: OrderedDict[Id, bytes] = OrderedDict()
        self._known: OrderedDict[Id, None] = OrderedDict()

    def keep(self, what: Id, reply: bytes) -> None:
        """Note that ``what`` was answered, and keep the reply while there is room."""
        self._known[what] = None
        if len(self._known) > _MOST_KNOWN:
            self._known.popitem(last=False)
        if not self._most or len(reply) > self._most_bytes:
            return
        self._kept[what] = reply
        self._bytes += len(reply)
        while len(self._kept) > self._most or self._bytes > self._most_bytes:
            self._bytes -= len(self._kept.popitem(last=False)[1])

    def find(self, what: Id) -> bytes | None:
        """The reply, if it is still there."""
        return self._kept.get(what)

    def __contains__(self, what: object) -> bool:
        """Whether ``what`` was answered, be the reply still there or not."""
        return what in self._known
