"""``RunLine``: the runs that one event loop has started at one supervisor, and what it is told."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol
from uuid import uuid4

from stageflow_actors.actors.callers import EVENTS, PIECES, REPORT
from stageflow_actors.actors.channel import Channel
from stageflow_actors.actors.direct_door import DirectAddress
from stageflow_actors.actors.failures import open_exception
from stageflow_actors.actors.heartbeat import Heart
from stageflow_actors.actors.mail import Mail
from stageflow_actors.actors.messages import Reading, RunReport, RunRequest, Watch
from stageflow_actors.actors.outlets import Piece
from stageflow_actors.actors.ray_errors import CallFault, FaultKind
from stageflow_actors.actors.run_wire import events_of, pieces_of, report_of, request_to_wire
from stageflow_actors.model.events import Event
from stageflow_actors.model.settings import Settings

_REQUEST_SIZE = 200
_WATCH_SIZE = 100


class Listener(Protocol):
    """Who is told of a run: its events while it goes on, and then one of the others, once."""

    def take_events(self, events: Sequence[Event]) -> None:
        """Take the next ones."""

    def take_pieces(self, pieces: Sequence[Piece]) -> None:
        """Take what the run streams out."""

    def take_report(self, report: RunReport) -> None:
        """Take the verdict."""

    def take_loss(self, error: BaseException) -> None:
        """Take note that no verdict will come, and why."""


class RunLine:
    """``exchange`` and ``beat`` call the supervisor's methods of those names; ``find_door`` finds
    its door.

    ``broken`` is called once, when no report will come any more: the supervisor is dead or out of
    reach, or cannot be called. It gets whoever waits for one. ``fault`` is why.
    """

    def __init__(
        self,
        exchange: Callable[..., Any],
        find_door: Callable[[], Awaitable[DirectAddress | None]],
        broken: Callable[[CallFault, Sequence[Listener]], None],
        beat: Callable[[], Any],
        settings: Settings,
    ) -> None:
        self._runs: dict[str, Listener] = {}
        self._broken = broken
        self.fault: CallFault | None = None
        self._mail = Mail(exchange, uuid4().hex[:12], settings)
        self._channel = Channel(self._mail, self._is_waiting, self._take, self._break, settings)
        self._mail.look_for(find_door)
        limit_s = settings.heartbeat_timeout_s
        stuck = CallFault(FaultKind.UNANSWERED, f"it did not answer for {limit_s:g} s", "")
        self._heart = Heart(beat, self._is_waiting, lambda: self._break(stuck), settings)

    @property
    def calls(self) -> int:
        """How many were made."""
        return self._channel.calls

    def submit(self, request: RunRequest, listener: Listener) -> None:
        """Start a run."""
        if self.fault is not None:
            self._broken(self.fault, [listener])
            return
        self._runs[request.run] = listener
        self._heart.start()
        self._channel.put(request_to_wire(request), request.view.size + _REQUEST_SIZE)

    def watch(self, run: str) -> None:
        """Have the events of ``run`` told as they come."""
        if self.fault is None:
            self._channel.put(Watch(run), _WATCH_SIZE)

    def read(self, reading: Reading) -> None:
        """Say what of a run's pieces was read, or is wanted."""
        if self.fault is None:
            self._channel.put(reading, _WATCH_SIZE)

    def close(self) -> None:
        """Nothing will be asked any more."""
        self._heart.stop()
        self._mail.close()

    def _is_waiting(self) -> bool:
        return bool(self._runs)

    def _take(self, reply: tuple[str, int, Any]) -> None:
        name, what, body = reply
        listener = self._runs.get(name)
        if listener is None:
            return
        if what == EVENTS:
            listener.take_events(events_of(body))
            return
        if what == PIECES:
            listener.take_pieces(pieces_of(body))
            return
        del self._runs[name]
        if what == REPORT:
            listener.take_report(report_of(body))
        else:
            listener.take_loss(open_exception(body))

    def _break(self, fault: CallFault) -> None:
        self.fault = fault
        self.close()
        runs, self._runs = self._runs, {}
        self._broken(fault, tuple(runs.values()))
