"""What a ``DeliveryQueue`` keeps and drops, said with lists; and random histories of both."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from stageflow_actors import RuntimeFault
from stageflow_actors.adapters.analytics.buffer import (
    BufferLimits,
    EventBuffer,
    Offer,
    PackedEvent,
)
from stageflow_actors.adapters.analytics.queue import DeliveryQueue

MAX_EVENTS, MAX_BYTES, BATCH = 4, 2000, 2
lengths = st.sampled_from([1, 60, 400, 3000])


class NaiveQueue:
    """Events as ``(number, event)``."""

    def __init__(self):
        self.queued, self.taken, self.waiting = [], [], []
        self.exported, self.dropped, self.refused, self.left = [], [], [], []

    @property
    def kept(self):
        return self.taken + self.queued

    def fits(self, event, among):
        size = event.size + sum(other.size for _number, other in among)
        return len(among) < MAX_EVENTS and size <= MAX_BYTES

    def place(self, entry):
        event = entry[1]
        lasting = self.taken + [each for each in self.queued if each[1].is_audit]
        if not self.fits(event, lasting) and not (event.is_audit and not lasting):
            if event.is_audit:
                return False
            self.dropped.append(entry)
            return True
        while not self.fits(event, self.kept):
            ordinary = [each for each in self.queued if not each[1].is_audit]
            if not ordinary:
                break
            self.queued.remove(ordinary[0])
            self.dropped.append(ordinary[0])
        self.queued.append(entry)
        return True

    def offer(self, entry, may_wait):
        if not (entry[1].is_audit and self.waiting) and self.place(entry):
            return
        (self.waiting if may_wait else self.refused).append(entry)

    def take(self):
        self.taken, self.queued = self.queued[:BATCH], self.queued[BATCH:]

    def settle(self, is_exported):
        if is_exported:
            self.exported += self.taken
        else:
            self.queued = self.taken + self.queued
        self.taken = []
        while self.waiting and self.place(self.waiting[0]):
            self.waiting.pop(0)


class RandomHistory(RuleBasedStateMachine):
    """Events that come, wait and are withdrawn; attempts that fail; a close at any moment."""

    def __init__(self):
        super().__init__()
        self.queue = DeliveryQueue(EventBuffer(BufferLimits(MAX_EVENTS, MAX_BYTES, 0.8)), BATCH)
        self.naive = NaiveQueue()
        self.made = 0
        self.waiting = []
        self.flushes = []
        self.is_taken = self.is_closed = self.is_given_up = False

    def make(self, length, is_audit):
        self.made += 1
        return self.made, PackedEvent(f"{self.made:05}".ljust(length), is_audit)

    @rule(length=lengths, is_audit=st.booleans())
    def offer(self, length, is_audit):
        entry = self.make(length, is_audit)
        dropped = len(self.naive.dropped)
        if self.is_closed:
            self.naive.refused.append(entry)
        else:
            self.naive.offer(entry, may_wait=False)
        offer = self.queue.offer(entry[1])
        assert (offer is Offer.NO_ROOM) == (entry in self.naive.refused)
        assert (offer is Offer.DROPPED) == (entry in self.naive.dropped[dropped:])

    @rule(length=lengths, is_audit=st.booleans())
    def offer_or_wait(self, length, is_audit):
        entry = self.make(length, is_audit)
        try:
            waiting = self.queue.offer_or_wait(entry[1])
        except RuntimeFault:
            assert self.is_closed
            self.naive.refused.append(entry)
            return
        assert not self.is_closed
        self.naive.offer(entry, may_wait=True)
        assert (waiting is not None) == (entry in self.naive.waiting)
        if waiting is not None:
            self.waiting.append((entry, waiting))

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def withdraw(self, data):
        entry, waiting = data.draw(st.sampled_from(self.waiting))
        if entry in self.naive.waiting:
            self.naive.waiting.remove(entry)
            self.naive.refused.append(entry)
            self.waiting.remove((entry, waiting))
        self.queue.withdraw(waiting)

    @precondition(lambda self: not self.is_taken)
    @rule()
    def take(self):
        self.naive.take()
        batch = self.queue.take()
        assert batch == [event for _number, event in self.naive.taken]
        self.is_taken = bool(batch)

    @precondition(lambda self: self.is_taken)
    @rule(is_exported=st.booleans())
    def settle(self, is_exported):
        self.is_taken = False
        if not self.is_given_up:
            self.naive.settle(is_exported)
        self.queue.settle(is_exported=is_exported)

    @rule()
    def flush(self):
        self.flushes.append(
            ([number for number, _event in self.naive.kept], self.queue.flush().done)
        )

    @rule()
    def close(self):
        self.is_closed = True
        self.queue.close()

    @precondition(lambda self: self.made > 8)
    @rule()
    def give_up(self):
        self.is_closed = self.is_given_up = True
        left = self.naive.kept
        assert self.queue.give_up() == [event for _number, event in left]
        self.naive.left += left
        self.naive.refused += self.naive.waiting
        self.naive.queued, self.naive.taken, self.naive.waiting = [], [], []

    @invariant()
    def every_event_is_accounted_for(self):
        told, naive = self.queue.statistics(0), self.naive
        counted = (told.exported, told.dropped, told.left, told.buffered, told.waiting)
        lists = (naive.exported, naive.dropped, naive.left, naive.kept, naive.waiting)
        assert counted == tuple(map(len, lists))
        assert told.accepted == told.exported + told.dropped + told.left + told.buffered
        assert self.made == told.accepted + told.waiting + told.refused
        assert told.buffered_bytes == sum(event.size for _number, event in naive.kept)

    @invariant()
    def no_audit_event_was_dropped_and_none_overtook_another(self):
        assert not [event for _number, event in self.naive.dropped if event.is_audit]
        audit = [number for number, event in self.naive.exported if event.is_audit]
        assert audit == sorted(audit)

    @invariant()
    def memory_is_bounded(self):
        told = self.queue.statistics(0)
        assert told.buffered <= MAX_EVENTS
        alone = [event.size for _number, event in self.naive.kept if event.size > MAX_BYTES]
        assert told.buffered_bytes <= MAX_BYTES or (told.buffered, len(alone)) == (1, 1)

    @invariant()
    def those_who_wait_are_told(self):
        for entry, waiting in self.waiting:
            assert waiting.placed.done() == (entry not in self.naive.waiting)
        kept = {number for number, _event in self.naive.kept}
        for goal, done in self.flushes:
            gone = not kept & set(goal)
            assert not done.done() or done.result() is False or gone
            assert done.done() or not gone or self.is_given_up
