"""``faulty``: a stage runner that suffers a fault, and is like itself otherwise."""

from __future__ import annotations

import functools
import inspect
import os
import time
import types
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from stageflow_actors.model.declaration import _DECLARATION, _declaration_of
from stageflow_actors.model.stage import body_of, is_blocking
from stageflow_actors.model.stage_context import StageContext
from stageflow_actors.testing.chaos.faults import Fault
from stageflow_actors.testing.chaos.given import check_whole
from stageflow_actors.testing.chaos.ledger import FaultLedger, FaultRecord

Runner = TypeVar("Runner")
Body = Callable[[StageContext], Any]


def faulty(
    runner: Runner,
    fault: Fault,
    *,
    ledger: FaultLedger,
    after: bool = False,
    times: int | None = None,
    when: Callable[[StageContext], bool] | None = None,
) -> Runner:
    """``runner``, a stage class, instance or function, whose executions suffer ``fault``.

    It strikes before the body, or with ``after`` when the body has returned: its effects are done,
    and nobody hears of it. ``times`` is how often at most, counted in the ledger across processes
    and restarts. ``when(ctx)`` picks the executions. Name, kind, declaration, ``setup``,
    ``teardown``, and whether the body is ``async`` stay.

    Raises:
        TypeError: ``runner`` is no runner, ``fault`` no fault, ``ledger`` no ledger, or ``when``
            cannot be called.
        ValueError: ``times`` is no whole number, at least 1; or the fault is one of event loops,
            and the body has none.
    """
    _check(runner, fault, ledger, when)
    if times is not None:
        check_whole("times", times, least=1)
    blocking = is_blocking(cast("Any", runner))
    if blocking and fault.needs_event_loop:
        raise ValueError(
            f"{type(fault).__name__} happens to an event loop: {runner!r:.80} has none."
        )
    blow = _Blow(fault, ledger, after, times, when, uuid.uuid4().hex)
    wrapped: Any
    if isinstance(runner, type):
        wrapped = _struck_class(runner, blow, blocking)
    elif inspect.isroutine(runner) or isinstance(runner, functools.partial):
        wrapped = functools.wraps(runner)(_struck_body(runner, blow, blocking))
    else:
        wrapped = FaultyStage(runner, _struck_body(body_of(cast("Any", runner)), blow, blocking))
    declaration = _declaration_of(runner)
    if declaration is not None:
        setattr(wrapped, _DECLARATION, declaration)
    return cast("Runner", wrapped)


@dataclass(frozen=True)
class _Blow:
    """A fault, and when it is to happen to a body."""

    fault: Fault
    ledger: FaultLedger
    after: bool
    times: int | None
    when: Callable[[StageContext], bool] | None
    source: str

    def around(self, body: Body, ctx: StageContext) -> Any:
        """What a plain ``def`` returns, with the fault before it or after it."""
        if not self.after:
            self._strike(ctx)
            return body(ctx)
        returned = body(ctx)
        if inspect.isawaitable(returned):
            return self._async_after(returned, ctx)
        self._strike(ctx)
        return returned

    async def around_async(self, body: Body, ctx: StageContext) -> Any:
        """What an ``async`` body returns, with the fault before it or after it."""
        if self.after:
            return await self._async_after(body(ctx), ctx)
        await self._strike_async(ctx)
        return await body(ctx)

    async def _async_after(self, work: Awaitable[Any], ctx: StageContext) -> Any:
        returned = await work
        await self._strike_async(ctx)
        return returned

    def _strike(self, ctx: StageContext) -> None:
        if self._is_due(ctx):
            self.fault.strike(ctx)

    async def _strike_async(self, ctx: StageContext) -> None:
        if self._is_due(ctx):
            await self.fault.strike_async(ctx)

    def _is_due(self, ctx: StageContext) -> bool:
        """Whether it happens now; if so, that is written down already."""
        if self.when is not None and not self.when(ctx):
            return False
        kind, pid = type(self.fault).__name__, os.getpid()
        if self.fault.takes_process and pid == self.ledger.maker_pid:
            raise RuntimeError(
                f"{kind} in stage '{ctx.stage_name}' would take the process that made the ledger. "
                "Run it on RayRuntime, where a stage has a process of its own."
            )
        run_id = str(ctx.pipeline_run_id)
        record = FaultRecord(
            kind, ctx.stage_name, run_id, ctx.attempt, pid, time.time(), self.source
        )
        return self.ledger.write(record, at_most=self.times)


class FaultyStage:
    """A stage instance with another ``execute``; the rest is its own."""

    def __init__(self, stage: object, execute: Body) -> None:
        self._stage = stage
        self.execute = execute

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):  # what pickling asks for, before there is a stage
            raise AttributeError(name)
        return getattr(self._stage, name)


def _struck_body(body: Any, blow: _Blow, blocking: bool) -> Body:
    def execute(ctx: StageContext) -> Any:
        return blow.around(body, ctx)

    async def execute_async(ctx: StageContext) -> Any:
        return await blow.around_async(body, ctx)

    return execute if blocking else execute_async


def _struck_class(stage_class: type, blow: _Blow, blocking: bool) -> type:
    def execute(self: Any, ctx: StageContext) -> Any:
        return blow.around(super(struck, self).execute, ctx)

    async def execute_async(self: Any, ctx: StageContext) -> Any:
        return await blow.around_async(super(struck, self).execute, ctx)

    members = {
        "__module__": stage_class.__module__,
        "__qualname__": stage_class.__qualname__,
        "__doc__": stage_class.__doc__,
        "execute": execute if blocking else execute_async,
    }
    struck: Any = types.new_class(
        stage_class.__name__, (stage_class,), exec_body=lambda space: space.update(members)
    )
    return cast("type", struck)


def _check(runner: object, fault: object, ledger: object, when: object) -> None:
    is_runner = callable(getattr(runner, "execute", None)) or (
        callable(runner) and not isinstance(runner, type)
    )
    if not is_runner:
        raise TypeError(
            f"{runner!r:.80} is no stage runner: give a class or an instance with execute(ctx), "
            "or a function of ctx."
        )
    if not isinstance(fault, Fault):
        raise TypeError(f"{fault!r:.80} is no fault: give one, as Sigkill() or Slow(0.5).")
    if not isinstance(ledger, FaultLedger):
        raise TypeError(f"{ledger!r:.80} is no ledger: give a FaultLedger(path).")
    if when is not None and not callable(when):
        raise TypeError(f"when is {when!r:.80}: give a function of the stage's context.")
