"""``PipelineContext``: a run seen from outside. ``StageContext``: from inside one of its stages."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from pydantic import ValidationError

from stageflow_actors.errors import (
    InvalidRunInputError,
    StageCancellationRequested,
    plain_text,
)
from stageflow_actors.model.identity import RunIdentity
from stageflow_actors.model.inputs import StageInputs
from stageflow_actors.model.output import StageEvent
from stageflow_actors.model.snapshot import ContextSnapshot


class PipelineTimer:
    """When a run began; one and the same start for all its stages."""

    __slots__ = ("pipeline_start_ms",)

    def __init__(self, pipeline_start_ms: int | None = None) -> None:
        self.pipeline_start_ms = self.now_ms() if pipeline_start_ms is None else pipeline_start_ms

    @staticmethod
    def now_ms() -> int:
        """Milliseconds since the Unix epoch."""
        return time.time_ns() // 1_000_000

    def elapsed_ms(self) -> int:
        """Milliseconds since the run began."""
        return self.now_ms() - self.pipeline_start_ms

    @property
    def started_at(self) -> datetime:
        """When the run began, in UTC."""
        return datetime.fromtimestamp(self.pipeline_start_ms / 1000, UTC)


class Cancellation:
    """A request to stop: set once, the first reason stays. Safe to use from any thread."""

    __slots__ = ("_lock", "_reason", "_watchers")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._reason: str | None = None
        self._watchers: list[Callable[[str], None]] = []

    @property
    def is_requested(self) -> bool:
        """Whether anybody asked to stop."""
        return self._reason is not None

    @property
    def reason(self) -> str | None:
        """Why, or ``None`` while nobody asked."""
        return self._reason

    def request(self, reason: str | None) -> bool:
        """Ask to stop; ``False`` where somebody had asked before."""
        reason = "" if reason is None else plain_text(reason)
        with self._lock:
            if self._reason is not None:
                return False
            self._reason = reason
            watchers, self._watchers = self._watchers, []
        for watcher in watchers:
            watcher(reason)
        return True

    def watch(self, watcher: Callable[[str], None]) -> Callable[[], None]:
        """Call ``watcher(reason)`` once when asked to stop, at once if so already.

        Returns a function that ends the watch.
        """
        with self._lock:
            if self._reason is None:
                self._watchers.append(watcher)
                return lambda: self._unwatch(watcher)
        watcher(self._reason)
        return lambda: None

    def _unwatch(self, watcher: Callable[[str], None]) -> None:
        with self._lock:
            if watcher in self._watchers:
                self._watchers.remove(watcher)


class PipelineContext:
    """One run to be: its snapshot, and the handle to cancel it from outside."""

    __slots__ = ("cancellation", "snapshot")

    def __init__(
        self, snapshot: ContextSnapshot | None = None, cancellation: Cancellation | None = None
    ) -> None:
        self.snapshot = snapshot or ContextSnapshot()
        self.cancellation = cancellation or Cancellation()

    @classmethod
    def create(
        cls,
        *,
        input_text: str | None = None,
        pipeline_run_id: UUID | None = None,
        request_id: UUID | None = None,
        session_id: UUID | None = None,
        user_id: UUID | None = None,
        org_id: UUID | None = None,
        interaction_id: UUID | None = None,
        topology: str | None = None,
        execution_mode: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> PipelineContext:
        """A context from its parts; the ids of run and request are generated where not given.

        Raises:
            InvalidRunInputError: a part cannot be used; the message says which and why.
        """
        ids = {
            "pipeline_run_id": pipeline_run_id,
            "request_id": request_id,
            "session_id": session_id,
            "user_id": user_id,
            "org_id": org_id,
            "interaction_id": interaction_id,
        }
        given = {name: value for name, value in ids.items() if value is not None}
        try:
            return cls(
                ContextSnapshot(
                    run_id=RunIdentity.model_validate(given),
                    input_text=input_text,
                    topology=topology,
                    execution_mode=execution_mode,
                    metadata=dict(metadata or {}),
                )
            )
        except ValidationError as invalid:
            raise _unusable_part(invalid) from invalid

    @property
    def pipeline_run_id(self) -> UUID:
        """Id of the run."""
        return self.snapshot.pipeline_run_id

    @property
    def is_cancelled(self) -> bool:
        """Whether somebody asked to stop the run."""
        return self.cancellation.is_requested

    @property
    def cancellation_reason(self) -> str | None:
        """Why the run was asked to stop; the first reason stays."""
        return self.cancellation.reason

    def with_snapshot(self, snapshot: ContextSnapshot) -> PipelineContext:
        """The same run with another snapshot; cancelling either cancels both."""
        return PipelineContext(snapshot, self.cancellation)

    def mark_cancelled(self, reason: str = "") -> None:
        """Cancel the run, before or while it runs, from any thread."""
        self.cancellation.request(reason)


class StageContext:
    """What a stage receives: the snapshot, its inputs, the run's timer, cancellation and events."""

    __slots__ = ("attempt", "cancellation", "emitted", "inputs", "snapshot", "stage_name", "timer")

    def __init__(
        self,
        snapshot: ContextSnapshot,
        inputs: StageInputs,
        stage_name: str,
        timer: PipelineTimer,
        *,
        attempt: int = 1,
        cancellation: Cancellation | None = None,
    ) -> None:
        self.snapshot = snapshot
        self.inputs = inputs
        self.stage_name = stage_name
        self.timer = timer
        self.attempt = attempt
        self.cancellation = cancellation or Cancellation()
        self.emitted: list[StageEvent] = []

    @property
    def pipeline_run_id(self) -> UUID:
        """Id of the run."""
        return self.snapshot.pipeline_run_id

    @property
    def request_id(self) -> UUID:
        """Id of the request that caused the run."""
        return self.snapshot.request_id

    @property
    def execution_mode(self) -> str | None:
        """The application's own label."""
        return self.snapshot.execution_mode

    @property
    def started_at(self) -> datetime:
        """When the run began, in UTC."""
        return self.timer.started_at

    @property
    def is_cancelled(self) -> bool:
        """Whether this stage should stop; a plain ``def`` asks this in its loop."""
        return self.cancellation.is_requested

    @property
    def cancellation_reason(self) -> str | None:
        """Why it should stop."""
        return self.cancellation.reason

    def raise_if_cancelled(self) -> None:
        """End this stage as cancelled if it should stop.

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

    def try_emit_event(self, type: str, data: Mapping[str, Any] | None = None) -> None:
        """Publish an event with this stage's receipt, in order, when the stage has ended."""
        self.emitted.append(StageEvent(type, dict(data or {})))

    emit_event = try_emit_event


def _unusable_part(invalid: ValidationError) -> InvalidRunInputError:
    first = invalid.errors(include_url=False, include_input=False)[0]
    part = ".".join(map(str, first["loc"]))
    return InvalidRunInputError(f"The run cannot use the given {part}: {first['msg']}")


def to_pipeline_context(
    given: PipelineContext | StageContext | ContextSnapshot | None, parts: Mapping[str, Any]
) -> PipelineContext:
    """The context of a run from what a caller gave: a context, or the parts of one.

    Raises:
        InvalidRunInputError: both were given, or a context of an unknown type.
        TypeError: an unknown part.
    """
    if given is None:
        return PipelineContext.create(**parts)
    if parts:
        raise InvalidRunInputError(
            f"Got a context and also {', '.join(sorted(parts))}.",
            hint="Pass one or the other.",
        )
    if isinstance(given, PipelineContext):
        return given
    if isinstance(given, StageContext):
        context = PipelineContext(given.snapshot)
        given.cancellation.watch(context.mark_cancelled)  # down to the run, never up from it
        return context
    if isinstance(given, ContextSnapshot):
        return PipelineContext(given)
    raise InvalidRunInputError(
        f"A run cannot start from {type(given).__name__}.",
        hint="Pass a PipelineContext, a StageContext or a ContextSnapshot.",
    )
