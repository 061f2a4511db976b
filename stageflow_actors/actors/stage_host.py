"""``StageHost``: the user code of one stage in this process, and how its every end is recorded.

Used by the local runtime in its own process and by the stage actor in its.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from stageflow_actors.actors.cleaning import clean_up, clean_up_in_thread
from stageflow_actors.actors.codec import Payload
from stageflow_actors.actors.entering import entry_of, feedback_of
from stageflow_actors.actors.failures import Failure, failure_of, setup_failure, unreadable
from stageflow_actors.actors.interrupting import (
    carried_through,
    forget_own_cancel,
    interruptible,
    is_being_cancelled,
    revocable,
)
from stageflow_actors.actors.keyed_receipts import receipts_of
from stageflow_actors.actors.messages import Assignment, Receipt
from stageflow_actors.actors.sealing import open_output, open_view
from stageflow_actors.actors.threads import BodyThreads
from stageflow_actors.actors.ties import NO_TIES, Ties
from stageflow_actors.actors.turns import Turns
from stageflow_actors.actors.watching import watched
from stageflow_actors.actors.wiring import WiredStage
from stageflow_actors.interceptors.chain import InterceptorChain
from stageflow_actors.model.cancellation import Cancellation
from stageflow_actors.model.cleanup import NO_CLEANUPS
from stageflow_actors.model.inputs import NOTHING_MISSING, StageInputs
from stageflow_actors.model.output import StageOutput
from stageflow_actors.model.priority import RunPriority
from stageflow_actors.model.run_view import RunView
from stageflow_actors.model.settings import Settings
from stageflow_actors.model.signs import SignsOfLife
from stageflow_actors.model.stage import body_of, instantiate, is_blocking, takes_batches
from stageflow_actors.model.stage_context import StageContext
from stageflow_actors.model.timer import PipelineTimer

if TYPE_CHECKING:
    from stageflow_actors.actors.batcher import Batcher
    from stageflow_actors.model.stats import BatchStats


class Returned(NamedTuple):
    """How a body in a thread ended."""

    value: Any
    error: BaseException | None


Take = Callable[[Any, BaseException | None], Any]


class StageHost:
    """One stage, alive: one instance, set up once, executing any number of runs at a time.

    ``live`` and ``is_retiring`` are for whoever replaces it: how many, and whether it is to go.
    With ``turns`` an execution may have to wait, and then has not begun.
    """

    __slots__ = (
        "_after",
        "_batcher",
        "_body",
        "_chain",
        "_enter",
        "_instance",
        "_is_in_thread",
        "_limits",
        "_needs_signs",
        "_receipts",
        "_settings",
        "_threads",
        "is_blocking",
        "is_retiring",
        "live",
        "loop",
        "name",
        "turns",
    )

    def __init__(self, stage: WiredStage, settings: Settings) -> None:
        spec = stage.spec
        self.loop = asyncio.get_running_loop()
        self.name = spec.name
        self._limits = spec.limits
        self._needs_signs = spec.limits.needs_signs
        self._after = (*spec.after, *spec.after_any)
        self._receipts = receipts_of(stage, settings)
        self._chain = InterceptorChain(stage.interceptors, spec) if stage.interceptors else None
        self._enter = entry_of(stage.interceptors)
        self._settings = settings
        self._instance = instantiate(spec)
        self._body: Callable[[StageContext], Any] = body_of(self._instance)
        self.is_blocking = self._is_in_thread = is_blocking(self._instance)
        self._batcher: Batcher | None = None
        if takes_batches(self._instance):
            from stageflow_actors.actors import batch_body, batcher  # few stages need them

            body = batch_body.BatchBody(self._body, self.name, is_blocking=self.is_blocking)
            self._batcher = batcher.Batcher(spec, body)
            self._body, self._is_in_thread = self._batcher.run, False
        self._threads: BodyThreads | None = None
        self.turns: Turns | None = None
        if spec.concurrency is not None and self._batcher is None:
            self.turns = Turns(spec.concurrency, settings.background_share)
        self.live = 0
        self.is_retiring = False

    @property
    def batches(self) -> BatchStats | None:
        """What has been executed together so far; ``None`` for a stage that takes no batches."""
        return None if self._batcher is None else self._batcher.counts

    @classmethod
    async def prepare(cls, stage: WiredStage, settings: Settings) -> StageHost | Failure:
        """A host whose ``setup`` has run, or why there is none."""
        try:
            host = cls(stage, settings)
            await host._call_hook("setup")
        except BaseException as error:
            if isinstance(error, asyncio.CancelledError) and is_being_cancelled():
                raise
            return setup_failure(error, stage.spec)
        return host

    async def teardown(self) -> None:
        """Run the stage's ``teardown``, if it has one; what it raises is logged."""
        try:
            await self._call_hook("teardown")
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            self._receipts.log_teardown(error)
        finally:
            if self._threads is not None:
                self._threads.shutdown()
            if self._batcher is not None:
                self._batcher.close()

    def give_up(self, cancellation: Cancellation) -> None:
        """Note that a body was abandoned: if it has a thread, it keeps that, but not its turn."""
        if self.turns is not None:
            self.turns.end(cancellation)
        if self._threads is not None:
            self._threads.replace_one()
        if self._batcher is not None:
            self._batcher.give_up()

    async def execute(
        self,
        view: RunView | Payload,
        timer: PipelineTimer,
        work: Assignment,
        cancellation: Cancellation,
        ties: Ties = NO_TIES,
        began: Callable[[], None] | None = None,
    ) -> Receipt:
        """Run the body once, then its cleanups. Never raises: whatever happens is a receipt.

        A request to stop cancels the task that runs this where the body is a coroutine. A body in a
        thread is asked through its context, and waited for. ``began`` is called when it begins.
        """
        if self.turns is None:
            return await self._execute(view, timer, work, cancellation, ties)
        turn = await self.turns.come(cancellation, view, work)
        if isinstance(turn, Receipt):
            return turn
        try:
            if began is not None:
                began()
            return await self._execute(view, timer, turn, cancellation, ties)
        finally:
            self.turns.end(cancellation)

    async def _execute(
        self,
        view: RunView | Payload,
        timer: PipelineTimer,
        work: Assignment,
        cancellation: Cancellation,
        ties: Ties,
    ) -> Receipt:
        started_at = time.time()
        try:
            ctx = self._enter(self._open(view, timer, work, cancellation, ties))
        except BaseException as error:
            return Receipt.failed(failure_of(error), started_at, time.time())
        if cancellation.is_requested:
            return Receipt.interrupted(cancellation.reason, started_at, started_at)
        if ctx.signs is None:
            receipt = await self._run(ctx, started_at)
        else:
            body = asyncio.ensure_future(self._run(ctx, started_at))
            limit_s = self._settings.grace_s if self.is_blocking else self._settings.stop_timeout_s
            receipt = await watched(body, ctx, self._limits, limit_s, started_at)
        if self._batcher is not None:
            receipt = self._batcher.judged(receipt, ctx)
        if work.keeps_answer:
            receipt = self._receipts.with_answer(receipt)
        if ctx.retires:
            receipt = receipt._replace(retires=True)
        cleanups = NO_CLEANUPS if receipt.is_stuck else ctx.end()
        if cleanups is NO_CLEANUPS:
            return receipt
        limit_s = self._settings.cleanup_timeout_s
        # A cleanup may cancel this very task, which is that of the body, too.
        failures = await carried_through(clean_up(cleanups, limit_s, ctx, self._receipts))
        await forget_own_cancel()
        failures = [*ctx.cleanup_failures, *failures]
        return receipt._replace(cleanup_failures=tuple(failures)) if failures else receipt

    async def _run(self, ctx: StageContext, started_at: float) -> Receipt:
        began = time.perf_counter()
        if self._chain is not None and not self._chain.is_idle:
            return await self._run_intercepted(self._chain, ctx, started_at, began)
        returned, error = None, None
        try:
            if self._is_in_thread:
                # In its thread, while nothing else has touched what it returned.
                take = partial(self._receipts.take, ctx=ctx, started_at=started_at, began=began)
                done = await self._in_thread(ctx, take)
                if isinstance(done, Receipt):
                    return done
            else:
                done = self._body(ctx)
            returned = await interruptible(done, ctx, self.loop)
        except BaseException as raised:
            error = raised
        return self._receipts.take(returned, error, ctx, started_at, began)

    async def _run_intercepted(
        self, chain: InterceptorChain, ctx: StageContext, started_at: float, began: float
    ) -> Receipt:
        """With the interceptors around the body; its output is sealed once they have seen it."""

        async def body() -> StageOutput:
            if self._is_in_thread:
                if ctx.is_cancelled:  # nothing could stop it once it has begun
                    raise asyncio.CancelledError
                done = await carried_through(self._in_thread(ctx, Returned))
            else:
                done = self._body(ctx)
            if isinstance(done, Returned):
                return self._receipts.output_of(done.value, done.error)
            return self._receipts.output_of(await done, None)

        end = await interruptible(chain.run(ctx, body), ctx, self.loop)
        return self._receipts.take(
            end.output, end.error, ctx, started_at, began, wants_retry=end.wants_retry
        )

    def _open(
        self,
        sealed: RunView | Payload,
        timer: PipelineTimer,
        work: Assignment,
        cancellation: Cancellation,
        ties: Ties,
    ) -> StageContext:
        try:
            view = open_view(sealed)
            opened = {name: open_output(output) for name, output in work.inputs.items()}
            feedback = None if work.rejection is None else feedback_of(work.rejection)
        except Exception as error:
            raise unreadable(f"The inputs of stage '{self.name}'", error) from error
        snapshot, data, correlation_id, ports, started_by, ancestry, is_background, trace = view
        inputs = StageInputs(
            snapshot,
            opened,
            stage_name=self.name,
            after=self._after,
            ports=ports,
            missing=work.missing or NOTHING_MISSING,
        )
        return StageContext(
            snapshot,
            inputs,
            self.name,
            timer,
            attempt=work.attempt,
            cancellation=cancellation,
            data=data,
            correlation_id=correlation_id,
            deadline_at=self._deadline(work.remaining_s),
            generation=work.generation,
            started_by=started_by,
            ancestry=ancestry,
            priority=RunPriority.BACKGROUND if is_background else RunPriority.INTERACTIVE,
            spawner=ties.spawner,
            open_stream=ties.open_stream,
            feedback=feedback,
            signs=SignsOfLife() if self._needs_signs else None,
            trace=None if trace is None else trace.attempt(self.name, work.attempt),
        )

    def _deadline(self, remaining_s: float | None) -> float | None:
        """On the monotonic clock: the end of this attempt or of the run, whichever comes first."""
        limit_s = self._limits.attempt
        if remaining_s is not None and (limit_s is None or remaining_s < limit_s):
            limit_s = remaining_s
        return None if limit_s is None else time.monotonic() + limit_s

    async def _in_thread(self, ctx: StageContext, take: Take) -> Any:
        """What ``take`` makes of the end of the body, or what the body wants to be awaited."""
        if self._threads is None:
            most = self._settings.max_threads_per_stage
            self._threads = BodyThreads(most, f"stage-{self.name}")
        run = contextvars.copy_context().run
        body = self._threads.submit(partial(run, self._block, ctx, take))
        return await revocable(body, ctx)

    def _block(self, ctx: StageContext, take: Take) -> Any:
        """In its thread: the body, then its cleanups; some things only close where they opened.

        What the body raises is a value, too: asyncio treats StopIteration, SystemExit,
        KeyboardInterrupt and GeneratorExit of a future in ways of its own.
        """
        returned, error = None, None
        try:
            returned = self._body(ctx)
        except BaseException as raised:
            error = raised
        if inspect.isawaitable(returned):
            return returned
        taken = take(returned, error)
        limit_s, told = self._settings.cleanup_timeout_s, self._receipts
        ctx.cleanup_failures += clean_up_in_thread(ctx.end(), limit_s, ctx, self.loop, told)
        return taken

    async def _call_hook(self, name: str) -> None:
        hook = getattr(self._instance, name, None)
        if hook is not None:
            returned = hook()
            if inspect.isawaitable(returned):
                await returned
