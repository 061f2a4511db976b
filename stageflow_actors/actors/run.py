"""``Run``: one live run. Feeds facts to the engine and performs its commands.

The same for every runtime; what differs is ``Bodies``, which executes stages here or elsewhere.
Everything happens on one event loop. Facts that arrive within one turn of it form one tick.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from types import MappingProxyType
from typing import Any

from stageflow_actors.actors.alarms import Alarms
from stageflow_actors.actors.bodies import Bodies
from stageflow_actors.actors.failures import Failure
from stageflow_actors.actors.judging import detail_of, judged, missing_inputs, tolerated
from stageflow_actors.actors.messages import (
    Assignment,
    Receipt,
    Rejection,
    RunReport,
)
from stageflow_actors.actors.reports import failure_in
from stageflow_actors.actors.sealing import SealedOutput
from stageflow_actors.actors.wide_events import open_log
from stageflow_actors.engine.commands import (
    ArmTimer,
    DisarmTimer,
    EmitEvent,
    EndRun,
    FallBack,
    ForgetStage,
    InterruptStage,
    KillStage,
    SkipStage,
    StartStage,
)
from stageflow_actors.engine.facts import (
    NO_HINT,
    CancelRequested,
    Ending,
    Escalated,
    Fact,
    RunAccepted,
    StageEnded,
    StopHeard,
    Timer,
    TimerFired,
    TimerKind,
)
from stageflow_actors.engine.machine import RunMachine
from stageflow_actors.engine.state import LIVE, StageState
from stageflow_actors.model.cleanup import CleanupFailure
from stageflow_actors.model.frozen import FrozenDict
from stageflow_actors.model.output import StageOutput, StageStatus
from stageflow_actors.model.plan import Plan
from stageflow_actors.model.settings import Settings

CLOSED = "the deployment was closed"
"""Why runs are cancelled that a deployment still has when it closes."""

_OK, _LOST = Ending.OK.value, Ending.LOST.value
_ENDINGS = MappingProxyType({each.value: each for each in Ending})  # an enum's call costs more
_NEVER = (0, None)
"""How often a stage was forgotten, and its last receipt before that."""
_NOBODY = -2
"""No stage: -1 is that of the run's own timer."""


class Run:
    """One run from acceptance to verdict; ``ended`` resolves to its report."""

    __slots__ = (
        "_abandoned",
        "_ahead",
        "_alarms",
        "_bodies",
        "_deadline",
        "_delayed",
        "_forgotten",
        "_inbox",
        "_loop",
        "_machine",
        "_outputs",
        "_plan",
        "_receipts",
        "_started_at",
        "_waits",
        "ended",
        "log",
    )

    def __init__(
        self, plan: Plan, bodies: Bodies[Run], settings: Settings, loop: asyncio.AbstractEventLoop
    ) -> None:
        self._plan = plan
        self._bodies = bodies
        self._loop = loop
        self._machine = RunMachine(plan, settings)
        self._alarms = Alarms(self._loop, self._ring)
        self._inbox: list[Fact] = []
        self._outputs: dict[int, SealedOutput] = {}
        self._receipts: dict[int, Receipt] = {}
        self._forgotten: dict[int, tuple[int, Receipt | None]] = {}
        self._abandoned: tuple[str, ...] = ()
        self._ahead: tuple[int, ...] = ()
        self._waits = _NOBODY
        self._delayed: dict[int, ArmTimer] = {}
        self._deadline: float | None = None
        self._started_at = time.time()
        self.log = open_log(plan, settings)
        self.ended: asyncio.Future[RunReport] = self._loop.create_future()

    def begin(self, cancelled: str | None = None, limit_s: float | None = None) -> None:
        """Accept the run, and act on it; with ``cancelled`` no stage of it starts."""
        if limit_s is not None:
            self._deadline = self._loop.time() + limit_s
        if cancelled is not None:
            self.cancel(cancelled)
        self._inbox.append(RunAccepted(self._started_at, limit_s))
        self._tick()

    def cancel(self, reason: str) -> None:
        """Ask the run to stop."""
        self._post(CancelRequested(reason, time.time()))

    def escalate(self, reason: str) -> None:
        """End the run as failed: the supervisor has given up."""
        self._post(Escalated(reason, time.time()))

    def began(self, stage: int, attempt: int) -> None:
        """Take note that an attempt that had to wait does not any more: now its time counts."""
        command = self._delayed.pop(stage, None)
        if command is not None and command.timer.attempt == attempt:
            self._arm(command)

    def stop_heard(self, stage: int, attempt: int) -> None:
        """Take note that a body that was told to stop does so."""
        self._post(StopHeard(stage, attempt, time.time()))

    def is_open(self, stage: int) -> bool:
        """Whether ``stage`` may still be executed, or is."""
        current = self._machine.state.stages[stage]
        return current.is_open or current is StageState.WAITING

    def is_in_doubt(self, stage: int) -> bool:
        """Whether nobody knows how far the last execution of ``stage`` got."""
        receipt = self._receipts.get(stage)
        return receipt is not None and (receipt.ending == _LOST or receipt.is_stuck)

    def is_timing_out(self, stage: int) -> bool:
        """Whether ``stage`` was told to stop because its time is up."""
        return self._machine.state.stages[stage] is StageState.TIMING_OUT

    def failure_of(self, stage: str) -> Failure | None:
        """Why ``stage`` failed when it was last executed, if it did."""
        for index, receipt in self._receipts.items():
            if self._plan.stages[index].name == stage:
                return failure_in(judged(self._machine.state, index, receipt, self._outputs))
        return None

    def stage_ended(self, stage: int, attempt: int, receipt: Receipt) -> None:
        """Take the receipt of an execution; one that comes too late counts for nothing."""
        state = self._machine.state
        is_late = attempt != state.attempts[stage] or state.stages[stage] not in LIVE
        if is_late or self.ended.done():
            return
        name = self._plan.stages[stage].name
        if attempt > 1:
            self._receipts.pop(stage, None)  # in order of completion, repetitions too
            self._outputs.pop(stage, None)
        self._receipts[stage] = receipt
        if receipt.is_stuck and name not in self._abandoned:
            self._abandoned = (*self._abandoned, name)
        if receipt.ahead:
            self._ahead = (*self._ahead, *receipt.ahead)
        for type_, at, data in receipt.notes:
            self.log.append(type_, at, name, attempt, data)
        if receipt.output is not None:
            self._outputs[stage] = receipt.output
        for type_, at, data in receipt.events:
            self.log.append_from_stage(type_, at, name, attempt, data)
        for failure in receipt.cleanup_failures:
            self._report_cleanup(name, attempt, failure)
        fact = StageEnded(
            stage,
            attempt,
            _ENDINGS[receipt.ending],
            time.time(),
            receipt.reason,
            detail_of(receipt),
            receipt.signal,
            receipt.hint or NO_HINT,
            0.0 if receipt.ending == _OK else random.random(),  # noqa: S311 - for jitter
            receipt.ahead,
        )
        if state.live == 1 and not self._inbox:
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
            self._alarms.clear()
            if not self.ended.done():
                self.ended.set_exception(defect)
        self._bodies.decided(self)
        self.log.notify()

    def _start(self, command: StartStage) -> None:
        stages, outputs, missing = self._plan.stages, self._outputs, None
        stage = stages[command.stage]
        given = stage.dependencies
        inputs = {stages[each].name: outputs[each] for each in given if each in outputs}
        if stage.optional:
            missing = missing_inputs(self._machine.state, stage)
            inputs = {name: inputs[name] for name in inputs if name not in missing}
        remaining_s = None if self._deadline is None else self._deadline - self._loop.time()
        generation, _last = self._forgotten.get(command.stage, _NEVER)
        rejection = None if command.feedback is None else self._rejection_by(*command.feedback)
        work = Assignment(
            command.attempt,
            inputs,
            remaining_s,
            missing,
            generation,
            rejection,
            is_alone=command.is_alone,
            is_begun=command.attempt == 1 and command.stage in self._ahead,
        )
        has_begun = self._bodies.start(self, command.stage, work)
        self._waits = _NOBODY if has_begun else command.stage

    def _rejection_by(self, guard: int, number: int) -> Rejection | None:
        _times, receipt = self._forgotten.get(guard, _NEVER)
        if receipt is None:
            return None
        name = self._plan.stages[guard].name
        return Rejection(name, number, receipt.reason, receipt.output)

    def _forget(self, command: ForgetStage) -> None:
        times, last = self._forgotten.get(command.stage, _NEVER)
        self._outputs.pop(command.stage, None)
        receipt = self._receipts.pop(command.stage, last)
        self._forgotten[command.stage] = times + 1, receipt

    def _fall_back(self, command: FallBack) -> None:
        stage = self._plan.stages[command.stage]
        output = StageOutput(StageStatus.OK, stage.fallback or FrozenDict(), duration_ms=0)
        self._outputs[command.stage] = output

    def _skip(self, command: SkipStage) -> None:
        output = StageOutput(
            StageStatus.SKIP, FrozenDict({"reason": command.reason}), duration_ms=0
        )
        receipt = Receipt(Ending.SKIP.value, command.at, command.at, output, command.reason)
        self._outputs[command.stage] = output
        self._receipts[command.stage] = receipt
        self._bodies.skipped(self, command.stage)

    def _interrupt(self, command: InterruptStage) -> None:
        self._bodies.interrupt(self, command.stage, command.attempt, command.reason)

    def _kill(self, command: KillStage) -> None:
        self._bodies.kill(self, command.stage, command.attempt)

    def _arm(self, command: ArmTimer) -> None:
        timer = command.timer
        if timer.stage == self._waits and timer.kind is TimerKind.ATTEMPT:
            self._waits, self._delayed[timer.stage] = _NOBODY, command
        else:
            self._alarms.arm(timer, command.seconds)

    def _disarm(self, command: DisarmTimer) -> None:
        self._alarms.disarm(command.timer)
        if self._delayed and command.timer.kind is TimerKind.ATTEMPT:
            self._delayed.pop(command.timer.stage, None)

    def _ring(self, timer: Timer) -> None:
        self._post(TimerFired(timer, time.time()))

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
        self._alarms.clear()
        self.log.close()
        report = RunReport(
            status=command.status,
            stage=command.stage,
            reason=command.reason,
            ends=tuple(
                judged(self._machine.state, index, receipt, self._outputs)
                for index, receipt in self._receipts.items()
            ),
            never_started=tuple(
                stage.name
                for index, stage in enumerate(self._plan.stages)
                if index not in self._receipts
            ),
            events=self.log.take(),
            events_dropped=self.log.dropped,
            started_at=self._started_at,
            ended_at=time.time(),
            tolerated=tolerated(self._machine.state),
            abandoned=self._abandoned,
        )
        if not self.ended.done():
            self.ended.set_result(report)


_PERFORM: dict[type, Callable[[Run, Any], None]] = {
    StartStage: Run._start,
    SkipStage: Run._skip,
    InterruptStage: Run._interrupt,
    KillStage: Run._kill,
    FallBack: Run._fall_back,
    ForgetStage: Run._forget,
    ArmTimer: Run._arm,
    DisarmTimer: Run._disarm,
    EmitEvent: Run._emit,
    EndRun: Run._end,
}
