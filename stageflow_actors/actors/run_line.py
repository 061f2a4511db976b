"""``RunLine``: the runs that one event loop has started at one supervisor, and what it is told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any
from uuid import uuid4

from stageflow_actors.actors.callers import EVENTS, REPORT
from stageflow_actors.actors.channel import Channel
from stageflow_actors.actors.failures import open_exception
from stageflow_actors.actors.messages import RunReport, RunRequest, Watch
from stageflow_actors.actors.ray_errors import CallFault
from stageflow_actors.actors.wire import events_of, report_of
from stageflow_actors.model.events import Event
from stageflow_actors.model.settings import Settings

TakeEvents = Callable[[Sequence[Event]], None]
_REQUEST_SIZE = 200
_WATCH_SIZE = 100


class LineBrokenError(Exception):
    """No report will come: the supervisor is dead or out of reach, or cannot be called."""

    def __init__(self, fault: CallFault) -> None:
        super().__init__(fault)
        self.fault = fault


class RunLine:
    """``exchange`` calls the supervisor's method of that name."""

    def __init__(self, exchange: Callable[..., Any], settings: Settings) -> None:
        self._runs: dict[str, tuple[asyncio.Future[RunReport], TakeEvents]] = {}
        self._fault: CallFault | None = None
        self._channel = Channel(
            partial(exchange, uuid4().hex[:12]), self._is_waiting, self._take, self._break, settings
        )

    @property
    def is_broken(self) -> bool:
        """Whether no run can be started on it any more."""
        return self._fault is not None

    @property
    def calls(self) -> int:
        """How many were made."""
        return self._channel.calls

    def submit(self, request: RunRequest, take_events: TakeEvents) -> asyncio.Future[RunReport]:
        """Start a run; its report. Raises ``LineBrokenError`` where that will not come.

        An exception that is something else is a defect that the run was lost to.
        """
        report: asyncio.Future[RunReport] = asyncio.get_running_loop().create_future()
        if self._fault is not None:
            report.set_exception(LineBrokenError(self._fault))
            return report
        self._runs[request.run] = report, take_events
        self._channel.put(request, request.view.size + _REQUEST_SIZE)
        return report

    def watch(self, run: str) -> None:
        """Have the events of ``run`` told as they come."""
        if self._fault is None:
            self._channel.put(Watch(run), _WATCH_SIZE)

    def _is_waiting(self) -> bool:
        return bool(self._runs)

    def _take(self, reply: tuple[str, int, Any]) -> None:
        name, what, body = reply
        run = self._runs.get(name)
        if run is None:
            return
        report, take_events = run
        if what == EVENTS:
            take_events(events_of(body))
            return
        del self._runs[name]
        if report.done():
            return
        if what == REPORT:
            report.set_result(report_of(body))
        else:
            report.set_exception(open_exception(body))

    def _break(self, fault: CallFault) -> None:
        self._fault = fault
        runs, self._runs = self._runs, {}
        for report, _take_events in runs.values():
            if not report.done():
                report.set_exception(LineBrokenError(fault))
