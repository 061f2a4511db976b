"""``FairQueue``: whose turn it is among groups that wait for the same thing.

A group is whatever is to be treated alike: a run, a tenant. Within one it is first in, first out;
groups take turns, and one that comes anew, or comes back, has its first after the others. What is
interactive goes before what is background, which has a guaranteed share of the turns nevertheless.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Item = TypeVar("Item")


class _Lane(Generic[Key, Item]):
    """The groups of one priority: those that take turns, the next one first, and those held."""

    __slots__ = ("held", "ring")

    def __init__(self) -> None:
        # Ordered dicts, as their first entry is found, and any removed, at once.
        self.ring: OrderedDict[str, _Line[Key, Item]] = OrderedDict()
        self.held: dict[str, _Line[Key, Item]] = {}

    def line_of(self, group: str) -> _Line[Key, Item]:
        line = self.ring.get(group)
        if line is None:
            line = self.held.get(group)
        if line is None:
            line = self.ring[group] = OrderedDict()
        return line

    def first(self) -> _Line[Key, Item]:
        return next(iter(self.ring.values()))

    def end_turn(self, group: str, line: _Line[Key, Item]) -> None:
        if line:
            self.ring.move_to_end(group)
        else:
            del self.ring[group]

    def hold(self, group: str) -> None:
        if group not in self.held:
            is_waiting = group in self.ring
            self.held[group] = self.ring.pop(group) if is_waiting else OrderedDict()

    def release(self, group: str) -> None:
        line = self.held.pop(group, None)
        if line:
            self.ring[group] = line


_Entry = tuple[_Lane[Key, Item], str, Item, int]
"""Where it waits: its lane and group; what it is; its size."""
_Line = OrderedDict[Key, _Entry[Key, Item]]
"""One group of one lane, in the order of arrival."""


class FairQueue(Generic[Key, Item]):
    """Items that wait, each under a key of its own. Each call but ``drain`` is constant work.

    Of ``background_share`` items taken in a row at least one is background's, if one could have
    been taken all that while.

    Raises:
        ValueError: ``background_share`` is less than 1.
    """

    __slots__ = ("_background", "_bytes", "_entries", "_interactive", "_passed", "_share")

    def __init__(self, background_share: int) -> None:
        if background_share < 1:
            raise ValueError(f"background_share must be at least 1, got {background_share}.")
        self._share = background_share
        self._interactive: _Lane[Key, Item] = _Lane()
        self._background: _Lane[Key, Item] = _Lane()
        self._entries: dict[Key, _Entry[Key, Item]] = {}
        self._passed = 0  # taken in a row while background could have been
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, key: object) -> bool:
        return key in self._entries

    @property
    def bytes(self) -> int:
        """The sizes of all that waits, together."""
        return self._bytes

    @property
    def has_next(self) -> bool:
        """Whether ``take`` would give something: what is held does not count."""
        return bool(self._interactive.ring or self._background.ring)

    def put(self, key: Key, group: str, item: Item, *, is_background: bool, size: int = 0) -> None:
        """Let ``item`` wait behind all of its group and priority; ``size`` is in bytes.

        Raises:
            ValueError: something waits under this key already.
        """
        if key in self._entries:
            raise ValueError(f"Something waits under the key {key!r:.80} already.")
        lane = self._background if is_background else self._interactive
        lane.line_of(group)[key] = self._entries[key] = (lane, group, item, size)
        self._bytes += size

    def peek(self) -> Item:
        """What ``take`` would give.

        Raises:
            IndexError: nothing may be taken.
        """
        line = self._next_lane().first()
        return next(iter(line.values()))[2]

    def take(self) -> Item:
        """The next item, which waits no longer.

        Raises:
            IndexError: nothing may be taken.
        """
        lane = self._next_lane()
        line = lane.first()
        key, (_lane, group, item, size) = line.popitem(last=False)
        is_passing = lane is self._interactive and self._background.ring
        self._passed = self._passed + 1 if is_passing else 0
        lane.end_turn(group, line)
        del self._entries[key]
        self._bytes -= size
        return item

    def remove(self, key: Key) -> Item | None:
        """Take back what waits under ``key``; ``None`` if nothing does. Nobody's turn changes."""
        entry = self._entries.pop(key, None)
        if entry is None:
            return None
        lane, group, item, size = entry
        line = lane.line_of(group)
        del line[key]
        if not line:
            lane.ring.pop(group, None)
        self._bytes -= size
        return item

    def hold(self, group: str) -> None:
        """Take nothing of ``group`` until it is released; others have their turns meanwhile."""
        self._interactive.hold(group)
        self._background.hold(group)

    def release(self, group: str) -> None:
        """Let ``group`` take turns again, the first one after all that are waiting for theirs."""
        self._interactive.release(group)
        self._background.release(group)

    def drain(self) -> list[Item]:
        """Take all, in the order of taking; held groups are released."""
        for group in tuple(self._interactive.held):
            self.release(group)
        return [self.take() for _ in range(len(self))]

    def _next_lane(self) -> _Lane[Key, Item]:
        interactive, background = self._interactive, self._background
        if not background.ring:
            if not interactive.ring:
                raise IndexError("Nothing may be taken.")
            return interactive
        is_its_turn = not interactive.ring or self._passed + 1 >= self._share
        return background if is_its_turn else interactive
