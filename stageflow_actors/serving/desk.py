"""``Desk``: where the runs of one served pipeline are started, found, read and cancelled.

In this process that is a ``RunDesk``; behind Ray Serve every replica reaches the same one.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, Protocol
from uuid import UUID

from stageflow_actors.model.streaming import Audience
from stageflow_actors.model.trace import TraceContext
from stageflow_actors.serving.bodies import RunBody
from stageflow_actors.serving.callers import Caller
from stageflow_actors.serving.room import Room

RUNNING = "running"
"""The state of a run that has not ended."""
BATCH_BYTES = 64 * 2**10
"""How much of a run is held for one client at a time."""


class RunKey(NamedTuple):
    """An ``Idempotency-Key``, and what of the request has to be the same each time."""

    key: str
    fingerprint: bytes


class RunOrder(NamedTuple):
    """A run that a request asks for.

    ``timeout_s`` is how long it may take, ``size`` about how many bytes its body has. With
    ``is_cancelled_when_left`` it is cancelled when nobody waits for its answer any more. With
    ``is_watched`` nothing that its stages stream is lost before the first ``read``; with ``reader``
    they wait for that one from the start. ``prefix`` is what its links begin with. Its span is to
    be below ``trace``. ``room`` was reserved for it.
    """

    caller: Caller
    body: RunBody
    timeout_s: float | None = None
    key: RunKey | None = None
    is_cancelled_when_left: bool = False
    size: int = 300
    is_watched: bool = False
    reader: str | None = None
    prefix: str = ""
    trace: TraceContext | None = None
    room: Room | None = None

    @property
    def ends_with_its_client(self) -> bool:
        """Whether leaving cancels it. Who comes with a key may come back: then it does not."""
        return self.is_cancelled_when_left and self.key is None


class Shown(NamedTuple):
    """What a client sees of a run: its ``document`` as JSON."""

    run_id: UUID
    state: str
    document: bytes

    @property
    def is_ended(self) -> bool:
        """Whether it has a result."""
        return self.state != RUNNING


class Entry(NamedTuple):
    """An event of a run, or a piece that a stage has streamed out.

    ``number`` counts them from 1. ``document`` is a JSON object. Bytes and arrays of a piece are in
    ``blob``, as they are, and its document says nothing of them but the form of an array.
    ``audience`` is that of a piece; events have none.
    """

    number: int
    type: str
    document: bytes
    audience: Audience | None = None
    blob: bytes | None = None

    @property
    def size(self) -> int:
        """About how many bytes it has."""
        return len(self.document) + len(self.blob or b"")


class Reading(NamedTuple):
    """Which entries of a run somebody wants: those after number ``after``, of these audiences.

    At most ``max_bytes``, but always one; none, if there is none within ``wait_s``. ``reader`` is
    who paces the run: while that one has much unread, the stages wait where they stream. Without
    it nobody waits.
    """

    run_id: str
    tenant: str
    after: int
    audiences: frozenset[Audience]
    max_bytes: int
    wait_s: float
    reader: str | None = None


class Entries(NamedTuple):
    """What was read. ``after`` is where to go on; ``unread_bytes`` are there already.

    ``is_over``: the run has ended, and there is nothing after these.
    """

    entries: tuple[Entry, ...]
    after: int
    unread_bytes: int
    is_over: bool


class Desk(Protocol):
    """The runs of one pipeline. Whose a run is, is part of finding it."""

    @property
    def is_ready(self) -> bool:
        """Whether it takes runs."""

    def reserve(self, tenant: str) -> Room | None:
        """Room for a run of ``tenant``, where some can be held until it is asked for. Not for one
        with a key: it may be there already.

        Raises:
            ProblemError: it would not be started, as far as that is known at once.
        """

    async def run(self, order: RunOrder, wait_s: float | None) -> Shown:
        """Start a run, and wait for its end, but no longer than ``wait_s``; ``None``: to the end.

        With the key of a run that there is, that run is waited for instead. Cancelling this call
        means that the client has gone.

        Raises:
            ProblemError: it may not be started, or the key stands for another request.
        """

    async def look(self, run_id: str, tenant: str) -> Shown | None:
        """The run of that id, if there is one of ``tenant``'s here.

        Raises:
            ProblemError: it is not kept any more.
        """

    async def cancel(self, run_id: str, tenant: str) -> Shown | None:
        """Ask a run to stop, if it is here.

        Raises:
            ProblemError: it has ended, or is not kept any more.
        """

    async def read(self, reading: Reading) -> Entries | None:
        """The next entries of a run, if it is here; waits for them.

        Raises:
            ProblemError: ``after`` is more than there are; the run is not kept any more.
        """

    async def leave(self, run_id: str, reader: str) -> None:
        """Take note that a reader which paced the run is gone."""


def seen_by(entries: Iterable[Entry], audiences: frozenset[Audience]) -> tuple[Entry, ...]:
    """Those that are for everybody, or for one of ``audiences``."""
    return tuple(each for each in entries if each.audience is None or each.audience in audiences)
