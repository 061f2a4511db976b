"""``Tenure``: how long a keeper stays. Pure: it is told what time it is."""

from __future__ import annotations


class Tenure:
    """Follows the replicas that use a keeper. Times are seconds of a clock that never goes back.

    A replica that is silent for ``lost_s`` is lost. Where none is left, the keeper retires: at
    once, where nobody may start another one, or another version is there; else ``left_s`` after the
    last one left in order, as Serve ends replicas before it starts the next, or ``orphaned_s``
    after one that was lost was last heard of.
    """

    __slots__ = ("_left_s", "_lost_s", "_orphaned_s", "_parted_at", "_seen", "_was_left")

    def __init__(self, now: float, *, left_s: float, lost_s: float, orphaned_s: float) -> None:
        self._left_s = left_s
        self._lost_s = lost_s
        self._orphaned_s = orphaned_s
        self._seen: dict[str, float] = {}
        self._parted_at = now
        self._was_left = False

    @property
    def replicas(self) -> frozenset[str]:
        """Those that use it."""
        return frozenset(self._seen)

    def seen(self, replica: str, now: float) -> None:
        """A replica has joined, or is still there."""
        self._seen[replica] = now

    def left(self, replica: str, now: float) -> None:
        """A replica has left in order."""
        if self._seen.pop(replica, None) is not None:
            self._parted_at, self._was_left = now, True

    def is_over(self, now: float, *, is_served: bool, has_heir: bool) -> bool:
        """Whether to retire; ``is_served``: there is a Serve that may start replicas."""
        for replica, at in [*self._seen.items()]:
            if now - at > self._lost_s:
                del self._seen[replica]
                if at > self._parted_at:  # it has gone when it was last heard of
                    self._parted_at, self._was_left = at, False
        if self._seen:
            return False
        patience_s = self._left_s if self._was_left else self._orphaned_s
        return has_heir or not is_served or now - self._parted_at > patience_s
