"""Facts and commands as records of a history."""

from __future__ import annotations

from stageflow_actors.engine.commands import (
    ArmTimer,
    Command,
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
    CancelRequested,
    Escalated,
    Fact,
    RunAccepted,
    StageEnded,
    StopHeard,
    Timer,
    TimerFired,
)
from stageflow_actors.testing.history import Record, What


def record_of_fact(fact: Fact, at: float, tick: int) -> Record:
    """What the engine was told. ``at`` is virtual time; the wall clock's is left out."""
    match fact:
        case RunAccepted():
            return Record(What.ACCEPTED, at, tick)
        case StopHeard(stage, attempt):
            return Record(What.STOP_HEARD, at, tick, stage, attempt)
        case TimerFired(timer):
            return _of_timer(What.FIRED, at, tick, timer)
        case CancelRequested(reason):
            return Record(What.CANCEL_ASKED, at, tick, text=reason)
        case Escalated(reason):
            return Record(What.ESCALATED, at, tick, text=reason)
        case StageEnded():
            place = (fact.stage, fact.attempt, fact.reason)
            told = (fact.ending, fact.hint, fact.signal)
            return Record(What.END_TOLD, at, tick, *place, *told, ahead=fact.ahead)


def record_of_command(command: Command, at: float, tick: int) -> Record:
    """What the engine commanded."""
    match command:
        case StartStage(stage, attempt):
            return Record(What.STARTED, at, tick, stage, attempt, is_alone=command.is_alone)
        case SkipStage(stage, reason):
            return Record(What.SKIPPED, at, tick, stage, text=reason)
        case InterruptStage(stage, attempt, reason):
            return Record(What.TOLD_TO_STOP, at, tick, stage, attempt, reason)
        case KillStage(stage, attempt):
            return Record(What.KILLED, at, tick, stage, attempt)
        case FallBack(stage):
            return Record(What.FELL_BACK, at, tick, stage)
        case ForgetStage(stage):
            return Record(What.FORGOTTEN, at, tick, stage)
        case EmitEvent() | EndRun():
            return _of_announcement(command, at, tick)
        case ArmTimer(timer, seconds):
            return _of_timer(What.ARMED, at, tick, timer, seconds)
        case DisarmTimer(timer):
            return _of_timer(What.DISARMED, at, tick, timer)


def _of_timer(what: What, at: float, tick: int, timer: Timer, seconds: float = 0.0) -> Record:
    return Record(what, at, tick, timer.stage, timer.attempt, timer=timer, seconds=seconds)


def _of_announcement(command: EmitEvent | EndRun, at: float, tick: int) -> Record:
    if isinstance(command, EndRun):
        data = {"stage": command.stage, "reason": command.reason}
        return Record(What.VERDICT, at, tick, text=command.status.value, data=data)
    stage = -1 if command.stage is None else command.stage
    told = {name: value for name, value in command.data.items() if name != "duration_ms"}
    return Record(What.EVENT, at, tick, stage, command.attempt or 0, command.type, data=told)
