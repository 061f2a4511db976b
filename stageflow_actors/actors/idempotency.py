"""``IdempotencyDesk``: equal requests are executed once, the others wait for the answer."""

from __future__ import annotations

import asyncio
import functools
import hashlib
import itertools
import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from uuid import uuid4

from stageflow_actors.actors.tickets import Ticket, store_fault
from stageflow_actors.errors import IdempotencyParamMismatch
from stageflow_actors.model.claims import ClaimState
from stageflow_actors.ports import IdempotencyStore

logger = logging.getLogger("stageflow_actors")

_NOT_EXECUTED = "The stage was not executed. Run it again when the store works."


def scope_key(tenant: str, pipeline: str, stage: str, key: str) -> str:
    """One text for a key within its tenant, pipeline and stage: 64 characters, whatever they are.

    Different parts give different texts, however they are put together.
    """
    digest = hashlib.sha256()
    for part in (tenant, pipeline, stage, key):
        encoded = part.encode("utf-8", "surrogatepass")
        digest.update(b"%d:" % len(encoded))
        digest.update(encoded)
    return digest.hexdigest()


class Entry(NamedTuple):
    """Either the answer that there is, or the ticket for making it."""

    answer: str | None = None
    ticket: Ticket | None = None


@dataclass(frozen=True, slots=True)
class DeskStatistics:
    """Entries so far: by ticket, by answer; ``waited`` of them had to wait for another owner."""

    executed: int
    answered: int
    waited: int


@dataclass(slots=True, eq=False)
class _Waiter:
    params: str
    admission: asyncio.Future[Entry]
    has_waited: bool = False


@dataclass(slots=True, eq=False)
class _Line:
    """Everybody here who wants one key, in the order they came. One task serves them."""

    key: str
    waiters: list[_Waiter] = field(default_factory=list)
    server: asyncio.Task[None] | None = None
    pause: asyncio.Task[None] | None = None
    pending_params: str | None = None

    def wake(self) -> None:
        """Have the server look at the line again."""
        if self.pause is not None:
            self.pause.cancel()

    def forget_cancelled(self) -> None:
        """Their own tasks may not have come to it yet."""
        self.waiters = [waiter for waiter in self.waiters if not waiter.admission.done()]

    def refuse_others(self, params: str) -> None:
        """Keep those alone who want the key with these parameters."""
        self.forget_cancelled()
        waiting = self.waiters
        self.waiters = [waiter for waiter in waiting if waiter.params == params]
        for waiter in waiting:
            if waiter.params != params:
                mismatch = IdempotencyParamMismatch(self.key, params, waiter.params)
                waiter.admission.set_exception(mismatch)

    def fail(self, error: BaseException) -> None:
        """Refuse everybody: what has become of the key cannot be known."""
        self.forget_cancelled()
        for waiter in self.waiters:
            fault = store_fault(error, _NOT_EXECUTED)
            fault.__cause__ = error
            waiter.admission.set_exception(fault)
        self.waiters.clear()


class IdempotencyDesk:
    """Admits one owner per key, and everybody else once there is an answer.

    For one event loop. ``lease_s`` is how long a key stays taken after its owner's process died.
    While an owner of this desk works, those who wait here ask nothing of the store; while another's
    does, one task asks for all of them, at the store's ``changed`` and at least once a lease.
    """

    __slots__ = (
        "_answered",
        "_executed",
        "_lease_s",
        "_lines",
        "_numbers",
        "_owner",
        "_returns",
        "_store",
        "_tickets",
        "_waited",
    )

    def __init__(self, store: IdempotencyStore, lease_s: float, owner: str | None = None) -> None:
        self._store = store
        self._lease_s = lease_s
        self._owner = owner or str(uuid4())
        # A ticket, not the desk, owns a key: one that was lost must not pass for the next one.
        self._numbers = itertools.count(1)
        self._lines: dict[str, _Line] = {}
        self._tickets: dict[str, Ticket] = {}
        self._returns: set[asyncio.Task[None]] = set()
        self._executed = self._answered = self._waited = 0

    @property
    def statistics(self) -> DeskStatistics:
        """Who was admitted, and how."""
        return DeskStatistics(self._executed, self._answered, self._waited)

    async def admit(self, key: str, params: str) -> Entry:
        """The answer of ``key``, or a ticket to make it; waits while another owner works on it.

        Raises:
            IdempotencyParamMismatch: the key was first used with other ``params``.
            RuntimeFault: the store failed (``IDEMPOTENCY-STORE``).
        """
        waiter = _Waiter(params, asyncio.get_running_loop().create_future())
        line = self._lines.get(key)
        if line is None:
            line = self._lines[key] = _Line(key)
            line.server = asyncio.ensure_future(self._serve(line))
        elif line.pending_params != params:
            line.wake()  # only the server can tell what to do with these
        line.waiters.append(waiter)
        try:
            return await waiter.admission
        except asyncio.CancelledError:
            self._leave(line, waiter)
            raise

    def _leave(self, line: _Line, waiter: _Waiter) -> None:
        """Forget one that was cancelled; a ticket that had just been given to it goes back."""
        if waiter in line.waiters:
            line.waiters.remove(waiter)
            if not line.waiters:
                line.wake()
        admission = waiter.admission
        if admission.cancel() or admission.cancelled() or admission.exception() is not None:
            return
        ticket = admission.result().ticket
        if ticket is not None:
            giving_back = asyncio.ensure_future(ticket.release())
            self._returns.add(giving_back)  # the loop itself holds tasks only weakly
            giving_back.add_done_callback(self._given_back)

    def _given_back(self, release: asyncio.Task[None]) -> None:
        self._returns.discard(release)
        if not release.cancelled() and (error := release.exception()) is not None:
            logger.warning("A key was not freed after its caller was cancelled.", exc_info=error)

    async def _serve(self, line: _Line) -> None:
        try:
            while line.waiters:
                ticket = self._tickets.get(line.key)
                if ticket is None:
                    await self._ask(line)
                else:
                    await self._pause(line, ticket.params, ticket.closed, None)
        except BaseException as error:
            line.fail(error)
            if not isinstance(error, Exception):
                raise
        finally:
            del self._lines[line.key]

    async def _ask(self, line: _Line) -> None:
        params = line.waiters[0].params
        owner = f"{self._owner}/{next(self._numbers)}"
        claim = await self._store.claim(line.key, params, owner, self._lease_s)
        if claim.state is ClaimState.OWNED:
            await self._hand_out(
                line, Ticket(self._store, line.key, params, owner, self._lease_s, self._forget)
            )
        elif claim.state is ClaimState.ANSWERED:
            assert claim.answer is not None
            line.refuse_others(claim.params)
            for waiter in line.waiters:
                self._admit(waiter, Entry(answer=claim.answer))
            line.waiters.clear()
        else:
            changed = functools.partial(self._store.changed, line.key)
            await self._pause(line, claim.params, changed, self._lease_s)

    async def _hand_out(self, line: _Line, ticket: Ticket) -> None:
        self._tickets[ticket.key] = ticket
        line.forget_cancelled()
        first = next((w for w in line.waiters if w.params == ticket.params), None)
        if first is None:  # cancelled meanwhile; those that are left have parameters of their own
            await ticket.release()
        else:
            line.waiters.remove(first)
            self._admit(first, Entry(ticket=ticket))

    def _admit(self, waiter: _Waiter, admission: Entry) -> None:
        waiter.admission.set_result(admission)
        self._waited += waiter.has_waited
        if admission.ticket is None:
            self._answered += 1
        else:
            self._executed += 1

    async def _pause(
        self,
        line: _Line,
        params: str,
        until: Callable[[], Coroutine[Any, Any, None]],
        limit_s: float | None,
    ) -> None:
        """Refuse those with other parameters; with the rest wait for a change."""
        line.refuse_others(params)
        if not line.waiters:
            return
        for waiter in line.waiters:
            waiter.has_waited = True
        pause = line.pause = asyncio.ensure_future(until())
        line.pending_params = params
        try:
            await asyncio.wait([pause], timeout=limit_s)
        finally:
            line.pause = line.pending_params = None
            pause.cancel()
        for waiter in line.waiters:  # some may have come during the pause
            waiter.has_waited = True
        if pause.done() and not pause.cancelled():
            pause.result()

    def _forget(self, ticket: Ticket) -> None:
        del self._tickets[ticket.key]
