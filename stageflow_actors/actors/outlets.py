"""``Outlets``: the pieces that the runs of a deployment stream out, on their way to their readers.

A piece goes to its reader at once. What the reader has asked for beyond it gives the stage room for
more. Where nobody reads, pieces are held, up to a bound, and stages never wait; a reader that comes
late gets what is held, and one that comes too late gets it with the report.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from stageflow_actors.actors.codec import Payload
from stageflow_actors.actors.event_log import EventLog
from stageflow_actors.actors.messages import Execution
from stageflow_actors.model.settings import Settings

GiveBack = Callable[[Execution, int], None]
"""Tells an execution that so many of its bytes were read."""


class Piece(NamedTuple):
    """A ``StreamPiece`` on its way: its data are bytes."""

    seq: int
    stage: str
    attempt: int
    audience: str
    data: Payload
    at: float


Read = Callable[[Sequence[Piece]], None]
"""Takes pieces, in order."""


class _Unread(NamedTuple):
    seq: int
    execution: Execution
    size: int


class _Outlet:
    __slots__ = ("held", "held_bytes", "is_left", "read", "seq", "unread")

    def __init__(self) -> None:
        self.seq = 0
        self.read: Read | None = None
        self.is_left = False
        self.held: deque[Piece] = deque()
        self.held_bytes = 0
        self.unread: deque[_Unread] = deque()


class Outlets:
    """One for each run that streams, or is read; of the others only where their events go."""

    __slots__ = ("_by_run", "_dropped", "_give_back", "_logs", "_most_held", "_names", "_sent")

    def __init__(self, names: Sequence[str], give_back: GiveBack, settings: Settings) -> None:
        self._names = names
        self._logs: dict[str, EventLog] = {}
        self._give_back = give_back
        self._most_held = settings.max_held_stream_bytes
        self._by_run: dict[str, _Outlet] = {}
        self._sent = self._dropped = 0

    def begin(self, run: str, log: EventLog) -> None:
        """The run has begun; ``close`` says that it has ended."""
        self._logs[run] = log

    def send(self, execution: Execution, audience: str, data: Payload) -> None:
        """Pass a piece on, or hold it; one of a run that has ended goes nowhere."""
        run, stage, attempt = execution
        log = self._logs.get(run)
        if log is None:
            return
        outlet = self._of(run)
        outlet.seq += 1
        self._sent += 1
        piece = Piece(outlet.seq, self._names[stage], attempt, audience, data, time.time())
        told = {"index": piece.seq, "audience": audience, "bytes": data.size}
        log.append_from_stage("stream.token", piece.at, piece.stage, attempt, told)
        if outlet.read is not None:
            outlet.unread.append(_Unread(piece.seq, execution, data.size))
            outlet.read((piece,))
        else:
            self._give_back(execution, data.size)
            self._hold(outlet, piece, log)
        log.notify()

    def read(self, run: str, read: Read) -> None:
        """Have ``read`` called with what is held, and then with every piece."""
        outlet = self._of(run)
        if outlet.is_left:
            return
        outlet.read = read
        held = tuple(outlet.held)
        outlet.held.clear()
        outlet.held_bytes = 0
        if held:
            read(held)

    def read_to(self, run: str, seq: int) -> None:
        """The reader has asked for what follows ``seq``."""
        outlet = self._by_run.get(run)
        if outlet is not None:
            self._release(outlet, seq)

    def leave(self, run: str) -> None:
        """The reader wants nothing more, whatever else is sent."""
        outlet = self._by_run.get(run)
        if outlet is None or outlet.read is None:
            return
        outlet.read, outlet.is_left = None, True
        log = self._logs.get(run)
        if log is not None:
            log.append("stream.disconnect", time.time(), None, None, {"index": outlet.seq})
            log.notify()
        self._release(outlet, outlet.seq)

    def close(self, run: str) -> Sequence[Piece]:
        """The run has ended: what is held of it, for a reader that may still come."""
        self._logs.pop(run, None)
        outlet = self._by_run.pop(run, None)
        return () if outlet is None else tuple(outlet.held)

    def describe(self) -> dict[str, Any]:
        """Counters: runs that stream or are read, pieces so far, and how many were dropped."""
        return {"open": len(self._by_run), "pieces": self._sent, "dropped": self._dropped}

    def _of(self, run: str) -> _Outlet:
        outlet = self._by_run.get(run)
        if outlet is None:
            outlet = self._by_run[run] = _Outlet()
        return outlet

    def _hold(self, outlet: _Outlet, piece: Piece, log: EventLog) -> None:
        if not outlet.is_left:
            outlet.held.append(piece)
            outlet.held_bytes += piece.data.size
        had_dropped = self._dropped
        while outlet.held_bytes > self._most_held:
            outlet.held_bytes -= outlet.held.popleft().data.size
            self._dropped += 1
        if outlet.is_left:
            self._dropped += 1
        elif self._dropped > had_dropped:
            told = {"reason": "nobody reads", "dropped": self._dropped - had_dropped}
            log.append_from_stage(
                "stream.chunk_dropped", piece.at, piece.stage, piece.attempt, told
            )

    def _release(self, outlet: _Outlet, seq: int) -> None:
        sizes: dict[Execution, int] = {}
        while outlet.unread and outlet.unread[0].seq <= seq:
            _seq, execution, size = outlet.unread.popleft()
            sizes[execution] = sizes.get(execution, 0) + size
        for execution, size in sizes.items():
            self._give_back(execution, size)
