"""``Batcher``: executions of one stage that wait for each other, and go into its body together.

To whoever waits for it, an item is a body like any other: it returns or raises, and can be told to
stop. One that waits still leaves at once. One that is in a batch leaves, too, while the batch goes
on for the others, unless it was the last: then the batch is stopped, and its end waited for.

A batch that raises is called again by halves, so that one item fails alone. That a call has raised
says nothing of what it had done by then for which of its items. So it is repeated only where the
effects of the stage allow that without a policy. Elsewhere all items fail with what was raised, and
where effects happen once only, no policy repeats them either.
"""

from __future__ import annotations

import asyncio
import contextvars
import math
from collections.abc import Sequence
from dataclasses import replace
from types import TracebackType
from typing import Any, NamedTuple

from stageflow_actors.actors.batch_body import BatchBody
from stageflow_actors.actors.interrupting import forget_own_cancel
from stageflow_actors.actors.messages import Receipt
from stageflow_actors.engine.batching import BatchLimits, BatchQueue
from stageflow_actors.engine.facts import NO_HINT, Ending
from stageflow_actors.errors import PolicyError, StageDownError, StageReturnTypeError
from stageflow_actors.model.policies.batching import Batching
from stageflow_actors.model.policies.effects import Effects
from stageflow_actors.model.priority import RunPriority
from stageflow_actors.model.stage import StageSpec
from stageflow_actors.model.stage_context import StageContext
from stageflow_actors.model.stats import BatchStats

_Outcome = tuple[Any, BaseException | None]
_FAILURES = (Ending.FAIL, Ending.RETRY)


class _End(NamedTuple):
    """What became of an item: what was returned for it, or what it fails with."""

    returned: Any = None
    error: BaseException | None = None
    traceback: TracebackType | None = None


class _Item:
    """One execution: what it had before the batch, and where its end is waited for."""

    __slots__ = ("_had", "ctx", "end")

    def __init__(self, ctx: StageContext) -> None:
        self.ctx = ctx
        self.end: asyncio.Future[_End] = asyncio.get_running_loop().create_future()
        self._had = (len(ctx.emitted), len(ctx.artifacts), ctx.child_runs)

    def rewind(self) -> None:
        """Before it is executed again: what a call that raised has said counts for nothing."""
        emitted, artifacts, self.ctx.child_runs = self._had
        del self.ctx.emitted[emitted:]
        del self.ctx.artifacts[artifacts:]

    def settle(self, returned: Any, error: BaseException | None = None) -> None:
        if not self.end.done():
            traceback = None if error is None else error.__traceback__
            self.end.set_result(_End(returned, error, traceback))


class _Batch:
    """Items that are executed together; ``live`` are those whose end somebody waits for."""

    __slots__ = ("items", "live", "task")

    def __init__(self, items: Sequence[_Item]) -> None:
        self.items = items
        self.live = set(items)
        self.task: asyncio.Task[None]

    def settle(self, item: _Item, returned: Any, error: BaseException | None) -> None:
        if item in self.live:
            self.live.discard(item)
            item.settle(returned, error)


class Batcher:
    """One batch at a time. Everything here happens on one event loop."""

    __slots__ = (
        "_alarm",
        "_batch",
        "_batching",
        "_body",
        "_context",
        "_doubtful",
        "_effects",
        "_is_closed",
        "_is_looking",
        "_name",
        "_queue",
        "counts",
    )

    def __init__(self, spec: StageSpec, body: BatchBody) -> None:
        self._name = spec.name
        self._effects = spec.effects
        self._batching = batching = spec.batching or Batching()
        limits = BatchLimits(batching.max_batch_size, wait_s=batching.batch_wait_ms / 1000)
        if batching.max_batch_weight is not None:
            limits = limits._replace(max_weight=batching.max_batch_weight)
        self._queue = BatchQueue[_Item](limits)
        self._body = body
        # A batch is nobody's alone: it must not see what one of its runs has put there.
        self._context = contextvars.copy_context()
        self._batch: _Batch | None = None
        self._alarm: asyncio.Handle | None = None
        self._doubtful: set[StageContext] = set()
        self._is_closed = False
        self._is_looking = False
        self.counts = BatchStats()

    async def run(self, ctx: StageContext) -> Any:
        """Execute ``ctx`` with others; what the body has returned for it.

        Raises:
            BaseException: what the body raised, or returned for it as an exception.
            StageReturnTypeError: the body has not returned one output for each item.
            PolicyError: ``batch_size_fn`` returned no weight.
            StageDownError: the stage was torn down before.
        """
        weight = self._weight_of(ctx)
        item = _Item(ctx)
        if self._is_closed:
            raise _torn_down(self._name)
        self._queue.join(item, weight, is_background=ctx.priority is RunPriority.BACKGROUND)
        self._look_soon()
        try:
            returned, error, traceback = await item.end
        except asyncio.CancelledError:
            await self._leave(item)
            raise
        if error is not None:
            # Each item adds its own frames to those of the batch, not to those of the others.
            raise error.with_traceback(traceback)
        return returned

    def judged(self, receipt: Receipt, ctx: StageContext) -> Receipt:
        """``receipt`` of ``ctx``; if it is in doubt what happened, nothing repeats it."""
        if receipt.is_stuck:
            self.give_up()
        if ctx not in self._doubtful:
            return receipt
        self._doubtful.discard(ctx)
        if receipt.ending not in _FAILURES:
            return receipt  # an interceptor had another answer
        hint = (receipt.hint or NO_HINT)._replace(is_covered=False)
        return receipt._replace(ending=Ending.FAIL.value, hint=hint)

    def give_up(self) -> None:
        """Note that an execution was abandoned; a batch that was left to itself keeps nobody."""
        batch = self._batch
        if batch is not None and not batch.live:
            self._body.give_up()
            self._next_after(batch)

    def close(self) -> None:
        """Whatever still waits fails, and what is executed is told to stop."""
        self._is_closed = True
        batch = self._batch
        for item in self._queue.clear():
            item.settle(None, _torn_down(self._name))
        if batch is not None:
            for item in tuple(batch.live):
                batch.settle(item, None, _torn_down(self._name))
            batch.task.cancel()
        if self._alarm is not None:
            self._alarm.cancel()
        self._body.shut_down()

    async def _leave(self, item: _Item) -> None:
        """Have it wait no more: what becomes of it counts for nothing."""
        batch = self._batch
        if self._queue.leave(item) or batch is None or item not in batch.live:
            return
        batch.live.discard(item)
        if not batch.live:
            batch.task.cancel()
            await asyncio.wait({batch.task})

    def _look_soon(self) -> None:
        """At once, but what comes in the same turn of the event loop comes along."""
        if self._batch is None and not self._is_looking:
            self._is_looking = True
            asyncio.get_running_loop().call_soon(self._look)

    def _look(self) -> None:
        """Start the next batch if its time has come, else look again when it has."""
        self._is_looking = False
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        if self._batch is not None or self._is_closed:
            return
        loop = asyncio.get_running_loop()
        items = self._queue.take(loop.time())
        if items:
            self._start(items)
        elif self._queue:
            self._alarm = loop.call_at(self._queue.starts_at, self._look)

    def _start(self, items: Sequence[_Item]) -> None:
        self._batch = batch = _Batch(items)
        so_far, size = self.counts, len(items)
        self.counts = replace(
            so_far,
            batches=so_far.batches + 1,
            items=so_far.items + size,
            largest=max(so_far.largest, size),
        )
        for item in items:
            if item.ctx.signs is not None:
                item.ctx.signs.beat()
        loop = asyncio.get_running_loop()
        batch.task = loop.create_task(self._execute(batch), context=self._context.copy())
        # Not in the task itself: one that is cancelled before it begins does nothing at all.
        batch.task.add_done_callback(lambda task: self._ended(batch, task))

    def _ended(self, batch: _Batch, task: asyncio.Task[None]) -> None:
        error = asyncio.CancelledError() if task.cancelled() else task.exception()
        for item in tuple(batch.live):  # a defect, or the end of the event loop: never a hang
            batch.settle(item, None, error)
        self._next_after(batch)

    def _next_after(self, batch: _Batch) -> None:
        if self._batch is batch:  # else it was given up before
            self._batch = None
            self._queue.free(asyncio.get_running_loop().time())
            self._look()

    async def _execute(self, batch: _Batch) -> None:
        parts: list[Sequence[_Item]] = [batch.items]
        while parts:
            part = [item for item in parts.pop() if item in batch.live]
            if not part:
                continue
            ends = await self._call(batch, part)
            if ends is None:
                self.counts = replace(self.counts, splits=self.counts.splits + 1)
                for item in part:
                    item.rewind()
                middle = len(part) // 2
                parts += [part[middle:], part[:middle]]
                continue
            for item, (returned, error) in zip(part, ends, strict=True):
                batch.settle(item, returned, error)

    async def _call(self, batch: _Batch, part: Sequence[_Item]) -> list[_Outcome] | None:
        """What becomes of each of ``part``; ``None``: they are to be called again by halves."""
        error: BaseException
        may_split = False
        try:
            returned = await self._body.call([item.ctx for item in part])
            outcomes = list(returned) if _is_sequence(returned) else None
        except BaseException as raised:
            error = raised
            may_split = isinstance(raised, Exception) and self._effects.allow_repeats
            if batch.live:  # else it was told to stop, and ends
                await forget_own_cancel()
        else:
            if outcomes is not None and len(outcomes) == len(part):
                return [*map(_outcome_of, outcomes)]
            error = _wrong_return(self._name, returned, outcomes, len(part))
        if len(part) > 1:
            if may_split:
                return None
            if self._effects is Effects.ONCE_ONLY:
                self._doubtful.update(item.ctx for item in part if item in batch.live)
        return [(None, error)] * len(part)

    def _weight_of(self, ctx: StageContext) -> float:
        if self._batching.batch_size_fn is None:
            return 0.0
        given = self._batching.batch_size_fn(ctx)
        try:
            weight = float(given)
        except (TypeError, ValueError):
            weight = math.nan
        if not weight >= 0:
            raise PolicyError(
                f"batch_size_fn of stage '{self._name}' returned {given!r:.80}.",
                hint="Return what the item weighs, as a number that is at least 0.",
            )
        return weight


def _is_sequence(returned: object) -> bool:
    return isinstance(returned, Sequence) and not isinstance(returned, (str, bytes))


def _outcome_of(returned: Any) -> _Outcome:
    return (None, returned) if isinstance(returned, BaseException) else (returned, None)


def _wrong_return(
    stage: str, returned: object, outcomes: Sequence[Any] | None, wanted: int
) -> StageReturnTypeError:
    given = f"a {type(returned).__qualname__}"
    if outcomes is not None:
        given = f"{len(outcomes)} outputs"
    return StageReturnTypeError(
        f"execute_batch of stage '{stage}' returned {given} for a batch of {wanted}.",
        hint="Return a list with one output for each context, in the same order.",
    )


def _torn_down(stage: str) -> StageDownError:
    return StageDownError(
        f"Stage '{stage}' was torn down before its batch had ended.",
        hint="Await the result of a run before you close what it runs on.",
    )
