"""Keepers without Ray: actors of this process, which die when a test says so."""

from __future__ import annotations

import asyncio
import itertools
import json
from concurrent.futures import Future
from contextlib import AsyncExitStack
from functools import partial
from types import SimpleNamespace

from ray.exceptions import ActorDiedError

from stageflow_actors import Settings
from stageflow_actors.actors.exchange import answered
from stageflow_actors.serving import ServingSettings
from stageflow_actors.serving.desk import Shown
from stageflow_actors.serving.replicas import kept_desk, neighbours
from stageflow_actors.serving.replicas.answering import Answering
from stageflow_actors.serving.replicas.coming_desk import ComingDesk
from stageflow_actors.serving.replicas.kept_desk import KeptDesk
from stageflow_actors.serving.replicas.places import Place
from tests.serving.desks import Gate, desk_of

RUNTIME = Settings(direct_calls=False)


class Reply:
    """A call on its way, as a reference of Ray is: to be awaited, or to be had as a future."""

    def __init__(self, task: asyncio.Task) -> None:
        self._task = task

    def __await__(self):
        return self._task.__await__()

    def future(self) -> Future:
        made = Future()
        self._task.add_done_callback(lambda done: tell(done, made))
        return made


def tell(done: asyncio.Task, made: Future) -> None:
    if done.cancelled():
        made.cancel()
    elif done.exception() is None:
        made.set_result(done.result())
    else:
        made.set_exception(done.exception())


class FakeKeeper:
    """Has a desk once it is ``opened``. ``place`` says the version, ``born`` its age."""

    def __init__(self, place: Place, gate: Gate, born: float) -> None:
        self.place = place
        self.gate = gate
        self.is_retiring = False
        self.joined = asyncio.Event()
        self.dead = asyncio.Event()
        self._born = born
        self._stack = AsyncExitStack()
        self.desk = ComingDesk()
        self._answering = Answering(self.desk, RUNTIME)
        for method in ("join", "stay", "leave", "born", "exchange"):
            asked = SimpleNamespace(remote=self._remote(getattr(self, f"_{method}_asked")))
            setattr(self, method, asked)
        self.door = SimpleNamespace(remote=None)

    async def opened(self, settings: ServingSettings) -> None:
        self.desk.behind = await self._stack.enter_async_context(desk_of(self.gate, settings))

    async def drain(self) -> None:
        """Take no more runs, and let those that there are end."""
        self.is_retiring = True
        await self._stack.aclose()

    async def bequeath(self, heir: FakeKeeper) -> None:
        """Hand over what has ended; nobody may ask this one any more."""
        heir.desk.behind.take(await self.desk.behind.kept())
        heir.desk.key_places.take(self.desk.key_places.told())

    def _remote(self, method):
        def call(*arguments):
            return Reply(asyncio.ensure_future(self._mortal(method(*arguments))))

        return call

    async def _mortal(self, working):
        """What ``working`` returns, unless it dies before."""
        work, dying = asyncio.ensure_future(working), asyncio.ensure_future(self.dead.wait())
        try:
            await asyncio.wait({work, dying}, return_when=asyncio.FIRST_COMPLETED)
            if self.dead.is_set():
                raise ActorDiedError
            return work.result()
        finally:
            work.cancel()
            dying.cancel()

    async def _join_asked(self, _replica):
        self.joined.set()
        return not self.is_retiring

    async def _stay_asked(self):
        await asyncio.Event().wait()

    async def _leave_asked(self, _replica):
        pass

    async def _born_asked(self):
        return self._born

    async def _exchange_asked(self, caller, parcel):
        return await answered(partial(self._answering.take, caller, parcel))


class World:
    """Keepers by place, and replicas that find them there. ``before_look`` is awaited whenever one
    looks which there are.
    """

    def __init__(self, patching, settings: ServingSettings) -> None:
        self.gate = Gate()
        self.app = SimpleNamespace(settings=settings, runtime=RUNTIME)
        self.keepers: dict[Place, FakeKeeper] = {}
        self.before_look = None
        self._births = itertools.count(1.0)
        self._replicas: list[KeptDesk] = []
        self._made: list[FakeKeeper] = []
        self._loop = asyncio.get_running_loop()
        patching.setattr(kept_desk, "adopt", self._adopt)
        patching.setattr(neighbours, "keepers_beside", self._keepers_beside)
        patching.setattr(neighbours, "KNOWN_S", 0.0)  # whoever looks sees what there is

    async def keeper(self, version: str) -> FakeKeeper:
        """A keeper of that version, opened."""
        place = Place("app", "gated", version)
        made = self.keepers[place] = FakeKeeper(place, self.gate, next(self._births))
        self._made.append(made)
        await made.opened(self.app.settings)
        return made

    async def replica(self, version: str) -> KeptDesk:
        """A replica of that version; it starts its keeper, if there is none."""
        made = KeptDesk(self.app, Place("app", "gated", version), f"replica-{len(self._replicas)}")
        self._replicas.append(made)
        await made.open()
        return made

    def end(self, keeper: FakeKeeper) -> None:
        """It dies, whatever it does."""
        del self.keepers[keeper.place]
        keeper.dead.set()

    async def close(self) -> None:
        for each in self._replicas:
            await each.close()
        for keeper in self._made:
            await keeper.drain()

    async def _adopt(self, _app, place, replica):
        while place in self.keepers:
            if await self.keepers[place].join.remote(replica):
                return self.keepers[place]
            await self.keepers[place].dead.wait()
        return await self.keeper(place.version)

    def _keepers_beside(self, here):
        """On a thread."""
        if self.before_look is not None:
            asyncio.run_coroutine_threadsafe(self.before_look(), self._loop).result(30.0)
        return {place: each for place, each in [*self.keepers.items()] if place.is_beside(here)}


async def handed_on(world: World, keeper: FakeKeeper, heir: FakeKeeper) -> None:
    """All that becomes of a keeper that goes."""
    await keeper.drain()
    await keeper.bequeath(heir)
    world.end(keeper)


def state_of(shown: Shown) -> str:
    """The state of a run, as clients read it."""
    return json.loads(shown.document)["state"]
