"""Ctrl-C: the first one cancels the run and bounds what is left, the second one ends it at once."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import NoReturn

from stageflow_actors.cli import processes
from stageflow_actors.cli.failure import ExitCode

REASON = "interrupted by Ctrl-C"
_GRACE_S = 1.5
"""How long a run may take to end once it was asked to, before its processes are ended."""


class Interrupts:
    """Ctrl-C for as long as one command lasts.

    Before ``cancel`` is set, it raises ``KeyboardInterrupt`` where the main thread is. Then it
    calls ``cancel``. Either way the process ends within about two seconds: if the command has not
    come to its own end by then, ``on_late`` is called, every process below this one is killed, and
    this one exits.
    """

    def __init__(self, on_late: Callable[[], None]) -> None:
        self.cancel: Callable[[], None] | None = None
        self.is_set = False
        self._on_late = on_late
        self._seen: set[processes.Process] = set()

    @contextmanager
    def caught(self) -> Iterator[Interrupts]:
        """Take Ctrl-C over; only the main thread can."""
        if threading.current_thread() is not threading.main_thread():
            yield self
            return
        former = signal.signal(signal.SIGINT, self._handle)
        try:
            yield self
        finally:
            signal.signal(signal.SIGINT, former)

    def finish(self) -> None:
        """End an interrupted command: at once, if processes or threads would hold it up."""
        threads = [each for each in threading.enumerate() if not each.daemon]
        if len(threads) > 1 or processes.below(os.getpid()):
            self._exit()

    def _handle(self, _signal: int, _frame: FrameType | None) -> None:
        if self.is_set:
            self._exit()
        self.is_set = True
        self._seen = processes.below(os.getpid())
        watchdog = threading.Timer(_GRACE_S, self._end_late)
        watchdog.daemon = True
        watchdog.start()
        if self.cancel is None:
            raise KeyboardInterrupt
        self.cancel()

    def _end_late(self) -> None:
        try:
            self._on_late()
        finally:
            self._exit()

    def _exit(self) -> None:
        _exit_with(self._seen | processes.below(os.getpid()))


def end_at_next_interrupt() -> None:
    """From here on Ctrl-C ends this process and those below it at once, without a traceback."""
    signal.signal(signal.SIGINT, lambda _signal, _frame: _exit_with(processes.below(os.getpid())))


def _exit_with(others: set[processes.Process]) -> NoReturn:
    """Without the exit hooks: they would wait for processes that are gone."""
    processes.end(others)
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):  # whoever read them may be gone
            stream.flush()
    os._exit(ExitCode.INTERRUPTED)
