"""``RayLine``: from a stage's process to its supervisor, which runs the children."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple
from uuid import uuid4

from stageflow_actors.actors.asking import ask
from stageflow_actors.actors.channel import Channel
from stageflow_actors.actors.cleaning import limited
from stageflow_actors.actors.codec import Payload, decode
from stageflow_actors.actors.doors import Door
from stageflow_actors.actors.error_calls import log_failed_call
from stageflow_actors.actors.failures import open_exception, unreadable
from stageflow_actors.actors.family import ChildFacts
from stageflow_actors.actors.far_outputs import report_near
from stageflow_actors.actors.mail import Mail
from stageflow_actors.actors.messages import Execution, StageKey
from stageflow_actors.actors.ray_children import ChildReply, ChildRequest
from stageflow_actors.actors.ray_errors import CallFault
from stageflow_actors.actors.reports import result_of
from stageflow_actors.actors.run_requests import request_of
from stageflow_actors.errors import RuntimeFault, describe_exception
from stageflow_actors.model.events import run_labels
from stageflow_actors.model.pipeline_context import PipelineContext
from stageflow_actors.model.policies.execution import OnStageError
from stageflow_actors.model.results import RunResult
from stageflow_actors.model.settings import Settings


class Parent(NamedTuple):
    """What a stage's process needs to have children: its supervisor, and all doors as bytes."""

    supervisor: Any
    doors: Mapping[str, Payload]


class RayLine:
    """For all executions of one stage's process."""

    def __init__(self, parent: Parent, settings: Settings) -> None:
        self._supervisor = parent.supervisor
        self._packed = parent.doors
        self._doors: dict[str, Door] = {}
        self._settings = settings
        self._telling: set[asyncio.Task[Any]] = set()
        self._channel: Channel | None = None
        self._waiting: dict[str, asyncio.Future[ChildReply]] = {}

    def find_door(self, name: str) -> Door:
        """The door of a registered pipeline, opened when it is first needed.

        Raises:
            StageOutputError: its classes cannot be imported here.
        """
        if name not in self._doors:
            try:
                self._doors[name] = decode(self._packed[name])
            except Exception as error:
                raise unreadable(f"What pipeline '{name}' checks", error) from error
        return self._doors[name]

    async def submit(
        self,
        parent: Execution,
        facts: ChildFacts,
        context: PipelineContext,
        keys: Mapping[int, StageKey],
        door: Door,
    ) -> RunResult:
        run = request_of(facts.child_run_id, context, keys)
        labels = run_labels(context.snapshot, context.ancestry, context.trace)
        reply = await self._send(ChildRequest(parent, facts, labels, run))
        if reply.report is not None:
            reply = reply._replace(report=await report_near(reply.report))
        result = _opened(reply, door, context)
        if door.on_stage_error is not None:
            await self._tell(door.on_stage_error, result)
        return result

    def cancel(self, parent: Execution, child_run_id: str, reason: str) -> None:
        async def tell() -> None:
            with contextlib.suppress(RuntimeFault):  # then the child has no parent any more either
                await self._ask(
                    lambda: self._supervisor.cancel_child.remote(parent, child_run_id, reason)
                )

        telling = asyncio.ensure_future(tell())
        self._telling.add(telling)  # the loop itself holds tasks only weakly
        telling.add_done_callback(self._telling.discard)

    async def _send(self, request: ChildRequest) -> ChildReply:
        if self._channel is None:
            self._channel = Channel(
                Mail(self._supervisor.spawn.remote, uuid4().hex[:12], self._settings),
                lambda: bool(self._waiting),
                self._take,
                self._break,
                self._settings,
            )
        child = request.facts.child_run_id
        reply: asyncio.Future[ChildReply] = asyncio.get_running_loop().create_future()
        self._waiting[child] = reply
        self._channel.put(request, request.run.view.size)
        try:
            return await reply
        finally:
            self._waiting.pop(child, None)

    def _take(self, reply: tuple[str, ChildReply]) -> None:
        child, told = reply
        waiting = self._waiting.get(child)
        if waiting is not None and not waiting.done():
            waiting.set_result(told)

    def _break(self, fault: CallFault) -> None:
        """The supervisor is dead, and this process about to be."""
        self._channel = None
        text = f"The supervisor did not answer: {fault.error_type}: {fault.text}."
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(RuntimeFault(text, code="RUN-LOST"))

    async def _ask(self, call: Callable[[], Any]) -> Any:
        try:
            return await ask(call, self._settings.max_unanswered_calls)
        except Exception as error:
            raise RuntimeFault(
                f"The supervisor did not answer: {type(error).__name__}: "
                f"{describe_exception(error)}.",
                code="RUN-LOST",
            ) from error

    async def _tell(self, on_stage_error: OnStageError, result: RunResult) -> None:
        for stage, failure in result.failures.items():
            call = partial(on_stage_error, stage, failure.original)
            raised = await limited(call, self._settings.cleanup_timeout_s)
            if raised is not None:
                log_failed_call(stage, failure.original, raised)


def _opened(reply: ChildReply, door: Door, context: PipelineContext) -> RunResult:
    """The result of the child, opened in the process of the stage that has asked for it."""
    if reply.report is not None:
        return result_of(reply.report, door.plan.name, context.snapshot)
    assert reply.failure is not None, "a reply without a report says why"
    error = open_exception(reply.failure)
    if reply.is_refused or isinstance(error, RuntimeFault):
        raise error
    raise RuntimeFault(reply.reason or "", code="RUN-LOST") from error
