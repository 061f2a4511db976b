"""``PipelineTimer``: the clock of a run."""

from __future__ import annotations

import time
from datetime import UTC, datetime


class PipelineTimer:
    """When a run began; one and the same start for all its stages."""

    __slots__ = ("pipeline_start_ms",)

    def __init__(self, pipeline_start_ms: int | None = None) -> None:
        self.pipeline_start_ms = self.now_ms() if pipeline_start_ms is None else pipeline_start_ms

    @staticmethod
    def now_ms() -> int:
        """Milliseconds since the Unix epoch."""
        return time.time_ns() // 1_000_000

    def elapsed_ms(self) -> int:
        """Milliseconds since the run began."""
        return self.now_ms() - self.pipeline_start_ms

    @property
    def started_at(self) -> datetime:
        """When the run began, in UTC."""
        return datetime.fromtimestamp(self.pipeline_start_ms / 1000, UTC)
