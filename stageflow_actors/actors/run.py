"""``Run``: one live run. Feeds facts to the engine and performs its commands.

The same for every runtime; what differs is ``Bodies``, which executes stages here or elsewhere.
Everything happens on one event loop. Facts that arrive within one turn of it form one tick.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from stageflow_actors.actors.event_log import EventLog
from stageflow_actors.actors.messages import Receipt, RunReport, StageEnd
from stageflow_actors.actors.sealing import SealedOutput
from stageflow_actors.engine.commands import (
    ArmTimer,
    DisarmTimer,
    EmitEvent,
    EndRun,
    InterruptStage,
    SkipStage,
    StartStage,
)
from stageflow_actors.engine.facts import (
    CancelRequested,
    Ending,
    Fact,
    RunAccepted,
    StageEnded,
    StageTimerFired,
)
from stageflow_actors.engine.machine import RunMachine
from stageflow_actors.engine.state import StageState
from stageflow_actors.engine.transitions import timeout_text
from stageflow_actors.model.cleanup import CleanupFailure
from stageflow_actors.model.frozen import FrozenDict
from stageflow_actors.model.output import StageOutput, StageStatus
from stageflow_actors.model.plan import Plan

CLOSED = "the deployment was closed"
"""Why runs are cancelled that a deployment still has when it closes."""


class Bodies(Protocol):
    """Executes the stages of one run. Each ``start`` is answered by ``Run.stage_ended`` once."""

    def start(self, run: Run, stage: int, attempt: int, inputs: Mapping[str, SealedOutput]) -> None:
        """Begin one execution."""

    def interrupt(self, stage: int, attempt: int, reason: str) -> None:
        """Tell it to stop."""


class Run:
    """One run from acceptance to verdict; ``ended`` resolves to its report."""

    __slots__ = (
        "_bodies",
        "_ends",
        "_inbox",
        "_loop",
        "_machine",
        "_outputs",
        "_plan",
        "_started_at",
        "_timers",
        "ended",
        "log",
    )

    def __init__(self, plan: Plan, bodies: Bodies, max_events: int) -> None:
        self._plan = plan
        self._bodies = bodies
        self._loop = asyncio.get_running_loop()
        self._machine = RunMachine(plan)
        self._inbox: list[Fact] = []
        self._outputs: dict[int, SealedOutput] = {}
        self._ends: dict[int, StageEnd] = {}
        self._timers: dict[int, asyncio.TimerHandle] = {}
        self._started_at = time.time()
        self.log = EventLog(max_events)
        self.ended: asyncio.Future[RunReport] = self._loop.create_future()

    def begin(self, cancelled: str | None = None) -> None:
        """Accept the run; with ``cancelled`` no stage of it starts."""
        self._post(RunAccepted(self._started_at))
        if cancelled is not None:
            self.cancel(cancelled)

    def cancel(self, reason: str) -> None:
        """Ask the run to stop."""
        self._post(CancelRequested(reason, time.time()))

    def stage_ended(self, stage: int, attempt: int, receipt: Receipt) -> None:
        """Take the receipt of an execution."""
        if self.ended.done() or stage in self._ends:
            return
        name = self._plan.stages[stage].name
        self._ends[stage] = StageEnd(name, attempt, receipt)
        if receipt.output is not None:
            self._outputs[stage] = receipt.output
        for type_, at, data in receipt.events:
            self.log.append_from_stage(type_, at, name, attempt, data)
        for failure in receipt.cleanup_failures:
            self._report_cleanup(name, attempt, failure)
        fact = StageEnded(
            stage,
            attempt,
            Ending(receipt.ending),
            time.time(),
            receipt.reason,
            _detail(receipt),
            receipt.signal,
        )
        if self._machine.state.live == 1 and not self._inbox:
            # Nothing else of this run can end in this turn: spare the loop one.
            self._inbox.append(fact)
            self._tick()
        else:
            self._post(fact)

    def _post(self, fact: Fact) -> None:
        self._inbox.append(fact)
        if len(self._inbox) == 1:
            self._loop.call_soon(self._tick)

    def _tick(self) -> None:
        facts, self._inbox = self._inbox, []
        try:
            for command in self._machine.advance(facts):
                _PERFORM[type(command)](self, command)
        except Exception as defect:  # a defect of ours must end the run, not hang its caller
            self._disarm_all()
            if not self.ended.done():
                self.ended.set_exception(defect)
        self.log.notify()

    def _start(self, command: StartStage) -> None:
        stages = self._plan.stages
        inputs = {
            stages[dependency].name: self._outputs[dependency]
            for dependency in stages[command.stage].dependencies
        }
        self._bodies.start(self, command.stage, command.attempt, inputs)

    def _skip(self, command: SkipStage) -> None:
        output = StageOutput(
            StageStatus.SKIP, FrozenDict({"reason": command.reason}), duration_ms=0
        )
        receipt = Receipt(Ending.SKIP.value, command.at, command.at, output, command.reason)
        name = self._plan.stages[command.stage].name
        self._outputs[command.stage] = output
        self._ends[command.stage] = StageEnd(name, 1, receipt)

    def _interrupt(self, command: InterruptStage) -> None:
        self._bodies.interrupt(command.stage, command.attempt, command.reason)

    def _arm(self, command: ArmTimer) -> None:
        stage, attempt = command.stage, command.attempt
        self._timers[stage] = self._loop.call_later(
            command.seconds, lambda: self._post(StageTimerFired(stage, attempt, time.time()))
        )

    def _disarm(self, command: DisarmTimer) -> None:
        self._timers.pop(command.stage).cancel()

    def _disarm_all(self) -> None:
        for timer in self._timers.values():
            timer.cancel()

    def _emit(self, command: EmitEvent) -> None:
        stage = None if command.stage is None else self._plan.stages[command.stage].name
        self.log.append(command.type, command.at, stage, command.attempt, command.data)

    def _report_cleanup(self, stage: str, attempt: int, failure: CleanupFailure) -> None:
        data = {
            "cleanup": failure.cleanup,
            "error": failure.message,
            "error_type": failure.error_type,
        }
        self.log.append(f"stage.{stage}.cleanup_failed", time.time(), stage, attempt, data)

    def _end(self, command: EndRun) -> None:
        self.log.close()
        report = RunReport(
            status=command.status,
            stage=command.stage,
            reason=command.reason,
            ends=tuple(self._judged(index, end) for index, end in self._ends.items()),
            never_started=tuple(
                stage.name
                for index, stage in enumerate(self._plan.stages)
                if index not in self._ends
            ),
            events=self.log.unread(),
            events_dropped=self.log.dropped,
            started_at=self._started_at,
            ended_at=time.time(),
        )
        if not self.ended.done():
            self.ended.set_result(report)

    def _judged(self, index: int, end: StageEnd) -> StageEnd:
        if self._machine.state.stages[index] is not StageState.TIMED_OUT:
            return end
        return end._replace(timed_out=timeout_text(self._plan.stages[index]))


_PERFORM: dict[type, Callable[[Run, Any], None]] = {
    StartStage: Run._start,
    SkipStage: Run._skip,
    InterruptStage: Run._interrupt,
    ArmTimer: Run._arm,
    DisarmTimer: Run._disarm,
    EmitEvent: Run._emit,
    EndRun: Run._end,
}


def _detail(receipt: Receipt) -> dict[str, Any]:
    """What the event about the end of a stage says."""
    detail: dict[str, Any] = {
        "status": receipt.ending,
        "duration_ms": int((receipt.ended_at - receipt.started_at) * 1000),
    }
    failure = receipt.failure
    if failure is not None:
        detail["error"] = failure.message
        detail["error_type"] = failure.error_type
        detail["code"] = failure.code
    elif receipt.reason:
        detail["reason"] = receipt.reason
    return detail
