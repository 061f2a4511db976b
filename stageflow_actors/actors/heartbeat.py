"""``Heart``: notices that the event loop of a process that works does not turn any more."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from stageflow_actors.model.settings import Settings


class Heart:
    """``beat`` is a call that the event loop has to answer; ``missed`` is told if it does not.

    Asked is only while ``is_working``. Where the loop of whoever asks has not turned itself, an
    answer that is late says nothing.
    """

    __slots__ = ("_beat", "_is_stopped", "_is_working", "_loop", "_missed", "_settings", "_timer")

    def __init__(
        self,
        beat: Callable[[], Any],
        is_working: Callable[[], bool],
        missed: Callable[[], None],
        settings: Settings,
    ) -> None:
        self._beat = beat
        self._is_working = is_working
        self._missed = missed
        self._settings = settings
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._is_stopped = False

    def start(self) -> None:
        """Ask from now on, from time to time; does nothing where it does so already."""
        if self._timer is None and not self._is_stopped:
            self._timer = self._loop.call_later(self._settings.heartbeat_interval_s, self._ask)

    def stop(self) -> None:
        """Ask no more."""
        self._is_stopped = True
        if self._timer is not None:
            self._timer.cancel()

    def _ask(self) -> None:
        self._timer = None
        if self._is_stopped or not self._is_working():
            return
        self._wait()
        asyncio.wrap_future(self._beat().future()).add_done_callback(self._take)

    def _wait(self) -> None:
        due = self._loop.time() + self._settings.heartbeat_timeout_s
        self._timer = self._loop.call_at(due, self._miss, due)

    def _miss(self, due: float) -> None:
        if self._loop.time() > due + self._settings.heartbeat_interval_s:
            self._wait()
        else:
            self._timer = None
            self._missed()

    def _take(self, answer: asyncio.Future[None]) -> None:
        if answer.cancelled():
            return
        answer.exception()  # a lost one counts as one: a dead process is told of otherwise
        if self._is_stopped:
            return
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self.start()
