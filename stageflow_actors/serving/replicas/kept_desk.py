"""``KeptDesk``: the desk of a pipeline whose runs a keeper has."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Any, TypeVar

from stageflow_actors.serving.desk import Entries, Reading, RunOrder, Shown
from stageflow_actors.serving.faults import SOON_S, Fault, ProblemError
from stageflow_actors.serving.replicas.adoption import adopt
from stageflow_actors.serving.replicas.keeper_line import KeeperLine, KeeperLostError
from stageflow_actors.serving.replicas.messages import reader_at
from stageflow_actors.serving.replicas.places import Place, keepers_beside
from stageflow_actors.serving.replicas.served_app import ServedApp

logger = logging.getLogger("stageflow_actors.serving")

Found = TypeVar("Found")
_LOOK_S = 1.0
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
        self._following: asyncio.Task[None] | None = None
        self._others: dict[Place, KeeperLine] = {}
        self._looked_at = 0.0

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
        for task in (self._beating, self._following):
            if task is not None:
                task.cancel()
        if self._keeper is not None:
            with suppress(Exception):  # it may be gone already
                await self._keeper.leave.remote(self._replica)

    async def run(self, order: RunOrder, wait_s: float | None) -> Shown:
        """As ``Desk.run``."""
        try:
            line = await self._own()
            order = order._replace(reader=reader_at(self._replica, order.reader))
            shown: Shown = await line.ask("run", order, wait_s, size=order.size)
        except KeeperLostError:
            raise _unavailable() from None
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
        for line in self._lines():
            with suppress(KeeperLostError):
                await line.ask("leave", run_id, reader_at(self._replica, reader))

    async def _found(self, ask: Callable[[KeeperLine], Awaitable[Found | None]]) -> Found | None:
        """What the keeper says that has the run.

        Where one was lost, all are asked again: it may have handed its runs on meanwhile.
        """
        for _try in range(_MOST_TRIES):
            found, was_lost = await self._asked(ask)
            if found is not None or not was_lost:
                return found
            await asyncio.sleep(_AGAIN_S)
        raise _unavailable()

    async def _asked(
        self, ask: Callable[[KeeperLine], Awaitable[Found | None]]
    ) -> tuple[Found | None, bool]:
        """What one of them says, and whether one was lost."""
        was_lost = False
        async for line in self._all_lines():
            try:
                found = await ask(line)
            except KeeperLostError:
                was_lost = True
            else:
                if found is not None:
                    return found, was_lost
        return None, was_lost

    async def _all_lines(self) -> AsyncIterator[KeeperLine]:
        """First that of this version, then the others."""
        yield await self._own()
        await self._look_for_others()
        for line in [each for each in self._others.values() if not each.is_lost]:
            yield line

    def _lines(self) -> list[KeeperLine]:
        own = [] if self._line is None else [self._line]
        return [*own, *self._others.values()]

    async def _own(self) -> KeeperLine:
        """The keeper of this version; another one, where it was lost."""
        if self._line is not None and not self._line.is_lost:
            return self._line
        if self._adopting is None or self._adopting.done():
            self._adopting = asyncio.create_task(self._adopt())
        return await asyncio.shield(self._adopting)

    async def _adopt(self) -> KeeperLine:
        self._keeper = await adopt(self._app, self._place, self._replica)
        line = self._line = KeeperLine(self._keeper, self._app.runtime)
        self._following = asyncio.create_task(_follow(self._keeper, line))
        return line

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(self._app.settings.keeper_lost_s / 3)
            try:
                line = await self._own()
                if not await self._keeper.join.remote(self._replica):
                    line.lose()  # it goes: the next one is wanted
            except Exception as error:
                logger.warning("%s: %s.", self._place.name, type(error).__name__)

    async def _look_for_others(self) -> None:
        """The keepers of other versions; asked for so often that nobody can make it work hard."""
        now = time.monotonic()
        if now - self._looked_at < _LOOK_S:
            return
        self._looked_at = now
        found = await asyncio.to_thread(keepers_beside, self._place)
        self._others = {
            place: KeeperLine(keeper, self._app.runtime)
            if place not in self._others or self._others[place].is_lost
            else self._others[place]
            for place, keeper in found.items()
        }


async def _follow(keeper: Any, line: KeeperLine) -> None:
    """Notice the death of a keeper at once, also while nothing is asked of it."""
    with suppress(Exception):
        await keeper.stay.remote()
    line.lose()


def _unavailable() -> ProblemError:
    return ProblemError(Fault.UNAVAILABLE, retry_after_s=SOON_S)
