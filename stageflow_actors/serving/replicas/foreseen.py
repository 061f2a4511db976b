"""``Foreseen``: which refusals of its keeper a replica knows beforehand, and need not ask for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from stageflow_actors.serving.faults import Fault, ProblemError, too_fast
from stageflow_actors.serving.room import Room
from stageflow_actors.serving.run_rate import RunRate

_MOST = 10_000


class Foreseen:
    """The rates of tenants at one keeper, seen from one replica; at most 10,000 of them.

    It counts what this replica asks for, and takes note of what the keeper says. Others ask, too,
    so the keeper has less room, never more: whoever is refused here would be refused there, once
    those that came before have been asked for; and when the time that is said has passed, the next
    one is asked for. While a refusal is on its way the keeper may have more room, and that time may
    be too long: whoever it refuses has used nothing.
    """

    __slots__ = ("_clock", "_rate")

    def __init__(self, per_s: float | None, clock: Callable[[], float]) -> None:
        self._rate = None if per_s is None else RunRate(per_s, _MOST)
        self._clock = clock

    def reserve(self, tenant: str) -> Room | None:
        """Room for a run that may be asked for; ``None``: there is no bound.

        Raises:
            ProblemError: the keeper would say no.
        """
        rate = self._rate
        if rate is None:
            return None
        refused = too_fast(rate.take(tenant, self._clock()))
        if refused is not None:
            raise refused
        return Room(lambda: rate.give_back(tenant, self._clock()))

    @contextmanager
    def asking(self, tenant: str, reserved: Room | None) -> Iterator[None]:
        """Around the question whether that tenant may start a run, for which room may be reserved.

        Raises:
            ProblemError: the keeper would say no.
        """
        asked = self._clock()
        room = self.reserve(tenant) if reserved is None else reserved
        try:
            yield
        except BaseException as error:  # it may not have been started
            if room is not None:
                room.give_back()
            self._take_note(tenant, asked, error)
            raise
        if room is not None:
            room.use()

    def _take_note(self, tenant: str, asked: float, error: BaseException) -> None:
        """What the keeper said counts from when it was asked, not from when its answer came: it
        must not last longer than it was meant to.
        """
        if not isinstance(error, ProblemError) or error.fault is not Fault.TOO_FAST:
            return
        if self._rate is not None and error.retry_after_s is not None:
            now = self._clock()
            self._rate.limit(tenant, now, max(0.0, error.retry_after_s - (now - asked)))
