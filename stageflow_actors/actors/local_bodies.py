"""``LocalBodies``: the bodies of one run in this process."""

from __future__ import annotations

import asyncio
import time
from contextvars import Context
from functools import partial

from stageflow_actors.actors.bodies import Ends
from stageflow_actors.actors.codec import Payload
from stageflow_actors.actors.failures import abandoned_error, failure_of
from stageflow_actors.actors.local_stages import LocalStages
from stageflow_actors.actors.messages import Assignment, Receipt
from stageflow_actors.actors.nursery import Nursery
from stageflow_actors.actors.outlets import Outlets
from stageflow_actors.actors.stage_host import StageHost
from stageflow_actors.actors.stage_stream import OpenStreams
from stageflow_actors.actors.ties import Ties
from stageflow_actors.engine.facts import Ending
from stageflow_actors.model.cancellation import Cancellation
from stageflow_actors.model.run_view import RunView
from stageflow_actors.model.timer import PipelineTimer


class _Execution:
    """A body that executes, or waits for its turn and has not begun."""

    __slots__ = ("assignment", "cancellation", "has_begun", "host", "task")

    def __init__(self, host: StageHost, assignment: Assignment) -> None:
        self.host = host
        self.assignment = assignment
        self.cancellation = Cancellation()
        self.has_begun = False
        self.task: asyncio.Task[None] | None = None  # the loop itself holds tasks only weakly


class LocalBodies:
    """Executes in tasks of this event loop, one each. ``abandoned`` are those given up."""

    __slots__ = (
        "_abandoned",
        "_context",
        "_live",
        "_loop",
        "_nursery",
        "_outlets",
        "_run",
        "_stages",
        "_streams",
        "_timer",
        "_view",
    )

    def __init__(
        self,
        stages: LocalStages,
        view: RunView | Payload,
        timer: PipelineTimer,
        abandoned: set[asyncio.Task[None]],
        run: str,
        nursery: Nursery | None,
        loop: asyncio.AbstractEventLoop,
        outlets: Outlets,
        streams: OpenStreams,
        context: Context,
    ) -> None:
        self._outlets = outlets
        self._streams = streams
        self._stages = stages
        self._loop = loop
        self._context = context
        self._view = view
        self._timer = timer
        self._live: dict[int, _Execution] = {}
        self._abandoned = abandoned
        self._run = run
        self._nursery = nursery

    def start(self, ends: Ends, stage: int, assignment: Assignment) -> bool:
        host = self._stages.hosts[stage]
        if host is None:
            down = self._stages.down(stage)
            # Never from within the call that starts the stage: its run is in the middle of a tick.
            self._loop.call_soon(ends.stage_ended, stage, assignment.attempt, down)
            return True
        host.live += 1
        live = self._live[stage] = _Execution(host, assignment)
        # Each in a context of its own: what a stage sets in that is not there for the next one.
        live.task = self._loop.create_task(
            self._execute(ends, stage, live), context=self._context.copy()
        )
        return host.turns is None

    def interrupt(self, ends: Ends, stage: int, attempt: int, reason: str) -> None:
        live = self._live.get(stage)
        if live is None:
            return  # its end is on its way to where this comes from
        live.cancellation.request(reason)
        if not live.host.is_blocking:
            ends.stop_heard(stage, attempt)

    def skipped(self, ends: Ends, stage: int) -> None:
        pass

    def decided(self, ends: Ends) -> None:
        pass

    def kill(self, ends: Ends, stage: int, attempt: int) -> None:
        """Nothing can end it here. Whatever it still does, nobody hears of it."""
        live = self._live.pop(stage)
        host, cancellation, task = live.host, live.cancellation, live.task
        self._count_end(live)  # whatever it still does
        cancellation.abandon()
        host.give_up(cancellation)
        if task is not None:
            self._abandoned.add(task)
            task.add_done_callback(self._abandoned.discard)
        error = abandoned_error(host.name, cancellation.reason)
        now = time.time()
        lost = Receipt.failed(failure_of(error), now, now, ending=Ending.LOST)
        self._loop.call_soon(ends.stage_ended, stage, attempt, lost._replace(is_stuck=True))

    async def _execute(self, ends: Ends, stage: int, live: _Execution) -> None:
        started_at = time.time()
        host, assignment, cancellation = live.host, live.assignment, live.cancellation
        execution = (self._run, stage, assignment.attempt)
        spawner, began = None, None
        if self._nursery is not None:
            spawner = self._nursery.spawner(execution)
        streams, send = self._streams, self._outlets.send
        streams.begin(execution)
        is_shared = host.batches is not None
        opens = partial(
            streams.open, execution, host.name, send, cancellation, self._loop, is_shared
        )
        if host.turns is None:
            self._stages.began(host)
            live.has_begun = True
        else:
            began = partial(self._has_turn, ends, stage, live)
        try:
            receipt = await host.execute(
                self._view, self._timer, assignment, cancellation, Ties(spawner, opens), began
            )
        except BaseException as error:  # a defect, or the end of the event loop: never a hang
            receipt = Receipt.failed(failure_of(error), started_at, time.time())
        streams.close(execution)
        self._stages.ended(stage, host, retires=receipt.retires)
        if self._live.get(stage) is not live:
            return  # given up; by now the stage may be executed once more
        del self._live[stage]
        self._count_end(live)
        ends.stage_ended(stage, assignment.attempt, receipt)

    def _has_turn(self, ends: Ends, stage: int, live: _Execution) -> None:
        self._stages.began(live.host)
        live.has_begun = True
        ends.began(stage, live.assignment.attempt)

    def _count_end(self, live: _Execution) -> None:
        """If it had begun at all."""
        if live.has_begun:
            self._stages.count_end(live.host)
