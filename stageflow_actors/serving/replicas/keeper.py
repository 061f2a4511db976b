"""``Keeper``: the Ray actor that has one served pipeline's runs, for every replica of the door.

It is detached and has a name, so it outlives the replica that started it, and any other finds it.
The supervisor of its pipeline, and the stages below that, end with it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from functools import partial

import ray
from ray.exceptions import RayError

from stageflow_actors.actors.collecting import collect_less
from stageflow_actors.actors.control import CONTROL
from stageflow_actors.actors.direct_door import Direct
from stageflow_actors.actors.exchange import answered
from stageflow_actors.actors.parcels import Parcel
from stageflow_actors.actors.ray_runtime import RayRuntime
from stageflow_actors.serving.records import KeptRun
from stageflow_actors.serving.replicas.answering import Answering
from stageflow_actors.serving.replicas.coming_desk import ComingDesk
from stageflow_actors.serving.replicas.key_places import Name
from stageflow_actors.serving.replicas.messages import replica_of
from stageflow_actors.serving.replicas.places import KNOWN_S, Place, has_serve, keepers_beside
from stageflow_actors.serving.replicas.served_app import ServedApp
from stageflow_actors.serving.replicas.tenure import Tenure
from stageflow_actors.serving.run_desks import run_desks
from stageflow_actors.telemetry.environment import configure_from_environment
from stageflow_actors.telemetry.log_environment import begin_logs

logger = logging.getLogger("stageflow_actors.serving")

_LOOK_S = 0.5


class Keeper(Direct):
    """Serves replicas of one version. Where none is left, it lets its runs end, and goes."""

    def __init__(self, app: ServedApp, place: Place) -> None:
        self._app = app
        self._place = place
        self._stack = AsyncExitStack()
        self._opening: asyncio.Task[None] | None = None
        self._watching: asyncio.Task[None] | None = None
        self._born = time.time()
        self._desk = ComingDesk()
        self._answering = Answering(self._desk, app.runtime)
        self._is_retiring = False
        self._joining: Counter[str] = Counter()
        bounds = app.settings
        self._tenure = Tenure(
            time.monotonic(),
            left_s=bounds.keeper_left_s,
            lost_s=bounds.keeper_lost_s,
            orphaned_s=bounds.keeper_orphaned_s,
        )

    async def join(self, replica: str) -> bool:
        """Serve a replica from now on, once everything is up; ``False``: it is about to go.

        To be called again and again, or the replica counts as lost.

        Raises:
            StageflowError: the pipeline cannot be deployed; the keeper goes, too.
        """
        if self._is_retiring:
            return False
        self._joining[replica] += 1
        try:
            await self._opened()
        finally:
            self._joining -= Counter([replica])
            self._tenure.seen(replica, time.monotonic())
        return not self._is_retiring

    async def stay(self) -> None:
        """Never answer: whoever waits for it learns of the end of this process."""
        await asyncio.Event().wait()

    async def leave(self, replica: str) -> None:
        """Take note that a replica has left in order."""
        self._tenure.left(replica, time.monotonic())

    @ray.method(concurrency_group=CONTROL)
    async def born(self) -> float:
        """When it was started, in seconds of the epoch."""
        return self._born

    async def inherit(
        self, runs: Sequence[KeptRun], places: Sequence[tuple[Name, Place]] = ()
    ) -> bool:
        """Take over the ended runs of another version, and what it knows of the places of keys;
        ``False``: it is about to go, too.
        """
        with suppress(Exception):  # told to whoever joins
            await self._opened()
        if self._desk.behind is None or self._is_retiring:
            return False
        self._desk.behind.take(runs)
        self._desk.key_places.take(places)
        return True

    async def exchange(self, caller: str, parcel: Parcel) -> Parcel:
        """As ``Answering.take``, for a call of Ray."""
        return await answered(partial(self._answering.take, caller, parcel))

    async def _opened(self) -> None:
        if self._opening is None:
            self._opening = asyncio.create_task(self._open())
        await asyncio.shield(self._opening)

    async def _open(self) -> None:
        self._watching = asyncio.create_task(self._watch())
        begin_logs()
        exports = configure_from_environment("keeper")  # before the runtime, which has another role
        self._stack.push_async_callback(asyncio.to_thread, exports.shutdown)
        served = self._app.served()[self._place.pipeline]
        runtime = RayRuntime(settings=self._app.runtime, registry=self._app.children())
        try:
            await self._stack.enter_async_context(runtime)  # its spans are out before exports end
            desks = await self._stack.enter_async_context(
                run_desks({self._place.pipeline: served}, runtime, self._app.settings)
            )
        except BaseException:
            self._is_retiring = True  # whoever asks next shall begin anew
            raise
        if await asyncio.to_thread(keepers_beside, self._place):
            # Before it has runs all replicas know of it: what they know is KNOWN_S old at most,
            # and as long again is for what they have asked meanwhile.
            await asyncio.sleep(self._born + 2 * KNOWN_S - time.time())
        self._desk.behind = desks[self._place.pipeline]
        await self.open_door(self._answering.take, self._app.runtime)
        collect_less()

    async def _watch(self) -> None:
        while not self._is_retiring:
            await asyncio.sleep(_LOOK_S)
            try:
                await self._look()
            except Exception:  # whatever it is, it must not make this process stay for ever
                logger.exception("%s could not look around.", self._place.name)
        await self._retire()

    async def _look(self) -> None:
        """Whether anybody needs it, and who has gone."""
        for replica in self._joining:  # to open may take longer than a replica may be silent
            self._tenure.seen(replica, time.monotonic())
        is_served = await asyncio.to_thread(has_serve)
        is_alone = not self._tenure.replicas
        heirs = await asyncio.to_thread(keepers_beside, self._place) if is_alone else {}
        is_over = self._tenure.is_over(time.monotonic(), is_served=is_served, has_heir=bool(heirs))
        self._is_retiring = self._is_retiring or is_over
        self._forget_lost_readers()

    async def _retire(self) -> None:
        for step in (self._stack.aclose, self._bequeath):
            try:
                await step()
            except Exception:  # what has ended is handed over, however the pipeline was closed
                logger.exception("%s did not close in order.", self._place.name)
        ray.kill(ray.get_runtime_context().current_actor)

    def _forget_lost_readers(self) -> None:
        """What those of a lost replica have not read shall hold nobody up."""
        replicas = self._tenure.replicas
        if self._desk.behind is not None:
            self._desk.behind.leave_all(lambda reader: replica_of(reader) not in replicas)

    async def _bequeath(self) -> None:
        """Hand the ended runs over to another version, if there is one: to the oldest, which is
        asked for keys next.
        """
        if self._desk.behind is None:
            return
        runs, places = await self._desk.behind.kept(), self._desk.key_places.told()
        if not runs and not places:
            return
        heirs = await asyncio.to_thread(keepers_beside, self._place)
        births = await asyncio.gather(
            *(each.born.remote() for each in heirs.values()), return_exceptions=True
        )
        alive = [
            (born, place)
            for born, place in zip(births, heirs, strict=True)
            if isinstance(born, float)  # else it is on its way out, too
        ]
        for _born, place in sorted(alive):
            with suppress(RayError):
                if await heirs[place].inherit.remote(runs, places):
                    return
