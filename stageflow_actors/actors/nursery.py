"""``Nursery``: how the stages of one process start child runs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Protocol

from stageflow_actors.actors.doors import Door
from stageflow_actors.actors.family import ChildFacts
from stageflow_actors.actors.messages import Execution, StageKey
from stageflow_actors.actors.registry import unknown_pipeline
from stageflow_actors.actors.reports import result_without_report
from stageflow_actors.errors import MaxDepthExceededError, RuntimeFault, SpawnRefusedError
from stageflow_actors.model.pipeline_context import PipelineContext, child_context
from stageflow_actors.model.results import RunResult
from stageflow_actors.model.settings import Settings
from stageflow_actors.model.spawning import ChildWish
from stageflow_actors.model.stage_context import StageContext
from stageflow_actors.model.subpipeline import SubpipelineResult

_GIVEN_UP = "whoever waited for it was cancelled"


class Line(Protocol):
    """The way to whoever runs the children."""

    async def submit(
        self,
        parent: Execution,
        facts: ChildFacts,
        context: PipelineContext,
        keys: Mapping[int, StageKey],
        door: Door,
    ) -> RunResult:
        """Run a child to its end.

        Raises:
            RuntimeFault: nobody knows how it ended.
            SpawnRefusedError: the execution that asks for it has ended.
        """

    def cancel(self, parent: Execution, child_run_id: str, reason: str) -> None:
        """Tell a child to stop."""


class Nursery:
    """``find_door`` returns the door of a registered pipeline, ``names`` are all that there are."""

    def __init__(
        self,
        names: Mapping[str, object],
        find_door: Callable[[str], Door],
        line: Line,
        settings: Settings,
    ) -> None:
        self._names = names
        self._find_door = find_door
        self._line = line
        self._settings = settings
        self._loop = asyncio.get_running_loop()

    def spawner(self, parent: Execution) -> StageSpawner:
        """For one execution."""
        return StageSpawner(self, parent)

    async def bring_up(
        self, parent: Execution, ctx: StageContext, wish: ChildWish
    ) -> SubpipelineResult:
        """Run one child, from wherever in this process it is asked for."""
        if asyncio.get_running_loop() is not self._loop:  # from the thread of a plain ``def``
            there = asyncio.run_coroutine_threadsafe(self._bring_up(parent, ctx, wish), self._loop)
            return await asyncio.wrap_future(there)
        return await self._bring_up(parent, ctx, wish)

    async def _bring_up(
        self, parent: Execution, ctx: StageContext, wish: ChildWish
    ) -> SubpipelineResult:
        door = self._admit(ctx, wish)
        context = child_context(ctx, wish)
        context.start_clock()
        context, keys = await door.enter(
            context, lambda _context, type_, data: ctx.try_emit_event(type_, data)
        )
        facts = _facts(ctx, wish, context)
        began_at = time.time()
        work = asyncio.ensure_future(self._line.submit(parent, facts, context, keys, door))
        try:
            result = await asyncio.shield(work)
        except asyncio.CancelledError:
            self._line.cancel(parent, facts.child_run_id, _GIVEN_UP)
            work.add_done_callback(_forget)
            await asyncio.wait({work})
            raise
        except RuntimeFault as fault:
            name = door.plan.name
            result = result_without_report(fault, name, context.snapshot, began_at, time.time())
        return SubpipelineResult(wish.pipeline, context.pipeline_run_id, result)

    def _admit(self, ctx: StageContext, wish: ChildWish) -> Door:
        name, settings = wish.pipeline, self._settings
        if not isinstance(name, str) or name not in self._names:
            raise unknown_pipeline(name, self._names)
        if ctx.is_cancelled:
            raise SpawnRefusedError(
                f"Stage '{ctx.stage_name}' was told to stop ({ctx.cancellation_reason}), "
                f"and asked for a child of '{name}'.",
                hint="End the stage when ctx.is_cancelled turns true.",
            )
        if ctx.depth >= settings.max_spawn_depth:
            raise MaxDepthExceededError(
                ctx.depth, settings.max_spawn_depth, str(ctx.pipeline_run_id)
            )
        if ctx.child_runs >= settings.max_children_per_stage:
            raise SpawnRefusedError(
                f"Stage '{ctx.stage_name}' has started {ctx.child_runs} runs in this execution.",
                hint="Do more in each child, or raise Settings.max_children_per_stage.",
            )
        return self._find_door(name)


def _forget(work: asyncio.Future[RunResult]) -> None:
    """Whoever asked for it does not wait any more."""
    if not work.cancelled():
        work.exception()


class StageSpawner:
    """The nursery as one execution of a stage sees it."""

    __slots__ = ("_nursery", "_parent")

    def __init__(self, nursery: Nursery, parent: Execution) -> None:
        self._nursery = nursery
        self._parent = parent

    async def spawn(self, parent: StageContext, wish: ChildWish) -> SubpipelineResult:
        return await self._nursery.bring_up(self._parent, parent, wish)


def _facts(ctx: StageContext, wish: ChildWish, context: PipelineContext) -> ChildFacts:
    return ChildFacts(
        wish.pipeline,
        str(context.pipeline_run_id),
        str(ctx.pipeline_run_id),
        ctx.stage_name,
        str(context.correlation_id),
        ctx.depth + 1,
    )
