"""``StageGroup``: the stage actors of one deployment; the place where a supervisor calls Ray."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import ray
from ray.exceptions import RayActorError, RayError

from stageflow_actors.actors.codec import Payload
from stageflow_actors.actors.control import actor_class, ray_error_text
from stageflow_actors.actors.failures import Failure, failure_of, failure_to_wire, late_error
from stageflow_actors.actors.messages import Envelope, Receipt, pack, unpack
from stageflow_actors.actors.stage_actor import StageActor
from stageflow_actors.engine.facts import Ending, FailureHint
from stageflow_actors.errors import StageLostError
from stageflow_actors.model.plan import Plan
from stageflow_actors.model.settings import Settings

_LOOK_S = 0.001
_MAX_DYING_S = 1.0
"""How often to look whether a process that was ended is gone, and for how long at most."""

Deliver = Callable[[Receipt], None]
ExecutionId = tuple[str, int]
"""A run, and the attempt of the stage in it."""


@dataclass(slots=True)
class _Member:
    """One stage's actor. ``ready`` resolves to its process id, or to why it has none.

    ``live`` are the executions that were sent to it and have not come back. ``ended_at`` is when
    it was given up, in seconds of the event loop.
    """

    actor: Any
    ready: asyncio.Task[int | Failure]
    killed_for: ExecutionId | None = None
    is_told: bool = False
    live: set[ExecutionId] = field(default_factory=set)
    ended_at: float | None = None


class StageGroup:
    """One actor per stage, replaced when its process has died."""

    def __init__(self, plan: Plan, code: Sequence[Payload], settings: Settings) -> None:
        self._plan = plan
        self._code = code
        self._settings = settings
        self._members: list[_Member] = []
        self._actor_class = actor_class(StageActor, settings.max_pending_calls)
        self._unsent: dict[tuple[int, str, int], Deliver] = {}
        self._is_stopped = False
        self.calls = 0

    async def start(self) -> dict[str, Failure]:
        """Create all actors at once and wait for their setup. Returns what failed, by stage."""
        self._members = [self._hire(stage) for stage in range(len(self._plan.stages))]
        outcomes = await asyncio.gather(*(member.ready for member in self._members))
        return {
            stage.name: outcome
            for stage, outcome in zip(self._plan.stages, outcomes, strict=True)
            if isinstance(outcome, Failure)
        }

    def execute(
        self, stage: int, envelope: Envelope, deliver: Deliver, on_begun: Callable[[], None]
    ) -> bool:
        """Have a stage execute once, then ``deliver`` its receipt; a death is a receipt too.

        ``False``: its process is being replaced; ``on_begun`` is called when that is there.
        """
        member = self._members[stage]
        if member.ready.done():
            self._send(stage, member, envelope, deliver)
            return True
        # Its process is being replaced; until then the work can be taken back.
        waiting = (stage, envelope.run, envelope.assignment.attempt)
        self._unsent[waiting] = deliver

        def send_unless_revoked(_ready: object) -> None:
            if self._unsent.pop(waiting, None) is not None:
                on_begun()
                self._send(stage, member, envelope, deliver)

        member.ready.add_done_callback(send_unless_revoked)
        return False

    async def interrupt(self, stage: int, run: str, attempt: int, reason: str) -> bool:
        """Pass an interrupt on, a dead process needs none; whether the body is heeding it."""
        revoked = self._unsent.pop((stage, run, attempt), None)
        if revoked is not None:
            now = time.time()
            revoked(Receipt.interrupted(reason, now, now))
            return False
        member = self._members[stage]
        self.calls += 1
        try:
            return bool(await member.actor.interrupt.remote(run, attempt, reason))
        except RayError:
            return False

    def kill(self, stage: int, culprit: ExecutionId) -> None:
        """End the process of ``stage`` for what one execution does there; the others are told."""
        member = self._members[stage]
        if culprit in member.live:  # else its process is dead already, and this is the next one
            self._replace(stage, member, culprit)

    async def stop(self) -> None:
        """Run every ``teardown``, last stage first to be asked, then end the processes."""
        reversed_members = self._members[::-1]
        teardowns = [
            asyncio.ensure_future(_quietly(member.actor.teardown.remote()))
            for member in reversed_members
        ]
        if teardowns:
            await asyncio.wait(teardowns, timeout=self._settings.stop_timeout_s)
        self._is_stopped = True
        for member in reversed_members:
            ray.kill(member.actor)

    def describe(self) -> list[dict[str, Any]]:
        """Name, kind and process id of every stage."""
        return [
            {"name": stage.name, "kind": stage.kind, "pid": _pid(member)}
            for stage, member in zip(self._plan.stages, self._members, strict=True)
        ]

    def _hire(self, stage: int) -> _Member:
        actor = self._actor_class.remote(self._settings)
        return _Member(actor, asyncio.ensure_future(self._prepare(stage, actor)))

    async def _prepare(self, stage: int, actor: Any) -> int | Failure:
        name = self._plan.stages[stage].name
        answer = asyncio.wrap_future(actor.prepare.remote(self._code[stage]).future())
        try:
            outcome: int | Failure = await asyncio.wait_for(answer, self._settings.deploy_timeout_s)
        except TimeoutError:
            ray.kill(actor)
            return failure_to_wire(failure_of(late_error(name, self._settings.deploy_timeout_s)))
        except Exception as error:
            return failure_to_wire(failure_of(_lost_error(name, error)))
        return outcome

    def _send(self, stage: int, member: _Member, envelope: Envelope, deliver: Deliver) -> None:
        """Callbacks instead of a task: one turn of the loop less for every stage of every run."""
        now = time.time()
        outcome = member.ready.result()
        if isinstance(outcome, Failure):
            self._replace(stage, member)
            # Never from within the call that starts the stage: its run is in the middle of a tick.
            hint = FailureHint(counts=True)
            failed = Receipt.failed(outcome, now, now, ending=Ending.LOST, hint=hint)
            asyncio.get_running_loop().call_soon(deliver, failed)
            return
        self.calls += 1
        execution = (envelope.run, envelope.assignment.attempt)
        member.live.add(execution)
        answer = asyncio.wrap_future(member.actor.execute.remote(pack(envelope)).future())
        answer.add_done_callback(
            lambda done: _hand_over(
                member, self._receipt(stage, member, execution, done, now), deliver
            )
        )

    def _receipt(
        self,
        stage: int,
        member: _Member,
        execution: ExecutionId,
        answer: asyncio.Future[bytes],
        sent_at: float,
    ) -> Receipt:
        member.live.discard(execution)
        try:
            receipt: Receipt = unpack(answer.result())
        except Exception as error:  # whatever it is, the run waits for a receipt
            if isinstance(error, RayActorError):
                self._replace(stage, member)
            fault = _lost_error(self._plan.stages[stage].name, error)
            is_innocent = member.killed_for not in (None, execution)
            is_news, member.is_told = not member.is_told, True
            return Receipt.failed(
                failure_to_wire(failure_of(fault)),
                sent_at,
                time.time(),
                ending=Ending.LOST,
                # One death is one failure, however many were executing.
                hint=FailureHint(is_innocent=is_innocent, counts=is_news and not is_innocent),
            )
        if receipt.is_stuck:
            self._replace(stage, member, execution)
            return receipt._replace(is_stuck=False)
        return receipt

    def _replace(self, stage: int, dead: _Member, culprit: ExecutionId | None = None) -> None:
        """Several calls may report the same death; the first one hires."""
        dead.killed_for = dead.killed_for or culprit
        dead.ended_at = dead.ended_at or asyncio.get_running_loop().time()
        ray.kill(dead.actor)  # it may only have been out of reach, and must do nothing more
        if self._members[stage] is dead and not self._is_stopped:
            self._members[stage] = self._hire(stage)


def _hand_over(member: _Member, receipt: Receipt, deliver: Deliver) -> None:
    """Deliver a receipt. Ray tells of the end of a process a little before it is true."""
    loop, ended_at = asyncio.get_running_loop(), member.ended_at
    if ended_at is None or loop.time() > ended_at + _MAX_DYING_S or not _is_alive(_pid(member)):
        deliver(receipt)
    else:
        loop.call_later(_LOOK_S, _hand_over, member, receipt, deliver)


def _is_alive(pid: int | None) -> bool:
    """Whether there is such a process on this machine."""
    if pid is None:
        return False
    try:
        os.kill(pid, 0)  # asks, and does nothing
    except (ProcessLookupError, PermissionError):
        return False
    return True


def _pid(member: _Member) -> int | None:
    outcome = member.ready.result() if member.ready.done() else None
    return outcome if isinstance(outcome, int) else None


def _lost_error(stage: str, error: Exception) -> StageLostError:
    if isinstance(error, RayActorError):
        return StageLostError(
            f"The process of stage '{stage}' died or was out of reach: {type(error).__name__}.",
            hint="Whether the stage had finished is unknown; a new process takes later runs.",
        )
    return StageLostError(
        f"The call to stage '{stage}' failed: {ray_error_text(error)}",
        hint="Whether the stage had finished is unknown.",
        code="STAGE-CALL",
    )


async def _quietly(call: Any) -> None:
    """Await a call whose failure changes nothing: the process is ended next."""
    try:
        await call
    except RayError:
        return
