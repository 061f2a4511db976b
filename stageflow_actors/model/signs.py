"""``SignsOfLife``: when an execution was last heard of."""

from __future__ import annotations

import time


class SignsOfLife:
    """Seconds of the monotonic clock at the last sign of life, and at the last heartbeat."""

    __slots__ = ("heartbeat_at", "seen_at")

    def __init__(self) -> None:
        self.seen_at = self.heartbeat_at = time.monotonic()

    def note(self) -> None:
        """Something was heard: an event, an artifact, a piece of its stream."""
        self.seen_at = time.monotonic()

    def beat(self) -> None:
        """The execution says that it is alive."""
        self.seen_at = self.heartbeat_at = time.monotonic()
