"""The faults: what can be done to an execution of a stage, where its body runs."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from stageflow_actors.model.stage_context import StageContext
from stageflow_actors.testing.chaos.given import check_number, check_whole
from stageflow_actors.testing.chaos.memory import run_out_of_memory


class Fault(ABC):
    """Something that goes wrong in a body. Derive from it, as a frozen dataclass, for more of them.

    It has to survive pickling, and to work in any process.
    """

    takes_process: ClassVar[bool] = False
    """Whether it ends, or stops, whatever else its process does."""
    needs_event_loop: ClassVar[bool] = False
    """Whether it can only happen to an ``async`` body."""

    @abstractmethod
    def strike(self, ctx: StageContext) -> None:
        """Happen to a plain ``def``, in its thread."""

    async def strike_async(self, ctx: StageContext) -> None:
        """Happen to an ``async`` body, in its task."""
        self.strike(ctx)


@dataclass(frozen=True)
class Raise(Fault):
    """The body raises ``error``."""

    error: BaseException

    def __post_init__(self) -> None:
        if not isinstance(self.error, BaseException):
            raise TypeError(f"Raise has {self.error!r:.80}: give an exception, as ValueError('x').")

    def strike(self, ctx: StageContext) -> None:
        raise self.error.with_traceback(None)  # not that of the last time, too


@dataclass(frozen=True)
class Hang(Fault):
    """The body waits for ever, and stops when it is told to."""

    def strike(self, ctx: StageContext) -> None:
        _wait_in_thread(ctx, None)

    async def strike_async(self, ctx: StageContext) -> None:
        await asyncio.Event().wait()


@dataclass(frozen=True)
class Slow(Fault):
    """The body takes ``seconds`` longer, and stops meanwhile if it is told to."""

    seconds: float

    def __post_init__(self) -> None:
        check_number("Slow.seconds", self.seconds)

    def strike(self, ctx: StageContext) -> None:
        _wait_in_thread(ctx, self.seconds)

    async def strike_async(self, ctx: StageContext) -> None:
        await asyncio.sleep(self.seconds)


@dataclass(frozen=True)
class Block(Fault):
    """The body hears of nothing for ``seconds``; an ``async`` one stops its whole event loop."""

    seconds: float

    def __post_init__(self) -> None:
        check_number("Block.seconds", self.seconds)

    def strike(self, ctx: StageContext) -> None:
        time.sleep(self.seconds)


@dataclass(frozen=True)
class Exit(Fault):
    """The process ends at once with ``code``, as native code that gives up has it end."""

    takes_process = True

    code: int = 1

    def __post_init__(self) -> None:
        check_whole("Exit.code", self.code, least=0, most=255)

    def strike(self, ctx: StageContext) -> None:
        os._exit(self.code)


@dataclass(frozen=True)
class Sigkill(Fault):
    """The process is killed, as a machine does that has run out of memory."""

    takes_process = True

    def strike(self, ctx: StageContext) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


@dataclass(frozen=True)
class Sigstop(Fault):
    """The process stops and lives on. Only who ends it ends the attempt: give it a time limit.

    A process that somebody continues (``SIGCONT``) goes on with the body.
    """

    takes_process = True

    def strike(self, ctx: StageContext) -> None:
        # To this thread: any other may be slow to take it, and this one would go on meanwhile.
        signal.pthread_kill(threading.get_ident(), signal.SIGSTOP)


@dataclass(frozen=True)
class StopLoop(Fault):
    """The event loop of the stage stops, though its process lives: give it a time limit."""

    takes_process = True
    needs_event_loop = True

    def strike(self, ctx: StageContext) -> None:
        asyncio.get_running_loop().stop()

    async def strike_async(self, ctx: StageContext) -> None:
        self.strike(ctx)
        await asyncio.Event().wait()  # or the loop would do this turn to its end


@dataclass(frozen=True)
class MemoryLimit(Fault):
    """The process may have ``bytes_above`` more memory than it has, and asks for more than that.

    The body gets a ``MemoryError`` of the system's making. The limit is taken back at once; another
    thread that needs memory in that moment is refused, too.
    """

    bytes_above: int = 64 * 2**20

    def __post_init__(self) -> None:
        check_whole("MemoryLimit.bytes_above", self.bytes_above, least=0)

    def strike(self, ctx: StageContext) -> None:
        run_out_of_memory(self.bytes_above)


def _wait_in_thread(ctx: StageContext, seconds: float | None) -> None:
    """Wait, for ever without ``seconds``, and end as cancelled when told to stop."""
    told = threading.Event()

    def tell(_reason: str) -> None:
        told.set()

    ctx.cancellation.watch(tell)
    try:
        told.wait(seconds)
    finally:
        ctx.cancellation.unwatch(tell)
    ctx.raise_if_cancelled()
