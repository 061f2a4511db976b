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
from dataclasses import replace
from typing import Any, NamedTuple

from stageflow_actors.actors.cleaning import clean_up, clean_up_in_thread
from stageflow_actors.actors.codec import Payload
from stageflow_actors.actors.failures import Failure, failure_of, unreadable
from stageflow_actors.actors.messages import Receipt
from stageflow_actors.actors.routes import take_route
from stageflow_actors.actors.sealing import (
    SealedOutput,
    open_output,
    open_view,
    plain_event,
    seal,
)
from stageflow_actors.actors.wiring import WiredStage
from stageflow_actors.engine.facts import Ending, Signal
from stageflow_actors.errors import StageCancellationRequested, StageFailedError, plain_text
from stageflow_actors.model.cancellation import Cancellation
from stageflow_actors.model.cleanup import NO_CLEANUPS
from stageflow_actors.model.inputs import StageInputs
from stageflow_actors.model.output import StageOutput, StageStatus, to_output
from stageflow_actors.model.run_view import RunView
from stageflow_actors.model.settings import Settings
from stageflow_actors.model.stage import body_of, instantiate, is_blocking
from stageflow_actors.model.stage_context import StageContext
from stageflow_actors.model.timer import PipelineTimer

logger = logging.getLogger("stageflow_actors")

_CANCEL = Ending.CANCEL.value


class Execution(NamedTuple):
    """What one execution of a stage is given, sealed."""

    view: RunView | Payload
    timer: PipelineTimer
    attempt: int
    inputs: Mapping[str, SealedOutput]
    cancellation: Cancellation


class StageHost:
    """One stage, alive: one instance, set up once, executing any number of runs at a time."""

    __slots__ = (
        "_after",
        "_body",
        "_contracts",
        "_instance",
        "_is_blocking",
        "_routes",
        "_settings",
        "_threads",
        "_timeout_s",
        "name",
    )

    def __init__(self, stage: WiredStage, settings: Settings) -> None:
        spec = stage.spec
        self.name = spec.name
        self._after = (*spec.after, *spec.after_any)
        self._timeout_s = spec.timeout
        self._routes = stage.routes
        self._contracts = stage.contracts
        self._settings = settings
        self._instance = instantiate(spec)
        self._body: Callable[[StageContext], Any] = body_of(self._instance)
        self._is_blocking = is_blocking(self._instance)
        self._threads: ThreadPoolExecutor | None = None

    @classmethod
    async def prepare(cls, stage: WiredStage, settings: Settings) -> StageHost | Failure:
        """A host whose ``setup`` has run, or why there is none."""
        try:
            host = cls(stage, settings)
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
        """Run the body once, then its cleanups. Never raises: whatever happens is a receipt.

        A request to stop cancels the task that runs this where the body is a coroutine. A body in a
        thread is asked through its context, and waited for.
        """
        started_at = time.time()
        try:
            ctx = self._open(execution, started_at)
        except BaseException as error:
            return Receipt.failed(failure_of(error), started_at, time.time())
        if ctx.is_cancelled:
            return Receipt.interrupted(ctx.cancellation_reason, started_at, started_at)
        receipt = await self._run(ctx, started_at)
        cleanups = ctx.end()
        if cleanups is NO_CLEANUPS:
            return receipt
        limit_s = self._settings.cleanup_timeout_s
        failures = [*ctx.cleanup_failures, *await clean_up(cleanups, limit_s, self.name)]
        return receipt._replace(cleanup_failures=tuple(failures)) if failures else receipt

    async def _run(self, ctx: StageContext, started_at: float) -> Receipt:
        began = time.perf_counter()
        returned, error = None, None
        try:
            if self._is_blocking:
                done = await self._in_thread(ctx, started_at, began)
                if isinstance(done, Receipt):
                    return done
            else:
                done = self._body(ctx)
            returned = await _interruptible(done, ctx)
        except BaseException as raised:
            error = raised
        return self._receipt(returned, error, ctx, started_at, began)

    def _open(self, execution: Execution, started_at: float) -> StageContext:
        try:
            view = open_view(execution.view)
            inputs = {name: open_output(output) for name, output in execution.inputs.items()}
        except Exception as error:
            raise unreadable(f"The inputs of stage '{self.name}'", error) from error
        snapshot, data, correlation_id, ports = view
        return StageContext(
            snapshot,
            StageInputs(snapshot, inputs, stage_name=self.name, after=self._after, ports=ports),
            self.name,
            execution.timer,
            attempt=execution.attempt,
            cancellation=execution.cancellation,
            data=data,
            correlation_id=correlation_id,
            deadline_at=None if self._timeout_s is None else started_at + self._timeout_s,
        )

    async def _in_thread(
        self, ctx: StageContext, started_at: float, began: float
    ) -> Receipt | Awaitable[Any]:
        if self._threads is None:
            self._threads = ThreadPoolExecutor(
                self._settings.max_threads_per_stage, thread_name_prefix=f"stage-{self.name}"
            )
        loop = asyncio.get_running_loop()
        run = contextvars.copy_context().run
        future = self._threads.submit(run, self._block, ctx, started_at, began, loop)
        # A body that still waits for a thread can be taken back; a running one is waited for.
        unwatch = ctx.cancellation.watch(lambda _reason: _stop(future))
        try:
            return await asyncio.wrap_future(future)
        finally:
            unwatch()

    def _block(
        self, ctx: StageContext, started_at: float, began: float, loop: asyncio.AbstractEventLoop
    ) -> Receipt | Awaitable[Any]:
        """In its thread: the body, then its cleanups; some things only close where they opened.

        What the body raises is a receipt, too: asyncio treats StopIteration, SystemExit,
        KeyboardInterrupt and GeneratorExit of a future in ways of its own.
        """
        returned, error = None, None
        try:
            returned = self._body(ctx)
        except BaseException as raised:
            error = raised
        if inspect.isawaitable(returned):
            return returned
        receipt = self._receipt(returned, error, ctx, started_at, began)
        limit_s = self._settings.cleanup_timeout_s
        ctx.cleanup_failures += clean_up_in_thread(ctx.end(), limit_s, self.name, loop)
        return receipt

    def _receipt(
        self,
        returned: Any,
        error: BaseException | None,
        ctx: StageContext,
        started_at: float,
        began: float,
    ) -> Receipt:
        """What became of the body, its output taken as it is now."""
        spent = time.perf_counter() - began
        if error is None:
            try:
                return self._returned(to_output(returned, self.name), ctx, started_at, spent)
            except BaseException as raised:
                error = raised
        return self._raised(error, ctx, started_at, spent)

    def _returned(
        self, output: StageOutput, ctx: StageContext, started_at: float, spent: float
    ) -> Receipt:
        is_ok, is_failed = output.status is StageStatus.OK, output.status is StageStatus.FAIL
        if ctx.artifacts:
            output = replace(output, artifacts=(*ctx.artifacts, *output.artifacts))
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
            self._signal(output) if is_ok else None,
        )

    def _signal(self, output: StageOutput) -> Signal | None:
        """What an ok output says to the stages that wait for it, once it keeps its contracts."""
        for contract in self._contracts:
            contract.check(output.data)
        skip_reason = output.data.get("skip_reason")
        if output.routing is None and not self._routes and not skip_reason:
            return None
        reason = plain_text(skip_reason) if skip_reason else ""
        return Signal(reason, *take_route(output.routing, self._routes, self.name))

    def _raised(
        self, error: BaseException, ctx: StageContext, started_at: float, spent: float
    ) -> Receipt:
        events = tuple(map(plain_event, ctx.emitted))
        ended_at = started_at + spent
        cancellation = ctx.cancellation
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
