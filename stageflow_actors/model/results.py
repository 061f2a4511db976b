"""What a run leaves behind. Success, failure, cancel and timeout all end in one ``RunResult``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from uuid import UUID

from stageflow_actors.errors import PipelineCancelled, StageExecutionError
from stageflow_actors.model.cleanup import CleanupFailure
from stageflow_actors.model.output import StageArtifact, StageOutput, StageStatus

EXTERNAL = "<external>"
"""Stands in for a stage's name where a run was cancelled from outside."""
RUN = "<run>"
"""Stands in for a stage's name where the run itself used up its time."""
SUPERVISOR = "<supervisor>"
"""Stands in for a stage's name where not a stage failed but what supervises them."""


class RunStatus(StrEnum):
    """How a run ended."""

    OK = "ok"
    FAILED = "failed"
    CANCELLED = "cancelled"
    TIMED_OUT = "timed_out"


class PipelineResults(dict[str, StageOutput]):
    """The output of every stage that finished, in completion order."""

    def output(self, stage: str) -> StageOutput | None:
        """The output of ``stage``, or ``None`` where it did not finish."""
        return self.get(stage)

    def require(self, stage: str) -> StageOutput:
        """The output of ``stage``.

        Raises:
            KeyError: it did not finish; the message lists those that did.
        """
        if stage not in self:
            finished = ", ".join(self) or "none"
            raise KeyError(f"Stage '{stage}' has no output; finished: {finished}.")
        return self[stage]

    def require_ok(self, stage: str) -> StageOutput:
        """The output of ``stage``, which must be ok.

        Raises:
            KeyError: it did not finish.
            RuntimeError: it ended otherwise; the message says how and why.
        """
        output = self.require(stage)
        if output.status is not StageStatus.OK:
            raise RuntimeError(f"Stage '{stage}' ended as {output.status}: {output.reason}")
        return output

    def data(self, stage: str, default: Mapping[str, Any] | None = None) -> Mapping[str, Any]:
        """The data of ``stage``, or ``default`` (an empty mapping) where it did not finish."""
        output = self.get(stage)
        return output.data if output is not None else (default or {})

    @property
    def ok(self) -> bool:
        """Whether every stage in here ended ok or skipped."""
        return not self.failed()

    def failed(self) -> list[str]:
        """Names of the stages that ended as fail or cancel."""
        return [
            name
            for name, output in self.items()
            if output.status in (StageStatus.FAIL, StageStatus.CANCEL)
        ]


@dataclass(frozen=True, slots=True)
class StageFailure:
    """Why a stage failed. ``original`` is the exception; on Ray a copy of same type, args, text."""

    stage: str
    code: str
    error_type: str
    message: str
    original: BaseException
    traceback: str
    attempt: int


@dataclass(frozen=True, slots=True)
class StageCancellation:
    """A stage that the end of the run cut short (``started``) or kept from starting."""

    stage: str
    reason: str
    started: bool


@dataclass(frozen=True, slots=True)
class StageTiming:
    """When a stage ran, in seconds since the Unix epoch."""

    started_at: float
    ended_at: float

    @property
    def duration_ms(self) -> float:
        """Milliseconds of work, queueing and transport not counted."""
        return (self.ended_at - self.started_at) * 1000


@dataclass(frozen=True)
class RunResult:
    """Everything about one ended run, whatever its end.

    ``failures`` has the deciding failure first; ``stage`` and ``reason`` say what decided the end.
    ``tolerated`` are the failed stages that the run went on without, or with their fallback.
    ``abandoned`` are those whose body could not be ended and may still be running. ``attempts``
    says how often each stage was executed; a skipped one was not: 0.
    """

    pipeline: str
    pipeline_run_id: UUID
    status: RunStatus
    outputs: PipelineResults
    failures: dict[str, StageFailure]
    skipped: dict[str, str]
    cancelled: dict[str, StageCancellation]
    timings: dict[str, StageTiming]
    started_at: float
    ended_at: float
    stage: str | None = None
    reason: str | None = None
    artifacts: dict[str, tuple[StageArtifact, ...]] = field(default_factory=dict)
    events_dropped: int = 0
    cleanup_failures: tuple[CleanupFailure, ...] = ()
    tolerated: tuple[str, ...] = ()
    abandoned: tuple[str, ...] = ()
    attempts: dict[str, int] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether the run completed; stages that it tolerates may have failed."""
        return self.status is RunStatus.OK

    @property
    def duration_ms(self) -> float:
        """Milliseconds from acceptance to verdict."""
        return (self.ended_at - self.started_at) * 1000

    def error(self) -> StageExecutionError | PipelineCancelled | None:
        """The exception that stands for this end, or ``None`` for an ok run."""
        if self.status is RunStatus.OK:
            return None
        if self.status is RunStatus.CANCELLED:
            return PipelineCancelled(self.stage or "", self.reason or "", self)
        return StageExecutionError(next(iter(self.failures.values())), self)

    def raise_for_status(self) -> RunResult:
        """Pass, if the run completed.

        Raises:
            StageExecutionError: a stage failed or timed out.
            PipelineCancelled: the run was cancelled.
        """
        error = self.error()
        if error is not None:
            raise error
        return self
