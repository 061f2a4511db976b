"""``Callers``: the processes that have started runs here, and what each of them is told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial

from stageflow_actors.actors.event_log import EventLog
from stageflow_actors.actors.exchange import Exchange, Exchanges
from stageflow_actors.actors.failures import Failure
from stageflow_actors.actors.far_outputs import is_far
from stageflow_actors.actors.messages import Reading, RunReport, RunRequest, Watch
from stageflow_actors.actors.outlets import Outlets, Piece
from stageflow_actors.actors.parcels import Parcel, Respond
from stageflow_actors.actors.run_wire import (
    events_to_wire,
    pieces_to_wire,
    report_to_wire,
    request_of,
)
from stageflow_actors.actors.wire import Wire, size_of
from stageflow_actors.model.settings import Settings

EVENTS, REPORT, LOST, PIECES = 0, 1, 2, 3
"""What a caller is told of a run: news, its end, that it was lost to a defect, its stream."""
_EVENT_SIZE = 60
"""About how many bytes one event has on its way."""


class _Caller:
    """Who has started a run: how to tell it anything, and the log of the run, once there is one."""

    __slots__ = ("exchange", "is_watching", "log")

    def __init__(self, exchange: Exchange, *, is_watching: bool) -> None:
        self.exchange = exchange
        self.is_watching = is_watching
        self.log: EventLog | None = None


class Callers:
    """``begin`` is called with each request, once.

    Events of a run that goes on are told every ``Settings.event_flush_interval_s``, or, to who
    watches, as they come; the report brings the rest.
    """

    def __init__(
        self, begin: Callable[[RunRequest], None], outlets: Outlets, settings: Settings
    ) -> None:
        self._begin = begin
        self._outlets = outlets
        self._settings = settings
        self._exchanges = Exchanges(self._take_message, settings)
        self._callers: dict[str, _Caller] = {}
        self._sweeping: asyncio.TimerHandle | None = None

    def take(self, caller: str, parcel: Parcel, respond: Respond) -> None:
        """Take the messages of a ``Channel``: ``RunRequest``, ``Watch`` and ``Reading``.

        What is told is a run, one of ``EVENTS``, ``REPORT``, ``LOST`` and ``PIECES``, and that.
        """
        self._exchanges.take(caller, parcel, respond)

    def follow(self, run: str, log: EventLog) -> None:
        """From now on the run has events."""
        caller = self._callers[run]
        caller.log = log
        if caller.is_watching:
            log.on_news = partial(self._tell_events, run, caller)
        if self._sweeping is None:
            self._sweep_later()

    def report(self, run: str, report: RunReport | Failure) -> None:
        """Tell the end of the run, or why it was lost."""
        caller = self._callers.pop(run)
        caller.exchange.due -= 1
        self._tell_pieces(run, caller, self._outlets.close(run))
        if isinstance(report, Failure):
            caller.exchange.tell((run, LOST, report), _EVENT_SIZE)
        else:
            size = len(report.events) * _EVENT_SIZE + sum(size_of(end[2]) for end in report.ends)
            caller.exchange.tell(
                (run, REPORT, report_to_wire(report)),
                size,
                has_refs=is_far(report),
                is_last=not caller.exchange.due,
            )

    def _take_message(self, exchange: Exchange, message: Wire | Watch | Reading) -> None:
        if isinstance(message, Watch):
            self._watch(message.run)
            return
        if isinstance(message, Reading):
            self._read(message)
            return
        exchange.due += 1
        request = request_of(message)
        self._callers[request.run] = _Caller(exchange, is_watching=request.is_watched)
        self._begin(request)

    def _read(self, reading: Reading) -> None:
        run, seq, is_over = reading
        caller = self._callers.get(run)
        if caller is None:
            return  # its report is on its way, with what is held
        if is_over:
            self._outlets.leave(run)
        elif seq:
            self._outlets.read_to(run, seq)
        else:
            self._outlets.read(run, partial(self._tell_pieces, run, caller))

    def _tell_pieces(self, run: str, caller: _Caller, pieces: Sequence[Piece]) -> None:
        if pieces:
            size = sum(piece.data.size + _EVENT_SIZE for piece in pieces)
            caller.exchange.tell((run, PIECES, pieces_to_wire(pieces)), size)

    def _watch(self, run: str) -> None:
        caller = self._callers.get(run)
        if caller is None:
            return  # its report is on its way
        caller.is_watching = True
        if caller.log is not None:
            caller.log.on_news = partial(self._tell_events, run, caller)
            self._tell_events(run, caller)

    def _tell_events(self, run: str, caller: _Caller) -> None:
        if caller.log is None or caller.exchange.is_behind:
            return  # the log, which is bounded, keeps them
        events = caller.log.take()
        if events:
            size = len(events) * _EVENT_SIZE
            caller.exchange.tell((run, EVENTS, events_to_wire(events)), size)

    def _sweep_later(self) -> None:
        loop = asyncio.get_running_loop()
        self._sweeping = loop.call_later(self._settings.event_flush_interval_s, self._sweep)

    def _sweep(self) -> None:
        self._sweeping = None
        for run, caller in self._callers.items():
            self._tell_events(run, caller)
        if self._callers:
            self._sweep_later()
