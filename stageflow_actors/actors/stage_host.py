"""``StageHost``: the user code of one stage in this process, and how its every end is recorded.

Used by the local runtime in its own process and by the stage actor in its.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import inspect
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple

from stageflow_actors.actors.codec import Payload, decode
from stageflow_actors.actors.failures import Failure, failure_of, unreadable
from stageflow_actors.actors.messages import Receipt
from stageflow_actors.actors.sealing import SealedOutput, open_output, plain_event, seal
from stageflow_actors.engine.facts import Ending
from stageflow_actors.errors import StageCancellationRequested, StageFailedError
from stageflow_actors.model.context import Cancellation, PipelineTimer, StageContext
from stageflow_actors.model.inputs import StageInputs
from stageflow_actors.model.output import StageOutput, StageStatus, to_output
from stageflow_actors.model.settings import Settings
from stageflow_actors.model.snapshot import ContextSnapshot
from stageflow_actors.model.stage import StageSpec, body_of, instantiate, is_blocking

logger = logging.getLogger("stageflow_actors")

Outcome = tuple[Any, BaseException | None]
"""What a body returned, or what it raised."""
_CANCEL = Ending.CANCEL.value


class Execution(NamedTuple):
    """What one execution of a stage is given, sealed."""

    snapshot: ContextSnapshot | Payload
    timer: PipelineTimer
    attempt: int
    inputs: Mapping[str, SealedOutput]
    cancellation: Cancellation


class StageHost:
    """One stage, alive: one instance, set up once, executing any number of runs at a time."""

    __slots__ = ("_after", "_body", "_instance", "_is_blocking", "_settings", "_threads", "name")

    def __init__(self, spec: StageSpec, settings: Settings) -> None:
        self.name = spec.name
        self._after = spec.after
        self._settings = settings
        self._instance = instantiate(spec)
        self._body: Callable[[StageContext], Any] = body_of(self._instance)
        self._is_blocking = is_blocking(self._instance)
        self._threads: ThreadPoolExecutor | None = None

    @classmethod
    async def prepare(cls, spec: StageSpec, settings: Settings) -> StageHost | Failure:
        """A host whose ``setup`` has run, or why there is none."""
        try:
            host = cls(spec, settings)
            await host._call_hook("setup")
        except BaseException as error:
            if isinstance(error, asyncio.CancelledError) and _is_being_cancelled():
                raise
            return failure_of(error)
        return host

    async def teardown(self) -> None:
        """Run the stage's ``teardown``, if it has one; what it raises is logged."""
        try:
            await self._call_hook("teardown")
        except asyncio.CancelledError:
            raise
        except BaseException:
            logger.exception("teardown of stage '%s' raised.", self.name)
        finally:
            if self._threads is not None:
                self._threads.shutdown(wait=False, cancel_futures=True)

    async def execute(self, execution: Execution) -> Receipt:
        """Run the body once. Never raises: whatever the body does ends in a receipt.

        A request to stop cancels the task that runs this where the body is a coroutine. A body in a
        thread is asked through its context, and waited for.
        """
        started_at, began = time.time(), time.perf_counter()
        emitted: list[Any] = []
        try:
            ctx = self._open(execution)
            emitted = ctx.emitted
            if ctx.is_cancelled:
                return Receipt.interrupted(ctx.cancellation_reason, started_at, started_at)
            returned, error = await self._run_body(ctx)
            spent = time.perf_counter() - began
            if error is None:
                return self._returned(to_output(returned, self.name), ctx, started_at, spent)
        except BaseException as raised:
            error = raised
        spent = time.perf_counter() - began
        return self._raised(error, execution.cancellation, emitted, started_at, spent)

    def _open(self, execution: Execution) -> StageContext:
        sealed = execution.snapshot
        try:
            snapshot: ContextSnapshot = decode(sealed) if isinstance(sealed, Payload) else sealed
            inputs = {name: open_output(output) for name, output in execution.inputs.items()}
        except Exception as error:
            raise unreadable(f"The inputs of stage '{self.name}'", error) from error
        return StageContext(
            snapshot,
            StageInputs(snapshot, inputs, stage_name=self.name, after=self._after),
            self.name,
            execution.timer,
            attempt=execution.attempt,
            cancellation=execution.cancellation,
        )

    async def _run_body(self, ctx: StageContext) -> Outcome:
        if not self._is_blocking:
            return await _interruptible(self._body(ctx), ctx), None
        returned, error = await self._in_thread(ctx)
        if error is not None or not inspect.isawaitable(returned):
            return returned, error
        return await _interruptible(returned, ctx), None

    async def _in_thread(self, ctx: StageContext) -> Outcome:
        if self._threads is None:
            self._threads = ThreadPoolExecutor(
                self._settings.max_threads_per_stage, thread_name_prefix=f"stage-{self.name}"
            )
        future = self._threads.submit(contextvars.copy_context().run, _capture, self._body, ctx)
        # A body that still waits for a thread can be taken back; a running one is waited for.
        unwatch = ctx.cancellation.watch(lambda _reason: _stop(future))
        try:
            return await asyncio.wrap_future(future)
        finally:
            unwatch()

    def _returned(
        self, output: StageOutput, ctx: StageContext, started_at: float, spent: float
    ) -> Receipt:
        is_ok, is_failed = output.status is StageStatus.OK, output.status is StageStatus.FAIL
        sealed = seal(output, self.name, int(spent * 1000), max_depth=self._settings.max_data_depth)
        events = (*ctx.emitted, *output.events) if ctx.emitted or output.events else ()
        return Receipt(
            output.status.value,  # every StageStatus is an Ending too
            started_at,
            started_at + spent,
            sealed,
            "" if is_ok else output.reason,
            failure_of(StageFailedError(output.reason)) if is_failed else None,
            tuple(map(plain_event, events)) if events else (),
        )

    def _raised(
        self,
        error: BaseException,
        cancellation: Cancellation,
        emitted: list[Any],
        started_at: float,
        spent: float,
    ) -> Receipt:
        events = tuple(map(plain_event, emitted))
        ended_at = started_at + spent
        if isinstance(error, StageCancellationRequested):
            # One that asks for the cancel ends like one that returned it; an answer has no output.
            output = StageOutput.cancel(error.reason)
            sealed = None if cancellation.is_requested else seal(output, self.name, 0)
            return Receipt(
                _CANCEL, started_at, ended_at, sealed, reason=output.reason, events=events
            )
        if isinstance(error, asyncio.CancelledError) and cancellation.is_requested:
            return Receipt.interrupted(cancellation.reason, started_at, ended_at, events)
        return Receipt.failed(failure_of(error), started_at, ended_at, events)

    async def _call_hook(self, name: str) -> None:
        hook = getattr(self._instance, name, None)
        if hook is not None:
            returned = hook()
            if inspect.isawaitable(returned):
                await returned


def _capture(body: Callable[[StageContext], Any], ctx: StageContext) -> Outcome:
    """What ``body`` returned or raised, as a value.

    asyncio treats StopIteration, SystemExit, KeyboardInterrupt and GeneratorExit of a future in
    ways of its own.
    """
    try:
        return body(ctx), None
    except BaseException as error:
        return None, error


async def _interruptible(body: Awaitable[Any], ctx: StageContext) -> Any:
    """Await ``body`` in the current task, which a request to stop cancels."""
    task = asyncio.current_task()
    unwatch = ctx.cancellation.watch(lambda _reason: _stop(task))
    try:
        return await body
    finally:
        unwatch()
        if _is_being_cancelled() and not ctx.is_cancelled:
            await _forget_own_cancel()


def _is_being_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and bool(task.cancelling())


async def _forget_own_cancel() -> None:
    """A body that cancelled the task it runs in must not take its receipt along."""
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.sleep(0)
    task = asyncio.current_task()
    while task is not None and task.uncancel():
        pass


def _stop(work: asyncio.Task[Any] | Future[Any] | None) -> None:
    if work is not None:
        work.cancel()
