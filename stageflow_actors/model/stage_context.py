"""``StageContext``: a run as one of its stages sees it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from stageflow_actors.errors import StageAbandonedError
from stageflow_actors.model.cancellation import Cancellation
from stageflow_actors.model.cleanup import NO_CLEANUPS, CleanupFailure, Cleanups
from stageflow_actors.model.context import RunContext
from stageflow_actors.model.frozen import FrozenDict
from stageflow_actors.model.inputs import StageInputs
from stageflow_actors.model.output import StageArtifact, StageEvent
from stageflow_actors.model.policies.guard import GuardFeedback
from stageflow_actors.model.signs import SignsOfLife
from stageflow_actors.model.snapshot import ContextSnapshot
from stageflow_actors.model.timer import PipelineTimer

_NO_DATA = FrozenDict()


class StageContext(RunContext):
    """What a stage receives: the run, its own inputs, and ways to make itself heard.

    ``data`` is the run's, and read-only. ``artifacts`` and ``emitted`` are this stage's, so far.
    ``feedback`` says why a guard rejected the last output, where this stage runs again for that.
    ``child_runs`` counts the runs that this execution has started from itself.
    """

    __slots__ = (
        "_generation",
        "_started_by",
        "attempt",
        "child_runs",
        "cleanup_failures",
        "emitted",
        "feedback",
        "inputs",
        "signs",
        "stage_name",
    )

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
        generation: int = 0,
        started_by: str = "",
        feedback: GuardFeedback | None = None,
        signs: SignsOfLife | None = None,
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
        self.child_runs = 0
        self.feedback = feedback
        self.signs = signs
        self._generation = generation
        self._started_by = started_by

    @property
    def effect_key(self) -> str:
        """The same for every attempt at this work, and for no other: for effects to count once.

        A payment, an e-mail or a row that carries it can be recognised when it comes again.

        Raises:
            StageAbandonedError: the run has given this execution up.
        """
        self._check_not_abandoned()
        run = self._started_by or self.snapshot.pipeline_run_id
        return f"{run}:{self.snapshot.topology}:{self.stage_name}:{self._generation}"

    def heartbeat(self) -> None:
        """Say that this execution is alive; ``Timeouts`` asks for it.

        Raises:
            StageAbandonedError: the run has given this execution up.
        """
        self._check_not_abandoned()
        if self.signs is not None:
            self.signs.beat()

    def end(self) -> Cleanups:
        """For the runtime, when the body has ended: what is to be done now."""
        if self._cleanups is None:
            self._cleanups = NO_CLEANUPS
        return self._cleanups

    def try_emit_event(self, type: str, data: Mapping[str, Any] | None = None) -> None:
        """Publish an event with this stage's receipt, in order, when the stage has ended.

        Raises:
            StageAbandonedError: the run has given this execution up.
        """
        self._take_sign()
        self.emitted.append(StageEvent(type, dict(data or {})))

    emit_event = try_emit_event

    def add_artifact(self, type: str, payload: Any) -> None:
        """Add something for people or for storage to what this stage returns.

        Raises:
            StageAbandonedError: the run has given this execution up.
        """
        self._take_sign()
        self.artifacts.append(StageArtifact(type, payload))

    def _take_sign(self) -> None:
        self._check_not_abandoned()
        if self.signs is not None:
            self.signs.note()

    def _check_not_abandoned(self) -> None:
        if self.cancellation.is_abandoned:
            raise StageAbandonedError(
                f"Stage '{self.stage_name}' was given up: nothing that it does counts any more.",
                hint="End the stage when ctx.is_cancelled turns true.",
            )
