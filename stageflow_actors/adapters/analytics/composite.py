"""``CompositeExporter``: the same events to several exporters."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from uuid import UUID

from stageflow_actors.adapters.analytics.event import AnalyticsEvent
from stageflow_actors.adapters.analytics.exporter import AnalyticsExporter, close_exporter
from stageflow_actors.adapters.routing import BranchStatistics


class CompositeExporter:
    """Exports to all of ``exporters`` at the same time.

    ``export`` returns when all are done, and raises what the first of them raised, in the order
    given. Brought again, the events go only to those that have not had them. One that is down for
    long holds the others back with the buffer in front: give each a buffer of its own then.
    """

    def __init__(self, exporters: Sequence[AnalyticsExporter]) -> None:
        self._branches = [_Branch(exporter) for exporter in exporters]

    @property
    def statistics(self) -> tuple[BranchStatistics, ...]:
        """Events delivered to each exporter, and attempts of it that failed, in the order given."""
        return tuple(branch.statistics for branch in self._branches)

    async def export(self, events: Sequence[AnalyticsEvent]) -> None:
        await _all_of([branch.export(events) for branch in self._branches])
        for branch in self._branches:
            branch.forget()

    async def close(self) -> None:
        """Close all, and raise what the first of them raised."""
        await _all_of([close_exporter(branch.exporter) for branch in self._branches])


class _Branch:
    """One exporter, and which events it has had of those that another one has not."""

    def __init__(self, exporter: AnalyticsExporter) -> None:
        self.exporter = exporter
        self._had: set[UUID] = set()
        self._delivered = self._failed = 0

    @property
    def statistics(self) -> BranchStatistics:
        return BranchStatistics(type(self.exporter).__name__, self._delivered, self._failed)

    async def export(self, events: Sequence[AnalyticsEvent]) -> None:
        # What is not brought again was given up: nothing has to be known of it any more.
        self._had &= {event.event_id for event in events}
        missing = [event for event in events if event.event_id not in self._had]
        if not missing:
            return
        try:
            await self.exporter.export(missing)
        except BaseException:
            self._failed += 1
            raise
        self._delivered += len(missing)
        self._had.update(event.event_id for event in missing)

    def forget(self) -> None:
        self._had.clear()


async def _all_of(calls: Sequence[object]) -> None:
    """Wait for all calls, then raise what the first that failed has raised."""
    results = await asyncio.gather(*calls, return_exceptions=True)  # type: ignore[call-overload]
    for result in results:
        if isinstance(result, BaseException):
            raise result
