"""``EventBuffer``: what is kept, what is dropped, and the account of it. No lock, no clock."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from stageflow_actors.model.amounts import is_count, is_number

_BYTES_OF_A_PLACE = 300
"""What an event takes up here beside its text."""

_HIGH_WATER = -1


@dataclass(frozen=True, slots=True)
class BufferLimits:
    """At most so many events and bytes; the mark is a share of either.

    Raises:
        ValueError: a limit that is no whole number of at least 1, or a mark that is not above 0 and
            at most 1.
    """

    max_events: int
    max_bytes: int
    high_water_mark: float

    def __post_init__(self) -> None:
        if not (is_count(self.max_events) and is_count(self.max_bytes)):
            raise ValueError(
                "max_buffer_size and max_buffer_bytes must be whole numbers, at least 1, got "
                f"{self.max_events!r:.80} and {self.max_bytes!r:.80}"
            )
        if not is_number(self.high_water_mark) or not 0 < self.high_water_mark <= 1:
            raise ValueError("high_water_mark must be above 0 and at most 1")


class PackedEvent(NamedTuple):
    """An event as text, so that its size is known; one that is ``is_audit`` is never dropped."""

    line: str
    is_audit: bool

    @property
    def size(self) -> int:
        """In bytes: the text is ASCII."""
        return len(self.line) + _BYTES_OF_A_PLACE


class Notice(NamedTuple):
    """What ``on_overflow`` is called with."""

    dropped_count: int
    buffer_size: int


class Offer(Enum):
    """What became of an event that was offered."""

    TAKEN = "taken"
    DROPPED = "dropped"
    NO_ROOM = "no_room"


class _Place(NamedTuple):
    number: int
    event: PackedEvent


class EventBuffer:
    """Events in order, some of them taken out for an attempt that has not ended.

    For want of room the oldest goes that is neither an audit event nor taken out.
    """

    def __init__(self, limits: BufferLimits) -> None:
        self._limits = limits
        self._ordinary: deque[_Place] = deque()
        self._audit: deque[_Place] = deque()
        self._taken: list[_Place] = []
        self._ordinary_bytes = 0
        self._is_above_mark = False
        self.bytes = 0
        self.last_number = 0
        self.accepted = self.exported = self.dropped = self.left = 0
        self.notices: deque[Notice] = deque()

    @property
    def queued(self) -> int:
        """How many could be taken out."""
        return len(self._ordinary) + len(self._audit)

    @property
    def buffered(self) -> int:
        """How many there are, with those taken out."""
        return self.queued + len(self._taken)

    @property
    def first_number(self) -> int:
        """The number of the oldest event; above the last one where there is none."""
        heads = [
            places[0].number for places in (self._taken, self._ordinary, self._audit) if places
        ]
        return min(heads, default=self.last_number + 1)

    def offer(self, event: PackedEvent) -> Offer:
        """Keep ``event``, or drop it for want of room; an audit event gets ``NO_ROOM`` instead."""
        if not self._has_room_without_ordinary(event):
            if event.is_audit:
                return Offer.NO_ROOM
            self.accepted += 1
            self.dropped += 1
            self.notices.append(Notice(self.dropped, self.buffered))
            return Offer.DROPPED
        dropped_before = self.dropped
        while self._ordinary and not self._has_room(event):
            self._drop_oldest()
        self.accepted += 1
        self.last_number += 1
        self._add(_Place(self.last_number, event))
        if self.dropped > dropped_before:
            self.notices.append(Notice(self.dropped, self.buffered))
        self._watch_mark()
        return Offer.TAKEN

    def take(self, most: int) -> list[PackedEvent]:
        """The oldest events, to be settled by ``confirm`` or ``put_back`` before the next call."""
        while len(self._taken) < most and self.queued:
            self._taken.append(self._next())
        return [place.event for place in self._taken]

    def confirm(self) -> None:
        """What was taken out has been exported."""
        self.exported += len(self._taken)
        self.bytes -= sum(place.event.size for place in self._taken)
        self._taken = []
        self._watch_mark()

    def put_back(self) -> None:
        """What was taken out has not been exported: it is first again, in its order."""
        for place in reversed(self._taken):
            if place.event.is_audit:
                self._audit.appendleft(place)
            else:
                self._ordinary.appendleft(place)
                self._ordinary_bytes += place.event.size
        self._taken = []

    def give_up(self) -> list[PackedEvent]:
        """All events, in order; the buffer is empty then."""
        self.put_back()
        left = self.take(self.queued)
        self.left += len(left)
        self._taken = []
        self.bytes = 0
        return left

    def _has_room(self, event: PackedEvent) -> bool:
        return (
            self.buffered < self._limits.max_events
            and self.bytes + event.size <= self._limits.max_bytes
        )

    def _has_room_without_ordinary(self, event: PackedEvent) -> bool:
        """Whether there is room once all that may be dropped is.

        An audit event that is larger than the limit has the buffer to itself.
        """
        kept = self.buffered - len(self._ordinary)
        kept_bytes = self.bytes - self._ordinary_bytes
        if event.is_audit and not kept:
            return True
        return kept < self._limits.max_events and kept_bytes + event.size <= self._limits.max_bytes

    def _add(self, place: _Place) -> None:
        self.bytes += place.event.size
        if place.event.is_audit:
            self._audit.append(place)
        else:
            self._ordinary.append(place)
            self._ordinary_bytes += place.event.size

    def _next(self) -> _Place:
        is_audit = bool(self._audit) and (
            not self._ordinary or self._audit[0].number < self._ordinary[0].number
        )
        if is_audit:
            return self._audit.popleft()
        place = self._ordinary.popleft()
        self._ordinary_bytes -= place.event.size
        return place

    def _drop_oldest(self) -> None:
        size = self._ordinary.popleft().event.size
        self._ordinary_bytes -= size
        self.bytes -= size
        self.dropped += 1

    def _watch_mark(self) -> None:
        """One notice when the mark is reached; the next after the buffer was below half of it."""
        mark = self._limits.high_water_mark
        fill = max(self.buffered / self._limits.max_events, self.bytes / self._limits.max_bytes)
        if fill >= mark and not self._is_above_mark:
            self._is_above_mark = True
            self.notices.append(Notice(_HIGH_WATER, self.buffered))
        elif fill < mark / 2:
            self._is_above_mark = False
