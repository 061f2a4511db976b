"""``StageGroup``: the processes of one deployment's stages, and the supervision of them.

One for one: each is replaced by itself. A death is charged to what the process was working on, and
may lead to a trial in quarantine. One that dies before it has worked on anything, or cannot be set
up, is charged to the deployment, which escalates when that happens too often.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from stageflow_actors.actors.census import Census
from stageflow_actors.actors.codec import Payload
from stageflow_actors.actors.deaths import Deaths
from stageflow_actors.actors.departures import Departures
from stageflow_actors.actors.failures import Failure
from stageflow_actors.actors.hiring import Hiring
from stageflow_actors.actors.lost_calls import begun_and_lost, lost_receipt
from stageflow_actors.actors.messages import Execution, Receipt
from stageflow_actors.actors.orders import Order, revoked, stage_down
from stageflow_actors.actors.posts import Post
from stageflow_actors.actors.process_watch import Watch
from stageflow_actors.actors.ray_errors import CallFault
from stageflow_actors.actors.ray_line import Parent
from stageflow_actors.actors.scaling import Scaling
from stageflow_actors.actors.stage_process import StageProcess
from stageflow_actors.actors.stopping import stop_in_order
from stageflow_actors.actors.trials import Trials
from stageflow_actors.engine.packing import describe_hosts, plan_hosts
from stageflow_actors.engine.supervision import is_replaced
from stageflow_actors.model.plan import Plan
from stageflow_actors.model.settings import Settings

_NO_PLACE = "DEPLOYMENT-PLACEMENT"
_KILLED = "a body in it did not stop when told to"


class StageGroup:
    """The hosts of a plan, each a process or several alike, replaced when they have died.

    ``escalate`` is called once, with the story, ``changed`` whenever a process came or went.
    ``parent`` is what stages need to have children. ``census`` counts what the processes do.
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
        self._settings = settings
        self._escalate = escalate
        self._changed = changed
        self._posts = [
            Post(host, plan, settings)
            for host in plan_hosts(plan, settings.max_hosts_per_deployment)
        ]
        self._post_of = {index: post for post in self._posts for index in post.stages}
        self._departures = Departures(plan.stages, settings.stop_timeout_s, self._left)
        self._scaling = Scaling(self._posts, self._staff, self._departures.dismiss, settings)
        self._hiring = Hiring(code, settings, parent, self._answered)
        self._trials = Trials(self._hiring, self._departures, changed, self._note_death)
        self._deaths = Deaths(settings)
        self._has_started = self._is_stopped = False
        self.census = Census(plan, self._posts)
        self._watch = Watch(self._started, self._died, self._stuck)

    async def start(self) -> dict[str, Failure]:
        """Create all processes at once and wait for their setup. Returns what failed, by stage."""
        for post in self._posts:
            await self._hiring.settle(post)
        for post in self._posts:
            for _replica in range(post.wanted):
                self._staff(post)
        first = [process for post in self._posts for process in post.staff]
        outcomes = await asyncio.gather(*(process.ready for process in first))
        self._has_started = True
        self._hiring.stand_by()
        self._scaling.start()
        return {
            process.name: outcome
            for process, outcome in zip(first, outcomes, strict=True)
            if isinstance(outcome, Failure)
        }

    def execute(self, order: Order) -> bool:
        """Have a stage execute once; a death is a receipt, too.

        ``False``: it has to wait for a process; ``order.begun`` is called when that is over.
        """
        post = self._post_of[order.stage]
        if order.is_alone:
            self._trials.of(post).admit(order)
            return False
        if order.is_begun:
            self._catch_up(post, order)
            return True
        if not (post.staff or post.successors):
            down = stage_down(post.stages[order.stage].name, post.why_down)
            # Never from within the call that starts the stage: its run is in the middle of a tick.
            asyncio.get_running_loop().call_soon(order.deliver, down)
            return True
        if not post.has_waiting(order.stage):
            process = post.free_process(order.stage)
            if process is not None:
                process.execute(order)
                return True
        post.wait(order)
        return False

    def _catch_up(self, post: Post, order: Order) -> None:
        if not any(process.adopt(order) for process in post.processes()):
            lost = begun_and_lost(post.stages[order.stage].name)
            asyncio.get_running_loop().call_soon(order.deliver, lost)

    def give_back(self, execution: Execution, size: int) -> None:
        """Let an execution stream out so many bytes more, if it has not ended."""
        process = self._post_of[execution[1]].working_on(execution)
        if process is not None:
            process.give_back(execution, size)

    def may_lease(self, stage: int) -> bool:
        """Whether the process of ``stage`` may go on with others after it."""
        return stage in self._post_of[stage].followers

    async def interrupt(self, stage: int, execution: Execution, reason: str) -> bool:
        """Pass an interrupt on, a dead process needs none; whether the body is heeding it."""
        post = self._post_of[stage]
        order = post.take_back(execution)
        if order is not None:
            order.deliver(revoked(reason))
            return False
        process = post.working_on(execution)
        return process is not None and await process.interrupt(execution, reason)

    def kill(self, stage: int, culprit: Execution) -> None:
        """End the process of ``stage`` for what one execution does there; the others are told."""
        post = self._post_of[stage]
        process = post.working_on(culprit)
        if process is not None:  # else it is dead already
            self._end(post, process, _KILLED, culprit)

    async def stop(self) -> None:
        """Run every ``teardown``, dependents first, then end the processes."""
        self._is_stopped = True

        async def tear_down(index: int) -> None:
            post = self._post_of[index]
            ready = [each for each in post.processes() if each.is_ready]
            staying = [each for each in ready if each not in post.leaving]
            await asyncio.gather(*(process.teardown((index,)) for process in staying))

        for post in self._posts:
            if post.quarantine is not None:
                post.quarantine.stop()
        self._hiring.spares.stop()
        self._scaling.stop()
        await stop_in_order(self._plan.stages, tear_down, self._settings.stop_timeout_s)
        await self._departures.finish()
        for post in reversed(self._posts):
            for process in post.processes():
                process.end("the deployment was closed")
                process.ready.cancel()

    def describe(self) -> dict[str, Any]:
        """The stages with their processes, and what became of earlier ones."""
        return {
            **self.census.describe(),
            "hosts": describe_hosts([post.host for post in self._posts], self._plan),
            "scaling": self._scaling.describe(),
            "restarts": self._deaths.describe() | {"spares": self._hiring.spares.ready},
        }

    # --- who serves -------------------------------------------------------------------------------

    def _staff(self, post: Post) -> None:
        post.staff.append(self._hiring.hire(post, self._watch))

    def _started(self, process: StageProcess) -> None:
        post = self._post_of[process.stages[0]]
        self._changed()
        if self._is_stopped:
            return
        if isinstance(process.outcome, Failure):
            if not self._has_started:
                return  # it is the deployment that fails
            self._not_set_up(post, process, process.outcome)
            return
        former = post.former_of(process)
        if former is not None:
            del post.successors[former]
            post.staff.append(process)
            self._departures.dismiss(post, former)
        elif process not in post.staff:
            return  # it is to leave again
        post.failed_starts = 0
        self._deaths.note_served(process.name)
        self._serve_waiting(post)

    def _serve_waiting(self, post: Post) -> None:
        for stage in post.stages:
            self._serve_stage(post, stage)

    def _serve_stage(self, post: Post, stage: int) -> None:
        while post.has_waiting(stage) and (process := post.free_process(stage)) is not None:
            order = post.next_waiting(stage)
            order.begun()
            process.execute(order)

    def _not_set_up(self, post: Post, process: StageProcess, failure: Failure) -> None:
        former = post.former_of(process)
        if former is not None:
            del post.successors[former]
            former.is_retired = False  # it goes on, and may try again
        self.census.forget(process)
        if process not in post.staff:
            return
        post.staff.remove(process)
        if failure.code == _NO_PLACE and self._scaling.does_without(post, failure.message):
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

    def _end(self, post: Post, process: StageProcess, why: str, culprit: Execution | None) -> None:
        """End a process by our own decision: nobody is charged."""
        if process.ended_at is None:
            process.end(why, culprit)
            self._lose(process, why, is_charged=False)

    def _lose(self, process: StageProcess, why: str, *, is_charged: bool) -> None:
        post = self._post_of[process.stages[0]]
        was_staff = process in post.staff
        self._note_death(process, why, is_awaited=was_staff)
        for order in process.take_unsent():
            post.wait(order)
        successor = post.remove(process)
        self._changed()
        if self._is_stopped:
            return
        if successor is not None:
            post.staff.append(successor)
        elif was_staff and is_replaced(post.host.restart, is_normal=False):
            if is_charged and not self._may_replace(process.name, why):
                return
            self._staff(post)
        elif not post.staff:
            died = f"its process died ({why}), and is {post.host.restart.value}"
            post.close(post.why_down or died)
        self._serve_waiting(post)

    def _note_death(self, process: StageProcess, why: str, *, is_awaited: bool = False) -> None:
        self._deaths.note(process, why, is_awaited=is_awaited)
        self.census.forget(process)
        if not self._is_stopped:
            self._hiring.spares.fill()  # it may not be the last one

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

    def _answered(
        self, order: Order, sent_at: float, process: StageProcess, outcome: Receipt | CallFault
    ) -> None:
        post = self._post_of[order.stage]
        if isinstance(outcome, Receipt):
            receipt = outcome
            post.note_end(order.stage, receipt)
            if receipt.is_stuck:
                self._end(post, process, _KILLED, order.execution)
                receipt = receipt._replace(is_stuck=False)
            if receipt.retires:
                self._retire(post, process)
        else:
            receipt = lost_receipt(process, order.execution, outcome, sent_at)
        if post.retired:
            self._departures.let_go(post, process)
        if post.has_waiting(order.stage):
            self._serve_stage(post, order.stage)
        if process.ended_at is None:
            order.deliver(receipt)
        else:
            process.when_gone(partial(order.deliver, receipt))

    def _retire(self, post: Post, process: StageProcess) -> None:
        """Have another one take over, if there is to be one; it then ends when it has no work."""
        if process.is_retired or process not in post.staff or self._is_stopped:
            return
        process.is_retired = True
        if is_replaced(post.host.restart, is_normal=True):
            post.successors[process] = self._hiring.hire(post, self._watch)
            return
        self._departures.dismiss(post, process)
        if not post.staff:
            post.close(f"its process has retired, and is {post.host.restart.value}")

    def _left(self, process: StageProcess) -> None:
        self.census.forget(process)
        self._changed()
