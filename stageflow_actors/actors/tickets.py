"""``Ticket``: the right to work on an idempotency key, and the lease behind it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, TypeVar

from stageflow_actors.errors import RuntimeFault, describe_exception
from stageflow_actors.ports import IdempotencyStore

logger = logging.getLogger("stageflow_actors")

Value = TypeVar("Value")

NOT_KEPT = "The stage was executed, but its answer is not kept: the key may execute it again."
_NOT_FREED = "The key stays taken until its lease has run out."


class Ticket:
    """The right, and the duty, to work on a key. End it: with an answer, or without.

    Until then its lease is renewed in the background. Of all calls that end it the first counts,
    and is carried through even if its caller is cancelled.
    """

    __slots__ = (
        "_closed",
        "_is_ended",
        "_last_call",
        "_lease_s",
        "_on_closed",
        "_owner",
        "_renewal",
        "_store",
        "key",
        "params",
    )

    def __init__(
        self,
        store: IdempotencyStore,
        key: str,
        params: str,
        owner: str,
        lease_s: float,
        on_closed: Callable[[Ticket], None],
    ) -> None:
        self.key = key
        self.params = params
        self._store = store
        self._owner = owner
        self._lease_s = lease_s
        self._on_closed = on_closed
        self._is_ended = False
        self._last_call: asyncio.Task[Any] | None = None
        self._closed = asyncio.Event()
        self._renewal = asyncio.ensure_future(self._renew())

    async def closed(self) -> None:
        """Wait until it has ended, in the store too, or was lost to another owner."""
        await self._closed.wait()

    async def complete(self, answer: str, ttl_s: float) -> None:
        """Keep ``answer`` for everybody who waits, or comes within ``ttl_s``.

        Raises:
            RuntimeFault: it is not kept: the store failed (``IDEMPOTENCY-STORE``), or the lease
                had run out and another owner has taken the key (``IDEMPOTENCY-LEASE``).
        """
        if not self._end():
            return
        complete = partial(self._store.complete, self.key, self._owner, answer, ttl_s)
        if not await self._carry_through(complete, NOT_KEPT):
            raise RuntimeFault(
                "The stage worked on an idempotency key beyond its lease, and another owner has "
                "taken the key.",
                hint="Its answer is not kept; ask again with the same key for the other's.",
                code="IDEMPOTENCY-LEASE",
            )

    async def release(self) -> None:
        """Free the key without an answer: whoever is next executes.

        Raises:
            RuntimeFault: the store failed (``IDEMPOTENCY-STORE``).
        """
        if self._end():
            release = partial(self._store.release, self.key, self._owner)
            await self._carry_through(release, _NOT_FREED)

    def abandon(self) -> None:
        """Renew the lease no more: the key is free when it has run out, and not before."""
        if self._end():
            self._close()

    def _end(self) -> bool:
        is_first, self._is_ended = not self._is_ended, True
        self._renewal.cancel()
        return is_first

    async def _carry_through(self, work: Callable[[], Awaitable[Value]], hint: str) -> Value:
        async def call() -> Value:
            return await work()

        self._last_call = last_call = asyncio.ensure_future(call())
        # Not before: whoever asks the store next is to find there what has become of the key.
        last_call.add_done_callback(lambda _done: self._close())
        try:
            return await asyncio.shield(last_call)
        except Exception as error:
            raise store_fault(error, hint) from error

    async def _renew(self) -> None:
        has_warned = False
        while True:
            await asyncio.sleep(self._lease_s / 3)
            try:
                if await self._store.renew(self.key, self._owner, self._lease_s):
                    continue
            except Exception:  # the next one may do; if none does, ``complete`` finds out
                if not has_warned:
                    has_warned = True
                    logger.warning("The lease of key %s was not renewed.", self.key, exc_info=True)
                continue
            logger.warning("The lease of key %s ran out, and another owner took it.", self.key)
            self._close()
            return

    def _close(self) -> None:
        if not self._closed.is_set():
            self._closed.set()
            self._on_closed(self)


def store_fault(error: BaseException, hint: str) -> RuntimeFault:
    """What a caller is told of ``error``, which its store has raised."""
    text = f"{type(error).__name__}: {describe_exception(error)}"
    return RuntimeFault(
        f"The idempotency store failed: {text}.", hint=hint, code="IDEMPOTENCY-STORE"
    )
