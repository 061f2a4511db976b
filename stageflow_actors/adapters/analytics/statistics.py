"""``AnalyticsStatistics``: what has become of every event of a ``BufferedExporter``."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AnalyticsStatistics:
    """Exact counts: ``accepted == exported + dropped + left + buffered`` at every moment.

    ``left`` is what ``close`` could not deliver and handed back. Not accepted are those that wait
    for a place (``waiting``) and those that got none (``refused``). ``buffered_bytes`` is the size
    of what is buffered, ``failed_exports`` counts attempts, ``overflow_errors`` how often
    ``on_overflow`` raised.
    """

    accepted: int = 0
    exported: int = 0
    dropped: int = 0
    left: int = 0
    buffered: int = 0
    buffered_bytes: int = 0
    waiting: int = 0
    refused: int = 0
    failed_exports: int = 0
    overflow_errors: int = 0
