"""``BatchBody``: calls ``execute_batch``, on the event loop or in a thread."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

from stageflow_actors.actors.interrupting import carried_through, is_being_cancelled
from stageflow_actors.actors.threads import BodyThreads
from stageflow_actors.model.stage_context import StageContext

Contexts = Sequence[StageContext]


class _Called(NamedTuple):
    """How a call in a thread ended: as a value, whatever it has raised."""

    value: Any
    error: BaseException | None


class BatchBody:
    """The body of a stage that takes batches. To be called in a task of its own, once at a time."""

    __slots__ = ("_body", "_name", "_threads", "is_blocking")

    def __init__(self, body: Callable[[Contexts], Any], name: str, *, is_blocking: bool) -> None:
        self._body = body
        self._name = name
        self._threads: BodyThreads | None = None
        self.is_blocking = is_blocking

    async def call(self, ctxs: Contexts) -> Any:
        """What the body returns for ``ctxs``, awaited if it can be.

        A cancel of the current task ends what is awaited. A thread cannot be ended: it is waited
        for, and what it has made is lost.

        Raises:
            BaseException: whatever the body raises.
        """
        if not self.is_blocking:
            returned = self._body(ctxs)
        else:
            called: _Called = await carried_through(self._in_thread(ctxs))
            if is_being_cancelled():
                if inspect.iscoroutine(called.value):
                    called.value.close()  # nobody will await it
                raise asyncio.CancelledError
            if called.error is not None:
                raise called.error
            returned = called.value
        return await returned if inspect.isawaitable(returned) else returned

    def give_up(self) -> None:
        """Note that a call was abandoned: if it has the thread, it keeps that."""
        if self._threads is not None:
            self._threads.replace_one()

    def shut_down(self) -> None:
        """Let the thread end when it has done what it does."""
        if self._threads is not None:
            self._threads.shutdown()

    async def _in_thread(self, ctxs: Contexts) -> _Called:
        if self._threads is None:
            self._threads = BodyThreads(1, f"stage-{self._name}")
        run = contextvars.copy_context().run
        called = self._threads.submit(partial(run, self._block, ctxs))
        return await asyncio.wrap_future(called)

    def _block(self, ctxs: Contexts) -> _Called:
        try:
            return _Called(self._body(ctxs), None)
        except BaseException as raised:
            return _Called(None, raised)
