"""``Admission``: which of those that arrive may run, which wait, and which are refused.

As many run as may, all together and of one tenant; the others wait for their turn, as far as there
is room for them. Tenants take turns; one that is at its limit keeps nobody else waiting.
"""

from __future__ import annotations

from enum import Enum
from typing import Generic, NamedTuple, TypeVar

from stageflow_actors.engine.fair_queue import FairQueue

Item = TypeVar("Item")

_SHORTEST_S = 0.1
_LONGEST_S = 60.0
_UNKNOWN_S = 1.0
_WEIGHT = 0.2  # of the last gap between two ends; those before it have the rest


class Limits(NamedTuple):
    """How many may run and wait, and how large what waits may be; ``None``: no limit of its own."""

    max_running: int
    max_waiting: int
    max_waiting_bytes: int
    max_running_per_tenant: int | None = None
    max_waiting_per_tenant: int | None = None


class Admitted(Enum):
    """What becomes of one that was not refused."""

    RUN = "run"
    """It may run at once."""
    WAIT = "wait"
    """It waits until ``next`` gives it."""


class Refused(NamedTuple):
    """It may not even wait: a sentence for people, and how many seconds to wait before asking."""

    reason: str
    retry_after_s: float


Verdict = Admitted | Refused


class TenantLoad(NamedTuple):
    """How many of one tenant run, and how many wait."""

    running: int
    waiting: int


class Admission(Generic[Item]):
    """Everybody calls ``leave`` who may run or wait; after that, ``next`` until it gives nothing.

    Each call but ``describe`` is constant work. Of a tenant with nothing here nothing is kept.

    Raises:
        ValueError: nothing may ever run, or ``background_share`` is less than 1.
    """

    __slots__ = ("_limits", "_pace", "_queue", "_refused", "_running", "_tenants")

    def __init__(self, limits: Limits, background_share: int) -> None:
        per_tenant = limits.max_running_per_tenant
        if limits.max_running < 1 or (per_tenant is not None and per_tenant < 1):
            raise ValueError(f"Nothing may ever run: {limits}.")
        self._limits = limits
        self._queue: FairQueue[str, _Waiting[Item]] = FairQueue(background_share)
        self._running: dict[str, str] = {}  # key -> tenant
        self._tenants: dict[str, _Tenant] = {}
        self._pace = _Pace()
        self._refused = 0

    @property
    def running(self) -> int:
        """How many run."""
        return len(self._running)

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._queue)

    @property
    def waiting_bytes(self) -> int:
        """The sizes of those that wait, together."""
        return self._queue.bytes

    @property
    def refused(self) -> int:
        """How many were refused so far."""
        return self._refused

    def describe(self) -> dict[str, TenantLoad]:
        """Each tenant that has something running or waiting."""
        return {name: TenantLoad(at.running, at.waiting) for name, at in self._tenants.items()}

    def arrive(
        self, key: str, tenant: str, size: int, item: Item, *, is_background: bool
    ) -> Verdict:
        """What becomes of ``item``, of so many bytes. Nobody that could run now is overtaken.

        Raises:
            ValueError: something runs or waits under this key already.
        """
        if key in self._running or key in self._queue:
            raise ValueError(f"Something runs or waits under the key {key!r:.80} already.")
        at = self._tenants.get(tenant) or _Tenant()
        is_room = len(self._running) < self._limits.max_running and not self._is_at_limit(at)
        if is_room and not self._queue.has_next:
            self._tenants[tenant] = at
            self._begin(key, tenant, at)
            return Admitted.RUN
        reason = self._why_not(tenant, at, size)
        if reason:
            self._refused += 1
            return Refused(reason, self._pace.estimate_s(len(self._queue)))
        self._tenants[tenant] = at
        at.waiting += 1
        waiting = (key, tenant, item)
        self._queue.put(key, tenant, waiting, is_background=is_background, size=size)
        return Admitted.WAIT

    def next(self) -> Item | None:
        """One that waited and runs from now on; ``None``: none may."""
        if len(self._running) >= self._limits.max_running or not self._queue.has_next:
            return None
        key, tenant, item = self._queue.take()
        at = self._tenants[tenant]
        at.waiting -= 1
        self._begin(key, tenant, at)
        return item

    def leave(self, key: str, now: float) -> None:
        """One that ran has ended, or one that waited was taken back; any other changes nothing.

        ``now`` is in seconds, of one monotonic clock.
        """
        tenant = self._running.pop(key, None)
        if tenant is not None:
            at = self._tenants[tenant]
            if self._is_at_limit(at):
                self._queue.release(tenant)
            at.running -= 1
            self._pace.note_end(now, is_idle=not self._running and not self._queue)
        else:
            taken_back = self._queue.remove(key)
            if taken_back is None:
                return
            tenant = taken_back[1]
            at = self._tenants[tenant]
            at.waiting -= 1
        if not at.running and not at.waiting:
            del self._tenants[tenant]

    def _begin(self, key: str, tenant: str, at: _Tenant) -> None:
        self._running[key] = tenant
        at.running += 1
        if self._is_at_limit(at):
            self._queue.hold(tenant)

    def _is_at_limit(self, at: _Tenant) -> bool:
        return at.running == self._limits.max_running_per_tenant

    def _why_not(self, tenant: str, at: _Tenant, size: int) -> str:
        """Why one more may not wait; empty if it may."""
        limits, queue = self._limits, self._queue
        if len(queue) >= limits.max_waiting:
            return f"{len(self._running)} are running and {len(queue)} waiting; no more may wait."
        if queue.bytes + size > limits.max_waiting_bytes:
            return (
                f"{queue.bytes} bytes are waiting, this has {size}, "
                f"and no more than {limits.max_waiting_bytes} may wait."
            )
        of_tenant = limits.max_waiting_per_tenant
        if of_tenant is not None and at.waiting >= of_tenant:
            return (
                f"Tenant {tenant!r:.60} has {at.running} running and {at.waiting} waiting; "
                "no more of it may wait."
            )
        return ""


class _Tenant:
    __slots__ = ("running", "waiting")

    def __init__(self) -> None:
        self.running = 0
        self.waiting = 0


_Waiting = tuple[str, str, Item]
"""Key, tenant, item."""


class _Pace:
    """How many seconds pass from one end to the next, smoothed exponentially.

    A gap in which nothing ran for a while says no more than that they may be as short as this.
    """

    __slots__ = ("_gap_s", "_last_end", "_was_idle")

    def __init__(self) -> None:
        self._gap_s: float | None = None
        self._last_end: float | None = None
        self._was_idle = False

    def note_end(self, now: float, *, is_idle: bool) -> None:
        """One has ended; ``is_idle``: nothing is left that runs or could."""
        if self._last_end is not None:
            gap_s = min(max(0.0, now - self._last_end), _LONGEST_S)
            if self._gap_s is None:
                self._gap_s = gap_s
            elif gap_s < self._gap_s or not self._was_idle:
                self._gap_s += _WEIGHT * (gap_s - self._gap_s)
        self._last_end = now
        self._was_idle = is_idle

    def estimate_s(self, waiting: int) -> float:
        """Seconds until as many as are ``waiting``, but at least one, will have ended."""
        gap_s = _UNKNOWN_S if self._gap_s is None else self._gap_s
        return min(max(_SHORTEST_S, gap_s * max(1, waiting)), _LONGEST_S)
