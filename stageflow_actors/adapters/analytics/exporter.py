"""What an exporter is, and how one that may lack ``close`` is closed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from stageflow_actors.adapters.analytics.event import AnalyticsEvent


@runtime_checkable
class AnalyticsExporter(Protocol):
    """Where analytics events go: a file, a warehouse, a service.

    It may have ``async def close(self)``, too, which is called once, after the last ``export``.
    """

    async def export(self, events: Sequence[AnalyticsEvent]) -> None:
        """Deliver the events, in this order: all, or raise, and a buffer brings them again."""


@runtime_checkable
class ImmediateExporter(AnalyticsExporter, Protocol):
    """An exporter that can take an event without waiting."""

    def try_export(self, event: AnalyticsEvent) -> bool:
        """Deliver or keep one event now; ``False``: it was not taken, or is dropped."""


async def close_exporter(exporter: AnalyticsExporter) -> None:
    """Call ``close`` of an exporter that has one; raises what that raises."""
    close = getattr(exporter, "close", None)
    if close is not None:
        await close()
