"""``Exchange``: the receiving end of a mailbox, in the actor that a ``Channel`` sends to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from itertools import takewhile
from typing import Any

from stageflow_actors.actors.channel import Post
from stageflow_actors.actors.parcels import Parcel, Respond, unwrap, wrap
from stageflow_actors.model.settings import Settings

_MANY = 64
_SILENT_S = 60.0
_GONE_S = 600.0
"""How long a caller with nothing due may be silent: with all told, and with replies to fetch."""
_BEHIND = 1_000
Reply = tuple[int, Sequence[Any]]
Replies = Sequence[Reply]
"""By number, what was gathered for one answer."""


async def answered(take: Callable[[Respond], None]) -> Parcel:
    """What ``take`` responds with, for a call of Ray, which waits for it."""
    waiting: asyncio.Future[Parcel] = asyncio.get_running_loop().create_future()

    def respond(told: Parcel | Exception) -> None:
        if waiting.done():
            return  # it was given up; who comes again asks for what it has missed
        if isinstance(told, Exception):
            waiting.set_exception(told)
        else:
            waiting.set_result(told)

    take(respond)
    return await waiting


class Exchange:
    """``begin`` is called with each message, once. All on one event loop.

    ``due`` counts what the other end waits for; it is up to whoever answers. ``called_at`` is the
    time of the last call, by the event loop.
    """

    __slots__ = (
        "_begin",
        "_floor",
        "_kept",
        "_loop",
        "_most_bytes",
        "_newest",
        "_number",
        "_ready",
        "_releasing",
        "_seen",
        "_waiting",
        "_with_refs",
        "called_at",
        "due",
    )

    def __init__(self, begin: Callable[[Any], None], settings: Settings) -> None:
        self._begin = begin
        self._loop = asyncio.get_running_loop()
        self._most_bytes = settings.max_bytes_per_call
        self._newest = 0
        self._floor = 0
        self._seen: dict[int, Exception | None] = {}
        self._number = 0
        self._kept: dict[int, Sequence[Any]] = {}
        self._ready: list[tuple[Any, int]] = []
        self._with_refs: set[int] = set()
        self._waiting: Respond | None = None
        self._releasing = False
        self.called_at = 0.0
        self.due = 0

    def take(self, parcel: Parcel, respond: Respond) -> None:
        """Begin what a call brings; ``respond``, on this event loop and maybe at once, with replies
        as soon as there are any.

        Raises:
            Exception: what ``begin`` has raised, here or before.
        """
        post = Post(*unwrap(parcel))
        self.called_at = self._loop.time()
        self._forget(post)
        # Nobody may be there any more for the answer to a post that a later one has overtaken.
        is_newest = post.serial > self._newest
        if is_newest:
            self._newest = post.serial
            self.release()
        if post.number >= self._floor:
            self._begin_once(post)
        again = tuple(self._kept.items()) if post.is_lossy else ()
        if not is_newest:
            self._answer(respond, again)
        elif again or not post.listens:
            self._answer(respond, (*again, *self._gathered()))
        else:
            self._waiting = respond
            if self._ready:
                self._release_soon()

    def _begin_once(self, post: Post) -> None:
        """A defect is raised again to who comes again: it must not wait for what will not come."""
        if post.number in self._seen:
            defect = self._seen[post.number]
            if defect is not None:
                raise defect
            return
        self._seen[post.number] = None
        try:
            for message in post.messages:
                self._begin(message)
        except Exception as error:
            self._seen[post.number] = error
            raise

    @property
    def is_behind(self) -> bool:
        """Whether the other end does not fetch what there is for it: it had better not be more."""
        return len(self._ready) > _BEHIND

    def tell(self, reply: Any, size: int, *, has_refs: bool = False, is_last: bool = False) -> None:
        """Send ``reply``, of about ``size`` bytes, with all others of this turn of the loop.

        ``has_refs``: references to objects of Ray may be in it. ``is_last``: no other is due.
        """
        self._ready.append((reply, size))
        if has_refs:
            self._with_refs.add(self._number + 1)
        if self._waiting is not None:
            if is_last:
                self.release()
            else:
                self._release_soon()

    def release(self) -> None:
        """Answer the call that waits, if any, with what there is."""
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            self._answer(waiting, self._gathered())

    def _answer(self, respond: Respond, replies: Replies) -> None:
        has_refs = bool(self._with_refs) and any(
            number in self._with_refs for number, _items in replies
        )
        try:
            parcel = wrap(tuple(replies), has_refs=has_refs)
        except Exception as error:  # it is not the fault of whoever has just told something
            respond(error)
        else:
            respond(parcel)

    def is_over(self, now: float) -> bool:
        """Whether the other end has had all it may ask for, or is gone."""
        silent_s = now - self.called_at
        return not self.due and silent_s > (_GONE_S if self._ready else _SILENT_S)

    def _forget(self, post: Post) -> None:
        """What the other end will not ask for again."""
        if post.floor > self._floor:
            self._floor = post.floor
            self._seen = {number: e for number, e in self._seen.items() if number >= post.floor}
        self._number = max(self._number, post.have)  # it is behind if this end was made anew
        for number in [number for number in self._kept if number <= post.have]:
            del self._kept[number]
            self._with_refs.discard(number)

    def _release_soon(self) -> None:
        """After what runs in this turn of the loop: it may have replies, too."""
        if not self._releasing:
            self._releasing = True
            self._loop.call_soon(self._release_ready)

    def _release_ready(self) -> None:
        self._releasing = False
        if self._ready:
            self.release()

    def _gathered(self) -> Replies:
        if not self._ready:
            return ()
        items: list[Any] = []
        room, taken = self._most_bytes, 0
        for reply, size in self._ready:
            if size > room and items:
                break
            room -= size
            taken += 1
            items.append(reply)
        del self._ready[:taken]
        self._number += 1
        if self._ready and self._number in self._with_refs:  # it may be among what is left, too
            self._with_refs.add(self._number + 1)
        self._kept[self._number] = items
        return ((self._number, items),)


class Exchanges:
    """One for each process, or event loop, that calls; ``begin`` is called with it, and a message.

    Of callers that are gone nobody tells. One that nothing is due to, and that was silent for long,
    can be made anew.
    """

    __slots__ = ("_begin", "_by_caller", "_settings")

    def __init__(self, begin: Callable[[Exchange, Any], None], settings: Settings) -> None:
        self._begin = begin
        self._settings = settings
        self._by_caller: dict[str, Exchange] = {}

    def take(self, caller: str, parcel: Parcel, respond: Respond) -> None:
        """As ``Exchange.take``."""
        exchange = self._by_caller.pop(caller, None)
        if exchange is None:
            if len(self._by_caller) >= _MANY:
                self._forget_silent()
            exchange = self._open()
        self._by_caller[caller] = exchange  # whoever has called last is the last
        exchange.take(parcel, respond)

    def _open(self) -> Exchange:
        exchange = Exchange(lambda message: self._begin(exchange, message), self._settings)
        return exchange

    def _forget_silent(self) -> None:
        now = asyncio.get_running_loop().time()
        silent = takewhile(
            lambda item: item[1].called_at < now - _SILENT_S, self._by_caller.items()
        )
        for caller, exchange in [item for item in silent if item[1].is_over(now)]:
            del self._by_caller[caller]
            exchange.release()
