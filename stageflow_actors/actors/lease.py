"""``Lease``: what a process does for one run ahead of it, and the receipts that it gathers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from stageflow_actors.actors.codec import Payload
from stageflow_actors.actors.messages import Assignment, Envelope, Execution, Receipt
from stageflow_actors.engine.facts import Ending

if TYPE_CHECKING:
    from stageflow_actors.engine.leases import Follower

_HELD_S = 0.005
"""How long receipts wait for those of what was begun after them."""
_OK = Ending.OK.value


class Tell(Protocol):
    """Sends a receipt; ``more``: another one follows at once."""

    def __call__(self, execution: Execution, receipt: Receipt, *, more: bool) -> None: ...


class Lease:
    """One run in one process. ``begin`` executes a follower, ``tell`` sends a receipt."""

    __slots__ = (
        "_begin",
        "_done",
        "_ends_at",
        "_envelope",
        "_followers",
        "_gathered",
        "_is_stopped",
        "_running",
        "_tell",
        "_timer",
    )

    def __init__(
        self,
        envelope: Envelope,
        followers: Mapping[int, tuple[Follower, ...]],
        begin: Callable[[Envelope, Lease], None],
        tell: Tell,
    ) -> None:
        self._envelope = envelope
        self._followers = followers
        self._begin = begin
        self._tell = tell
        remaining_s = envelope.assignment.remaining_s
        self._ends_at = None if remaining_s is None else time.monotonic() + remaining_s
        self._done: dict[int, Any] = {}
        self._gathered: list[tuple[Execution, Receipt]] = []
        self._running = 1
        self._is_stopped = False
        self._timer: asyncio.TimerHandle | None = None

    def stop(self) -> None:
        """Begin nothing more: somebody wants the run to stop."""
        self._is_stopped = True

    def ended(self, execution: Execution, receipt: Receipt) -> None:
        """Take the receipt of an execution under this lease, begin what follows, and tell."""
        self._running -= 1
        stage = execution[1]
        is_plain = receipt.ending == _OK and receipt.signal is None and not receipt.retires
        is_plain = is_plain and type(receipt.output) is Payload  # a big one is not here for long
        if is_plain and not self._is_stopped:
            self._done[stage] = receipt.output
            ahead = [each for each in self._followers.get(stage, ()) if self._may_begin(each)]
            if ahead:
                receipt = receipt._replace(ahead=tuple([each.stage for each in ahead]))
                for follower in ahead:
                    self._follow(follower)
        self._gathered.append((execution, receipt))
        if not self._running:
            self.flush()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_HELD_S, self.flush)

    def _may_begin(self, follower: Follower) -> bool:
        return follower.waits_for <= self._done.keys()

    def _follow(self, follower: Follower) -> None:
        inputs = {name: self._done[stage] for name, stage in follower.inputs.items()}
        remaining_s = None if self._ends_at is None else self._ends_at - time.monotonic()
        work = Assignment(1, inputs, remaining_s)
        self._running += 1
        self._begin(self._envelope._replace(stage=follower.stage, assignment=work), self)

    def flush(self) -> None:
        """In order: what was begun after another comes after it."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        gathered, self._gathered = self._gathered, []
        for left, (execution, receipt) in zip(
            range(len(gathered) - 1, -1, -1), gathered, strict=True
        ):
            self._tell(execution, receipt, more=left > 0)
