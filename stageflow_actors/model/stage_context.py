"""``StageContext``: a run as one of its stages sees it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, Protocol
from uuid import UUID

from stageflow_actors.errors import StageAbandonedError, StreamError, UnknownPipelineError
from stageflow_actors.model.ancestry import Ancestry, depth_of
from stageflow_actors.model.cancellation import Cancellation
from stageflow_actors.model.cleanup import NO_CLEANUPS, CleanupFailure, Cleanups
from stageflow_actors.model.context import RunContext
from stageflow_actors.model.events import PROVIDER_CALL, SPAN_CONTENTS, STAGE_TRACED
from stageflow_actors.model.frozen import FrozenDict
from stageflow_actors.model.inputs import StageInputs
from stageflow_actors.model.output import StageArtifact, StageEvent
from stageflow_actors.model.priority import RunPriority
from stageflow_actors.model.redaction.capture import MessageCapture
from stageflow_actors.model.signs import SignsOfLife
from stageflow_actors.model.snapshot import ContextSnapshot
from stageflow_actors.model.spawning import ChildInput, ChildWish, Inherit, Spawner
from stageflow_actors.model.streaming import OpenStream, Stream
from stageflow_actors.model.timer import PipelineTimer
from stageflow_actors.model.trace import TraceContext

if TYPE_CHECKING:
    from stageflow_actors.model.policies.guard import GuardFeedback
    from stageflow_actors.model.subpipeline import SubpipelineResult

_NO_DATA = FrozenDict()


class ProviderRecord(Protocol):
    """What is known of a call of a provider; ``ProviderResponse`` and what is made of it."""

    @property
    def latency_ms(self) -> float | None:
        """From the request to the end of the response."""

    def to_otel_attributes(self) -> Mapping[str, Any]:
        """What it is told with."""

    def contents(self) -> Mapping[str, Any]:
        """What was said, for those who have asked for it."""


class OwnSpan(Protocol):
    """The span of an attempt in the process of its stage."""

    def finish(self) -> Mapping[str, Any]:
        """Take nothing more; what the stage has set on it, if it has."""


class StageContext(RunContext):
    """What a stage receives: the run, its own inputs, and ways to make itself heard.

    ``data`` is the run's, and read-only. ``artifacts`` and ``emitted`` are this stage's, so far.
    ``feedback`` says why a guard rejected the last output, where this stage runs again for that.
    ``child_runs`` counts the runs that this execution has started from itself, ``calls`` are the
    calls of providers that it has told of. ``ancestry`` says
    which stage of which run started this one, if one did.
    """

    __slots__ = (
        "_generation",
        "_open_stream",
        "_spawner",
        "_started_by",
        "_stream",
        "ancestry",
        "attempt",
        "calls",
        "child_runs",
        "cleanup_failures",
        "emitted",
        "feedback",
        "inputs",
        "retires",
        "signs",
        "span",
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
        ancestry: Ancestry | None = None,
        spawner: Spawner | None = None,
        open_stream: OpenStream | None = None,
        priority: RunPriority = RunPriority.INTERACTIVE,
        trace: TraceContext | None = None,
    ) -> None:
        super().__init__(
            snapshot,
            timer=timer,
            data=data,
            correlation_id=correlation_id,
            cancellation=cancellation or Cancellation(),
            deadline_at=deadline_at,
            priority=priority,
            trace=trace,
        )
        self.inputs = inputs
        self.stage_name = stage_name
        self.attempt = attempt
        self.emitted: list[StageEvent] = []
        self.cleanup_failures: list[CleanupFailure] = []
        self.child_runs = 0
        self.calls: dict[int, ProviderRecord] = {}  # by id: one that is told twice counts once
        self.span: OwnSpan | None = None
        self.feedback = feedback
        self.signs = signs
        self.retires = False
        self._generation = generation
        self._started_by = started_by
        self.ancestry = ancestry
        self._spawner = spawner
        self._open_stream = open_stream
        self._stream: Stream | None = None

    @property
    def stream(self) -> Stream:
        """Sends pieces to whoever reads the run, while this stage goes on.

        ``await ctx.stream.send(chunk)``, or ``ctx.stream.send_blocking(chunk)`` in a plain ``def``.

        Raises:
            StreamError: this context belongs to no run.
        """
        if self._stream is None:
            if self._open_stream is None:
                raise StreamError(
                    f"The context of stage '{self.stage_name}' belongs to no run.",
                    hint="Run the stage in a pipeline; run_stage does so, too.",
                    code="STREAM-CLOSED",
                )
            self._stream = self._open_stream(self.signs)
        return self._stream

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

    @property
    def depth(self) -> int:
        """How many runs are above this one: 0 for one that no stage has spawned."""
        return depth_of(self.ancestry)

    async def spawn(
        self,
        pipeline: str,
        inputs: ChildInput = None,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - the limit of the child, kept elsewhere
        correlation_id: UUID | None = None,
        execution_mode: str | None = None,
        inherit_data: Inherit = False,
    ) -> SubpipelineResult:
        """Run a pipeline of the runtime's registry as a child of this run; wait for its end.

        However the child ends is a result, and raises nothing here. ``inputs`` is what its first
        stages read: a text, or a mapping whose ``input_text`` becomes the child's, and whose other
        keys its ``data``. The child keeps the identity, the correlation id, the ports and the
        snapshot of this run, and may take ``timeout`` seconds or what is left of this one's time.
        It is cancelled, and ended, with this stage; so it is if the caller is cancelled.

        Raises:
            UnknownPipelineError: the runtime knows no such pipeline.
            MaxDepthExceededError: ``Settings.max_spawn_depth`` runs are above this one.
            SpawnRefusedError: this stage was told to stop, or has started too many.
            StageAbandonedError: the run has given this execution up.
            InvalidRunInputError, StageContractError: the child cannot run from these inputs.
            AuthenticationError, TenantAccessDeniedError: the child may not be started.
            TypeError: ``inherit_data`` is a string.
        """
        self._check_not_abandoned()
        if self._spawner is None:
            raise UnknownPipelineError(
                f"Pipeline {pipeline!r:.80} cannot be spawned: the runtime has no registry.",
                hint="Give it one: LocalRuntime(registry=[...]) or RayRuntime(registry=[...]).",
            )
        wish = ChildWish(pipeline, inputs, timeout, correlation_id, execution_mode, inherit_data)
        return await self._spawner.spawn(self, wish)

    async def spawn_many(
        self,
        pipeline: str,
        inputs: Iterable[ChildInput],
        *,
        concurrency: int | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - the limit of the child, kept elsewhere
        correlation_id: UUID | None = None,
        execution_mode: str | None = None,
        inherit_data: Inherit = False,
    ) -> list[SubpipelineResult]:
        """``spawn`` once per input, all at once or ``concurrency`` at a time; results in order.

        What raises for one of them cancels the others and is raised when they have ended.

        Raises:
            ValueError: ``concurrency`` is less than 1.
        """
        import asyncio  # a fifth of this package's import time, and only stages need it here

        if concurrency is not None and concurrency < 1:
            raise ValueError(f"concurrency must be at least 1, got {concurrency}.")
        turns = asyncio.Semaphore(concurrency) if concurrency else None

        async def one(given: ChildInput) -> SubpipelineResult:
            async with turns or nullcontext():
                return await self.spawn(
                    pipeline,
                    given,
                    timeout=timeout,
                    correlation_id=correlation_id,
                    execution_mode=execution_mode,
                    inherit_data=inherit_data,
                )

        children = [asyncio.ensure_future(one(each)) for each in tuple(inputs)]
        try:
            return await asyncio.gather(*children)
        except BaseException:
            for child in children:
                child.cancel()
            await asyncio.gather(*children, return_exceptions=True)
            raise

    def retire(self) -> None:
        """Have the process of this stage end when all that it is executing has.

        Sheds what a library has leaked, or reads new files in ``setup``. One whose ``restart`` is
        permanent goes on until its successor is ready; the others leave the stage without one.

        Raises:
            StageAbandonedError: the run has given this execution up.
        """
        self._check_not_abandoned()
        self.retires = True

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

    def record_call(self, record: ProviderRecord) -> None:
        """Tell of a call of a provider that has ended just now: ``LLMResponse`` and its like.

        It becomes the event ``provider.call``, and so a span, metrics and a part of the log: what
        was called, how long it took and what it used; what was said, only where the environment
        asks for that (``OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT``). A record in what the
        stage returns is told by itself, and one that is told twice counts once.

        Raises:
            StageAbandonedError: the run has given this execution up.
            TypeError: it is no record of a call.
        """
        if not callable(getattr(record, "to_otel_attributes", None)):
            raise TypeError(
                f"{type(record).__name__} is no record of a call: give LLMResponse, ..."
            )
        if id(record) in self.calls:
            return
        told = {
            "attributes": record.to_otel_attributes(),
            "latency_ms": getattr(record, "latency_ms", None),
        }
        capture = MessageCapture.asked_for(os.environ)
        if capture.in_events:
            told["contents"] = record.contents()
        if capture.in_spans:
            told[SPAN_CONTENTS] = record.contents()
        self.try_emit_event(PROVIDER_CALL, told)
        self.calls[id(record)] = record

    def finish_span(self) -> None:
        """For the runtime, when the body has ended: tell what the stage has set on its span."""
        told = None if self.span is None else self.span.finish()
        if told and not self.cancellation.is_abandoned:
            self.emitted.append(StageEvent(STAGE_TRACED, told))

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
