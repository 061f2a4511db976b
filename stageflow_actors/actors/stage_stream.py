"""``StageStream``: what one execution streams out, and how it waits for a reader that is behind."""

from __future__ import annotations

import asyncio
import contextlib
import pickle
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future
from functools import partial
from typing import Any

from stageflow_actors.actors.codec import PROTOCOL, Payload, encode
from stageflow_actors.actors.interrupting import is_being_cancelled
from stageflow_actors.actors.messages import Execution
from stageflow_actors.errors import (
    StageAbandonedError,
    StageCancellationRequested,
    StageOutputError,
    StreamError,
    describe_exception,
)
from stageflow_actors.model.cancellation import Cancellation
from stageflow_actors.model.frozen import freeze
from stageflow_actors.model.settings import Settings
from stageflow_actors.model.signs import SignsOfLife
from stageflow_actors.model.streaming import Audience, to_audience

_TURN_S = 0.001
Emit = Callable[[str, Payload], None]
"""Takes the audience of a piece, and the piece, on its way."""


class StageStream:
    """``emit`` is called with each piece, in order; who has read it calls ``give_back``.

    All on ``loop``; only what sends may be called on any thread, on an event loop of its own, too.
    Where the body ``is_shared`` with other executions, what one of them sends that was told to stop
    goes nowhere: it must not take them along.
    """

    __slots__ = (
        "_cancellation",
        "_emit",
        "_is_closed",
        "_is_shared",
        "_loop",
        "_room",
        "_settings",
        "_signs",
        "_stage",
        "_turn",
        "_turn_due",
        "_unread",
    )

    def __init__(
        self,
        stage: str,
        emit: Emit,
        cancellation: Cancellation,
        settings: Settings,
        loop: asyncio.AbstractEventLoop,
        signs: SignsOfLife | None = None,
        *,
        is_shared: bool = False,
    ) -> None:
        self._stage = stage
        self._signs = signs
        self._is_shared = is_shared
        self._emit = emit
        self._cancellation = cancellation
        self._settings = settings
        self._loop = loop
        self._turn = asyncio.Lock()
        self._turn_due = 0.0
        self._unread = 0
        self._room: asyncio.Future[None] | None = None
        self._is_closed = False

    async def send(self, data: Any, audience: Audience | str = Audience.USER) -> None:
        whom, payload = to_audience(audience).value, self._sealed(data)
        if self._goes_nowhere:
            return
        if asyncio.get_running_loop() is self._loop:
            await self._pass_on(whom, payload)
            await self._let_loop_turn()
            return
        with self._crossing(whom, payload) as passing:
            await asyncio.wrap_future(passing)

    def send_blocking(self, data: Any, audience: Audience | str = Audience.USER) -> None:
        if asyncio._get_running_loop() is not None:
            raise StreamError(
                f"Stage '{self._stage}' would block the event loop that its stream needs.",
                hint="In a coroutine write 'await ctx.stream.send(...)'.",
                code="STREAM-BLOCKING",
            )
        whom, payload = to_audience(audience).value, self._sealed(data)
        if self._goes_nowhere:
            return
        with self._crossing(whom, payload) as passing:
            passing.result()

    def give_back(self, size: int) -> None:
        """So many bytes were read, or nobody wants them any more."""
        self._unread = max(0, self._unread - size)
        self._go_on()

    def close(self) -> None:
        """The execution has ended: nothing more may be sent."""
        self._is_closed = True
        self._unread = 0
        self._go_on()

    async def _pass_on(self, whom: str, payload: Payload) -> None:
        size = payload.size
        async with self._turn:  # whoever came first is the first to go on
            while self._unread and self._unread + size > self._settings.stream_window_bytes:
                self._room = self._loop.create_future()
                await self._room
            if self._goes_nowhere:
                return
            self._check_open()
            if self._signs is not None:
                self._signs.note()
            self._unread += size
            self._emit(whom, payload)

    async def _let_loop_turn(self) -> None:
        """A stage that never waits would keep to itself what it has sent, and whom it shares the
        loop with from their turn.
        """
        if self._loop.time() >= self._turn_due:
            await asyncio.sleep(0)
            self._turn_due = self._loop.time() + _TURN_S

    @contextlib.contextmanager
    def _crossing(self, whom: str, payload: Payload) -> Iterator[Future[None]]:
        """``_pass_on`` from another thread, until the stage is told to stop."""
        if not self._is_shared:  # else it is looked at there, where it cannot change meanwhile
            self._check_open()
            if self._cancellation.is_requested:
                raise StageCancellationRequested(self._cancellation.reason or "")
        passing = self._across(whom, payload)

        def stop(_reason: str) -> None:
            if not self._is_shared:
                passing.cancel()

        self._cancellation.watch(stop)
        try:
            yield passing
        except (CancelledError, asyncio.CancelledError) as error:
            if isinstance(error, asyncio.CancelledError) and is_being_cancelled():
                raise  # not the stage: what it awaits this in
            raise StageCancellationRequested(self._cancellation.reason or "") from None
        finally:
            self._cancellation.unwatch(stop)

    def _across(self, whom: str, payload: Payload) -> Future[None]:
        work = self._pass_on(whom, payload)
        try:
            return asyncio.run_coroutine_threadsafe(work, self._loop)
        except RuntimeError as error:
            work.close()
            raise self._over() from error  # with its event loop

    def _go_on(self) -> None:
        room, self._room = self._room, None
        if room is not None and not room.done():
            room.set_result(None)

    @property
    def _goes_nowhere(self) -> bool:
        return self._is_shared and self._cancellation.is_requested

    def _check_open(self) -> None:
        if self._cancellation.is_abandoned:
            raise StageAbandonedError(
                f"Stage '{self._stage}' was given up: nothing that it sends counts any more.",
                hint="End the stage when ctx.is_cancelled turns true.",
            )
        if self._is_closed:
            raise self._over()

    def _over(self) -> StreamError:
        return StreamError(
            f"Stage '{self._stage}' has ended, and can send nothing more.",
            hint="Await what sends before the stage returns.",
            code="STREAM-CLOSED",
        )

    def _sealed(self, data: Any) -> Payload:
        """As it is now, whatever becomes of it afterwards."""
        try:
            frozen, is_plain = freeze(data, max_depth=self._settings.max_data_depth)
            if is_plain:
                payload = Payload(pickle.dumps(frozen, protocol=PROTOCOL))
            else:
                payload = encode(frozen)
        except StageOutputError as error:
            raise StreamError(
                f"Stage '{self._stage}' sent a piece that cannot travel: {error.message}",
                hint=error.hint,
            ) from error
        except Exception as error:
            raise StreamError(
                f"Stage '{self._stage}' sent a piece that cannot be pickled: "
                f"{type(error).__name__}: {describe_exception(error)}.",
                hint="Send data, not locks, sockets, files or generators.",
            ) from error
        if payload.size > self._settings.max_piece_bytes:
            raise StreamError(
                f"Stage '{self._stage}' sent a piece of {payload.size:,} bytes; "
                f"{self._settings.max_piece_bytes:,} may be.",
                hint="Send it in parts, return it, or raise Settings.max_piece_bytes.",
                code="STREAM-TOO-LARGE",
            )
        return payload


class OpenStreams:
    """The streams of the executions in one process, from ``begin`` to ``close``; most open none."""

    __slots__ = ("_by_execution", "_settings")

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._by_execution: dict[Execution, StageStream | None] = {}

    def begin(self, execution: Execution) -> None:
        """From now on it may open one."""
        self._by_execution[execution] = None

    def open(
        self,
        execution: Execution,
        stage: str,
        emit: Callable[[Execution, str, Payload], None],
        cancellation: Cancellation,
        loop: asyncio.AbstractEventLoop,
        is_shared: bool,
        signs: SignsOfLife | None = None,
    ) -> StageStream:
        """That of ``execution``; a closed one, if that has ended: something it has left asks."""
        emits = partial(emit, execution)
        stream = StageStream(
            stage, emits, cancellation, self._settings, loop, signs, is_shared=is_shared
        )
        if execution in self._by_execution:
            self._by_execution[execution] = stream
        else:
            stream.close()
        return stream

    def give_back(self, execution: Execution, size: int) -> None:
        """Let it send so many bytes more, if it has not ended."""
        stream = self._by_execution.get(execution)
        if stream is not None:
            stream.give_back(size)

    def close(self, execution: Execution) -> None:
        """It has ended."""
        stream = self._by_execution.pop(execution, None)
        if stream is not None:
            stream.close()
