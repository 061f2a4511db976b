"""A store that counts, breaks and waits on command; and what tests of desks ask all the time."""

from __future__ import annotations

import asyncio
from collections import Counter

from stageflow_actors.actors.idempotency import Entry
from stageflow_actors.adapters.idempotency.memory import InMemoryIdempotencyStore
from stageflow_actors.model.claims import ClaimState

LONG_S = 600.0
ANSWER = Entry(answer="yes")


class CountingStore(InMemoryIdempotencyStore):
    """Counts its calls; those of a method in ``broken`` raise, those in ``gates`` wait."""

    def __init__(self, **options):
        super().__init__(**options)
        self.calls = Counter()
        self.broken = set()
        self.gates = {}

    async def _enter(self, method):
        self.calls[method] += 1
        if method in self.gates:
            await self.gates[method].wait()
        if method in self.broken:
            raise OSError("disk full")

    async def claim(self, *args):
        await self._enter("claim")
        return await super().claim(*args)

    async def renew(self, *args):
        await self._enter("renew")
        return await super().renew(*args)

    async def complete(self, *args):
        await self._enter("complete")
        return await super().complete(*args)

    async def release(self, *args):
        await self._enter("release")
        return await super().release(*args)

    async def changed(self, key):
        await self._enter("changed")
        await super().changed(key)

    def close_gate(self, method):
        self.gates[method] = asyncio.Event()
        return self.gates[method]


async def turns():
    """Everybody gets as far as they can without anything else happening."""
    for _ in range(20):
        await asyncio.sleep(0)


def admitting(desk, params="p", key="k"):
    return asyncio.ensure_future(desk.admit(key, params))


async def admitted(admission):
    return await asyncio.wait_for(admission, 60)


async def ticket_of(desk, params="p", key="k"):
    ticket = (await admitted(desk.admit(key, params))).ticket
    assert ticket is not None
    return ticket


def held(desk):
    """What a desk has not forgotten yet."""
    return [*desk._lines, *desk._tickets, *desk._returns]


async def is_free(store, key="k"):
    claim = await InMemoryIdempotencyStore.claim(store, key, "any", "test", LONG_S)
    return claim.state is ClaimState.OWNED
