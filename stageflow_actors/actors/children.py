"""``Children``: the child runs of one deployment, from a stage's wish to their end."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from typing import Any, Generic, Protocol, TypeVar

from stageflow_actors.actors.child_groups import ChildGroup, ChildGroups
from stageflow_actors.actors.family import Child, ChildFacts, Family
from stageflow_actors.actors.messages import Execution
from stageflow_actors.errors import RuntimeFault, SpawnRefusedError, describe_exception
from stageflow_actors.model.results import RunStatus
from stageflow_actors.model.settings import Settings


class ChildEnd(Protocol):
    """How a child has ended, as its runtime tells it."""

    @property
    def status(self) -> RunStatus:
        """Ok, failed, cancelled or timed out."""

    @property
    def reason(self) -> str | None:
        """Why it is not ok."""


Group = TypeVar("Group", bound=ChildGroup)
Request = TypeVar("Request")
End = TypeVar("End", bound=ChildEnd)


class Children(ABC, Generic[Group, Request, End]):
    """The same for every runtime; what differs is what a group is, and how it runs a request."""

    def __init__(self, settings: Settings) -> None:
        self.family = Family()
        self.groups: ChildGroups[Group] = ChildGroups(
            self._create, settings.child_idle_s, settings.stop_timeout_s
        )

    @abstractmethod
    def _create(self, name: str) -> Group:
        """A new group of the registered pipeline ``name``."""

    @abstractmethod
    async def _run(self, group: Group, child: Child, request: Request, waited_s: float) -> End:
        """Run it to its end; it has waited ``waited_s`` seconds. Sets ``child.tell`` at once."""

    @abstractmethod
    def _never_begun(self, request: Request, reason: str) -> End:
        """The end of a child that was told to stop before it had begun."""

    @abstractmethod
    def _lost(self, request: Request, fault: RuntimeFault) -> End:
        """The end of a child whose own end nobody knows."""

    async def bring_up(
        self, parent: Execution, facts: ChildFacts, name: str, request: Request
    ) -> End:
        """Run one child to its end, whatever that is.

        Raises:
            SpawnRefusedError: the execution that asks for it has ended.
        """
        child = self.family.adopt(parent, facts)
        if child is None:
            raise SpawnRefusedError(
                f"Stage '{facts.stage}' asked for a child of '{name}' when it had ended.",
                hint="Await what spawns children before the stage returns.",
            )
        try:
            end = await self._until_its_end(child, name, request)
        except RuntimeFault as fault:
            end = self._lost(request, fault)
        except Exception as defect:
            end = self._lost(request, _defect(defect))
        except BaseException:  # the event loop ends: nobody may wait for this child
            self.family.bury(parent, child, RunStatus.CANCELLED, child.reason)
            raise
        self.family.bury(parent, child, end.status, end.reason)
        return end

    async def describe(self) -> dict[str, Any]:
        """The groups that are up, and counts of child runs."""
        return {
            "children": await self.groups.describe(),
            "child_runs": self.family.tracker.metrics.to_dict(),
        }

    async def close(self) -> None:
        """Stop the groups that are up."""
        await self.groups.close()

    async def _until_its_end(self, child: Child, name: str, request: Request) -> End:
        """One that is told to stop while its group is still being activated does not wait."""
        if child.reason is not None:
            return self._never_begun(request, child.reason)
        running = asyncio.ensure_future(self._in_group(child, name, request))

        def tell(_reason: str) -> None:
            running.cancel()

        child.tell = tell
        try:
            return await running
        except asyncio.CancelledError:
            if child.reason is None:
                raise
            return self._never_begun(request, child.reason)

    async def _in_group(self, child: Child, name: str, request: Request) -> End:
        loop = asyncio.get_running_loop()
        asked_at = loop.time()
        async with self.groups.borrow(name) as group:
            return await self._run(group, child, request, loop.time() - asked_at)


def _defect(error: Exception) -> RuntimeFault:
    fault = RuntimeFault(
        f"The child was lost to a defect: {type(error).__name__}: {describe_exception(error)}.",
        hint="Please report it, with the cause attached to this error.",
        code="RUN-LOST",
    )
    fault.__cause__ = error
    return fault
