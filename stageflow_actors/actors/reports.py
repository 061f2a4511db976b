"""From a report to what a user gets: a ``RunResult``."""

from __future__ import annotations

import time

from stageflow_actors.actors.failures import (
    UNREADABLE_CODE,
    Failure,
    failure_of,
    open_exception,
    unreadable,
)
from stageflow_actors.actors.messages import RunReport, StageEnd
from stageflow_actors.actors.sealing import open_output
from stageflow_actors.engine.admission import Refused
from stageflow_actors.engine.facts import Ending
from stageflow_actors.errors import (
    AdmissionRefusedError,
    EscalationError,
    PoisonedInputError,
    RuntimeFault,
    RunTimeoutError,
    StageTimeoutError,
)
from stageflow_actors.model.events import RUN_REFUSED, Event
from stageflow_actors.model.output import StageOutput
from stageflow_actors.model.plan import Plan
from stageflow_actors.model.results import (
    EXTERNAL,
    RUN,
    SUPERVISOR,
    PipelineResults,
    RunResult,
    RunStatus,
    StageCancellation,
    StageFailure,
    StageTiming,
)
from stageflow_actors.model.snapshot import ContextSnapshot

_LOST, _SKIP = Ending.LOST.value, Ending.SKIP.value


def result_of(report: RunReport, pipeline: str, snapshot: ContextSnapshot) -> RunResult:
    """The result that ``report`` describes; opens every output and exception in it."""
    outputs = PipelineResults()
    failures: dict[str, StageFailure] = {}
    skipped: dict[str, str] = {}
    cancelled: dict[str, StageCancellation] = {}
    timings: dict[str, StageTiming] = {}
    attempts: dict[str, int] = {}
    for end in report.ends:
        receipt = end.receipt
        timings[end.stage] = StageTiming(receipt.started_at, receipt.ended_at)
        failure = _failure(end)
        attempts[end.stage] = end.attempt
        if end.gave_up is not None:
            if receipt.ending == _LOST:
                more = "it did not stop, and was ended or given up"
            else:
                more = f"it was to be retried after: {receipt.reason}"
            why = f"{end.gave_up}; {more}"
            cancelled[end.stage] = StageCancellation(end.stage, why, started=True)
        elif failure is not None:
            failures[end.stage] = failure
        elif receipt.ending == _SKIP:
            skipped[end.stage] = receipt.reason
        elif receipt.output is None:
            cancelled[end.stage] = StageCancellation(end.stage, receipt.reason, started=True)
        output = _open(end, failures)
        if output is not None:
            outputs[end.stage] = output
    for stage in report.never_started:
        cancelled[stage] = StageCancellation(stage, report.reason or "", started=False)
    if report.stage in (RUN, SUPERVISOR):
        failures[report.stage] = _failure_of_none(report)
    status, deciding, reason = _verdict(report, failures)
    return RunResult(
        pipeline=pipeline,
        pipeline_run_id=snapshot.pipeline_run_id,
        status=status,
        outputs=outputs,
        failures=_deciding_first(failures, deciding),
        skipped=skipped,
        cancelled=cancelled,
        timings=timings,
        started_at=report.started_at,
        ended_at=report.ended_at,
        stage=deciding,
        reason=reason,
        artifacts={name: tuple(out.artifacts) for name, out in outputs.items() if out.artifacts},
        events_dropped=report.events_dropped,
        cleanup_failures=tuple(
            failure for end in report.ends for failure in end.receipt.cleanup_failures
        ),
        tolerated=report.tolerated,
        abandoned=report.abandoned,
        attempts=attempts,
    )


def unstarted_report(plan: Plan, reason: str) -> RunReport:
    """The report of a run that was cancelled before it began."""
    now = time.time()
    names = plan.stage_names
    return RunReport(RunStatus.CANCELLED, EXTERNAL, reason, (), names, (), 0, now, now)


def refused_report(plan: Plan, refused: Refused) -> RunReport:
    """The report of a run that may not even wait for its turn."""
    now = time.time()
    names, (reason, retry_after_s) = plan.stage_names, refused
    return RunReport(
        RunStatus.FAILED,
        SUPERVISOR,
        reason,
        (),
        names,
        (),
        0,
        now,
        now,
        retry_after_s=retry_after_s,
    )


def refusal_events(report: RunReport) -> tuple[Event, ...]:
    """What there is to tell of a run that was refused; nothing of any other."""
    if report.retry_after_s is None:
        return ()
    told = {"reason": report.reason, "retry_after_s": report.retry_after_s}
    return (Event(RUN_REFUSED, 1, report.ended_at, None, None, told),)


def loss_event(fault: RuntimeFault, result: RunResult, seq: int) -> Event:
    """The last event of a run whose supervisor cannot tell it any more."""
    told = {
        "status": result.status.value,
        "duration_ms": round(result.duration_ms),
        "deciding_stage": result.stage,
        "reason": fault.message,
        "code": fault.code,
    }
    return Event("pipeline.failed", seq, result.ended_at, None, None, told)


def result_without_report(
    fault: RuntimeFault, pipeline: str, snapshot: ContextSnapshot, started_at: float, now: float
) -> RunResult:
    """The result of a run whose report is lost: failed, with a code, and silent about the rest."""
    return RunResult(
        pipeline=pipeline,
        pipeline_run_id=snapshot.pipeline_run_id,
        status=RunStatus.FAILED,
        outputs=PipelineResults(),
        failures={SUPERVISOR: _stage_failure(SUPERVISOR, failure_of(fault), 1)},
        skipped={},
        cancelled={},
        timings={},
        started_at=started_at,
        ended_at=now,
        stage=SUPERVISOR,
        reason=fault.message,
    )


def _stage_failure(stage: str, failure: Failure, attempt: int) -> StageFailure:
    return StageFailure(
        stage=stage,
        code=failure.code,
        error_type=failure.error_type,
        message=failure.message,
        original=open_exception(failure),
        traceback=failure.traceback,
        attempt=attempt,
    )


def _failure_of_none(report: RunReport) -> StageFailure:
    """The failure that no stage of the run is to blame for."""
    who, reason = report.stage or "", report.reason or ""
    error: RunTimeoutError | EscalationError | AdmissionRefusedError
    if who == RUN:
        error = RunTimeoutError(reason, hint="Raise timeout= of the run.")
    elif report.retry_after_s is not None:
        error = AdmissionRefusedError(
            reason,
            hint=f"Try again in {report.retry_after_s:.1f} s, or raise the limit in Settings.",
            retry_after_s=report.retry_after_s,
        )
    else:
        error = EscalationError(reason, hint="Mend what ends its stages; then run again.")
    return _stage_failure(who, failure_of(error), 1)


def failure_in(end: StageEnd) -> Failure | None:
    """Why the stage failed, if it did: that its time was up, that it was poisoned, or what its
    receipt says.
    """
    if end.poisoned is not None:
        hint = "Look for a native crash, or too little memory, with this very input."
        return failure_of(PoisonedInputError(end.poisoned, hint=hint))
    if end.timed_out is None or end.receipt.ending == Ending.TIMED_OUT.value:
        return end.receipt.failure
    hint = f"Raise timeout= of stage '{end.stage}', or make it faster."
    return failure_of(StageTimeoutError(end.timed_out, hint=hint))


def _failure(end: StageEnd) -> StageFailure | None:
    failure = failure_in(end)
    return None if failure is None else _stage_failure(end.stage, failure, end.attempt)


def _open(end: StageEnd, failures: dict[str, StageFailure]) -> StageOutput | None:
    """The output, if there is one in time; a failure in its place where it cannot be read here."""
    output = end.receipt.output if end.timed_out is None and end.gave_up is None else None
    output = end.fell_back or output
    if output is None:
        return None
    try:
        return open_output(output)
    except Exception as error:
        fault = unreadable(f"The output of stage '{end.stage}'", error)
        fault.__cause__ = error
        failures.setdefault(end.stage, _stage_failure(end.stage, failure_of(fault), end.attempt))
        return None


def _verdict(
    report: RunReport, failures: dict[str, StageFailure]
) -> tuple[RunStatus, str | None, str | None]:
    """The report's, unless the run went well and its caller cannot read what it made."""
    if report.status is RunStatus.OK:
        for failure in failures.values():
            if failure.code == UNREADABLE_CODE:
                return RunStatus.FAILED, failure.stage, failure.message
    return report.status, report.stage, report.reason


def _deciding_first(
    failures: dict[str, StageFailure], deciding: str | None
) -> dict[str, StageFailure]:
    if deciding not in failures:
        return failures
    return {deciding: failures[deciding], **failures}
