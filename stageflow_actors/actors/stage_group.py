"""``StageGroup``: the stage actors of one deployment; the place where a supervisor calls Ray."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import ray
from ray.exceptions import RayActorError, RayError

from stageflow_actors.actors.codec import Payload
from stageflow_actors.actors.control import actor_class, ray_error_text
from stageflow_actors.actors.failures import Failure, failure_of, failure_to_wire, late_error
from stageflow_actors.actors.messages import Envelope, Receipt, pack, unpack
from stageflow_actors.actors.stage_actor import StageActor
from stageflow_actors.errors import StageLostError
from stageflow_actors.model.plan import Plan
from stageflow_actors.model.settings import Settings

Deliver = Callable[[Receipt], None]


@dataclass(slots=True)
class _Member:
    """One stage's actor. ``ready`` resolves to its process id, or to why it has none."""

    actor: Any
    ready: asyncio.Task[int | Failure]


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

    def execute(self, stage: int, envelope: Envelope, deliver: Deliver) -> None:
        """Have a stage execute once, then ``deliver`` its receipt; a death is a receipt too."""
        member = self._members[stage]
        if member.ready.done():
            self._send(stage, member, envelope, deliver)
            return
        # Its process is being replaced; until then the work can be taken back.
        waiting = (stage, envelope.run, envelope.attempt)
        self._unsent[waiting] = deliver

        def send_unless_revoked(_ready: object) -> None:
            if self._unsent.pop(waiting, None) is not None:
                self._send(stage, member, envelope, deliver)

        member.ready.add_done_callback(send_unless_revoked)

    async def interrupt(self, stage: int, run: str, attempt: int, reason: str) -> None:
        """Pass an interrupt on; a dead process needs none."""
        revoked = self._unsent.pop((stage, run, attempt), None)
        if revoked is not None:
            now = time.time()
            revoked(Receipt.interrupted(reason, now, now))
            return
        member = self._members[stage]
        self.calls += 1
        try:
            await member.actor.interrupt.remote(run, attempt, reason)
        except RayError:
            return

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
            asyncio.get_running_loop().call_soon(deliver, Receipt.failed(outcome, now, now))
            return
        self.calls += 1
        answer = asyncio.wrap_future(member.actor.execute.remote(pack(envelope)).future())
        answer.add_done_callback(lambda done: deliver(self._receipt(stage, member, done, now)))

    def _receipt(
        self, stage: int, member: _Member, answer: asyncio.Future[bytes], sent_at: float
    ) -> Receipt:
        try:
            receipt: Receipt = unpack(answer.result())
        except Exception as error:  # whatever it is, the run waits for a receipt
            if isinstance(error, RayActorError):
                self._replace(stage, member)
            fault = _lost_error(self._plan.stages[stage].name, error)
            return Receipt.failed(failure_to_wire(failure_of(fault)), sent_at, time.time())
        return receipt

    def _replace(self, stage: int, dead: _Member) -> None:
        """Several calls may report the same death; the first one hires."""
        ray.kill(dead.actor)  # it may only have been out of reach, and must do nothing more
        if self._members[stage] is dead and not self._is_stopped:
            self._members[stage] = self._hire(stage)


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
