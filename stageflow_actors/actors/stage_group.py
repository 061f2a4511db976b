"""``StageGroup``: the processes of one deployment's stages, and the supervision of them.

One for one: each is replaced by itself. A death is charged to what the process was working on, and
may lead to a trial in quarantine. One that dies before it has worked on anything, or cannot be set
up, is charged to the deployment, which escalates when that happens too often.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from stageflow_actors.actors.codec import Payload
from stageflow_actors.actors.control import actor_class
from stageflow_actors.actors.deaths import Deaths
from stageflow_actors.actors.departures import Departures
from stageflow_actors.actors.failures import Failure
from stageflow_actors.actors.kept_replies import ExecutionId
from stageflow_actors.actors.lost_calls import lost_receipt
from stageflow_actors.actors.messages import Receipt
from stageflow_actors.actors.orders import Order, revoked, stage_down
from stageflow_actors.actors.placing import place_actor
from stageflow_actors.actors.posts import Post
from stageflow_actors.actors.quarantine import Quarantine
from stageflow_actors.actors.ray_errors import CallFault
from stageflow_actors.actors.ray_line import Parent
from stageflow_actors.actors.spares import Spares
from stageflow_actors.actors.stage_actor import StageActor
from stageflow_actors.actors.stage_process import StageProcess, Watch
from stageflow_actors.actors.stopping import stop_in_order
from stageflow_actors.engine.supervision import is_replaced
from stageflow_actors.model.plan import Plan
from stageflow_actors.model.settings import Settings

_NO_PLACE = "DEPLOYMENT-PLACEMENT"
_KILLED = "a body in it did not stop when told to"


class StageGroup:
    """One process per stage, replaced when it has died.

    ``escalate`` is called once, with the story, ``changed`` whenever a process came or went.
    ``parent`` is what stages need to have children.
    """

    def __init__(
        self,
        plan: Plan,
        code: Sequence[Payload],
        settings: Settings,
        escalate: Callable[[str], None],
        changed: Callable[[], None],
        parent: Parent | None,
    ) -> None:
        self._plan = plan
        self._code = code
        self._settings = settings
        self._escalate = escalate
        self._changed = changed
        self._parent = parent
        self._posts = [Post(index, stage) for index, stage in enumerate(plan.stages)]
        self._actor_class = actor_class(StageActor, settings.max_pending_calls)
        self._deaths = Deaths(settings)
        self._spares = Spares(
            lambda: self._actor_class.remote(settings, parent), settings.spare_processes
        )
        self._is_stopped = False
        self._departures = Departures(self._left)
        self._calls_of_the_dead = self._asked_of_the_dead = 0
        self._watch = Watch(self._started, self._died, self._stuck)

    async def start(self) -> dict[str, Failure]:
        """Create all processes at once and wait for their setup. Returns what failed, by stage."""
        for post in self._posts:
            self._staff(post)
        first = [post.process for post in self._posts if post.process is not None]
        outcomes = await asyncio.gather(*(process.ready for process in first))
        return {
            process.name: outcome
            for process, outcome in zip(first, outcomes, strict=True)
            if isinstance(outcome, Failure)
        }

    def execute(self, stage: int, order: Order) -> bool:
        """Have a stage execute once; a death is a receipt, too.

        ``False``: it has to wait for a process; ``order.begun`` is called when that is over.
        """
        post = self._posts[stage]
        if order.assignment.is_alone:
            self._quarantine_of(post).admit(order)
            return False
        process = post.process
        if process is None:
            down = stage_down(post.stage.name, post.why_down)
            # Never from within the call that starts the stage: its run is in the middle of a tick.
            asyncio.get_running_loop().call_soon(order.deliver, down)
            return True
        if process.is_ready:
            self._send(process, order)
            return True
        post.waiting[order.execution] = order
        return False

    async def interrupt(self, stage: int, execution: ExecutionId, reason: str) -> bool:
        """Pass an interrupt on, a dead process needs none; whether the body is heeding it."""
        post = self._posts[stage]
        order = post.take_back(execution)
        if order is not None:
            order.deliver(revoked(reason))
            return False
        process = post.working_on(execution)
        return process is not None and await process.interrupt(execution, reason)

    def kill(self, stage: int, culprit: ExecutionId) -> None:
        """End the process of ``stage`` for what one execution does there; the others are told."""
        post = self._posts[stage]
        process = post.working_on(culprit)
        if process is not None:  # else it is dead already
            self._end(post, process, _KILLED, culprit)

    async def stop(self) -> None:
        """Run every ``teardown``, dependents first, then end the processes."""
        self._is_stopped = True

        async def tear_down(index: int) -> None:
            post = self._posts[index]
            ready = [each for each in post.processes() if each.is_ready]
            staying = [each for each in ready if each not in post.leaving]
            await asyncio.gather(*(process.teardown() for process in staying))

        for post in self._posts:
            if post.quarantine is not None:
                post.quarantine.stop()
        self._spares.stop()
        await stop_in_order(self._plan.stages, tear_down, self._settings.stop_timeout_s)
        await self._departures.finish()
        for post in reversed(self._posts):
            for process in post.processes():
                process.end("the deployment was closed")
                process.ready.cancel()

    def pids(self) -> list[int]:
        """The processes that there are now."""
        found = [process.pid for post in self._posts for process in post.processes()]
        return [pid for pid in found if pid is not None]

    def describe(self) -> dict[str, Any]:
        """The stages with their processes, and what became of earlier ones."""
        everybody = [process for post in self._posts for process in post.processes()]
        return {
            "stages": [post.describe() for post in self._posts],
            "calls_to_stages": self._calls_of_the_dead + sum(each.calls for each in everybody),
            "asked_again": self._asked_of_the_dead + sum(each.asked_again for each in everybody),
            "restarts": self._deaths.describe() | {"spares": self._spares.ready},
        }

    # --- who serves -------------------------------------------------------------------------------

    def _staff(self, post: Post) -> None:
        post.process = self._hire(post, self._watch)

    def _hire(self, post: Post, watch: Watch) -> StageProcess:
        post.epoch += 1
        index, settings = post.index, self._settings
        placement = post.stage.placement
        actor = None if placement else self._spares.take()
        if actor is None:
            place = {} if placement is None else place_actor(placement)
            actor = self._actor_class.options(**place).remote(settings, self._parent)
        if post.epoch > 1 and placement is None:  # somebody has died: it may not be the last
            self._spares.fill()
        return StageProcess(
            actor, index, post.stage, post.epoch, self._code[index], settings, watch
        )

    def _quarantine_of(self, post: Post) -> Quarantine:
        if post.quarantine is None:
            post.quarantine = Quarantine(
                partial(self._hire_alone, post), self._send, partial(self._departures.see_off, post)
            )
        return post.quarantine

    def _hire_alone(self, post: Post, watch: Watch) -> StageProcess:
        """A process for the quarantine, whose coming and going are told, too."""

        def started(process: StageProcess) -> None:
            self._changed()
            watch.started(process)

        def died(process: StageProcess, fault: CallFault) -> None:
            self._note_death_alone(process, fault.text or fault.error_type)
            watch.died(process, fault)

        def stuck(process: StageProcess) -> None:
            self._note_death_alone(process, "its event loop did not turn any more")
            watch.stuck(process)

        return self._hire(post, Watch(started, died, stuck))

    def _note_death_alone(self, process: StageProcess, why: str) -> None:
        self._deaths.note(process, why, is_awaited=False)
        self._left(process)

    def _started(self, process: StageProcess) -> None:
        post = self._posts[process.index]
        self._changed()
        if self._is_stopped:
            return
        if isinstance(process.outcome, Failure):
            if process.epoch == 1:
                return  # it is the deployment that fails
            self._not_set_up(post, process, process.outcome)
            return
        if process is post.successor:
            former, post.process, post.successor = post.process, process, None
            if former is not None:
                post.retired.append(former)
                self._dismiss_if_idle(post, former)
        post.failed_starts = 0
        self._deaths.note_served(process.name)
        self._serve_waiting(post, process)

    def _serve_waiting(self, post: Post, process: StageProcess) -> None:
        for order in post.take_waiting():
            order.begun()
            self._send(process, order)

    def _not_set_up(self, post: Post, process: StageProcess, failure: Failure) -> None:
        if process is post.successor:
            post.successor = None
            if post.process is not None:
                post.process.is_retired = False  # it goes on, and may try again
        self._forget(process)
        if process is not post.process:
            return
        why = f"could not be set up: {failure.error_type}: {failure.message}"
        post.failed_starts += 1
        if failure.code == _NO_PLACE or post.failed_starts > self._settings.restart_intensity:
            self._give_up(f"Stage '{process.name}' {why}")
        elif self._may_replace(process.name, why):
            self._staff(post)

    # --- death ------------------------------------------------------------------------------------

    def _died(self, process: StageProcess, fault: CallFault) -> None:
        why = fault.text or fault.error_type
        self._lose(process, why, is_charged=process.has_come_to_nothing)

    def _stuck(self, process: StageProcess) -> None:
        limit_s = self._settings.heartbeat_timeout_s
        why = f"its event loop did not turn for {limit_s:g} s"
        is_charged = process.has_come_to_nothing
        process.end(why)
        self._lose(process, why, is_charged=is_charged)

    def _end(
        self, post: Post, process: StageProcess, why: str, culprit: ExecutionId | None
    ) -> None:
        """End a process by our own decision: nobody is charged."""
        if process.ended_at is None:
            process.end(why, culprit)
            self._lose(process, why, is_charged=False)

    def _lose(self, process: StageProcess, why: str, *, is_charged: bool) -> None:
        post = self._posts[process.index]
        self._deaths.note(process, why, is_awaited=process is post.process)
        self._forget(process)
        if process in post.retired:
            post.retired.remove(process)
        if process is post.successor:
            post.successor = None
        self._changed()
        if process is not post.process or self._is_stopped:
            return
        if post.successor is not None:
            post.process, post.successor = post.successor, None
            if post.process.is_ready:
                self._serve_waiting(post, post.process)
        elif not is_replaced(post.stage.restart, is_normal=False):
            post.close(f"its process died ({why}), and is {post.stage.restart.value}")
        elif not is_charged or self._may_replace(process.name, why):
            self._staff(post)

    def _forget(self, process: StageProcess) -> None:
        self._calls_of_the_dead += process.calls
        self._asked_of_the_dead += process.asked_again
        process.calls = process.asked_again = 0

    def _may_replace(self, stage: str, why: str) -> bool:
        """Note a restart that nobody's work is to blame for; ``False``: it was one too many."""
        story = self._deaths.charge(stage, why)
        if story is not None:
            self._give_up(story)
        return story is None

    def _give_up(self, why: str) -> None:
        if not self._is_stopped:
            self._is_stopped = True
            self._escalate(why)

    # --- executions -------------------------------------------------------------------------------

    def _send(self, process: StageProcess, order: Order) -> None:
        envelope = order.envelope(process.index, process.epoch)
        process.execute(envelope, partial(self._answered, order, time.time()))

    def _answered(
        self, order: Order, sent_at: float, process: StageProcess, outcome: Receipt | CallFault
    ) -> None:
        if isinstance(outcome, Receipt):
            receipt = outcome
            post = self._posts[process.index]
            if receipt.is_stuck:
                self._end(post, process, _KILLED, order.execution)
                receipt = receipt._replace(is_stuck=False)
            if receipt.retires:
                self._retire(post, process)
        else:
            receipt = lost_receipt(process, order.execution, outcome, sent_at)
        if process.is_retired:
            self._dismiss_if_idle(self._posts[process.index], process)
        if process.ended_at is None:
            order.deliver(receipt)
        else:
            process.when_gone(partial(order.deliver, receipt))

    def _retire(self, post: Post, process: StageProcess) -> None:
        """Have another one take over, if there is to be one; it then ends when it has no work."""
        if process.is_retired or process is not post.process or self._is_stopped:
            return
        process.is_retired = True
        if is_replaced(post.stage.restart, is_normal=True):
            post.successor = self._hire(post, self._watch)
        else:
            post.retired.append(process)
            post.close(f"its process has retired, and is {post.stage.restart.value}")

    def _dismiss_if_idle(self, post: Post, process: StageProcess) -> None:
        if process.live or process not in post.retired:
            return
        post.retired.remove(process)
        self._departures.see_off(post, process)

    def _left(self, process: StageProcess) -> None:
        self._forget(process)
        self._changed()
