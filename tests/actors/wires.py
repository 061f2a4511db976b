"""A channel and an exchange without Ray between them: the test says what arrives, and when."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from functools import partial

from ray.exceptions import ActorUnavailableError

from stageflow_actors import Settings
from stageflow_actors.actors.channel import Channel, Post
from stageflow_actors.actors.exchange import Exchange, answered
from stageflow_actors.actors.messages import unpack


async def settle():
    """Let everything happen that waits for nothing but its turn."""
    for _turn in range(8):
        await asyncio.sleep(0)


class Call:
    """One call on its way; ``post`` is what it says."""

    def __init__(self, packed, receive):
        self.packed = packed
        self.post = Post(*unpack(packed))
        self._receive = receive
        self._told = Future()
        self._reply = None

    def future(self):
        return self._told

    @property
    def is_told(self):
        """Whether the caller knows how it has ended."""
        return self._told.done()

    @property
    def has_arrived(self):
        return self._reply is not None

    @property
    def is_answered(self):
        """Whether there is a reply, on its way or lost."""
        return self._reply is not None and self._reply.done()

    def arrive(self):
        self._reply = asyncio.ensure_future(self._receive(self.packed))

    def come_back(self):
        """The caller gets the reply."""
        self._told.set_result(self._reply.result())

    def lose(self, error=None):
        """The caller is told that request or reply was lost; the other end may go on with it."""
        self._told.set_exception(error or ActorUnavailableError("out of reach", None))

    async def trip(self):
        """Arrive, and come back once there is a reply."""
        self.arrive()
        await self._reply
        self.come_back()


class Ends:
    """Both ends. A message is a text; its reply, to be given with ``reply``, a text, too.

    ``is_held``: calls travel only as the test says; else at once.
    """

    def __init__(self, *, is_held=False, **settings):
        self.settings = Settings(**settings)
        self.is_held = is_held
        self.calls = []
        self.begun = []
        self.taken = []
        self.faults = []
        self.due = 0
        self._trips = set()
        self.exchange = Exchange(self.begun.append, self.settings)
        self.receive = lambda packed: answered(partial(self.exchange.take, packed))
        self.channel = Channel(
            self, lambda: self.due > 0, self._take, self.faults.append, self.settings
        )

    def put(self, *messages, size=1):
        for message in messages:
            self.due += 1
            self.channel.put(message, size)

    def reply(self, *messages, size=1):
        for message in messages:
            self.exchange.tell(f"re {message}", size)

    @property
    def open_calls(self):
        """Those of which the caller does not know the end."""
        return [call for call in self.calls if not call.is_told]

    @property
    def travelled(self):
        """The messages of each call."""
        return [list(call.post.messages) for call in self.calls]

    async def finish(self):
        """Let calls travel as they like, until none is open."""
        while True:
            await settle()
            moved = False
            for call in self.open_calls:
                if not call.has_arrived:
                    call.arrive()
                    moved = True
                elif call.is_answered:
                    call.come_back()
                    moved = True
            if not moved:
                return

    def send_by_ray(self, packed):
        return self.send(packed)

    def send(self, packed):
        call = Call(packed, self.receive)
        self.calls.append(call)
        if not self.is_held:
            trip = asyncio.ensure_future(call.trip())
            self._trips.add(trip)
            trip.add_done_callback(self._trips.discard)
        return call

    def _take(self, reply):
        self.due -= 1
        self.taken.append(reply)
