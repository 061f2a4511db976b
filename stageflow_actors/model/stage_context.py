"""``StageContext``: a run as one of its stages sees it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from stageflow_actors.model.cancellation import Cancellation
from stageflow_actors.model.cleanup import NO_CLEANUPS, CleanupFailure, Cleanups
from stageflow_actors.model.context import RunContext
from stageflow_actors.model.frozen import FrozenDict
from stageflow_actors.model.inputs import StageInputs
from stageflow_actors.model.output import StageArtifact, StageEvent
from stageflow_actors.model.snapshot import ContextSnapshot
from stageflow_actors.model.timer import PipelineTimer

_NO_DATA = FrozenDict()


class StageContext(RunContext):
    """What a stage receives: the run, its own inputs, and ways to make itself heard.

    ``data`` is the run's, and read-only. ``artifacts`` and ``emitted`` are this stage's, so far.
    """

    __slots__ = ("attempt", "cleanup_failures", "emitted", "inputs", "stage_name")

    def __init__(
        self,
        snapshot: ContextSnapshot,
        inputs: StageInputs,
        stage_name: str,
        timer: PipelineTimer,
        *,
        attempt: int = 1,
        cancellation: Cancellation | None = None,
        data: Mapping[str, Any] = _NO_DATA,
        correlation_id: UUID | None = None,
        deadline_at: float | None = None,
    ) -> None:
        super().__init__(
            snapshot,
            timer=timer,
            data=data,
            correlation_id=correlation_id,
            cancellation=cancellation or Cancellation(),
            deadline_at=deadline_at,
        )
        self.inputs = inputs
        self.stage_name = stage_name
        self.attempt = attempt
        self.emitted: list[StageEvent] = []
        self.cleanup_failures: list[CleanupFailure] = []

    def end(self) -> Cleanups:
        """For the runtime, when the body has ended: what is to be done now."""
        if self._cleanups is None:
            self._cleanups = NO_CLEANUPS
        return self._cleanups

    def try_emit_event(self, type: str, data: Mapping[str, Any] | None = None) -> None:
        """Publish an event with this stage's receipt, in order, when the stage has ended."""
        self.emitted.append(StageEvent(type, dict(data or {})))

    emit_event = try_emit_event

    def add_artifact(self, type: str, payload: Any) -> None:
        """Add something for people or for storage to what this stage returns."""
        self.artifacts.append(StageArtifact(type, payload))
