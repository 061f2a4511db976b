"""``ComingDesk``: the desk of a keeper that may be asked before its pipeline is up."""

from __future__ import annotations

from stageflow_actors.serving.desk import Entries, Reading, RunOrder, Shown
from stageflow_actors.serving.faults import SOON_S, Fault, ProblemError
from stageflow_actors.serving.replicas.key_places import KeyPlaces, Name
from stageflow_actors.serving.replicas.places import Place
from stageflow_actors.serving.run_desk import RunDesk


class ComingDesk:
    """A ``Desk`` that has no runs, and takes none, until ``behind`` is there.

    Replicas of other versions find the keeper by its name, as soon as it has one.
    """

    def __init__(self) -> None:
        self.behind: RunDesk | None = None
        self.key_places = KeyPlaces()

    @property
    def is_ready(self) -> bool:
        """Whether it takes runs."""
        return self.behind is not None and self.behind.is_ready

    async def run(self, order: RunOrder, wait_s: float | None) -> Shown:
        """As ``Desk.run``."""
        if self.behind is None:
            raise ProblemError(Fault.NOT_READY, retry_after_s=SOON_S)
        return await self.behind.run(order, wait_s)

    async def again(self, order: RunOrder, wait_s: float | None) -> Shown | None:
        """As ``run``, if there is a run with the key of that order here; it is not started."""
        assert order.key is not None, "there is no other way to know it again"
        if self.behind is None or not self.behind.has_key(order.caller.tenant, order.key.key):
            return None
        return await self.behind.run(order, wait_s)

    async def look(self, run_id: str, tenant: str) -> Shown | None:
        """As ``Desk.look``."""
        return None if self.behind is None else await self.behind.look(run_id, tenant)

    async def cancel(self, run_id: str, tenant: str) -> Shown | None:
        """As ``Desk.cancel``."""
        return None if self.behind is None else await self.behind.cancel(run_id, tenant)

    async def read(self, reading: Reading) -> Entries | None:
        """As ``Desk.read``."""
        return None if self.behind is None else await self.behind.read(reading)

    async def leave(self, run_id: str, reader: str) -> None:
        """As ``Desk.leave``."""
        if self.behind is not None:
            await self.behind.leave(run_id, reader)

    async def settle(self, name: Name, here: Place, asking: Place, gone: frozenset[Place]) -> Place:
        """Which keeper has the run of that key, or is to start it; none of those that are ``gone``.
        It is ``here``, if this one has it, else as ``KeyPlaces.settle``.
        """
        if self.behind is not None and self.behind.has_key(*name):
            return here
        return self.key_places.settle(name, asking, gone)
