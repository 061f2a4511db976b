"""From a report to what a user gets: a ``RunResult``."""

from __future__ import annotations

from stageflow_actors.actors.failures import failure_of, open_exception
from stageflow_actors.actors.messages import RunReport, StageEnd
from stageflow_actors.actors.sealing import open_output
from stageflow_actors.engine.facts import Ending
from stageflow_actors.errors import (
    StageOutputError,
    StageTimeoutError,
    SupervisorLostError,
    describe_exception,
)
from stageflow_actors.model.output import StageOutput
from stageflow_actors.model.results import (
    PipelineResults,
    RunResult,
    RunStatus,
    StageCancellation,
    StageFailure,
    StageTiming,
)
from stageflow_actors.model.snapshot import ContextSnapshot

UNREADABLE = "OUTPUT-UNREADABLE"
SUPERVISOR = "<supervisor>"
"""Stands in for a stage's name where the supervisor itself was lost."""


def result_of(report: RunReport, pipeline: str, snapshot: ContextSnapshot) -> RunResult:
    """The result that ``report`` describes; opens every output and exception in it."""
    outputs = PipelineResults()
    failures: dict[str, StageFailure] = {}
    skipped: dict[str, str] = {}
    cancelled: dict[str, StageCancellation] = {}
    timings: dict[str, StageTiming] = {}
    for end in report.ends:
        receipt = end.receipt
        timings[end.stage] = StageTiming(receipt.started_at, receipt.ended_at)
        failure = _failure(end)
        if failure is not None:
            failures[end.stage] = failure
        elif receipt.ending == Ending.SKIP.value:
            skipped[end.stage] = receipt.reason
        elif receipt.output is None:
            cancelled[end.stage] = StageCancellation(end.stage, receipt.reason, started=True)
        if receipt.output is not None and end.timed_out is None:
            output = _open(end, failures)
            if output is not None:
                outputs[end.stage] = output
    unreadable = [name for name, failure in failures.items() if failure.code == UNREADABLE]
    status, deciding, reason = report.status, report.stage, report.reason
    if status is RunStatus.OK and unreadable:
        status, deciding = RunStatus.FAILED, unreadable[0]
        reason = failures[deciding].message
    for stage in report.never_started:
        cancelled[stage] = StageCancellation(stage, report.reason or "", started=False)
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
    )


def result_of_lost_supervisor(
    error: BaseException, pipeline: str, snapshot: ContextSnapshot, started_at: float, now: float
) -> RunResult:
    """The result of a run whose supervisor died: failed, with a code, and honest about the rest."""
    lost = SupervisorLostError(
        f"The supervisor of pipeline '{pipeline}' died during the run ({type(error).__name__}).",
        hint="Which stages had finished is unknown. Run again on a new deployment.",
    )
    lost.__cause__ = error
    described = failure_of(lost)
    failure = StageFailure(
        SUPERVISOR, described.code, described.error_type, described.message, lost,
        described.traceback, attempt=1,
    )  # fmt: skip
    return RunResult(
        pipeline=pipeline,
        pipeline_run_id=snapshot.pipeline_run_id,
        status=RunStatus.FAILED,
        outputs=PipelineResults(),
        failures={SUPERVISOR: failure},
        skipped={},
        cancelled={},
        timings={},
        started_at=started_at,
        ended_at=now,
        stage=SUPERVISOR,
        reason=lost.message,
    )


def _failure(end: StageEnd) -> StageFailure | None:
    if end.timed_out is not None:
        timeout = StageTimeoutError(
            end.timed_out,
            hint=f"Raise timeout= of stage '{end.stage}', or make it faster.",
        )
        described, original = failure_of(timeout), timeout
        return StageFailure(
            end.stage, described.code, described.error_type, described.message, original,
            described.traceback, end.attempt,
        )  # fmt: skip
    failure = end.receipt.failure
    if failure is None:
        return None
    return StageFailure(
        stage=end.stage,
        code=failure.code,
        error_type=failure.error_type,
        message=failure.message,
        original=open_exception(failure),
        traceback=failure.traceback,
        attempt=end.attempt,
    )


def _open(end: StageEnd, failures: dict[str, StageFailure]) -> StageOutput | None:
    """The output, or a failure in its place where this process cannot read it."""
    assert end.receipt.output is not None
    try:
        return open_output(end.receipt.output)
    except Exception as error:
        unreadable = StageOutputError(
            f"The output of stage '{end.stage}' cannot be read in this process: "
            f"{type(error).__name__}: {describe_exception(error)}.",
            hint="Its classes must be importable here too, or return plain data.",
            code=UNREADABLE,
        )
        unreadable.__cause__ = error
        described = failure_of(unreadable)
        failures.setdefault(
            end.stage,
            StageFailure(
                end.stage, described.code, described.error_type, described.message, unreadable,
                described.traceback, end.attempt,
            ),
        )  # fmt: skip
        return None


def _deciding_first(
    failures: dict[str, StageFailure], deciding: str | None
) -> dict[str, StageFailure]:
    if deciding not in failures:
        return failures
    return {deciding: failures[deciding], **failures}
