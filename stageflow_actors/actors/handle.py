"""``RunHandle``: one started run, held by the process that started it."""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from dataclasses import replace
from uuid import UUID

from stageflow_actors.actors.cleaning import clean_up
from stageflow_actors.actors.error_calls import ErrorCalls
from stageflow_actors.actors.event_log import OwnNumbers
from stageflow_actors.actors.failures import Failure
from stageflow_actors.actors.feed import Feed, RunLabels
from stageflow_actors.actors.messages import Receipt, RunReport
from stageflow_actors.actors.outlets import Piece
from stageflow_actors.actors.piece_inbox import PieceInbox, PieceSource
from stageflow_actors.actors.reports import (
    loss_event,
    refusal_events,
    result_of,
    result_without_report,
)
from stageflow_actors.actors.start_hooks import Questions, StartHooks
from stageflow_actors.actors.wide_events import told_widely
from stageflow_actors.errors import RuntimeFault, describe_exception
from stageflow_actors.model.cancellation import Cancellation
from stageflow_actors.model.cleanup import Cleanup
from stageflow_actors.model.events import RUN_ENDS, Event, for_readers
from stageflow_actors.model.pipeline_context import PipelineContext
from stageflow_actors.model.plan import Plan
from stageflow_actors.model.policies.execution import ExecutionConfig
from stageflow_actors.model.results import RunResult
from stageflow_actors.model.settings import Settings
from stageflow_actors.model.streaming import Audience, StreamPiece


class RunHandle(ABC):
    """A run that may still be going on. How it is reached is up to the runtime's subclass.

    The events of a short run come with its report. Those of a run that takes longer than
    ``event_flush_interval_s``, or whose ``events()`` somebody reads, are fetched while it goes on.
    ``loop`` is the event loop that it belongs to.
    """

    __slots__ = (
        "__weakref__",
        "_answering",
        "_callback",
        "_cancellation",
        "_cleanup_limit_s",
        "_cleanups",
        "_context",
        "_error_calls",
        "_feed",
        "_finishing",
        "_has_all_pieces",
        "_has_wide_events",
        "_inbox",
        "_is_watching",
        "_labels",
        "_last_seq",
        "_news",
        "_numbers",
        "_plan",
        "_result",
        "_seen",
        "_snapshot",
        "_started_at",
        "_stream_window_bytes",
        "_trace",
        "_waiters",
        "loop",
    )

    def __init__(
        self,
        plan: Plan,
        context: PipelineContext,
        feed: Feed,
        settings: Settings,
        execution: ExecutionConfig,
    ) -> None:
        self._plan = plan
        self._context = context
        self._cleanups = context.take_cleanups()
        self._cleanup_limit_s = settings.cleanup_timeout_s
        self._started_at = time.time()
        self._cancellation = Cancellation()
        self._feed = feed
        self.loop = asyncio.get_running_loop()
        self._inbox: PieceInbox | None = None
        self._has_all_pieces = False
        self._has_wide_events = settings.wide_events
        self._stream_window_bytes = settings.stream_window_bytes
        self._seen: list[Event] = []
        self._last_seq = 0
        self._numbers = OwnNumbers()
        # Of now: the context may start another run, in another place of its trace.
        self._snapshot, self._trace = context.snapshot, context.trace
        self._labels: RunLabels | None = None
        self._news: asyncio.Event | None = None
        self._result: RunResult | None = None
        self._waiters: list[asyncio.Future[RunResult]] | None = None
        self._callback: Callable[[RunHandle], None] | None = None
        self._finishing: asyncio.Task[None] | None = None
        on_error = execution.on_stage_error
        # Whoever wants to hear of errors wants to hear of them now.
        self._is_watching = on_error is not None
        self._error_calls = (
            None
            if on_error is None
            else ErrorCalls(on_error, self._fetch_failure, self._cleanup_limit_s)
        )
        # Down from the context to this run, never up: others may run on the same context.
        context.cancellation.watch(self._take_cancel)
        self._answering = (
            self.loop.create_task(self._answer_hooks()) if context.start_hooks else None
        )

    @property
    def run_id(self) -> UUID:
        """``pipeline_run_id`` of the run."""
        return self._context.pipeline_run_id

    @property
    def is_done(self) -> bool:
        """Whether the verdict is here."""
        return self._result is not None

    @property
    def is_here(self) -> bool:
        """Whether it belongs to the running event loop; another one may be closed by now."""
        return self.loop is asyncio.get_running_loop()

    async def result(self) -> RunResult:
        """The verdict, once there is one; never raises for how the run ended."""
        if self._result is not None:
            return self._result
        waiter: asyncio.Future[RunResult] = self.loop.create_future()
        waiters = self._waiters = self._waiters or []
        waiters.append(waiter)
        try:
            return await waiter
        except asyncio.CancelledError:
            if waiter in waiters:  # who asks again and again must leave nothing behind
                waiters.remove(waiter)
            raise

    def on_cleanup(self, cleanup: Cleanup) -> None:
        """Call ``cleanup()`` when the run has ended, before ``result()`` returns.

        See ``RunContext.on_cleanup``; what was registered on the context when the run started
        belongs to this run, too.

        Raises:
            TypeError: it cannot be called.
            CleanupClosedError: the run has ended.
        """
        self._cleanups.register(cleanup)

    def when_done(self, callback: Callable[[RunHandle], None]) -> None:
        """For the runtime: call ``callback`` with this handle once the verdict is here."""
        self._callback = callback
        if self.is_done:
            callback(self)

    async def cancel(self, reason: str = "") -> bool:
        """Ask the run to stop; ``False`` if it has ended or somebody asked before.

        Returns as soon as the request is on its way. ``result()`` waits for the end, and says how
        it was: a run that ended before the request reached it is not cancelled.
        """
        return not self.is_done and self._request_cancel(reason)

    async def events(self) -> AsyncIterator[Event]:
        """Every event of the run from its first, as they come, to its last.

        Those of its child runs go to the sink only.
        """
        if not (self._is_watching or self.is_done):
            self._is_watching = True
            self._watch()
        news = self._news = self._news or asyncio.Event()
        position = 0
        while True:
            while position < len(self._seen):
                yield for_readers(self._seen[position])
                position += 1
            if self.is_done:
                return
            news.clear()
            await news.wait()

    def stream(
        self, audience: Audience | str | None = Audience.USER
    ) -> AsyncGenerator[StreamPiece]:
        """What the stages stream out for ``audience``, or for anybody with ``None``.

        In order, while the run goes on, to its end. Held is what came before, up to
        ``Settings.max_held_stream_bytes``. A stage waits for a reader that is behind; one that
        leaves the loop wants nothing more. A run has one reader.

        Raises:
            StreamError: it has one already, or there is no such audience.
        """
        return self._open_inbox().read(audience)

    def take_pieces(self, pieces: Sequence[Piece]) -> None:
        """For the runtime: they have arrived."""
        if pieces:
            self._open_inbox().put(pieces)

    def _open_inbox(self) -> PieceInbox:
        if self._inbox is None:
            self._inbox = PieceInbox(self._stream_window_bytes, self._piece_source())
            if self._has_all_pieces:
                self._inbox.close()
        return self._inbox

    @abstractmethod
    def _piece_source(self) -> PieceSource:
        """Where the pieces of the run come from."""

    @abstractmethod
    def _watch(self) -> None:
        """Have the events of the run taken as they come, from now on."""

    @abstractmethod
    async def _fetch_questions(self, after: int) -> Questions:
        """Wait for stages that are to start, or are skipped; those after that question."""

    @abstractmethod
    def _send_answer(self, number: int, receipt: Receipt | None) -> None:
        """Let a stage start, or end as ``receipt`` says."""

    @abstractmethod
    async def _fetch_failure(self, stage: str) -> Failure | None:
        """Why ``stage`` failed; nothing where the run has ended."""

    @abstractmethod
    def _send_cancel(self, reason: str) -> None:
        """Pass a request to stop on to the run."""

    def _fault(self, error: BaseException) -> RuntimeFault:
        """What it means that waiting for the report raised ``error``."""
        return RuntimeFault(
            f"The run was lost to a defect: {type(error).__name__}: {describe_exception(error)}.",
            hint="Please report it, with the cause attached to this error.",
            code="RUN-LOST",
        )

    def _reported(self, report: RunReport) -> None:
        """Take the verdict."""
        try:
            self._take(report.events or self._told(refusal_events(report)))
            self._feed.metering.dropped(report.events_dropped, "run")
            result = result_of(report, self._plan.name, self._context.snapshot)
        except Exception as error:
            self._lost(error)
        else:
            self._conclude(result)

    def _lost(self, error: BaseException) -> None:
        """Take note that there will be no verdict, and why."""
        fault = self._fault(error)
        fault.__cause__ = error
        result = result_without_report(
            fault, self._plan.name, self._context.snapshot, self._started_at, time.time()
        )
        if not any(event.type in RUN_ENDS for event in self._seen[-1:]):
            self._take(self._told((loss_event(fault, result, self._last_seq + 1),)))
        self._conclude(result)

    def _told(self, ends: Sequence[Event]) -> Sequence[Event]:
        """What is told of the end of a run that could not do so itself."""
        return told_widely(self._plan, self._seen, ends) if self._has_wide_events else ends

    def _conclude(self, result: RunResult) -> None:
        self._has_all_pieces = True
        if self._inbox is not None:
            self._inbox.close()
        if self._error_calls is None and self._answering is None and self._cleanups.close_empty():
            self._end(result)
        else:
            self._finishing = self.loop.create_task(self._finish(result))

    async def _finish(self, result: RunResult) -> None:
        try:
            if self._error_calls is not None:
                await self._error_calls.finish(result)
            if self._answering is not None:  # it may have stages left that were skipped
                await asyncio.wait({self._answering}, timeout=self._cleanup_limit_s)
            failures = await clean_up(self._cleanups, self._cleanup_limit_s, self._context)
            if failures:
                result = replace(result, cleanup_failures=(*result.cleanup_failures, *failures))
        finally:
            if self._answering is not None:
                self._answering.cancel()
            self._end(result)

    def _end(self, result: RunResult) -> None:
        for artifacts in result.artifacts.values():
            self._context.artifacts.extend(artifacts)
        self._context.cancellation.unwatch(self._take_cancel)  # it would keep this handle alive
        self._result, self._finishing = result, None
        waiters, self._waiters = self._waiters, None
        for waiter in waiters or ():
            if not waiter.done():
                waiter.set_result(result)
        if self._news is not None:
            self._news.set()
        if self._callback is not None:
            self._callback(self)

    def _take(self, events: Sequence[Event]) -> None:
        if events and events[0].seq <= self._last_seq:
            events = [event for event in events if event.seq > self._last_seq]
        if not events:
            return
        self._last_seq = events[-1].seq
        fresh = self._numbers.renumbered(events)
        own = [one for one in fresh if one.origin is None] if self._numbers.has_foreign else fresh
        self._seen.extend(own)
        if self._labels is None:
            self._labels = RunLabels(self._snapshot, self._context.ancestry, self._trace)
        self._feed.submit(self._labels, fresh)
        if self._error_calls is not None:
            self._error_calls.take(own)
        if self._news is not None:
            self._news.set()

    async def _answer_hooks(self) -> None:
        hooks = StartHooks(self._context.start_hooks, self._context)
        is_last, number = False, 0
        while not is_last:
            questions, is_last = await self._fetch_questions(number)
            for number, stage in questions:
                self._send_answer(number, await hooks.ask(self._plan.stages[stage]))

    def _take_cancel(self, reason: str) -> None:
        self._request_cancel(reason)

    def _request_cancel(self, reason: str) -> bool:
        is_first = self._cancellation.request(reason)
        if is_first and not self.loop.is_closed():
            self.loop.call_soon_threadsafe(self._send_cancel, self._cancellation.reason or "")
        return is_first
