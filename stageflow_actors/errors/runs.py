"""How a run can end other than ok."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stageflow_actors.errors.root import StageflowError

if TYPE_CHECKING:
    from stageflow_actors.model.results import PipelineResults, RunResult, StageFailure


class _UnsuccessfulRun(StageflowError):
    """What a failed and a cancelled run have in common: nothing that finished is lost."""

    def __init__(self, message: str, *, stage: str, result: RunResult, code: str) -> None:
        super().__init__(message, code=code)
        self.stage = stage
        self.result = result

    @property
    def results(self) -> PipelineResults:
        """The output of every stage that finished, in completion order."""
        return self.result.outputs

    @property
    def failures(self) -> dict[str, StageFailure]:
        """Every stage that failed, the deciding one first."""
        return self.result.failures


class StageExecutionError(_UnsuccessfulRun):
    """A stage failed and with it the run. ``original`` is the exception of the deciding stage."""

    default_code = "STAGE-EXECUTION"

    def __init__(self, failure: StageFailure, result: RunResult) -> None:
        super().__init__(
            f"Stage '{failure.stage}' failed: {failure.error_type}: {failure.message}",
            stage=failure.stage,
            result=result,
            code=failure.code,
        )
        self.original = failure.original
        self.__cause__ = failure.original


class RunTimeoutError(StageflowError, TimeoutError):
    """The run took longer than its own ``timeout``."""

    default_code = "RUN-TIMEOUT"


class AdmissionRefusedError(StageflowError, RuntimeError):
    """The run was not started: too much is waiting. ``retry_after_s``: seconds to wait first."""

    default_code = "RUN-REFUSED"

    def __init__(
        self, message: str, *, retry_after_s: float, hint: str = "", code: str | None = None
    ) -> None:
        super().__init__(
            message, hint=hint or f"Start it again in {retry_after_s:.1f} s.", code=code
        )
        self.retry_after_s = retry_after_s


class PipelineCancelled(_UnsuccessfulRun):
    """The run was cancelled, by a stage or (``stage == "<external>"``) from outside."""

    default_code = "PIPELINE-CANCELLED"

    def __init__(self, stage: str, reason: str, result: RunResult) -> None:
        text = f"Pipeline cancelled by {stage}: {reason or 'no reason given'}"
        super().__init__(text, stage=stage, result=result, code=self.default_code)
        self.reason = reason
