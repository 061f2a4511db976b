"""``KeptDesk``: the desk of a pipeline whose runs a keeper has."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import nullcontext, suppress
from typing import Any, TypeVar

from stageflow_actors.serving.desk import Entries, Reading, RunOrder, Shown
from stageflow_actors.serving.faults import SOON_S, Fault, ProblemError
from stageflow_actors.serving.replicas.adoption import adopt
from stageflow_actors.serving.replicas.foreseen import Foreseen
from stageflow_actors.serving.replicas.keeper_line import KeeperLine, KeeperLostError
from stageflow_actors.serving.replicas.key_places import Name
from stageflow_actors.serving.replicas.messages import reader_at
from stageflow_actors.serving.replicas.neighbours import Neighbours
from stageflow_actors.serving.replicas.places import Place
from stageflow_actors.serving.replicas.served_app import ServedApp
from stageflow_actors.serving.room import Room

logger = logging.getLogger("stageflow_actors.serving")

Found = TypeVar("Found")
_AGAIN_S = 0.2
_MOST_TRIES = 5


class KeptDesk:
    """A ``Desk`` for one replica. It starts the keeper, or finds it, and another if that is lost.

    Runs are started at the keeper of its own version; those of other versions are found, too.
    """

    def __init__(self, app: ServedApp, place: Place, replica: str) -> None:
        self._app = app
        self._place = place
        self._replica = replica
        self._keeper: Any = None
        self._line: KeeperLine | None = None
        self._adopting: asyncio.Task[KeeperLine] | None = None
        self._beating: asyncio.Task[None] | None = None
        self._following: set[asyncio.Task[None]] = set()
        self._going: list[KeeperLine] = []
        self._neighbours = Neighbours(place, app.runtime)
        self._foreseen = self._nothing_foreseen()

    @property
    def is_ready(self) -> bool:
        """Whether it takes runs."""
        return self._line is not None and not self._line.is_lost

    async def open(self) -> None:
        """Have a keeper.

        Raises:
            StageflowError: the pipeline cannot be deployed.
        """
        await self._own()
        self._beating = asyncio.create_task(self._beat())

    async def close(self) -> None:
        """Leave the keeper, which may go when it is the last."""
        if self._beating is not None:
            self._beating.cancel()
        for task in self._following:
            task.cancel()
        if self._keeper is not None:
            with suppress(Exception):  # it may be gone already
                await self._keeper.leave.remote(self._replica)

    def reserve(self, tenant: str) -> Room | None:
        """As ``Desk.reserve``: what the keeper would say is known, and it is not asked."""
        return self._foreseen.reserve(tenant)

    async def run(self, order: RunOrder, wait_s: float | None) -> Shown:
        """As ``Desk.run``. What a keeper does not take because it goes, the next one takes."""
        room = order.room
        order = order._replace(reader=reader_at(self._replica, order.reader), room=None)
        gone: set[Place] = set()
        for _try in range(_MOST_TRIES):
            line = await self._line_of(order, gone)
            try:
                shown = await self._begun(line, order, wait_s, room)
            except KeeperLostError:
                self._neighbours.miss()
                return await self._again(order, wait_s)
            except ProblemError as problem:
                if problem.fault is not Fault.NOT_READY:
                    raise
                gone.add(line.place)
                self._let_go(line)
            else:
                return shown
        raise _unavailable()

    async def _begun(
        self, line: KeeperLine, order: RunOrder, wait_s: float | None, room: Room | None
    ) -> Shown:
        """What the keeper says. Only it knows whether there is a run with the key of an order."""
        tenant = order.caller.tenant
        with self._foreseen.asking(tenant, room) if order.key is None else nullcontext():
            shown: Shown = await line.ask("run", order, wait_s, size=order.size)
            return shown

    async def look(self, run_id: str, tenant: str) -> Shown | None:
        """As ``Desk.look``."""
        return await self._found(lambda line: line.ask("look", run_id, tenant))

    async def cancel(self, run_id: str, tenant: str) -> Shown | None:
        """As ``Desk.cancel``."""
        return await self._found(lambda line: line.ask("cancel", run_id, tenant))

    async def read(self, reading: Reading) -> Entries | None:
        """As ``Desk.read``."""
        told = reading._replace(reader=reader_at(self._replica, reading.reader))
        return await self._found(lambda line: line.ask("read", told))

    async def leave(self, run_id: str, reader: str) -> None:
        """As ``Desk.leave``."""
        own = [] if self._line is None else [self._line]
        for line in [*own, *self._going, *self._neighbours.known]:
            with suppress(KeeperLostError):
                await line.ask("leave", run_id, reader_at(self._replica, reader))

    async def _again(self, order: RunOrder, wait_s: float | None) -> Shown:
        """The run of an order whose keeper was lost, if that has handed it on. It may have been
        begun, so it is not started anew.
        """
        found: Shown | None = None
        if order.key is not None:
            found = await self._found(lambda line: line.ask("again", order, wait_s))
        if found is None:
            raise _unavailable()
        return found

    async def _line_of(self, order: RunOrder, gone: set[Place]) -> KeeperLine:
        """Where the order is to be started."""
        for _try in range(_MOST_TRIES):
            own = await self._own()
            if order.key is None:
                return own
            try:
                return await self._line_of_key((order.caller.tenant, order.key.key), own, gone)
            except KeeperLostError:
                self._neighbours.miss()
        raise _unavailable()

    async def _line_of_key(self, name: Name, own: KeeperLine, gone: set[Place]) -> KeeperLine:
        """Where the run of that key is, or is to be started. While several versions stand side by
        side, their replicas have the oldest keeper say so.
        """
        lines = {line.place: line for line in await self._neighbours.lines()}
        if not lines:
            return own
        lines[own.place] = own
        oldest = min(lines.values(), key=lambda line: (line.born, line.place))
        while True:
            told = frozenset(gone)
            place = await oldest.ask("settle", name, oldest.place, own.place, told)
            if place in lines:
                return lines[place]
            gone.add(place)  # it has left its runs, if it had any, to one that is there

    async def _found(self, ask: Callable[[KeeperLine], Awaitable[Found | None]]) -> Found | None:
        """What the keeper says that has the run.

        Where one was lost meanwhile, all are asked again: it may have handed its runs on. After
        ``keeper_lost_s`` that is given up.
        """
        limit = time.monotonic() + self._app.settings.keeper_lost_s
        while True:
            losses = self._neighbours.losses
            found = await self._asked(ask)
            if found is not None or self._neighbours.losses == losses:
                return found
            if time.monotonic() > limit:
                raise _unavailable()
            await asyncio.sleep(_AGAIN_S)

    async def _asked(self, ask: Callable[[KeeperLine], Awaitable[Found | None]]) -> Found | None:
        """What the first of them says that knows anything."""
        async for line in self._all_lines():
            try:
                found = await ask(line)
            except KeeperLostError:
                self._neighbours.miss()
            else:
                if found is not None:
                    return found
        return None

    async def _all_lines(self) -> AsyncIterator[KeeperLine]:
        """First that of this version, if there is one; it is waited for after all others."""
        is_ready = self.is_ready
        if is_ready:
            yield await self._own()
        for line in [each for each in self._going if not each.is_lost]:
            yield line
        for line in await self._neighbours.lines():
            yield line
        if not is_ready:
            yield await self._own()

    async def _own(self) -> KeeperLine:
        """The keeper of this version; another one, where it was lost, or goes."""
        if self._line is not None and not self._line.is_lost:
            return self._line
        if self._adopting is None or self._adopting.done():
            self._adopting = asyncio.create_task(self._adopt())
        return await asyncio.shield(self._adopting)

    async def _adopt(self) -> KeeperLine:
        self._keeper = await adopt(self._app, self._place, self._replica)
        line = KeeperLine(self._keeper, self._place, self._app.runtime)
        await line.meet()
        await self._neighbours.meet()
        self._line, self._foreseen = line, self._nothing_foreseen()
        following = asyncio.create_task(self._follow(self._keeper, line))
        self._following.add(following)
        following.add_done_callback(self._following.discard)
        return line

    def _nothing_foreseen(self) -> Foreseen:
        return Foreseen(self._app.settings.max_runs_per_s_per_tenant, time.monotonic)

    def _let_go(self, line: KeeperLine) -> None:
        """Its keeper is about to go: the next one is wanted. Who waits for this one still is told,
        and its runs are there to its end.
        """
        if self._line is line and not line.is_lost:
            self._line = None
            self._going.append(line)

    async def _follow(self, keeper: Any, line: KeeperLine) -> None:
        """Notice the death of a keeper at once, also while nothing is asked of it."""
        with suppress(Exception):
            await keeper.stay.remote()
        line.lose()
        self._neighbours.miss()
        if line in self._going:
            self._going.remove(line)

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(self._app.settings.keeper_lost_s / 3)
            try:
                line = await self._own()
                if not await self._keeper.join.remote(self._replica):
                    self._let_go(line)
            except Exception as error:
                logger.warning("%s: %s.", self._place.name, type(error).__name__)


def _unavailable() -> ProblemError:
    return ProblemError(Fault.UNAVAILABLE, retry_after_s=SOON_S)
