"""``RunBook``: the runs that the door knows. Whose a run is, is part of finding it."""

from __future__ import annotations

import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable
from typing import NamedTuple
from uuid import UUID

from stageflow_actors.serving.faults import Fault, ProblemError
from stageflow_actors.serving.records import RunRecord
from stageflow_actors.serving.retention import Retention, RetentionStats
from stageflow_actors.serving.settings import ServingSettings


class BookStats(NamedTuple):
    """How many runs go on, what is kept of those that have ended, ids remembered of others."""

    live: int
    kept: RetentionStats
    expired_ids: int


class RunBook:
    """Live runs, those that ended lately, and the ids of some that went.

    ``forgotten`` is called with each that is not here any more.
    """

    def __init__(self, settings: ServingSettings, forgotten: Callable[[RunRecord], None]) -> None:
        self._forgotten = forgotten
        self._records: dict[UUID, RunRecord] = {}
        self._live: Counter[str] = Counter()
        self._gone: OrderedDict[UUID, str] = OrderedDict()
        self._max_gone = settings.max_expired_ids
        self._retention: Retention[UUID] = Retention(
            settings.kept_s, settings.max_kept_runs, settings.max_kept_bytes
        )

    def add(self, record: RunRecord) -> None:
        """Take note of a run that has just started."""
        self._records[record.run_id] = record
        self._live[record.tenant] += 1

    def forget(self, record: RunRecord) -> None:
        """As if a live run had never been."""
        if self._records.pop(record.run_id, None) is not None:
            self._leave(record)
            self._forgotten(record)

    def ended(self, record: RunRecord) -> None:
        """Keep a run that has just ended, as long as there is room for it.

        One that was refused, and whose client is there to hear it, would only take that room away.
        """
        if record.refusal is not None and record.waiting:
            self.forget(record)
        elif record.run_id in self._records:
            self._leave(record)
            self._go(self._retention.keep(record.run_id, record.size, time.monotonic()))

    def take(self, ended: Iterable[tuple[RunRecord, float]]) -> None:
        """Keep runs that ended elsewhere, so many seconds ago, and are not here."""
        taken = []
        for record, age_s in ended:
            self._records[record.run_id] = record
            taken.append((record.run_id, record.size, age_s))
        self._go(self._retention.inherit(taken, time.monotonic()))

    def ended_runs(self) -> list[tuple[RunRecord, float]]:
        """Every run that is kept, and how many seconds ago it ended."""
        now = time.monotonic()
        return [
            (record, self._retention.age_s(record.run_id, now))
            for record in self._records.values()
            if record.is_ended
        ]

    def sweep(self) -> None:
        """Let go of those that were kept long enough."""
        self._go(self._retention.expire(time.monotonic()))

    def find(self, run_id: str, tenant: str) -> RunRecord | None:
        """The run of that id, if it is ``tenant``'s: that of another is as unknown as none.

        Raises:
            ProblemError: it is not kept any more.
        """
        self.sweep()
        key = _to_id(run_id)
        if key is None:
            return None
        record = self._records.get(key)
        if record is not None and record.tenant == tenant:
            return record
        if self._gone.get(key) == tenant:
            raise ProblemError(Fault.RUN_EXPIRED, run_id=key)
        return None

    def known(self, run_id: str) -> RunRecord | None:
        """The run of that id, whoever's it is: for what shows nothing of it."""
        key = _to_id(run_id)
        return None if key is None else self._records.get(key)

    def live_of(self, tenant: str) -> int:
        """How many runs of ``tenant`` have not ended."""
        return self._live[tenant]

    def live(self) -> list[RunRecord]:
        """Every run that has not ended."""
        return [record for record in self._records.values() if not record.is_ended]

    def stats(self) -> BookStats:
        """What is in it."""
        live = sum(self._live.values())
        return BookStats(live, self._retention.stats(), len(self._gone))

    def _leave(self, record: RunRecord) -> None:
        self._live[record.tenant] -= 1
        if not self._live[record.tenant]:
            del self._live[record.tenant]

    def _go(self, gone: list[UUID]) -> None:
        for key in gone:
            record = self._records.pop(key)
            self._gone[key] = record.tenant
            self._forgotten(record)
        while len(self._gone) > self._max_gone:
            self._gone.popitem(last=False)


def _to_id(text: str) -> UUID | None:
    """Only the usual spelling: ``UUID`` reads others, too."""
    try:
        read = UUID(text)
    except ValueError:
        return None
    return read if str(read) == text.lower() else None
