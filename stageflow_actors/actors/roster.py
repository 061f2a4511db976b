"""``Roster``: tells a waiting owner that the processes below it are others than before."""

from __future__ import annotations

import asyncio


class Roster:
    """A version that counts changes from 1."""

    __slots__ = ("_changed", "_version")

    def __init__(self) -> None:
        self._version = 1
        self._changed = asyncio.Event()

    def change(self) -> None:
        """A process came or went."""
        self._version += 1
        self._changed.set()

    async def others_than(self, version: int) -> int:
        """Wait for a version other than that one; which it is."""
        while self._version == version:
            self._changed.clear()
            await self._changed.wait()
        return self._version
