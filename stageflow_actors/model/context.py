"""``RunContext``: what a run looks like, from outside and from inside one of its stages."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from stageflow_actors.errors import StageCancellationRequested
from stageflow_actors.model.cancellation import Cancellation
from stageflow_actors.model.cleanup import Cleanup, Cleanups
from stageflow_actors.model.identity import RunIdentity
from stageflow_actors.model.output import StageArtifact
from stageflow_actors.model.priority import RunPriority
from stageflow_actors.model.snapshot import ContextSnapshot
from stageflow_actors.model.timer import PipelineTimer
from stageflow_actors.model.trace import TraceContext


class RunContext:
    """What ``PipelineContext`` and ``StageContext`` share: every attribute here is on both.

    ``trace`` is the span of the run, or of this attempt of a stage; before a run has started, the
    one that it is to be below. ``None``: it is not traced.
    """

    __slots__ = (
        "_cleanups",
        "_correlation_id",
        "_deadline_at",
        "_priority",
        "artifacts",
        "cancellation",
        "data",
        "snapshot",
        "timer",
        "trace",
    )

    def __init__(
        self,
        snapshot: ContextSnapshot,
        *,
        timer: PipelineTimer,
        data: Mapping[str, Any],
        correlation_id: UUID | None,
        cancellation: Cancellation,
        deadline_at: float | None = None,
        priority: RunPriority = RunPriority.INTERACTIVE,
        trace: TraceContext | None = None,
    ) -> None:
        self.snapshot = snapshot
        self.timer = timer
        self.data = data
        self.cancellation = cancellation
        self.artifacts: list[StageArtifact] = []
        self._correlation_id = correlation_id
        self._deadline_at = deadline_at  # of the monotonic clock: nobody can turn it
        self._priority = priority
        self._cleanups: Cleanups | None = None
        self.trace = trace

    @property
    def identity(self) -> RunIdentity:
        """All ids of the run."""
        return self.snapshot.run_id

    @property
    def pipeline_run_id(self) -> UUID:
        """Id of the run."""
        return self.snapshot.pipeline_run_id

    @property
    def request_id(self) -> UUID:
        """Id of the request that caused the run."""
        return self.snapshot.request_id

    @property
    def session_id(self) -> UUID | None:
        """Id of the session, if the application has one."""
        return self.snapshot.session_id

    @property
    def user_id(self) -> UUID | None:
        """Id of the user, if known."""
        return self.snapshot.user_id

    @property
    def org_id(self) -> UUID | None:
        """Id of the organisation, if known."""
        return self.snapshot.org_id

    @property
    def interaction_id(self) -> UUID | None:
        """Id of the interaction within the session, if the application has one."""
        return self.snapshot.interaction_id

    @property
    def correlation_id(self) -> UUID:
        """Joins the run to other work for the same cause; the request's id where none was given."""
        return self._correlation_id or self.snapshot.request_id

    @property
    def topology(self) -> str | None:
        """Name of the pipeline; for observation only."""
        return self.snapshot.topology

    @property
    def execution_mode(self) -> str | None:
        """The application's own label."""
        return self.snapshot.execution_mode

    @property
    def priority(self) -> RunPriority:
        """Which run goes first where several wait; the runs that a stage starts have its own."""
        return self._priority

    @property
    def started_at(self) -> datetime:
        """When the run began, in UTC."""
        return self.timer.started_at

    def elapsed_ms(self) -> int:
        """Milliseconds since the run began."""
        return self.timer.elapsed_ms()

    @property
    def deadline(self) -> datetime | None:
        """When the time is up, in UTC; ``None`` where there is no limit."""
        at = self._deadline_at
        if at is None:
            return None
        return datetime.fromtimestamp(time.time() + at - time.monotonic(), UTC)

    @property
    def remaining_s(self) -> float | None:
        """Seconds until the deadline, at least 0; ``None`` where there is no limit."""
        at = self._deadline_at
        return None if at is None else max(0.0, at - time.monotonic())

    def remaining_ms(self) -> int | None:
        """Milliseconds until the deadline, at least 0; ``None`` where there is no limit."""
        at = self._deadline_at
        return None if at is None else max(0, int((at - time.monotonic()) * 1000))

    @property
    def is_cancelled(self) -> bool:
        """Whether the run, or this stage of it, should stop; a plain ``def`` asks in its loop."""
        return self.cancellation.is_requested

    @property
    def cancellation_reason(self) -> str | None:
        """Why it should stop; the first reason stays."""
        return self.cancellation.reason

    def raise_if_cancelled(self) -> None:
        """End here, as cancelled, if it should stop.

        Raises:
            StageCancellationRequested: it should.
        """
        reason = self.cancellation.reason
        if reason is not None:
            raise StageCancellationRequested(reason)

    async def cancellation_checkpoint(self) -> None:
        """Let others run once, then ``raise_if_cancelled``."""
        import asyncio  # a fifth of this package's import time, and only stages need it here

        await asyncio.sleep(0)
        self.raise_if_cancelled()

    def on_cleanup(self, cleanup: Cleanup) -> None:
        """Call ``cleanup()`` when this stage (from outside: this run) has ended, however it ended.

        The last one registered is called first, each once, each within
        ``Settings.cleanup_timeout_s``. One that raises is reported and stops none of the others. It
        may be ``async``; a plain ``def`` is called in the thread that the stage ran in.

        Raises:
            TypeError: it cannot be called.
            CleanupClosedError: the stage has ended.
        """
        if self._cleanups is None:
            self._cleanups = Cleanups()
        self._cleanups.register(cleanup)
