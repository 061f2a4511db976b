"""``StageHost``: the user code of one stage in this process, and how its every end is recorded.

Used by the local runtime in its own process and by the stage actor in its.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import logging
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from stageflow_actors.actors.failures import Failure, failure_of, open_exception
from stageflow_actors.actors.messages import Receipt
from stageflow_actors.actors.sealing import SealedOutput, plain_event, seal
from stageflow_actors.engine.facts import Ending
from stageflow_actors.errors import (
    DeploymentError,
    StageCancellationRequested,
    StageFailedError,
    StageOutputError,
    describe_exception,
)
from stageflow_actors.model.context import StageContext
from stageflow_actors.model.output import StageOutput, StageStatus, to_output
from stageflow_actors.model.settings import Settings
from stageflow_actors.model.stage import StageSpec, body_of, instantiate, is_blocking

logger = logging.getLogger("stageflow_actors")

_INTERRUPTED = Ending.INTERRUPTED.value
_FAIL = Ending.FAIL.value


class StageHost:
    """One stage, alive: one instance, set up once, executing any number of runs at a time."""

    __slots__ = ("_body", "_instance", "_is_blocking", "_settings", "_threads", "name")

    def __init__(self, spec: StageSpec, settings: Settings) -> None:
        self.name = spec.name
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
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            return failure_of(error)
        return host

    async def teardown(self) -> None:
        """Run the stage's ``teardown``, if it has one; what it raises is logged."""
        try:
            await self._call_hook("teardown")
        except Exception:
            logger.exception("teardown of stage '%s' raised.", self.name)
        finally:
            if self._threads is not None:
                self._threads.shutdown(wait=False, cancel_futures=True)

    async def execute(self, ctx: StageContext) -> Receipt:
        """Run the body once; never raises, whatever the body does."""
        started_at = time.time()
        if ctx.cancellation.is_requested:
            return Receipt(_INTERRUPTED, started_at, started_at, reason=_reason(ctx))
        began = time.perf_counter()
        try:
            output = to_output(await self._run_body(ctx), self.name)
            spent = time.perf_counter() - began
            sealed: SealedOutput | None = seal(
                output, self.name, int(spent * 1000), max_depth=self._settings.max_data_depth
            )
        except StageCancellationRequested as request:
            output = StageOutput.cancel(request.reason)
            spent = time.perf_counter() - began
            # One that only answers has nothing to say; one that asks for the cancel has.
            sealed = None if ctx.is_cancelled else seal(output, self.name, int(spent * 1000))
        except BaseException as error:  # whatever it is, it must not end this process or hang a run
            ended_at = started_at + time.perf_counter() - began
            return self._raised(error, ctx, started_at, ended_at)
        ended_at = started_at + spent
        status = output.status
        failure = (
            failure_of(StageFailedError(output.reason)) if status is StageStatus.FAIL else None
        )
        events = (*ctx.emitted, *output.events) if ctx.emitted or output.events else ()
        return Receipt(
            status.value,  # every StageStatus is an Ending too
            started_at,
            ended_at,
            sealed,
            "" if status is StageStatus.OK else output.reason,
            failure,
            tuple(map(plain_event, events)) if events else (),
        )

    async def _run_body(self, ctx: StageContext) -> Any:
        if not self._is_blocking:
            return await _interruptible(self._body(ctx), ctx)
        returned = await self._in_thread(ctx)
        if not inspect.isawaitable(returned):
            return returned
        ctx.raise_if_cancelled()
        return await _interruptible(returned, ctx)

    async def _in_thread(self, ctx: StageContext) -> Any:
        if self._threads is None:
            self._threads = ThreadPoolExecutor(
                self._settings.max_threads_per_stage, thread_name_prefix=f"stage-{self.name}"
            )
        future = self._threads.submit(contextvars.copy_context().run, _capture, self._body, ctx)
        # A body that still waits for a thread can be taken back; a running one is waited for.
        ctx.cancellation.watch(lambda _reason: _stop(future))
        returned, error = await asyncio.wrap_future(future)
        if error is not None:
            raise error
        return returned

    def _raised(
        self, error: BaseException, ctx: StageContext, started_at: float, ended_at: float
    ) -> Receipt:
        events = tuple(map(plain_event, ctx.emitted))
        if isinstance(error, asyncio.CancelledError) and ctx.cancellation.is_requested:
            return Receipt(_INTERRUPTED, started_at, ended_at, reason=_reason(ctx), events=events)
        failure = failure_of(error)
        return Receipt(
            _FAIL,
            started_at,
            ended_at,
            reason=failure.message,
            failure=failure,
            events=events,
        )

    async def _call_hook(self, name: str) -> None:
        hook = getattr(self._instance, name, None)
        if hook is not None:
            returned = hook()
            if inspect.isawaitable(returned):
                await returned


def _capture(
    body: Callable[[StageContext], Any], ctx: StageContext
) -> tuple[Any, BaseException | None]:
    """What ``body`` returned or raised, as a value.

    asyncio treats SystemExit, KeyboardInterrupt and GeneratorExit of a future in ways of its own.
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


def _stop(work: asyncio.Task[Any] | Future[Any] | None) -> None:
    if work is not None:
        work.cancel()


def _reason(ctx: StageContext) -> str:
    return ctx.cancellation.reason or ""


def unreadable_inputs(stage: str, error: Exception) -> Receipt:
    """The receipt of a stage whose inputs cannot be read in its process."""
    now = time.time()
    failure = failure_of(
        StageOutputError(
            f"The inputs of stage '{stage}' cannot be read in its process: "
            f"{type(error).__name__}: {describe_exception(error)}.",
            hint="Their classes must be importable there too, or pass plain data.",
            code="OUTPUT-UNREADABLE",
        )
    )
    return Receipt(_FAIL, now, now, reason=failure.message, failure=failure)


def setup_error(pipeline: str, stage: str, failure: Failure) -> DeploymentError:
    """The error of a deployment whose ``stage`` could not be set up."""
    original = open_exception(failure)
    if isinstance(original, DeploymentError):
        return original
    error = DeploymentError(
        f"Stage '{stage}' of pipeline '{pipeline}' could not be set up: "
        f"{failure.error_type}: {failure.message}",
        stage=stage,
        hint="Its constructor or its setup() raised; the cause is attached.",
        code="DEPLOYMENT-SETUP",
    )
    error.__cause__ = original
    return error


def late_error(stage: str, settings: Settings) -> DeploymentError:
    """The error of a deployment whose ``stage`` took too long to be set up."""
    return DeploymentError(
        f"Stage '{stage}' was not ready within {settings.deploy_timeout_s:g} s.",
        stage=stage,
        hint="Make its setup faster, or raise Settings.deploy_timeout_s.",
        code="DEPLOYMENT-TIMEOUT",
    )
